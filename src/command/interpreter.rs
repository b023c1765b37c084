//! The interpreter that the first line of a script names, for messages: if it is missing, the system reports only that a
//! file does not exist.
//!
//! Invariant: reads at most the first bytes of a file, and only where a start failed or before any item is started.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// As much of the first line as the kernel looks at (`BINPRM_BUF_SIZE`).
const LINE_BYTES_MAX: u64 = 256;

/// Why the interpreter of this script is missing; `None` if it is there, or if the file is no script that can be read.
pub fn missing(script: &Path) -> Option<String> {
    let mut line = Vec::new();
    File::open(script).ok()?.take(LINE_BYTES_MAX).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let name = line.split(|byte| b" \t\0".contains(byte)).find(|word| !word.is_empty())?;
    if Path::new(OsStr::from_bytes(name)).exists() {
        return None;
    }
    let shown = String::from_utf8_lossy(name);
    let cause = match line.ends_with(b"\r") {
        true => "; its lines end in CR LF, so remove each CR: sed -i 's/\\r$//' FILE",
        false => "",
    };
    Some(format!("its first line names the interpreter {shown:?}, which does not exist{cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing_of(text: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        missing(file.path())
    }

    #[test]
    fn a_missing_interpreter_is_named_with_its_carriage_return() {
        assert_eq!(missing_of("#!/bin/sh\necho"), None);
        assert_eq!(missing_of("#! /usr/bin/env -S x\n"), None);
        assert_eq!(missing_of("echo"), None);
        let text = r#"its first line names the interpreter "/no/such", which does not exist"#;
        assert_eq!(missing_of("#!  /no/such -x\n").as_deref(), Some(text));
        let text = r#"its first line names the interpreter "/bin/sh\r", which does not exist; its lines end in CR LF, so remove each CR: sed -i 's/\r$//' FILE"#;
        assert_eq!(missing_of("#!/bin/sh\r\necho hi\r\n").as_deref(), Some(text));
    }
}
