//! What a lesson says whatever it measures.

use super::language::Text;

/// What a lesson says whatever it measures. Its page in `docs/tour/` consists of these.
#[derive(Debug)]
pub struct LessonWords {
    pub title: Text,
    /// One line for the list of lessons.
    pub summary: Text,
    /// What the lesson will do.
    pub does: &'static [Text],
    /// What to notice in what it showed.
    pub notice: &'static [Text],
    /// What it claims. Each is checked against what was measured.
    pub claims: &'static [Text],
    /// Commands to go on with.
    pub commands: &'static [Hint],
}

/// A command to go on with.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    pub command: &'static str,
    pub why: Text,
}
