//! What a picture shows.

use super::bars::{Area, BarChart, DrawingError};
use super::steps::StepChart;
use plotters::prelude::DrawingBackend;

/// A picture: charts of equal size below each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    pub title: String,
    /// Small, below the title.
    pub subtitle: String,
    pub charts: Vec<Chart>,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    Bars(BarChart),
    Steps(StepChart),
}

impl Chart {
    /// Draws into all of the area.
    pub(super) fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), DrawingError<DB>> {
        match self {
            Self::Bars(chart) => chart.draw(area),
            Self::Steps(chart) => chart.draw(area),
        }
    }
}
