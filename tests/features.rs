//! The crates that each set of features compiles: an author of workers gets the SDK and nothing else.

use std::collections::BTreeSet;
use std::process::Command;

/// The most crates of the SDK, itself included. A limit may only tighten.
const SDK_CRATES_MAX: usize = 20;

/// The crates that a program with this dependency on the library compiles, the library itself included.
fn crates(features: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "supervisor", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_worker_sdk_alone_is_a_few_crates() {
    let sdk = crates(&["--no-default-features"]);
    for left_out in ["clap", "ipc-channel", "signal-hook", "base64", "tokio"] {
        assert!(!sdk.contains(left_out), "{left_out} is among {sdk:?}");
    }
    assert!(sdk.contains("supervisor") && sdk.contains("bincode"), "{sdk:?}");
    assert!(sdk.len() <= SDK_CRATES_MAX, "{} crates: {sdk:?}", sdk.len());
}

#[test]
fn each_feature_brings_what_it_is_for() {
    let run = crates(&["--no-default-features", "--features", "run"]);
    assert!(run.contains("base64") && !run.contains("clap") && !run.contains("plotters"), "{run:?}");
    let all = crates(&[]);
    assert!(all.contains("clap") && all.contains("ipc-channel"), "{all:?}");
    assert!(all.contains("plotters") && all.contains("png"), "{all:?}");
    for of_the_system in ["font-kit", "fontconfig-sys", "image", "chrono"] {
        assert!(!all.contains(of_the_system), "{of_the_system} is among {all:?}");
    }
}
