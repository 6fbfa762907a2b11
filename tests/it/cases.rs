//! The conformance cases as a whole: none is forgotten, none checks nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::env::root;

fn folders() -> Vec<PathBuf> {
    let areas = std::fs::read_dir(root().join("tests/conformance/cases")).unwrap();
    areas
        .flat_map(|area| std::fs::read_dir(area.unwrap().path()).unwrap())
        .map(|case| case.unwrap().path())
        .collect()
}

/// Cases that are held by another test, which names them.
const ELSEWHERE: [(&str, &str); 17] = [
    ("C40", "crates/boathook-core/src/release/apply_method.rs"),
    ("C55", "crates/boathook-core/src/release.rs"),
    ("C56", "crates/boathook-core/src/release.rs"),
    ("C57", "crates/boathook-core/src/release.rs"),
    ("C61", "tests/it/cli_life_cycle.rs"),
    ("C62", "tests/it/cli_life_cycle.rs"),
    ("C63", "tests/it/cli_life_cycle.rs"),
    ("C64", "tests/it/cli_life_cycle.rs"),
    ("C66", "crates/boathook-cli/src/output/test_logs.rs"),
    ("C67", "crates/boathook-cli/src/output/test_logs.rs"),
    ("D20", "crates/boathook-cli/src/planning.rs"),
    ("D26", "crates/boathook-core/tests/reading/diagnostics.rs"),
    ("D29", "crates/boathook-core/src/plan/build/tests/operations.rs"),
    ("D40", "crates/boathook-cli/src/output/test_logs.rs"),
    ("D43", "crates/boathook-core/src/release/basis.rs"),
    ("D44", "crates/boathook-engine/src/hook_runner/tests.rs"),
    ("D45", "crates/boathook-engine/src/hook_runner/tests.rs"),
];

/// Cases about what there is not.
const NOT_HERE: [(&str, &str); 4] = [
    ("C31", "an install does not wait for ordinary objects"),
    ("C51", "readers of readiness cannot be added from outside"),
    ("C59", "there are no post-renderers"),
    ("C60", "there are no post-renderers"),
];

/// The numbers in the source of a case: `C41 and D13, Helm …`.
fn numbers(source: &str) -> impl Iterator<Item = String> {
    let words = source.split([' ', ',', '"', ';']);
    let is_number =
        |word: &&str| word.strip_prefix(['C', 'D']).is_some_and(|rest| rest.parse::<u32>().is_ok());
    words.filter(is_number).map(str::to_owned)
}

#[test]
fn every_case_is_there() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("case.toml")).unwrap();
        let source = text.lines().find_map(|line| line.strip_prefix("source = \"")).unwrap();
        for number in numbers(source) {
            *found.entry(number).or_default() += 1;
        }
    }
    for (id, file) in ELSEWHERE {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(id), "{file} does not name {id}");
        *found.entry(id.to_owned()).or_default() += 1;
    }
    for (id, why) in NOT_HERE {
        assert!(!found.contains_key(id), "{id} is there, and not here: {why}");
        found.insert(id.to_owned(), 1);
    }
    let wanted = (1..=71).map(|n| format!("C{n}")).chain((1..=45).map(|n| format!("D{n}")));
    let missing: Vec<String> = wanted.filter(|id| !found.contains_key(id)).collect();
    assert!(missing.is_empty(), "no case: {missing:?}");
}

#[test]
fn every_case_expects_something() {
    for folder in folders() {
        let expects = std::fs::read_dir(&folder).unwrap().any(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name != "case.toml" && name != "input.yaml" && name != "input"
        });
        assert!(expects, "{} checks nothing", folder.display());
    }
}
