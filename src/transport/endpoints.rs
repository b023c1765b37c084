//! The endpoints of a channel that a worker process inherits: descriptors and values, each under the name of a variable
//! of its environment.
//!
//! The supervisor fills them in when it opens a channel; the worker takes them out. Other code assigns the numbers of
//! the descriptors and sets the environment.
//!
//! Invariant: a name stands for one descriptor or one variable; a descriptor may have several names.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Descriptors and variables, by name.
#[derive(Debug, Default)]
pub struct Endpoints {
    fds: Vec<(Vec<&'static str>, OwnedFd)>,
    variables: Vec<(&'static str, String)>,
}

impl Endpoints {
    /// No endpoints.
    #[must_use]
    pub const fn new() -> Self {
        Self { fds: Vec::new(), variables: Vec::new() }
    }

    /// Adds `fd` under each of these names.
    #[must_use]
    pub fn fd(mut self, names: &[&'static str], fd: OwnedFd) -> Self {
        self.fds.push((names.to_vec(), fd));
        self
    }

    /// Adds a variable of this name.
    #[must_use]
    pub fn variable(mut self, name: &'static str, variable: impl Into<String>) -> Self {
        self.variables.push((name, variable.into()));
        self
    }

    /// The descriptors in the order in which they were added, with their names.
    pub fn fds(&self) -> impl ExactSizeIterator<Item = (&[&'static str], BorrowedFd<'_>)> {
        self.fds.iter().map(|(names, fd)| (names.as_slice(), fd.as_fd()))
    }

    /// The variables, with their names.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = (&'static str, &str)> {
        self.variables.iter().map(|(name, variable)| (*name, variable.as_str()))
    }

    /// Takes out the descriptor of this name, with its other names.
    ///
    /// # Errors
    /// No descriptor has this name, or it was taken before.
    pub fn take_fd(&mut self, name: &str) -> io::Result<OwnedFd> {
        let at = self.fds.iter().position(|(names, _)| names.contains(&name)).ok_or_else(|| missing(name))?;
        Ok(self.fds.swap_remove(at).1)
    }

    /// The variable of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn get_variable(&self, name: &str) -> io::Result<&str> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, variable)| variable.as_str()).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{name} is not set"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;

    #[test]
    fn what_was_handed_over_is_found_by_name_and_descriptors_are_taken_once() {
        let (reader, writer) = fd::pipe().unwrap();
        let mut endpoints = Endpoints::new().fd(&["IN", "OUT"], reader).fd(&["WAKE"], writer).variable("NAME", "x");
        assert_eq!(
            endpoints.fds().map(|(names, _)| names.to_vec()).collect::<Vec<_>>(),
            [vec!["IN", "OUT"], vec!["WAKE"]]
        );
        assert_eq!(endpoints.variables().collect::<Vec<_>>(), [("NAME", "x")]);
        assert_eq!(endpoints.get_variable("NAME").unwrap(), "x");
        assert!(endpoints.take_fd("OUT").is_ok());
        assert_eq!(endpoints.take_fd("IN").unwrap_err().to_string(), "IN is not set");
        assert!(endpoints.take_fd("WAKE").is_ok());
        assert_eq!(endpoints.get_variable("OTHER").unwrap_err().to_string(), "OTHER is not set");
    }
}
