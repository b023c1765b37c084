//! A sheet as a picture: SVG, which is text, or PNG.

use super::bars::{FONT, text_style};
use super::sheet::Sheet;
use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::prelude::DrawingBackend;
use plotters::style::{FontStyle, RGBColor, WHITE, register_font};

/// The printable characters of ASCII and a few more, of Inter 4.001 (SIL Open Font License 1.1).
static INTER: &[u8] = include_bytes!("inter-ascii.ttf");

const WIDTH: u32 = 880;
const HEAD_HEIGHT: u32 = 64;
const CHART_HEIGHT: u32 = 320;
/// A larger picture would be no picture.
const CHARTS_MAX: usize = 20;

/// Why a picture could not be made; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    #[error("draw a plot: {0}")]
    Draw(String),
    #[error("encode a plot as PNG: {0}")]
    Encode(#[from] png::EncodingError),
}

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for PlotError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self::Draw(error.to_string())
    }
}

/// The sheet as SVG, which is text.
///
/// # Errors
/// A defect of the library that draws.
pub fn svg(sheet: &Sheet) -> Result<String, PlotError> {
    let mut text = String::new();
    draw(sheet, SVGBackend::with_string(&mut text, size(sheet)))?;
    Ok(text)
}

/// The sheet as PNG.
///
/// # Errors
/// As of [`svg`].
pub fn png(sheet: &Sheet) -> Result<Vec<u8>, PlotError> {
    let (width, height) = size(sheet);
    let mut pixels = vec![0; 3 * width as usize * height as usize];
    draw(sheet, BitMapBackend::with_buffer(&mut pixels, (width, height)))?;
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(picture)
}

/// In pixels.
fn size(sheet: &Sheet) -> (u32, u32) {
    let charts = sheet.charts.len().clamp(1, CHARTS_MAX) as u32;
    (WIDTH, HEAD_HEIGHT + charts * CHART_HEIGHT)
}

fn draw<DB: DrawingBackend>(sheet: &Sheet, backend: DB) -> Result<(), PlotError> {
    let broken = |_| PlotError::Draw("its font is broken".to_owned());
    register_font(FONT, FontStyle::Normal, INTER).map_err(broken)?;
    let picture = backend.into_drawing_area();
    picture.fill(&WHITE)?;
    picture.draw_text(&sheet.title, &text_style(20), (16, 14))?;
    picture.draw_text(&sheet.subtitle, &text_style(13).color(&RGBColor(90, 90, 90)), (16, 42))?;
    let (_, below) = picture.split_vertically(HEAD_HEIGHT);
    let charts = &sheet.charts[..sheet.charts.len().min(CHARTS_MAX)];
    for (area, chart) in below.split_evenly((charts.len().max(1), 1)).iter().zip(charts) {
        chart.draw(area)?;
    }
    picture.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Bar, BarChart, Category, Chart, StepChart};
    use super::*;

    fn bar(value: f64) -> Bar {
        Bar { value, low: value * 0.9, high: value * 1.1, text: format!("{value}") }
    }

    fn sheet() -> Sheet {
        let category = |label: &str, bars| Category { label: label.to_owned(), bars };
        let chart = BarChart {
            title: "items/s".to_owned(),
            series: vec!["many".to_owned(), "one".to_owned()],
            categories: vec![
                category("a<b>&\"'c", vec![bar(2.0e7), bar(3.0e5)]),
                category("none", Vec::new()),
                category("odd", vec![bar(f64::NAN), bar(-1.0), bar(f64::INFINITY)]),
                category("last", vec![bar(1.0), bar(2.0), bar(3.0), bar(4.0)]),
            ],
        };
        Sheet {
            title: "T & <t>".to_owned(),
            subtitle: "s".to_owned(),
            charts: vec![Chart::Bars(chart.clone()), Chart::Bars(chart)],
        }
    }

    /// The tags of a picture, closed where they have to be, and its texts.
    fn check_svg(svg: &str) {
        let mut open = Vec::new();
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap();
            assert!(!text.contains('>'), "{text}");
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{tag}");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn an_svg_has_a_bar_for_each_number_that_can_be_drawn_and_its_text_is_escaped() {
        let svg = svg(&sheet()).unwrap();
        check_svg(&svg);
        // Two charts with a bar of the first two numbers and the four of the last category.
        assert_eq!(svg.matches("fill=\"#005AA0\"").count(), 2 * 3, "{svg}");
        assert!(svg.contains("a&lt;b&gt;&amp;&quot;&apos;c") && !svg.contains("<b>"));
        assert_eq!(svg.matches("not measured").count(), 2 * 2);
    }

    #[test]
    fn a_step_chart_has_a_step_for_each_number_above_0() {
        let steps = |values: &[f64]| {
            let (title, across) = ("Items & more".to_owned(), "seconds".to_owned());
            let chart = Chart::Steps(StepChart { title, interval: 0.5, values: values.to_vec(), across });
            let svg = svg(&Sheet { title: String::new(), subtitle: String::new(), charts: vec![chart] }).unwrap();
            check_svg(&svg);
            assert!(svg.contains("Items &amp; more") && svg.contains("seconds"));
            (svg.matches("fill=\"#005AA0\"").count(), svg.matches("nothing was counted").count())
        };
        assert_eq!(steps(&[3.0, 0.0, f64::NAN, 1e300, f64::MAX, -1.0, f64::INFINITY]), (3, 0));
        for none in [&[][..], &[0.0, -1.0, f64::NAN]] {
            assert_eq!(steps(none), (0, 1));
        }
        assert_eq!(steps(&[1.0; 2_000]), (2_000, 0));
    }

    #[test]
    fn a_png_decodes_to_a_picture_that_is_not_empty() {
        let sheet = sheet();
        let bytes = png(&sheet).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), size(&sheet));
        let of = |colour: [u8; 3]| pixels.chunks_exact(3).filter(|pixel| **pixel == colour).count();
        assert!(of([0, 90, 160]) > 1_000 && of([255; 3]) > 100_000);
        // The letters of the titles and labels.
        assert!(of([0; 3]) > 500, "{}", of([0; 3]));
    }

    #[test]
    fn an_empty_sheet_and_one_with_strange_text_are_pictures() {
        let empty = Sheet { title: String::new(), subtitle: String::new(), charts: Vec::new() };
        check_svg(&svg(&empty).unwrap());
        assert!(!png(&empty).unwrap().is_empty());
        let mut strange = sheet();
        strange.title = "\u{1f389} \0 \u{202e} \n".to_owned();
        assert!(!png(&strange).unwrap().is_empty());
    }
}
