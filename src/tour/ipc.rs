//! Lesson `ipc`: signals and what they lose, streams and messages, round trips, and the transports of supervisor.

use super::actor::{Actor, reply, told};
use super::comparison;
use super::echo::{self, EchoFigures, MEANS, MESSAGE_BYTES, ROUND_TRIPS};
use super::error::TourError;
use super::report::Unit;
use super::stage::LessonStage;
use super::text::ipc as text;
use crate::compare::{self, Amounts, CompareSettings};
use crate::model::signal::Signal;
use crate::sys::{mqueue, queued_signals};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// Signals of each kind that are sent.
const SENT: i32 = 5;

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    signals(stage)?;
    stage.pause()?;
    boundaries(stage)?;
    stage.pause()?;
    round_trips(stage)?;
    stage.pause()?;
    transports(stage)
}

fn signals(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::SIGNALS, &[("count", &SENT)])?;
    let real_time = queued_signals::first_real_time();
    let mut taker = Actor::start("signal-taker", &[""; 0])?;
    taker.hear()?;
    for number in 1..=SENT {
        let send =
            |signal| queued_signals::send(taker.pid(), signal, number).map_err(TourError::system("send a signal"));
        send(Signal::USR1)?;
        send(real_time)?;
    }
    taker.tell("go on")?;
    taker.end_input();
    let lines = taker.hear_all()?;
    stage.show(&text::TAKEN, &[("signals", &lines.join(", "))])?;
    let of = |signal: Signal| -> Vec<&str> {
        let begin = format!("{} ", signal.name());
        lines.iter().filter_map(|line| line.strip_prefix(begin.as_str())).collect()
    };
    let (common, queued) = (of(Signal::USR1), of(real_time));
    stage.value_of("usr1_taken", &text::COMMON_TAKEN, &[("count", &SENT)], common.len(), Unit::Count)?;
    stage.value_of("real_time_taken", &text::REAL_TIME_TAKEN, &[("count", &SENT)], queued.len(), Unit::Count)?;
    stage.claim(&text::LOST, common.len() == 1);
    stage.claim(&text::QUEUED, queued == ["1", "2", "3", "4", "5"]);
    Ok(())
}

/// The part `signal-taker`: holds signals back until it is told to take them, and says each with its number.
pub fn signal_taker_part(_: &[OsString]) -> io::Result<ExitCode> {
    let signals = [Signal::USR1, queued_signals::first_real_time()];
    queued_signals::hold_back(&signals);
    reply("ready")?;
    told()?;
    while let Some(taken) = queued_signals::take(&signals, 0)? {
        reply(format_args!("{} {}", taken.signal.name(), taken.number))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn boundaries(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::BOUNDARIES, &[])?;
    let failed = || TourError::system("write to a pipe and read from it");
    let (mut reader, mut writer) = io::pipe().map_err(failed())?;
    let mut bytes = [0; MESSAGE_BYTES];
    writer.write_all(b"ab").and_then(|()| writer.write_all(b"cd")).map_err(failed())?;
    let count = reader.read(&mut bytes).map_err(failed())?;
    let from_pipe = String::from_utf8_lossy(&bytes[..count]).into_owned();
    stage.value("pipe_read", &text::FROM_PIPE, from_pipe.as_str(), Unit::Words)?;
    stage.claim(&text::PIPE_MERGES, from_pipe == "abcd");
    let Ok((from, to)) = echo::queue() else {
        stage.cannot_check(&text::QUEUE_KEEPS, &text::NO_QUEUES);
        return Ok(());
    };
    let failed = || TourError::system("send to a message queue and receive from it");
    for message in [b"ab", b"cd"] {
        mqueue::send(&to, message).map_err(failed())?;
    }
    let mut received = Vec::new();
    for _ in 0..2 {
        let count = mqueue::receive(&from, &mut bytes).map_err(failed())?;
        received.push(String::from_utf8_lossy(&bytes[..count]).into_owned());
    }
    stage.value("queue_received", &text::FROM_QUEUE, received[0].as_str(), Unit::Words)?;
    stage.claim(&text::QUEUE_KEEPS, received == ["ab", "cd"]);
    Ok(())
}

fn round_trips(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::ROUND_TRIPS, &[("count", &ROUND_TRIPS), ("bytes", &MESSAGE_BYTES)])?;
    let mut all_unchanged = true;
    for (means, label) in MEANS.into_iter().zip(&text::MEANS) {
        match echo::measured(means) {
            Ok(EchoFigures { median_ns, unchanged }) => {
                let name = format!("round_trip_{means}_us");
                stage.value(&name, label, micros(median_ns), Unit::Microseconds)?;
                all_unchanged &= unchanged == ROUND_TRIPS;
            }
            // Of all means only this one may be missing.
            Err(error) if means == "mqueue" => {
                stage.show(&text::NOT_HERE, &[("name", &means), ("why", &error)])?;
            }
            Err(error) => return Err(error),
        }
    }
    stage.claim(&text::ECHOED, all_unchanged);
    Ok(())
}

fn transports(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::OVER_TRANSPORTS, &[])?;
    let settings = CompareSettings { rounds: 1, amounts: Amounts::SMALL, ..CompareSettings::of_this_program() };
    let report = compare::measure(&settings, |_| {});
    let language = stage.language();
    comparison::trip_rows(&report, language).iter().try_for_each(|row| stage.line(row))?;
    for row in &report.rows {
        match &row.measured {
            Ok(found) => comparison::values(row, found).into_iter().for_each(|value| stage.keep(value)),
            Err(why) => stage.show(&text::NOT_HERE, &[("name", &row.mechanism.name()), ("why", why)])?,
        }
    }
    if let Some(why) = comparison::not_counted(&report) {
        stage.show(&text::NOT_COUNTED, &[("why", &why)])?;
    }
    stage.pause()?;
    stage.say(&text::IN_BATCHES, &[])?;
    comparison::batch_rows(&report, language).iter().try_for_each(|row| stage.line(row))?;
    for (claim, holds, why_not) in [
        (&text::TRANSPORTS, comparison::all_came_back(&report), &text::NO_MECHANISM),
        (&text::BATCHED, comparison::batches_save_calls(&report), &text::NO_COUNTS),
        (&text::KILLED, comparison::all_survived_kills(&report), &text::NO_MECHANISM),
    ] {
        match holds {
            Some(holds) => stage.claim(claim, holds),
            None => stage.cannot_check(claim, why_not),
        }
    }
    Ok(())
}

/// Microseconds with one decimal.
fn micros(nanos: u64) -> f64 {
    (nanos as f64 / 1e2).round() / 10.0
}
