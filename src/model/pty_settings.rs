//! Where a terminal of its own for each worker makes sense.
//!
//! Invariant: pure, as all of `defaults`.

use super::builder::ConfigBuilder;
use super::config_error::{ConfigError, Setting};
use super::setting_values::{first_set, is_set};

impl ConfigBuilder {
    /// Refuses `pty` where nothing could heed it.
    pub(super) fn check_pty(&self) -> Result<(), ConfigError> {
        if !is_set(self.pty) {
            return Ok(());
        }
        if !self.is_per_item() && self.text_protocol().is_none() {
            return Err(ConfigError::PtyOfFrames);
        }
        let replaced = first_set(&[
            (Setting::Terminal, is_set(self.terminal)),
            (Setting::Transport, self.transport.is_some()),
            (Setting::JsonFd, is_set(self.json_fd)),
        ]);
        replaced.map_or(Ok(()), |setting| Err(ConfigError::PtyWith { setting }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::Host;
    use super::super::spec::{ProtocolKind, TransportKind};
    use super::*;

    fn builder() -> ConfigBuilder {
        ConfigBuilder::new(Host { cores: 8, cores_why: None, seed: 7, run_id: "run".into() }).pty(true)
    }

    #[test]
    fn a_terminal_is_for_commands_and_for_workers_that_answer_in_text() {
        let program = || builder().worker_program(["w"]);
        assert!(builder().command(["ls"]).build().unwrap().pty);
        assert!(program().protocol(ProtocolKind::Lines).build().unwrap().pty);
        assert!(program().protocol(ProtocolKind::Json).build().unwrap().pty);
        for frames in [builder(), program(), builder().threads(true)] {
            assert_eq!(frames.build(), Err(ConfigError::PtyOfFrames));
        }
        let refused = |builder: ConfigBuilder, setting| {
            assert_eq!(builder.build(), Err(ConfigError::PtyWith { setting }));
        };
        refused(builder().command(["vi"]).terminal(true).handle_signals(true), Setting::Terminal);
        refused(program().protocol(ProtocolKind::Lines).transport(TransportKind::Pipe), Setting::Transport);
        refused(program().protocol(ProtocolKind::Json).json_fd(true), Setting::JsonFd);
    }
}
