//! The parts of the page that are the same for every run: style, library, scripts, and the policy that allows these and
//! nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The page, with the places of the parts as `{{name}}`.
pub const TEMPLATE: &str = include_str!("page.html");
/// The library that draws the histograms, as it is published.
pub const PLOT: &str = include_str!("vendor/uplot/uPlot.iife.min.js");
/// Its licence, which a copy has to carry.
pub const LICENCE: &str = include_str!("vendor/uplot/LICENSE");
const PLOT_STYLE: &str = include_str!("vendor/uplot/uPlot.min.css");
const STYLE: &str = include_str!("page.css");

/// The modules of the page, each after those that it imports.
const MODULES: &[(&str, &str)] = &[
    ("words.js", include_str!("js/words.js")),
    ("dom.js", include_str!("js/dom.js")),
    ("data.js", include_str!("js/data.js")),
    ("busy.js", include_str!("js/busy.js")),
    ("path.js", include_str!("js/path.js")),
    ("filter.js", include_str!("js/filter.js")),
    ("layout.js", include_str!("js/layout.js")),
    ("rows.js", include_str!("js/rows.js")),
    ("drawing.js", include_str!("js/drawing.js")),
    ("diagram.js", include_str!("js/diagram.js")),
    ("lanes.js", include_str!("js/lanes.js")),
    ("charts.js", include_str!("js/charts.js")),
    ("processes.js", include_str!("js/processes.js")),
    ("story.js", include_str!("js/story.js")),
    ("main.js", include_str!("js/main.js")),
];

/// All style sheets as one.
pub fn style() -> String {
    format!("{PLOT_STYLE}\n{STYLE}")
}

/// All modules as one: a script in a page has no files to import. Imports are left out, and so is the word `export`;
/// no two modules declare the same name, and an import is one line (a test checks both).
pub fn script() -> String {
    let mut script = String::new();
    for (_, module) in MODULES {
        for line in module.lines().filter(|line| !line.starts_with("import ")) {
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
    }
    script
}

/// The policy of a page with this style and these scripts: nothing is loaded, and nothing else runs.
pub fn policy(style: &str, scripts: &[&str]) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    let scripts: Vec<String> = scripts.iter().map(|script| hash(script)).collect();
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        scripts.join(" "),
        hash(style)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The name that a line of a module's outermost level declares.
    fn declared(line: &str) -> Option<&str> {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let rest = ["const ", "let ", "function ", "class "].iter().find_map(|word| line.strip_prefix(word))?;
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    }

    #[test]
    fn no_two_modules_declare_the_same_name() {
        let mut names = BTreeMap::new();
        for (file, module) in MODULES {
            for name in module.lines().filter_map(declared) {
                assert_eq!(names.insert(name, file), None, "{name} is declared in {file} and elsewhere");
            }
        }
        assert!(names.len() > 50, "only {} names were found", names.len());
    }

    #[test]
    fn an_import_is_one_line_and_names_an_earlier_module() {
        for (place, (file, module)) in MODULES.iter().enumerate() {
            for line in module.lines().filter(|line| line.starts_with("import ")) {
                let (names, from) = line.split_once(" from \"./").unwrap_or_else(|| panic!("{file}: {line}"));
                let from = from.strip_suffix("\";").unwrap_or_else(|| panic!("{file}: {line}"));
                let (_, source) = MODULES[..place].iter().find(|(name, _)| *name == from).expect(line);
                let names = names.trim_start_matches("import { ").trim_end_matches(" }");
                for name in names.split(", ") {
                    let is_exported =
                        |line: &str| line.starts_with("export ") && declared(line).is_some_and(|other| other == name);
                    assert!(source.lines().any(is_exported), "{file} imports {name}, which {from} does not export");
                }
            }
            assert!(!module.contains("import("), "{file} imports while it runs");
        }
    }

    #[test]
    fn no_part_ends_its_element() {
        let script = script();
        for part in [PLOT, &script] {
            assert!(!part.contains("</script") && !part.contains("<!--"));
        }
        assert!(!style().contains("</style") && !LICENCE.contains("--"));
    }

    /// Text of a trace reaches the page as text alone, and no style is written as text.
    #[test]
    fn no_script_turns_text_into_elements() {
        let script = script();
        let banned =
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "cssText"];
        for word in banned {
            assert!(!script.contains(word), "{word} is in a script of the page");
        }
    }
}
