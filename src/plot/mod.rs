//! Floor 1: charts as SVG and PNG. Knows numbers and labels, and nothing of what they mean.
//!
//! A [`Sheet`] has a title and charts, one below the other. [`svg`] and [`png`] draw the same sheet. Text in both is set
//! in a part of the font Inter that is within the program (`inter-ascii.ttf`, 10 KB: the printable characters of ASCII;
//! its licence is beside it), so that no font of the system is needed. Other characters are drawn as boxes in PNG.
//!
//! Invariant: pure, and no numbers make it fail or panic: what cannot be drawn is left out, and labelled so.

mod bars;
mod labels;
mod picture;
mod sheet;
mod steps;

pub use bars::{Bar, BarChart, Category};
pub use labels::short;
pub use picture::{PlotError, png, svg};
pub use sheet::{Chart, Sheet};
pub use steps::StepChart;
