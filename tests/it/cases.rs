//! The conformance cases as a whole: none is forgotten, none checks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::env::root;

fn below(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn folders() -> Vec<PathBuf> {
    below(&root().join("tests/conformance/cases")).iter().flat_map(|area| below(area)).collect()
}

/// The files with cases: those that run on the embedded cluster, and those that run on a real one beside Helm.
fn files() -> impl Iterator<Item = PathBuf> {
    let scenarios = below(&root().join("tests/differential/scenarios"));
    let scenarios: Vec<PathBuf> = scenarios.iter().flat_map(|area| below(area)).collect();
    folders().into_iter().map(|folder| folder.join("case.toml")).chain(scenarios)
}

/// The numbers in the source of a case: `C41 and D13, Helm …`.
fn numbers(source: &str) -> impl Iterator<Item = String> {
    let words = source.split([' ', ',', ';']);
    let is_number =
        |word: &&str| word.strip_prefix(['C', 'D']).is_some_and(|rest| rest.parse::<u32>().is_ok());
    words.filter(is_number).map(str::to_owned)
}

/// Each is a case, or stands with its reason among those that there are not.
#[test]
fn every_case_is_there() {
    let mut found = BTreeSet::new();
    for file in files() {
        let table: toml::Table = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let source = table["source"].as_str().unwrap();
        found.extend(numbers(source));
    }
    let not_here = std::fs::read_to_string(root().join("tests/conformance/not_here.toml")).unwrap();
    let not_here: BTreeMap<String, String> = toml::from_str(&not_here).unwrap();
    for (id, why) in &not_here {
        assert!(!why.is_empty() && !found.contains(id), "{id} is there, or there is no reason: {why}");
    }
    let wanted: BTreeSet<String> =
        (1..=71).map(|n| format!("C{n}")).chain((1..=45).map(|n| format!("D{n}"))).collect();
    found.extend(not_here.into_keys());
    assert_eq!(found, wanted);
}

#[test]
fn every_case_expects_something() {
    for folder in folders() {
        let expects = below(&folder).into_iter().any(|path| {
            let name = path.file_name().unwrap();
            name != "case.toml" && name != "input.yaml" && name != "input"
        });
        assert!(expects, "{} checks nothing", folder.display());
    }
}
