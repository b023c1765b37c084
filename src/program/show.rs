//! `supervisor show`.

use super::answer::{fail, show, show_bytes};
use super::{journal_file, why};
use crate::cli::AnswerForm;
use crate::cli::subcommand::show::ShowFlags;
use crate::exit_code;
use crate::journal::item_story::{ContentStart, ItemStory};
use crate::journal::read_through;
use crate::journal::record::ContentKind;
use crate::model::ids::ItemId;
use crate::model::time::Instant;
use crate::model::words::{counted, item_of, outcome, shown_item};
use crate::reporter::object::Object;
use crate::sys::window;
use crate::trace::phrases::rfc_3339;
use crate::trace::why::{Sentence, Story};
use std::process::ExitCode;

/// Tells the story of an item.
pub fn run(flags: &ShowFlags) -> ExitCode {
    tell(flags).unwrap_or_else(|exit| exit)
}

/// The error is how to exit.
fn tell(flags: &ShowFlags) -> Result<ExitCode, ExitCode> {
    let file = journal_file::open(&flags.file)?;
    let item = ItemId(flags.item);
    let mut story = ItemStory::new(item);
    let extent = read_through::read(&file, |offset, record| story.take(offset, record))
        .map_err(|error| journal_file::refuse(&flags.file, &error))?;
    journal_file::say_damage(&flags.file, &extent);
    if !story.is_accepted() {
        let has = match story.items() {
            0 => "no items".to_owned(),
            items => format!("items 0-{}", items - 1),
        };
        let error = format_args!("failed to find item {item} in the journal: it has {has}");
        return Err(fail(&error, exit_code::USAGE));
    }
    Ok(match flags.output.unwrap_or_default() {
        AnswerForm::Text => show(&why::text(&in_words(item, &story), window::text_columns())),
        AnswerForm::Json => show_bytes(&json(item, &story)),
    })
}

/// `done`, or `in flight`.
fn state(story: &ItemStory) -> &'static str {
    story.outcome.as_ref().map_or("in flight", outcome)
}

fn in_words(item: ItemId, story: &ItemStory) -> Story {
    let text = story.contents.get(&ContentKind::Item).and_then(|content| shown_item(&content.start));
    let attempts = counted(u64::from(story.attempts), "attempt", "attempts");
    let title = format!("{}: {} after {attempts}", item_of(item, text.as_deref()), state(story));
    let told = story.events.iter().map(|event| {
        let time_of_day = event.unix_ns.map(|ns| format!(" It was {}.", rfc_3339(ns))).unwrap_or_default();
        Sentence { at: Instant(event.at.0), text: format!("{}{time_of_day}", event.text) }
    });
    let mut sentences: Vec<Sentence> = told.collect();
    if story.events_omitted > 0 {
        let at = sentences.last().map_or(Instant::ZERO, |last| last.at);
        let more = counted(story.events_omitted, "sentence is", "sentences are");
        sentences.push(Sentence { at, text: format!("{more} left out.") });
    }
    Story { title, sentences }
}

fn json(item: ItemId, story: &ItemStory) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    object.number("item", item.0);
    object.text("outcome", &state(story).replace(' ', "_"));
    object.number("attempts", u64::from(story.attempts));
    object.flag("given_away", story.is_given_away());
    for (kind, name, bytes) in [
        (ContentKind::Item, "input", "input_bytes"),
        (ContentKind::Output, "result", "result_bytes"),
        (ContentKind::Errors, "errors", "errors_bytes"),
    ] {
        if let Some(ContentStart { bytes: length, start, .. }) = story.contents.get(&kind) {
            object.bytes(name, start);
            object.number(bytes, *length);
        }
    }
    object.objects("events", &story.events, |object, event| {
        object.number("session", event.session);
        object.seconds("t", event.at.0);
        object.text("kind", event.kind);
        object.text("text", &event.text);
        if let Some(ns) = event.unix_ns {
            object.text("time", &rfc_3339(ns));
        }
    });
    object.number("events_omitted", story.events_omitted);
    object.end_line();
    out
}
