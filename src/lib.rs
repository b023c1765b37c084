#![doc = include_str!("ARCHITECTURE.md")]

pub mod cli;
pub mod command;
pub mod core;
pub mod engine;
pub mod exit_code;
pub mod host;
pub mod model;
pub mod protocol;
pub mod reporter;
pub mod source;
pub mod sys;
pub mod transport;
pub mod wire;
pub mod worker;
