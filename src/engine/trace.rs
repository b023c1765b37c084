//! What a trace is told of the run at its start, and what is said of it at its end.

use super::error::EngineError;
use crate::model::config::{Config, ExecSpec, WorkerSpec};
use crate::model::words::counted;
use crate::sys::{clock, stdio};
use crate::trace::file::{TraceEnd, TraceFile};
use crate::trace::lines::LineStyle;
use crate::trace::live::LiveFlow;
use crate::trace::record::TraceHeader;
use crate::trace::tracer::Tracer;
use std::ffi::OsString;
use std::io;

/// Begins to record, if anything is to be recorded.
pub fn start(config: &Config, file: Option<TraceFile>) -> Result<Tracer, EngineError> {
    if !config.trace.is_on() {
        return Ok(Tracer::default());
    }
    let recorder = file.map(TraceFile::start).transpose()?;
    let header = TraceHeader {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: config.run_id.clone(),
        started_unix_ns: clock::unix_ns(),
        pid: std::process::id(),
        workers_run: workers_run(&config.worker),
        transport: config.worker.transport().map(|transport| transport.kind.name().to_owned()),
        traces_items: config.trace.items,
        common_fds: common_fds(config),
        policy: config.policy.clone(),
    };
    let live = config.trace.flow.then(|| {
        let color = config.trace.color.is_on(|| stdio::shows_color(&io::stderr()));
        LiveFlow::new(LineStyle { color, digits: 3 })
    });
    Ok(Tracer::new(recorder, live, header))
}

/// What the workers are, for people.
fn workers_run(worker: &WorkerSpec) -> String {
    let words = |argv: &[OsString]| argv.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    match worker {
        WorkerSpec::BuiltIn { task, .. } => format!("the built-in worker, task {task}"),
        WorkerSpec::Thread { task, .. } => format!("threads of the built-in worker, task {task}"),
        WorkerSpec::Frames { argv, .. } => words(argv),
        WorkerSpec::Foreign(spec) => words(&spec.argv),
        WorkerSpec::Exec(spec) => format!("{}, once per item", words(&spec.argv)),
    }
}

/// What the descriptors 0, 1 and 2 of each worker process are, and those that are passed on to it.
fn common_fds(config: &Config) -> Vec<(i32, String)> {
    let standard = match &config.worker {
        WorkerSpec::Thread { .. } => return Vec::new(),
        WorkerSpec::BuiltIn { .. } | WorkerSpec::Frames { .. } => {
            ["/dev/null", "the supervisor's stderr", "the supervisor's stderr"]
        }
        WorkerSpec::Foreign(spec) if !spec.own_fds => ["items", "results", "the supervisor's stderr"],
        WorkerSpec::Foreign(_) => ["/dev/null", "the supervisor's stderr", "the supervisor's stderr"],
        WorkerSpec::Exec(ExecSpec { terminal: true, .. }) => ["the terminal", "a pipe", "a pipe"],
        WorkerSpec::Exec(ExecSpec { stdin: true, .. }) => ["the item", "a pipe", "a pipe"],
        WorkerSpec::Exec(_) => ["/dev/null", "a pipe", "a pipe"],
    };
    let standard = (0..).zip(standard.map(str::to_owned));
    let passed = config.pass_fds.iter().map(|fd| (*fd, "passed on".to_owned()));
    standard.chain(passed).collect()
}

/// What to say of a trace that is not whole.
pub fn shortfall(end: &TraceEnd) -> Option<String> {
    let path = end.path.display();
    match (&end.failure, end.dropped) {
        (Some(error), dropped) => Some(format!(
            "supervisor: failed to write the trace {path}: {error}; it ends before the run, without up to {}",
            counted(dropped, "record", "records")
        )),
        (None, 0) => None,
        (None, dropped) => Some(format!(
            "supervisor: the trace {path} lacks {}: the disk did not take them in time",
            counted(dropped, "record", "records")
        )),
    }
}
