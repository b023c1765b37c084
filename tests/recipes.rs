//! The recipes of `docs/from-xargs-and-parallel.md`: each is run as it stands there, beside the command line of xargs or GNU
//! parallel that it replaces, and both print the same, leave the same files and end with the same code.

mod beside;

use beside::{is_installed, outcome};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A recipe: the line that is replaced, with the program that it is for, and ours.
struct Recipe {
    title: String,
    program: String,
    theirs: String,
    ours: String,
}

impl Recipe {
    /// Both print in the order of the items.
    fn is_ordered(&self) -> bool {
        self.program == "xargs" || (self.theirs.contains(" -k") && self.ours.contains(" -k"))
    }
}

fn recipes() -> Vec<Recipe> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/from-xargs-and-parallel.md");
    let page = fs::read_to_string(page).unwrap();
    let recipe = |section: &str| {
        let (title, rest) = section.split_once('\n').unwrap();
        let block = rest.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
        let (theirs, ours) = block.split_once("# supervisor\n").unwrap();
        let (program, theirs) = theirs.strip_prefix("# ").unwrap().split_once('\n').unwrap();
        let [title, program, theirs, ours] = [title, program, theirs, ours].map(str::to_owned);
        Recipe { title, program, theirs, ours }
    };
    page.split("\n## ").skip(1).map(recipe).collect()
}

#[test]
fn each_recipe_does_what_the_line_that_it_replaces_does() {
    let recipes = recipes();
    let mut installed = BTreeMap::new();
    for recipe in &recipes {
        let Recipe { title, program, theirs, ours } = recipe;
        let is_ordered = recipe.is_ordered();
        let (our, our_stderr) = outcome(ours, is_ordered);
        // A program that is not there, or wrong usage, unless two items failed.
        let counts = ours.contains("--exit-code count");
        let is_refused = matches!(our.code, None | Some(125..=127)) || (our.code == Some(2) && !counts);
        assert!(!is_refused, "{title}: {:?} {our_stderr}", our.code);
        if *installed.entry(program).or_insert_with(|| is_installed(program)) {
            let (their, their_stderr) = outcome(theirs, is_ordered);
            let (shown_our, shown_their) = (our.difference(&their), their.difference(&our));
            assert!(our == their, "{title}: ours {shown_our} {our_stderr:?}, theirs {shown_their} {their_stderr:?}");
        }
    }
    for (program, _) in installed.iter().filter(|(_, is_installed)| !**is_installed) {
        println!("skipped: recipes were not compared with {program}, which is not installed");
    }
    assert!(recipes.len() >= 40, "only {} recipes were found", recipes.len());
}
