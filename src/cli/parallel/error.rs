//! What can be wrong with the words of `supervisor parallel`.

/// Wrong usage of an option of GNU parallel. The text is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParallelError {
    #[error("parallel: {option} is not here: {why}")]
    Refused { option: String, why: &'static str },
    #[error("parallel: no option is called {word:?}; see supervisor parallel --help")]
    Unknown { word: String },
    #[error("parallel: {word:?} may be {first} or {second}; write more of it")]
    Ambiguous { word: String, first: String, second: String },
    #[error("parallel: {option} needs a value")]
    NeedsValue { option: String },
    #[error("parallel: {option} takes no value")]
    NoValue { option: String },
    #[error("parallel: the word {word:?} of a profile, or of the variable PARALLEL, is no option")]
    ProfileWord { word: String },
    #[error("parallel: --resume and --resume-failed need --joblog FILE or --results DIR of the earlier run")]
    ResumesNothing,
    #[error("parallel: --retry-failed needs --joblog FILE of the earlier run")]
    RetriesNothing,
    #[error("parallel: {file} is no joblog, because of its line {line:?}; name another file, or leave --resume out")]
    LogFormat { file: String, line: String },
    #[error("parallel: read the profile {file}: {error}")]
    Profile { file: String, error: String },
}
