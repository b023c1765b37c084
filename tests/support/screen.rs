//! A terminal for tests: its keyboard and its screen.

use super::PATIENCE;
use nix::pty::{OpenptyResult, Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// What a person has before them.
pub struct Screen {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    pub seen: String,
}

/// The side of the programs. Drop it once they have started.
pub struct TerminalEnd(OwnedFd);

impl TerminalEnd {
    /// Has `script` run on the terminal by a shell with job control, in which `"$@"` is the command from before.
    pub fn give_to_shell_of(&self, command: &mut Command, script: &str) {
        let program = std::mem::replace(command, Command::new("/bin/bash"));
        command.args(["--norc", "-c", &format!("set -m; {script}"), "shell"]);
        command.arg(program.get_program()).args(program.get_args());
        let stdio = || Stdio::from(self.0.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        let terminal = self.0.as_raw_fd();
        // SAFETY: system calls only.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setsid()?;
                nix::errno::Errno::result(libc::ioctl(terminal, libc::TIOCSCTTY, 0)).map(drop)?;
                Ok(())
            });
        }
    }
}

impl Screen {
    pub fn open() -> (Self, TerminalEnd) {
        Self::of_size(None)
    }

    /// With 24 lines of this many columns.
    pub fn with_columns(columns: u16) -> (Self, TerminalEnd) {
        Self::of_size(Some(&Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }))
    }

    fn of_size(size: Option<&Winsize>) -> (Self, TerminalEnd) {
        let OpenptyResult { master, slave } = openpty(size, None).unwrap();
        let keyboard = File::from(master);
        let mut from = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // When the last process has left the terminal, the read fails.
            while let Ok(count) = from.read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        (Self { keyboard, screen, seen: String::new() }, TerminalEnd(slave))
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen shows this text.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |seen| seen.contains(text));
    }

    /// Waits until what was written is as `wanted` wants it, which `what` says.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        while !wanted(&self.seen) {
            let bytes = self.screen.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {what:?} in {}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}
