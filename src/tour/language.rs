//! The two languages of the tour, and a text that has both: one that lacks a language does not compile.

use std::fmt::Display;

/// What the reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Korean,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// As `--lang` and the folders of the pages spell it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// The language of a locale such as `ko_KR.UTF-8`; English for all but Korean.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '.', '@']).next().unwrap_or_default();
        if language == Self::Korean.code() { Self::Korean } else { Self::English }
    }

    /// The language of the first of these variables that is set and not empty, in the order of `setlocale(3)`.
    #[must_use]
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
        locale.map_or(Self::English, |locale| Self::of_locale(&locale))
    }
}

/// The same text in each language. Places such as `{pid}` are filled in when it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    pub en: &'static str,
    pub ko: &'static str,
}

impl Text {
    #[must_use]
    pub const fn in_language(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Korean => self.ko,
        }
    }

    /// The text with each `{name}` replaced by the value of that name.
    #[must_use]
    pub fn filled(&self, language: Language, with: &[(&str, &dyn Display)]) -> String {
        let mut text = self.in_language(language).to_owned();
        for (name, value) in with {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_language() {
        let table: [(&[(&str, &str)], Language); 6] = [
            (&[], Language::English),
            (&[("LANG", "ko_KR.UTF-8")], Language::Korean),
            (&[("LANG", "ko")], Language::Korean),
            (&[("LANG", "kok_IN")], Language::English),
            (&[("LANG", "ko_KR.UTF-8"), ("LC_ALL", "C")], Language::English),
            (&[("LANG", "C"), ("LC_ALL", ""), ("LC_MESSAGES", "ko_KR")], Language::Korean),
        ];
        for (variables, expected) in table {
            let value =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(Language::of_environment(value), expected, "{variables:?}");
        }
    }

    #[test]
    fn places_are_filled_in_both_languages() {
        const TEXT: Text = Text { en: "{pid} waits for {other}", ko: "{other}을 {pid}가 기다립니다" };
        let filled = |language| TEXT.filled(language, &[("pid", &7), ("other", &"a lock")]);
        assert_eq!(filled(Language::English), "7 waits for a lock");
        assert_eq!(filled(Language::Korean), "a lock을 7가 기다립니다");
    }
}
