//! A report as bars. Pure.

use super::{Comparison, ComparisonReport, Figure, Measured};
use crate::plot::{Bar, BarChart, Category, Chart, Sheet};

/// Throughput and round trips of each mechanism.
#[must_use]
pub fn sheet(report: &ComparisonReport) -> Sheet {
    let machine = &report.machine;
    let subtitle = format!(
        "{}, {} cores, Linux {}; one supervisor and one worker; rounds: {}; logarithmic scales",
        machine.processor, machine.cores, machine.kernel, report.rounds
    );
    let throughput = chart(report, "Items a second", ["batched", "one in a message"], |found| {
        [found.items_per_s, found.messages_per_s]
    });
    let round_trip = chart(report, "Round trip in microseconds, one item in flight", ["median", "p99"], |found| {
        [found.round_trip_us, found.round_trip_p99_us]
    });
    Sheet {
        title: "supervisor compare".to_owned(),
        subtitle,
        charts: vec![Chart::Bars(throughput), Chart::Bars(round_trip)],
    }
}

fn chart(report: &ComparisonReport, title: &str, series: [&str; 2], figures: fn(&Measured) -> [Figure; 2]) -> BarChart {
    let category = |row: &Comparison| {
        let figures = row.measured.as_ref().map(figures);
        let bars = figures.map_or_else(|_| Vec::new(), |figures| figures.map(bar).to_vec());
        Category { label: row.mechanism.name().to_owned(), bars }
    };
    BarChart {
        title: title.to_owned(),
        series: series.map(str::to_owned).to_vec(),
        categories: report.rows.iter().map(category).collect(),
    }
}

fn bar(figure: Figure) -> Bar {
    Bar { value: figure.median, low: figure.min, high: figure.max, text: figure.shown() }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::plot;

    #[test]
    fn each_mechanism_has_its_bars_and_one_that_failed_has_a_label() {
        let sheet = sheet(&sample::report());
        let bars = |chart: &Chart| match chart {
            Chart::Bars(bars) => bars.clone(),
            Chart::Steps(_) => panic!("there are bars alone"),
        };
        for chart in sheet.charts.iter().map(bars) {
            let labels: Vec<_> =
                chart.categories.iter().map(|group| (group.label.as_str(), group.bars.len())).collect();
            assert_eq!(labels, [("pipe", 2), ("shm", 2), ("mqueue", 0), ("thread", 2)]);
        }
        assert_eq!(bars(&sheet.charts[1]).categories[0].bars[0].value, 48.13);
        let svg = plot::svg(&sheet).unwrap();
        // The two colours of series, in two charts, for three mechanisms.
        for colour in ["#005AA0", "#F0A028"] {
            assert_eq!(svg.matches(&format!("fill=\"{colour}\"")).count(), 2 * 3);
        }
        for text in ["mqueue", "21.3M", "supervisor compare"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
