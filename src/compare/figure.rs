//! A number that was measured a few times: its median, how far the measurements spread, and how many of its digits they
//! agree on. Pure.

use serde::Serialize;

/// The median of a few measurements, and the smallest and the largest of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// Most digits that are shown.
const DIGITS_MAX: i32 = 3;

impl Figure {
    /// `None` without a measurement, or with one that is no number.
    #[must_use]
    pub fn of(measured: &[f64]) -> Option<Self> {
        if measured.iter().any(|number| !number.is_finite()) {
            return None;
        }
        let mut sorted = measured.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, min, max })
    }

    /// The median with the digits that the measurements agree on, at least one and at most three: `21.3M`, `870k`,
    /// `48`, `0.0031`, `0`.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.median == 0.0 {
            return "0".to_owned();
        }
        let half_spread = (self.max - self.min) / 2.0;
        // The place of the first digit, counted from the point: 0 is the ones.
        let place = |number: f64| number.abs().log10().floor() as i32;
        let first = place(self.median);
        let last = if half_spread > 0.0 { place(half_spread) } else { i32::MIN };
        let last = last.clamp(first - (DIGITS_MAX - 1), first);
        scaled(self.median, last)
    }
}

/// A number rounded to the place of its last digit, with a letter for thousands.
fn scaled(number: f64, last: i32) -> String {
    let unit = 10_f64.powi(last);
    let rounded = (number / unit).round() * unit;
    // 999.7 has become 1000, which has a digit more.
    let last = last.max(rounded.abs().log10().floor() as i32 - (DIGITS_MAX - 1));
    let (scale, letter) = match rounded.abs() {
        large if large >= 1e9 => (9, "G"),
        large if large >= 1e6 => (6, "M"),
        large if large >= 1e3 => (3, "k"),
        _ => (0, ""),
    };
    let decimals = usize::try_from(scale - last).unwrap_or(0);
    format!("{:.decimals$}{letter}", rounded / 10_f64.powi(scale))
}

/// The value that this part (0 to 1) of the measurements does not exceed, by the nearest rank; `None` without one.
#[must_use]
pub fn percentile(measured: &[f64], part: f64) -> Option<f64> {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_numbers_of_measurements() {
        assert_eq!(Figure::of(&[3.0, 1.0, 2.0]), Some(Figure { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Figure::of(&[4.0, 1.0]), Some(Figure { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Figure::of(&[]), None);
        assert_eq!(Figure::of(&[1.0, f64::NAN]), None);
        assert_eq!(Figure::of(&[f64::INFINITY]), None);
    }

    #[test]
    fn only_digits_that_the_measurements_agree_on_are_shown() {
        let shown = |median: f64, spread: f64| Figure { median, min: median - spread, max: median + spread }.shown();
        for (median, spread, expected) in [
            (21_345_678.0, 0.0, "21.3M"),
            (21_345_678.0, 200_000.0, "21.3M"),
            (21_345_678.0, 2_000_000.0, "21M"),
            (21_345_678.0, 20_000_000.0, "20M"),
            (21_345_678.0, 90_000_000.0, "20M"),
            (870_400.0, 1.0, "870k"),
            (999_960.0, 1.0, "1.00M"),
            (48.123, 0.01, "48.1"),
            (48.123, 3.0, "48"),
            (48.123, 30.0, "50"),
            (3.0, 0.0, "3.00"),
            (0.003_14, 0.0, "0.00314"),
            (0.003_14, 0.0002, "0.0031"),
            (0.0, 0.5, "0"),
            (1_234.0, 0.0, "1.23k"),
            (2e9, 0.0, "2.00G"),
            (-2.5, 0.0, "-2.50"),
        ] {
            assert_eq!(shown(median, spread), expected, "{median} +- {spread}");
        }
    }

    #[test]
    fn a_percentile_is_a_measurement() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), Some(50.0));
        assert_eq!(percentile(&hundred, 0.99), Some(99.0));
        assert_eq!(percentile(&hundred, 1.0), Some(100.0));
        assert_eq!(percentile(&hundred, 0.0), Some(1.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
