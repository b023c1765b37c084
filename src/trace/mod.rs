//! Floor 2: what a trace looks like to people. `html` makes a page of it.

pub mod html;
