//! The checks of what worker processes are started in.
//!
//! Invariant: pure.

use super::builder::ConfigBuilder;
use super::config_error::ConfigError;
use super::setting_values::is_set;
use super::surroundings::is_own_variable;
use std::os::unix::ffi::OsStrExt;

impl ConfigBuilder {
    /// Refuses a folder and variables that no process can have, and variables that a run sets itself.
    pub(super) fn check_surroundings(&self) -> Result<(), ConfigError> {
        if self.workdir.as_ref().is_some_and(|folder| folder.is_empty() || folder.as_bytes().contains(&0)) {
            return Err(ConfigError::NoWorkdir);
        }
        for (name, value) in self.variables.iter().flatten() {
            let bytes = name.as_bytes();
            let shown = || name.to_string_lossy().into_owned();
            if bytes.is_empty() || bytes.iter().any(|byte| b"=\0".contains(byte)) || value.as_bytes().contains(&0) {
                return Err(ConfigError::BadVariable { name: shown() });
            }
            let is_tmpdir = name == "TMPDIR" && (is_set(self.item_tmp) || self.tmpdir.is_some());
            if is_tmpdir || is_own_variable(name) {
                return Err(ConfigError::OwnVariable { name: shown() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::Host;
    use super::super::config_error::Setting;
    use super::*;
    use std::ffi::OsStr;

    fn builder() -> ConfigBuilder {
        ConfigBuilder::new(Host { cores: 1, cores_why: None, seed: 0, run_id: "run".into() })
    }

    fn of(name: &str, value: &str) -> ConfigBuilder {
        builder().variables(vec![("A".into(), "1".into()), (name.into(), value.into())])
    }

    #[test]
    fn the_last_variable_of_a_name_counts() {
        let surroundings = of("A", "2=3").workdir("d/{}").nice(-3).build().unwrap().surroundings;
        assert_eq!(surroundings.variable("A"), Some(OsStr::new("2=3")));
        assert_eq!(surroundings.variable("B"), None);
        assert_eq!((surroundings.workdir, surroundings.nice), (Some("d/{}".into()), -3));
    }

    #[test]
    fn a_variable_that_cannot_be_or_is_the_runs_own_is_refused() {
        for name in ["SUPERVISOR_ITEM", "SUPERVISOR_", "PARALLEL_SEQ", "PARALLEL_PID", "PARALLEL_JOBSLOT"] {
            assert_eq!(of(name, "").build(), Err(ConfigError::OwnVariable { name: name.into() }));
        }
        let tmpdir = || of("TMPDIR", "/tmp").command(["true"]);
        let own = || Err(ConfigError::OwnVariable { name: "TMPDIR".into() });
        assert_eq!((tmpdir().item_tmp(true).build(), tmpdir().tmpdir("/tmp").build()), (own(), own()));
        assert!(tmpdir().build().is_ok());
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
            assert_eq!(of(name, value).build(), Err(ConfigError::BadVariable { name: name.into() }));
        }
        assert!(of("SUPERVISOR", "").build().is_ok() && of("PARALLEL", "").build().is_ok());
    }

    #[test]
    fn threads_have_no_surroundings_and_no_folder_is_called_nothing() {
        for (builder, setting) in [
            (builder().workdir("/"), Setting::Workdir),
            (of("A", ""), Setting::Variables),
            (builder().nice(1), Setting::Nice),
        ] {
            assert_eq!(builder.threads(true).build(), Err(ConfigError::NeedsProcesses { setting }));
        }
        assert_eq!(builder().workdir("").build(), Err(ConfigError::NoWorkdir));
        assert_eq!(builder().workdir("a\0").build(), Err(ConfigError::NoWorkdir));
    }
}
