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

#[test]
fn every_case_is_there_once() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("case.toml")).unwrap();
        let source = text.lines().find_map(|line| line.strip_prefix("source = \"")).unwrap();
        let id: String = source.chars().take_while(char::is_ascii_alphanumeric).collect();
        *found.entry(id).or_default() += 1;
    }
    let wanted =
        (1..=20).map(|n| format!("C{n}")).chain(["C22".to_owned()]).chain((1..=8).map(|n| format!("D{n}")));
    for id in wanted {
        assert_eq!(found.get(&id), Some(&1), "case {id}");
    }
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
