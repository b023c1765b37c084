//! Floor 2: the record of a run: every message, every fact and every order, in a file; and what can be read from it.
//!
//! [`record`] is the vocabulary of the file. While a run lasts, the shell tells [`tracer::Tracer`], and a thread writes
//! the file ([`file`]).
//!
//! Invariant: a trace changes nothing of a run: neither what is decided nor what is waited for. Bytes that are read are
//! hostile: every length is checked, and no text reaches a terminal, a page or a picture without being escaped. Of
//! `core` it knows the vocabulary alone, `input.rs` and `action.rs`.

pub mod diagram;
pub mod file;
pub mod frame;
pub mod held;
pub mod history;
pub mod html;
pub mod json;
pub mod lines;
pub mod live;
pub mod load;
pub mod mermaid;
pub mod narrator;
pub mod perfetto;
pub mod phrases;
pub mod reader;
pub mod record;
pub mod selection;
pub mod stats;
pub mod step;
pub mod svg;
pub mod tracer;
pub mod why;

#[cfg(test)]
mod testing;
