//! A number for each of many equal intervals, as steps that are filled down to 0, on linear scales.

use super::bars::{Area, COLOURS, DrawingError, LABEL_PIXELS, TITLE_PIXELS, text_style};
use super::labels::short;
use plotters::element::{Rectangle, Text};
use plotters::prelude::{ChartBuilder, DrawingBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

/// Numbers over intervals, from 0 on.
#[derive(Clone, Debug, PartialEq)]
pub struct StepChart {
    pub title: String,
    /// The length of an interval, in the unit of the axis across.
    pub interval: f64,
    /// A number of each. One that is not above 0 has no height.
    pub values: Vec<f64>,
    /// The unit of the axis across, below it.
    pub across: String,
}

/// No scale goes further: there numbers are no longer told apart.
const SCALE_MAX: f64 = 1e300;

impl StepChart {
    /// Draws into all of the area.
    pub(super) fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), DrawingError<DB>> {
        let (width, height) = self.scales();
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(TITLE_PIXELS + 20)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..width, 0.0..height)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(10)
            .y_labels(6)
            .x_desc(&self.across)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .label_style(text_style(LABEL_PIXELS))
            .axis_desc_style(text_style(LABEL_PIXELS))
            .light_line_style(RGBColor(242, 242, 242))
            .bold_line_style(RGBColor(215, 215, 215))
            .draw()?;
        let each = width / self.values.len().max(1) as f64;
        for (place, value) in self.values.iter().enumerate().filter(|(_, value)| is_drawable(**value)) {
            let left = each * place as f64;
            let corners = [(left, 0.0), (left + each, value.min(height))];
            chart.draw_series([Rectangle::new(corners, COLOURS[0].filled())])?;
        }
        if !self.values.iter().any(|value| is_drawable(*value)) {
            let none = text_style(LABEL_PIXELS).color(&COLOURS[2]).pos(Pos::new(HPos::Center, VPos::Center));
            chart.draw_series([Text::new("nothing was counted", (width / 2.0, height / 2.0), none)])?;
        }
        area.draw_text(&self.title, &text_style(TITLE_PIXELS), (16, 8))
    }

    /// Where the scales end: both are above 0, and finite.
    fn scales(&self) -> (f64, f64) {
        let most = self.values.iter().copied().filter(|value| is_drawable(*value)).fold(0.0, f64::max);
        let width = self.interval * self.values.len() as f64;
        let within = |length: f64| if is_drawable(length) { length.clamp(1e-300, SCALE_MAX) } else { 1.0 };
        (within(width), within(most * 1.08))
    }
}

fn is_drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scales_hold_every_number() {
        let scales = |interval: f64, values: &[f64]| {
            let (title, across) = (String::new(), String::new());
            StepChart { title, interval, values: values.to_vec(), across }.scales()
        };
        assert_eq!(scales(0.5, &[1.0, 100.0, 3.0]), (1.5, 108.0));
        assert_eq!(scales(0.5, &[]), (1.0, 1.0));
        assert_eq!(scales(f64::NAN, &[0.0, -1.0, f64::INFINITY]), (1.0, 1.0));
        assert_eq!(scales(f64::MAX, &[f64::MAX, f64::MIN_POSITIVE]), (1.0, 1.0));
    }
}
