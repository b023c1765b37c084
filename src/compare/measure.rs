//! The comparison itself: round after round, mechanism after mechanism.

use super::conversation::{Dialogue, Flow};
use super::cost::CountedCalls;
use super::kill::Killed;
use super::{
    CallCosts, CompareError, CompareSettings, Comparison, ComparisonReport, Figure, KillFindings, Machine, Measured,
    Mechanism, NotMeasured, SwitchCosts, cost, kill, speed,
};
use crate::model::text::escaped;
use crate::sys::clock::monotonic_ns;
use crate::transport::{copies, in_process};

/// What is measured next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasuredRound {
    pub mechanism: Mechanism,
    /// From 1.
    pub round: u32,
    pub rounds: u32,
}

/// Compares. Calls `on_step` before each step. A mechanism that this machine or this build cannot do is a row of the
/// report that says why.
pub fn measure(settings: &CompareSettings, mut on_step: impl FnMut(MeasuredRound)) -> ComparisonReport {
    let begun_ns = monotonic_ns();
    let machine = Machine::this();
    let rounds = settings.rounds.max(1);
    let mut series: Vec<Series> = settings.mechanisms.iter().map(|mechanism| Series::new(*mechanism)).collect();
    for round in 0..rounds {
        for series in &mut series {
            if series.failed.is_none() {
                on_step(MeasuredRound { mechanism: series.mechanism, round: round + 1, rounds });
                series.failed = series.measure(settings, round).err().map(|error| not_measured(&error));
            }
        }
    }
    let rows = series.into_iter().map(Series::into_comparison).collect();
    ComparisonReport { machine, rounds, took_s: monotonic_ns().saturating_sub(begun_ns) as f64 / 1e9, rows }
}

/// On one line: an error may name a path.
fn reason(error: &CompareError) -> String {
    escaped(&format!("failed to {error}")).into_owned()
}

fn not_measured(error: &CompareError) -> NotMeasured {
    NotMeasured { reason: reason(error), is_unfinished: error.is_unfinished() }
}

/// What the rounds found so far of one mechanism.
struct Series {
    mechanism: Mechanism,
    /// Items of a run for speed, in batches and one in a message, once they are known.
    lengths: Option<(u64, u64)>,
    items_per_s: Vec<f64>,
    messages_per_s: Vec<f64>,
    round_trip_us: Vec<f64>,
    round_trip_p99_us: Vec<f64>,
    calls: Result<Vec<CountedCalls>, String>,
    voluntary: Vec<f64>,
    involuntary: Vec<f64>,
    kills: Vec<Killed>,
    failed: Option<NotMeasured>,
}

impl Series {
    const fn new(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            lengths: None,
            items_per_s: Vec::new(),
            messages_per_s: Vec::new(),
            round_trip_us: Vec::new(),
            round_trip_p99_us: Vec::new(),
            calls: Ok(Vec::new()),
            voluntary: Vec::new(),
            involuntary: Vec::new(),
            kills: Vec::new(),
            failed: None,
        }
    }

    /// One round.
    fn measure(&mut self, settings: &CompareSettings, round: u32) -> Result<(), CompareError> {
        let amounts = &settings.amounts;
        let conversation = Dialogue { program: &settings.program, mechanism: self.mechanism };
        let (batches, singles) = match self.lengths {
            Some(lengths) => lengths,
            None => {
                let length = |flow| speed::calibrate(&conversation, flow, amounts);
                *self.lengths.insert((length(Flow::Batches)?, length(Flow::Singles)?))
            }
        };
        self.items_per_s.push(speed::items_per_s(&conversation, Flow::Batches, batches)?);
        self.messages_per_s.push(speed::items_per_s(&conversation, Flow::Singles, singles)?);
        let (median, p99) = speed::round_trips(&conversation, amounts)?;
        self.round_trip_us.push(median);
        self.round_trip_p99_us.push(p99);
        let (voluntary, involuntary) = cost::switches(&conversation, amounts)?;
        self.voluntary.push(voluntary);
        self.involuntary.push(involuntary);
        if let Ok(counted) = &mut self.calls {
            match cost::calls(&conversation, amounts) {
                Ok(calls) => counted.push(calls),
                Err(error) => self.calls = Err(reason(&error)),
            }
        }
        if matches!(self.mechanism, Mechanism::Process(_)) {
            self.kills.push(kill::kill(&conversation, amounts, round)?);
        }
        Ok(())
    }

    fn into_comparison(self) -> Comparison {
        let (mechanism, failed) = (self.mechanism, self.failed.clone());
        let copies = match mechanism {
            Mechanism::Process(kind) => copies(kind),
            Mechanism::Thread => Some(in_process::COPIES),
        };
        let measured = match failed {
            Some(why) => Err(why),
            None => self.into_measured().ok_or_else(|| NotMeasured {
                reason: "failed to measure: a number is missing".to_owned(),
                is_unfinished: false,
            }),
        };
        Comparison { mechanism, copies, measured }
    }

    /// `None` without a round.
    fn into_measured(self) -> Option<Measured> {
        let calls = match self.calls {
            Ok(counted) => Ok(call_costs(counted)?),
            Err(error) => Err(error),
        };
        Some(Measured {
            items_per_s: Figure::of(&self.items_per_s)?,
            messages_per_s: Figure::of(&self.messages_per_s)?,
            round_trip_us: Figure::of(&self.round_trip_us)?,
            round_trip_p99_us: Figure::of(&self.round_trip_p99_us)?,
            calls,
            switches: SwitchCosts {
                voluntary: Figure::of(&self.voluntary)?,
                involuntary: Figure::of(&self.involuntary)?,
            },
            kill: kill_findings(&self.kills),
        })
    }
}

fn call_costs(mut counted: Vec<CountedCalls>) -> Option<CallCosts> {
    let figure = |of: fn(&CountedCalls) -> f64| Figure::of(&counted.iter().map(of).collect::<Vec<_>>());
    let (supervisor, worker) = (figure(|calls| calls.supervisor)?, figure(|calls| calls.worker)?);
    let per_item = figure(|calls| calls.per_item)?;
    // The names of the last round: they are the same in each.
    Some(CallCosts { supervisor, worker, per_item, named: counted.pop()?.named })
}

fn kill_findings(kills: &[Killed]) -> Option<KillFindings> {
    let again: Vec<f64> = kills.iter().map(|kill| kill.ran_again as f64).collect();
    Some(KillFindings {
        kills: u32::try_from(kills.len()).unwrap_or(u32::MAX),
        items: kills.iter().map(|kill| kill.items).sum(),
        lost: kills.iter().map(|kill| kill.lost).sum(),
        twice: kills.iter().map(|kill| kill.twice).sum(),
        ran_again: Figure::of(&again)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransportKind;

    #[test]
    fn kills_are_added_up_and_what_ran_again_is_the_median_of_a_kill() {
        let kill = |lost, ran_again| Killed { items: 100, lost, twice: 0, ran_again };
        let found = kill_findings(&[kill(0, 5), kill(1, 90), kill(0, 7)]).unwrap();
        assert_eq!((found.kills, found.items, found.lost, found.twice), (3, 300, 1, 0));
        assert_eq!(found.ran_again, Figure { median: 7.0, min: 5.0, max: 90.0 });
        assert_eq!(kill_findings(&[]), None);
    }

    #[test]
    fn a_mechanism_that_fails_is_a_row_that_says_why_and_the_others_go_on() {
        let settings = CompareSettings {
            program: "/nonexistent/supervisor".into(),
            mechanisms: vec![Mechanism::Process(TransportKind::Pipe), Mechanism::Process(TransportKind::Shm)],
            rounds: 2,
            amounts: super::super::Amounts::SMALL,
        };
        let mut steps = Vec::new();
        let report = measure(&settings, |step| steps.push((step.mechanism.name(), step.round)));
        assert_eq!(steps, [("pipe", 1), ("shm", 1)], "a mechanism that failed is not tried again");
        for row in &report.rows {
            let NotMeasured { reason, is_unfinished } = row.measured.as_ref().unwrap_err();
            assert!(reason.starts_with("failed to ") && reason.contains("/nonexistent/supervisor"), "{reason}");
            assert!(!is_unfinished);
            assert!(row.copies.is_some());
        }
    }
}
