//! The numbers of a run as a picture: throughput over time, and percentiles as bars.

use crate::plot::{Bar, BarChart, Category, Chart, Sheet, StepChart, short};
use crate::trace::stats::figures::{LifeOf, RunFigures};
use crate::trace::stats::percentiles::Percentiles;

/// Most intervals: a step is then a few pixels wide.
const INTERVALS_MAX: u32 = 200;

/// The longest command in the subtitle, which is one line.
const COMMAND_CHARS_MAX: usize = 60;

/// The picture of a run.
pub fn sheet(figures: &RunFigures) -> Sheet {
    let mut charts = vec![Chart::Steps(throughput(figures))];
    charts.extend(LifeOf::ALL.into_iter().filter_map(|of| percentiles(figures, of)).map(Chart::Bars));
    Sheet { title: "supervisor stats".to_owned(), subtitle: subtitle(figures), charts }
}

fn subtitle(figures: &RunFigures) -> String {
    let (header, items) = (&figures.header, &figures.items);
    // A picture shows no control characters, and no more than fits.
    let mut command: String =
        header.workers_run.chars().filter(|letter| !letter.is_control()).take(COMMAND_CHARS_MAX).collect();
    if command.len() < header.workers_run.len() {
        command.push_str("...");
    }
    let over = header.transport.as_ref().map_or_else(String::new, |transport| format!(" over {transport}"));
    format!(
        "{command}; workers: {}{over}; items: {}, {} of them done",
        header.policy.workers, items.arrived, items.done
    )
}

fn throughput(figures: &RunFigures) -> StepChart {
    let throughput = figures.throughput(INTERVALS_MAX);
    let interval = throughput.interval.as_secs_f64();
    StepChart {
        title: "Items a second".to_owned(),
        interval,
        values: throughput.items.iter().map(|items| *items as f64 / interval).collect(),
        across: format!("seconds since the start of the run, in intervals of {} ms", short(rounded(interval * 1e3))),
    }
}

/// `None`: there is nothing to draw.
fn percentiles(figures: &RunFigures, of: LifeOf) -> Option<BarChart> {
    let parts = figures.parts.iter().filter(|(part, _)| part.whole() == of);
    // What took no time that can be told has no place on a logarithmic scale.
    let told = parts.filter_map(|(part, found)| Some((part, found.filter(|found| found.max > 0)?)));
    let categories: Vec<_> = told
        .map(|(part, found)| {
            let Percentiles { p50, p99, max, .. } = found;
            Category { label: part.words().to_owned(), bars: [p50, p99, max].map(bar).to_vec() }
        })
        .collect();
    (!categories.is_empty()).then(|| BarChart {
        title: format!("{} (microseconds, logarithmic scale)", of.words()),
        series: ["median", "99%", "max"].map(str::to_owned).to_vec(),
        categories,
    })
}

fn bar(ns: u64) -> Bar {
    let value = ns as f64 / 1e3;
    Bar { value, low: value, high: value, text: short(rounded(value)) }
}

/// To three digits; [`short`] leaves out what is behind them.
fn rounded(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(value.log10().floor() - 2.0);
    (value / unit).round() * unit
}
