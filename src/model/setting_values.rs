//! Whether settings are made.

use super::config_error::Setting;

/// Whether a switch is on.
pub(super) fn is_set(setting: Option<bool>) -> bool {
    setting == Some(true)
}

/// The first setting of a list to which its condition applies.
pub(super) fn first_set(settings: &[(Setting, bool)]) -> Option<Setting> {
    settings.iter().find(|(_, applies)| *applies).map(|(setting, _)| *setting)
}
