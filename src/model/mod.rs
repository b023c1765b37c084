//! Floor 0: the vocabulary as plain values, and how text becomes one.
//!
//! Invariant: this floor imports no other floor, makes no system call and never waits.

pub(crate) mod arranged;
pub mod arrangement;
pub mod builder;
pub mod chaos;
mod chaos_settings;
pub mod command;
pub mod config;
pub mod config_error;
pub(crate) mod defaults;
pub mod durations;
pub mod event;
pub mod exit;
pub mod exit_rule;
pub(crate) mod exit_settings;
pub mod ids;
pub mod item_alone;
pub mod item_set;
pub mod journal_spec;
mod launch_settings;
pub mod mechanism;
pub mod notification;
pub mod numbers;
pub mod outcome;
pub(crate) mod output_settings;
pub mod output_spec;
mod pipe_settings;
pub mod plot_file;
pub(crate) mod policy_defaults;
pub mod setting;
mod setting_values;
pub mod signal;
pub mod signal_table;
pub mod spec;
pub mod status;
pub mod surroundings;
pub mod text;
pub mod time;
pub mod words;
pub mod worker_count;
pub mod worker_log;
pub mod xargs;

/// The examples of the page for programs, as tests.
#[cfg(all(doctest, feature = "run"))]
#[doc = include_str!("../../docs/library.md")]
struct LibraryPage;
