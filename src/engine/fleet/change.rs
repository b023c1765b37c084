//! A change of a child, as a fact about its worker.

use crate::core::input::Input;
use crate::model::ids::{Incarnation, WorkerId};
use crate::model::signal::Signal;

/// The fact that a process was stopped by this signal, or goes on.
pub const fn change_of(worker: WorkerId, incarnation: Incarnation, stopped: Option<Signal>) -> Input {
    match stopped {
        Some(signal) => Input::Stopped { worker, incarnation, signal },
        None => Input::Continued { worker, incarnation },
    }
}
