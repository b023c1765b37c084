//! The page of a trace in a real browser: `browser/checks.mjs` drives Chromium over pages that this program writes.
//!
//! `tests/browser/install` gets the browser and its driver. Without them the checks are skipped and say so, unless
//! `SUPERVISOR_BROWSER_TESTS=required`.

#[path = "browser/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};
use std::process::Command;
use supervisor::trace::html;
use synthetic::Synthetic;

/// How many steps the large page has. The page has to stay quick with them.
const STEPS_LARGE: usize = 100_000;
/// The most bytes of the large page.
const BYTES_LARGE_MAX: usize = 12_000_000;

fn written(made: &Synthetic) -> Vec<u8> {
    let mut bytes = Vec::new();
    html::write(&made.page(), &mut bytes).unwrap();
    bytes
}

/// Where the driver of the browser was installed.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("browser")
}

/// What is missing for a test in a browser.
fn missing() -> Option<&'static str> {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !runs("node") {
        Some("node")
    } else if !runs("chromium") {
        Some("chromium")
    } else if !modules().join("node_modules/playwright-core").is_dir() {
        Some("playwright-core")
    } else {
        None
    }
}

#[test]
fn a_browser_shows_the_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).unwrap();
    let pages = [
        ("small.html", synthetic::killed_at_seven()),
        ("large.html", synthetic::large(STEPS_LARGE)),
        ("hostile.html", synthetic::hostile()),
        ("empty.html", synthetic::empty()),
    ];
    for (name, made) in &pages {
        std::fs::write(folder.join(name), written(made)).unwrap();
    }
    if let Some(missing) = missing() {
        let text = format!("{missing} is missing; tests/browser/install gets it");
        assert!(std::env::var_os("SUPERVISOR_BROWSER_TESTS").is_none_or(|how| how != "required"), "{text}");
        println!("skipped: the checks in a browser, since {text}");
        return;
    }
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/checks.mjs");
    let mut node = Command::new("node");
    node.arg(checks).args(pages.iter().map(|(name, _)| folder.join(name))).env("BROWSER_MODULES", modules());
    let output = node.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    println!("{text}");
}

#[test]
fn a_large_page_is_no_larger_than_it_has_to_be() {
    let made = synthetic::large(STEPS_LARGE);
    let bytes = written(&made).len();
    assert!(made.steps.len() > STEPS_LARGE - 100, "only {} steps", made.steps.len());
    assert!(bytes < BYTES_LARGE_MAX, "{bytes} bytes for {} steps", made.steps.len());
}

#[test]
fn text_of_a_trace_is_never_markup() {
    let calm = String::from_utf8(written(&synthetic::killed_at_seven())).unwrap();
    let evil = String::from_utf8(written(&synthetic::hostile())).unwrap();
    assert!(evil.len() > calm.len() + 5000);
    for markup in ["<img", "</script", "<!--", "<script", "\u{2028}", "\0"] {
        assert_eq!(evil.matches(markup).count(), calm.matches(markup).count(), "{markup:?}");
    }
}

#[test]
fn an_empty_trace_has_a_page() {
    let page = String::from_utf8(written(&synthetic::empty())).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>") && !page.contains("{{"));
}

/// A place that takes no bytes: the error comes back, and nothing panics.
#[test]
fn an_error_of_the_output_is_reported() {
    let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = html::write(&synthetic::killed_at_seven().page(), &mut full).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
