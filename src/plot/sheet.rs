//! What a picture shows.

use super::bars::BarChart;

/// A picture: charts of equal size below each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    pub title: String,
    /// Small, below the title.
    pub subtitle: String,
    pub charts: Vec<BarChart>,
}
