//! Bars in groups: for each category a bar of each series, on a logarithmic scale, with the spread of each number.

use super::labels::short;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::{ChartBuilder, DrawingBackend, IntoLogRange};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, IntoFont, RGBColor, TextStyle};

pub(super) type Area<DB> = DrawingArea<DB, Shift>;
pub(super) type DrawingError<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

/// Groups of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    pub title: String,
    /// The names of the bars of each group: at most three, which have different colours.
    pub series: Vec<String>,
    pub categories: Vec<Category>,
}

/// A group of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    pub label: String,
    /// A bar of each series; without any the category is labelled as not measured.
    pub bars: Vec<Bar>,
}

/// A bar. A value that is not above 0 has no place on a logarithmic scale, and is not drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub value: f64,
    /// The spread of the value.
    pub low: f64,
    pub high: f64,
    /// Written above the bar.
    pub text: String,
}

/// The colours of the series: told apart also by readers who see few colours, and in print.
pub(super) const COLOURS: [RGBColor; 3] = [RGBColor(0, 90, 160), RGBColor(240, 160, 40), RGBColor(110, 110, 110)];

pub(super) const FONT: &str = "sans-serif";
pub(super) const TITLE_PIXELS: i32 = 16;
pub(super) const LABEL_PIXELS: i32 = 13;
/// The part of a category's width that its bars take.
const BARS_PART: f64 = 0.8;

impl Bar {
    fn is_drawable(&self) -> bool {
        self.value.is_finite() && self.value > 0.0
    }
}

impl BarChart {
    /// From a power of ten to a power of ten, so that every bar is between them and has a height.
    fn range(&self) -> (f64, f64) {
        let bars = self.categories.iter().flat_map(|category| &category.bars).filter(|bar| bar.is_drawable());
        let values = bars.flat_map(|bar| [bar.value, bar.low, bar.high]);
        let values: Vec<f64> = values.filter(|value| value.is_finite() && *value > 0.0).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        if values.is_empty() {
            return (1.0, 10.0);
        }
        let power = |exponent: f64| 10_f64.powf(exponent.clamp(-300.0, 300.0));
        let from = power((least / 1.5).log10().floor());
        (from, power((most * 1.5).log10().ceil().max(from.log10() + 1.0)))
    }

    /// Draws into all of the area.
    pub(super) fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), DrawingError<DB>> {
        let (from, to) = self.range();
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(TITLE_PIXELS + 36)
            .x_label_area_size(24)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..self.categories.len().max(1) as f64, (from..to).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(6)
            .y_label_formatter(&|value| short(*value))
            .label_style(text_style(LABEL_PIXELS))
            .light_line_style(RGBColor(242, 242, 242))
            .bold_line_style(RGBColor(215, 215, 215))
            .draw()?;
        let width = BARS_PART / self.series.len().max(1) as f64;
        for (index, category) in self.categories.iter().enumerate() {
            let middle = index as f64 + 0.5;
            for (series, bar) in category.bars.iter().enumerate().filter(|(_, bar)| bar.is_drawable()) {
                let left = middle - BARS_PART / 2.0 + width * series as f64;
                let corners = [(left, from), (left + width * 0.92, bar.value)];
                chart.draw_series([Rectangle::new(corners, COLOURS[series % COLOURS.len()].filled())])?;
                let centre = left + width * 0.46;
                if bar.low > 0.0 && bar.high > bar.low && bar.high.is_finite() {
                    chart.draw_series([PathElement::new([(centre, bar.low), (centre, bar.high)], BLACK)])?;
                }
                let above = text_style(LABEL_PIXELS).pos(Pos::new(HPos::Center, VPos::Bottom));
                let top = if bar.high.is_finite() { bar.value.max(bar.high) } else { bar.value };
                chart.draw_series([Text::new(bar.text.clone(), (centre, top * 1.02), above)])?;
            }
            if !category.bars.iter().any(Bar::is_drawable) {
                let none = text_style(LABEL_PIXELS).color(&COLOURS[2]).pos(Pos::new(HPos::Center, VPos::Bottom));
                chart.draw_series([Text::new("not measured", (middle, from * 1.1), none)])?;
            }
            let (across, down) = chart.backend_coord(&(middle, from));
            let below = text_style(LABEL_PIXELS).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw_text(&category.label, &below, within(area, (across, down + 6)))?;
        }
        self.draw_head(area)
    }

    /// The title, and the name of each series behind its colour.
    fn draw_head<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), DrawingError<DB>> {
        let title = text_style(TITLE_PIXELS);
        area.draw_text(&self.title, &title, (16, 8))?;
        let top = 8 + TITLE_PIXELS + 4;
        let mut left = 16;
        for (index, name) in self.series.iter().enumerate() {
            // A thick line, so that only bars are filled with their colour.
            let sample = [(left, top + 5), (left + 10, top + 5)];
            area.draw(&PathElement::new(sample, COLOURS[index % COLOURS.len()].stroke_width(10)))?;
            let style = text_style(LABEL_PIXELS);
            area.draw_text(name, &style, (left + 18, top - 1))?;
            let (width, _) = area.estimate_text_size(name, &style)?;
            left += 18 + i32::try_from(width).unwrap_or(100) + 20;
        }
        Ok(())
    }
}

pub(super) fn text_style(pixels: i32) -> TextStyle<'static> {
    TextStyle::from((FONT, pixels).into_font()).color(&BLACK)
}

/// A place of the picture as a place of the area.
fn within<DB: DrawingBackend>(area: &Area<DB>, (across, down): (i32, i32)) -> (i32, i32) {
    let (columns, rows) = area.get_pixel_range();
    (across - columns.start, down - rows.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> BarChart {
        let bar = |value: &f64| Bar { value: *value, low: *value, high: *value, text: String::new() };
        let category = |value: &f64| Category { label: "a".to_owned(), bars: vec![bar(value)] };
        BarChart {
            title: String::new(),
            series: vec!["s".to_owned()],
            categories: values.iter().map(category).collect(),
        }
    }

    #[test]
    fn the_scale_goes_from_a_power_of_ten_to_one_and_leaves_each_bar_a_height() {
        let about = |values: &[f64]| {
            let (from, to) = chart(values).range();
            (from.log10().round(), to.log10().round())
        };
        assert_eq!(about(&[20.0, 300.0]), (1.0, 3.0));
        assert_eq!(about(&[10.0]), (0.0, 2.0));
        assert_eq!(about(&[0.05, 9.9]), (-2.0, 2.0));
        assert_eq!(chart(&[]).range(), (1.0, 10.0));
        for impossible in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(chart(&[impossible]).range(), (1.0, 10.0));
        }
        let (from, to) = chart(&[f64::MIN_POSITIVE, f64::MAX]).range();
        assert!(from > 0.0 && to.is_finite() && to > from);
    }
}
