//! `supervisor tour`: shows the list of lessons, or holds lessons on stdout.

use super::answer::{exit, fail};
use crate::cli::subcommand::tour::TourFlags;
use crate::exit_code::{self, ProgramExit};
use crate::model::signal::Signal;
use crate::tour::{self, LESSONS, Lesson, LessonStage, StageOptions, TourError};
use std::io::{self, Write};
use std::process::ExitCode;

/// Stands for every lesson.
const ALL: &str = "all";

pub fn run(flags: &TourFlags) -> ExitCode {
    let lessons = match flags.lesson.as_deref() {
        None => None,
        Some(ALL) => Some(LESSONS),
        Some(name) => match tour::lesson(name) {
            Some(lesson) => Some(std::slice::from_ref(lesson)),
            None => return fail(&unknown(name), exit_code::USAGE),
        },
    };
    let json = flags.output.as_deref() == Some("json");
    let options = tour::options_of_stdout(flags.lang.as_deref(), json, flags.auto);
    let held = options.and_then(|options| match lessons {
        None => tour::show_list(&mut io::stdout(), options).map(|()| true),
        Some(lessons) => hold(lessons, options),
    });
    match held {
        Ok(true) => exit(ProgramExit::Code(exit_code::DONE)),
        Ok(false) => exit(ProgramExit::Code(exit_code::ITEMS_NOT_DONE)),
        Err(error) if error.is_closed_pipe() => exit(ProgramExit::Raise(Signal::PIPE)),
        Err(error) => fail(&format_args!("failed to {error}"), exit_code::of_class(error.class())),
    }
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = LESSONS.iter().map(|lesson| lesson.name).collect();
    format!("no lesson is called {name:?}; there are {}, and {ALL}", names.join(", "))
}

fn hold(lessons: &[Lesson], options: StageOptions) -> Result<bool, TourError> {
    // Each line is written at once: the reader watches.
    let (mut out, mut reader) = (io::stdout(), io::stdin().lock());
    let mut all_hold = true;
    for lesson in lessons {
        all_hold &= lesson.on(&mut LessonStage::new(&mut out, &mut reader, options))?;
    }
    out.flush().map_err(TourError::Write)?;
    Ok(all_hold)
}
