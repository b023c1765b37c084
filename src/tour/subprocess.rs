//! Lesson `subprocess`: programs are run and waited for, and what comes back is looked at.

use super::error::TourError;
use super::flow::show_flow;
use super::report::{Unit, millis};
use super::stage::LessonStage;
use super::text::subprocess as text;
use crate::config::Duration;
use crate::outcomes::ExitStatus;
use crate::process::{self, Completed, ProcessError, ProcessSpec};

const SLEEP: Duration = Duration::from_millis(300);
/// The limit of a command that would take a minute.
const LIMIT: Duration = Duration::from_millis(200);
/// No command of the lesson takes longer, apart from that one.
const PATIENCE: Duration = Duration::from_secs(30);
const MISSING: &str = "no-such-command-of-this-lesson";

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::ONE_BY_ONE, &[])?;
    let echo = shown(stage, &["echo", "hello", "two words", "*"], "echo hello 'two words' '*'", PATIENCE)?;
    stage.claim(&text::ARGUMENTS, echo.stdout == b"hello two words *\n" && echo.is_success());
    let code = shown(stage, &["sh", "-c", "exit 7"], "sh -c 'exit 7'", PATIENCE)?;
    stage.claim(&text::CODE, code.exit == ExitStatus::Code(7));
    let both = shown(stage, &["sh", "-c", "echo good; echo bad >&2"], "sh -c 'echo good; echo bad >&2'", PATIENCE)?;
    stage.claim(&text::STREAMS, (both.stdout.as_slice(), both.stderr.as_slice()) == (b"good\n", b"bad\n"));
    let sleep = shown(stage, &["sleep", "0.3"], "sleep 0.3", PATIENCE)?;
    if let ExitStatus::Code(code) = code.exit {
        stage.value("exit_code", &text::EXIT_CODE, code, Unit::Count)?;
    }
    stage.value("sleep_ms", &text::SLEPT, millis(sleep.runtime.0), Unit::Milliseconds)?;
    stage.value("sleep_cpu_ms", &text::CPU, millis(cpu_ns(&sleep)), Unit::Milliseconds)?;
    stage.claim(&text::WAITED, sleep.runtime >= SLEEP && cpu_ns(&sleep) < SLEEP.0 / 2);
    let late = shown(stage, &["sleep", "60"], "supervisor run --timeout 200ms -- sleep 60", LIMIT)?;
    stage.claim(&text::LIMITED, late.timed_out && late.runtime >= LIMIT && !late.exit.is_success());
    stage.command(MISSING)?;
    let missing = process::run(&ProcessSpec::new([MISSING]));
    if let Err(error) = &missing {
        stage.show(&text::ERROR, &[("error", error)])?;
    }
    stage.claim(&text::NOT_STARTED, matches!(missing, Err(ProcessError::NotFound { .. })));
    stage.pause()?;
    stage.say(&text::MANY, &[])?;
    let flow = show_flow(stage, &["-j", "2", "--", "sleep", "{}", ":::", "0.1", "0.2", "0.1"])?;
    let processes = flow.worker_pids().len();
    stage.claim(&text::BY_SUPERVISOR, flow.settled("done") == 3 && processes == 3 && flow.exit.is_success());
    Ok(())
}

const fn cpu_ns(ended: &Completed) -> u64 {
    (ended.usage.user_us + ended.usage.system_us) * 1000
}

/// Runs a command, and shows it and what came back.
fn shown(stage: &mut LessonStage<'_>, words: &[&str], line: &str, limit: Duration) -> Result<Completed, TourError> {
    stage.command(line)?;
    let ended = process::run(&ProcessSpec::new(words.iter().copied()).stdin_bytes("").capture().timeout(limit))?;
    let (ms, cpu, kib) = (millis(ended.runtime.0), millis(cpu_ns(&ended)), ended.usage.rss_max_kib);
    stage.show(&text::ENDED, &[("exit", &ended.exit), ("ms", &ms), ("cpu", &cpu), ("kib", &kib)])?;
    for (label, output) in [(&text::STDOUT, &ended.stdout), (&text::STDERR, &ended.stderr)] {
        if !output.is_empty() {
            stage.show(label, &[("text", &String::from_utf8_lossy(output).trim_end())])?;
        }
    }
    Ok(ended)
}
