//! A lesson: its name, its words, and the function that holds it.

use super::error::TourError;
use super::frame;
use super::stage::LessonStage;
use super::words::LessonWords;

/// A lesson of the table.
#[derive(Clone, Copy)]
pub struct Lesson {
    /// As the command line spells it.
    pub name: &'static str,
    pub words: &'static LessonWords,
    /// What happens in it.
    pub hold: fn(&mut LessonStage<'_>) -> Result<(), TourError>,
}

impl Lesson {
    /// Holds the lesson from its title to the commands to go on with. `false`: one of its claims does not hold.
    ///
    /// # Errors
    /// The lesson could not be held, or not be shown.
    pub fn on(&self, stage: &mut LessonStage<'_>) -> Result<bool, TourError> {
        let words = self.words;
        stage.begin(&words.title)?;
        stage.section(&frame::DOES)?;
        words.does.iter().try_for_each(|text| stage.say(text, &[]))?;
        stage.pause()?;
        stage.section(&frame::HAPPENS)?;
        (self.hold)(stage)?;
        stage.pause()?;
        stage.section(&frame::NOTICE)?;
        words.notice.iter().try_for_each(|text| stage.item(text))?;
        let holds = stage.show_claims(words.claims)?;
        stage.section(&frame::COMMANDS)?;
        for hint in words.commands {
            stage.say(&hint.why, &[])?;
            stage.command(hint.command)?;
        }
        stage.end(self.name)?;
        Ok(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::{Language, Text};
    use super::super::report::Unit;
    use super::super::stage::StageOptions;
    use super::super::words::Hint;
    use super::*;
    use serde_json::Value;

    const BIG: Text = Text { en: "the number is large", ko: "수가 큽니다" };
    const EVEN: Text = Text { en: "the number is even", ko: "수가 짝수입니다" };
    const BUSY: Text = Text { en: "too busy", ko: "너무 바쁩니다" };
    const NUMBER: Text = Text { en: "the number", ko: "수" };

    const WORDS: LessonWords = LessonWords {
        title: Text { en: "Numbers", ko: "수" },
        summary: Text { en: "a number", ko: "수 하나" },
        does: &[Text { en: "Shows a number.", ko: "수를 보여 줍니다." }],
        notice: &[Text { en: "It is a number.", ko: "그것은 수입니다." }],
        claims: &[BIG, EVEN],
        commands: &[Hint { command: "seq 3", why: Text { en: "More numbers:", ko: "더 많은 수:" } }],
    };

    fn with(hold: fn(&mut LessonStage<'_>) -> Result<(), TourError>) -> Lesson {
        Lesson { name: "numbers", words: &WORDS, hold }
    }

    fn options(json: bool, waits: bool) -> StageOptions {
        StageOptions { language: Language::English, json, colour: false, waits, width: 40 }
    }

    fn held(lesson: &Lesson, options: StageOptions, typed: &str) -> (bool, String) {
        let mut out = Vec::new();
        let holds = lesson.on(&mut LessonStage::new(&mut out, &mut typed.as_bytes(), options)).unwrap();
        (holds, String::from_utf8(out).unwrap())
    }

    fn good(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
        stage.value("number", &NUMBER, 12, Unit::Count)?;
        stage.claim(&BIG, true);
        stage.cannot_check(&EVEN, &BUSY);
        Ok(())
    }

    #[test]
    fn a_lesson_is_shown_in_its_order() {
        let (holds, text) = held(&with(good), options(false, false), "");
        assert!(holds);
        let expected = "Numbers\n=======\n\nWhat it does\nShows a number.\n\nWhat happens\n  = the number: 12\n\n\
                        What to notice\n- It is a number.\n\nChecked against what was measured\n\
                        - holds: the number is large\n- not checked here: the number is even\n  (too busy)\n\n\
                        Go on with\nMore numbers:\n$ seq 3\n\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_claim_that_is_false_or_forgotten_fails_the_lesson_and_is_told() {
        let (holds, text) = held(
            &with(|stage| {
                stage.claim(&BIG, true);
                stage.claim(&EVEN, false);
                Ok(())
            }),
            options(false, false),
            "",
        );
        assert!(!holds && text.contains("- DOES NOT HOLD: the number is even\n"), "{text}");
        let (holds, text) = held(&with(|_| Ok(())), options(false, false), "");
        assert!(!holds && text.contains("- DOES NOT HOLD: the number is large\n"), "{text}");
    }

    #[test]
    fn in_json_there_is_one_object_and_nothing_else() {
        let (holds, text) = held(&with(good), options(true, false), "");
        assert!(holds);
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&object["lesson"], &object["values"][0]["value"]), (&"numbers".into(), &12.into()));
        assert_eq!(object["claims"][1]["holds"], Value::Null);
    }

    #[test]
    fn the_reader_decides_when_to_go_on_until_the_input_ends() {
        let prompts = |typed| held(&with(good), options(false, true), typed).1.matches("[Enter goes on]").count();
        assert_eq!((prompts("\n\n\n"), prompts("")), (2, 1));
    }

    #[test]
    fn colours_are_only_written_if_asked_for() {
        let colour = StageOptions { colour: true, ..options(false, false) };
        assert!(held(&with(good), colour, "").1.contains("\x1b[32m- holds"));
        assert!(!held(&with(good), options(false, false), "").1.contains('\x1b'));
    }
}
