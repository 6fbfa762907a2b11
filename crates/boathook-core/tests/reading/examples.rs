//! The repository's own examples: they are what a new user copies, so they must read without a word, but for the two
//! documents in `examples/ordering/` that show what is dropped.

use std::path::Path;

use boathook_core::manifest::parse;
use boathook_core::{Source, dialect};
use test_case::test_case;

#[test_case("first", &[]; "plugins")]
#[test_case("first-annotated", &[]; "annotated jobs")]
#[test_case("first-jobs", &[]; "jobs")]
#[test_case("ordering", &["unknown-event", "unknown-event"]; "ordering")]
fn an_example_reads_without_errors(folder: &str, expected: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(folder);
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".yaml") {
            sources.push(Source { path: name, text: std::fs::read_to_string(&path).unwrap() });
        }
    }
    let parsed = parse(&sources);
    assert_eq!(parsed.diagnostics, []);
    let read = dialect::read(parsed.documents);
    assert!(!read.hooks.is_empty());
    let codes: Vec<&str> = read.diagnostics.iter().map(|found| found.code.as_str()).collect();
    assert_eq!(codes, expected, "{:#?}", read.diagnostics);
}
