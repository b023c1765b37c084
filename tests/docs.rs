//! The pages for readers hold together: each link leads somewhere, and each page is found from the README.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The text of a page without its fenced blocks, in which nothing is a link or a heading.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    text.split("```").step_by(2).collect()
}

/// Every page of the repository, by its path from the root.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut pages) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The targets of the links of a text, `[words](target)`.
fn targets(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// The anchors of a page, made of its headings as GitHub makes them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches('#').trim().to_lowercase());
    let anchor = |heading: String| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    prose(page).lines().filter_map(heading).map(anchor).collect()
}

/// Why a link of `page` leads nowhere.
fn broken(page: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    if !file.is_file() {
        return Some(format!("{}: no such file: {target}", page.display()));
    }
    let missing = !anchor.is_empty() && !anchors(&file).contains(anchor);
    missing.then(|| format!("{}: no such heading: {target}", page.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    let mut failures = Vec::new();
    for page in pages() {
        let text = prose(&page);
        links += targets(&text).len();
        failures.extend(targets(&text).into_iter().filter_map(|target| broken(&page, target)));
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(links >= 20, "only {links} links were found");
}

#[test]
fn a_broken_link_is_found() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions/core.md");
    let found = |target| broken(&page, target).is_some();
    assert_eq!(targets("see [a](b.md#c) and [d](e.md)"), ["b.md#c", "e.md"]);
    assert!(found("nowhere.md") && found("process.md#nowhere") && found("#nowhere"));
    assert!(!found("process.md#a-guard-process") && !found("#a-stretch-of-items-is-a-batch"));
}

/// `src/ARCHITECTURE.md` is the front page of the crate's documentation too, where a path relative to `src/`
/// leads nowhere.
#[test]
fn the_architecture_page_has_no_links() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ARCHITECTURE.md");
    assert_eq!(targets(&prose(&page)), [""; 0]);
}

#[test]
fn every_page_below_docs_is_linked_from_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = prose(&root.join("README.md"));
    let linked: BTreeSet<PathBuf> = targets(&readme).into_iter().map(|target| root.join(target)).collect();
    let below_docs = pages().into_iter().filter(|page| page.starts_with(root.join("docs")));
    let missing: Vec<PathBuf> = below_docs.filter(|page| !linked.contains(page)).collect();
    assert!(missing.is_empty(), "not linked from the README: {missing:?}");
}
