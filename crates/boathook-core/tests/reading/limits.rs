//! Input that is meant to do harm: each ends in bounded time, with an error that names the limit, and without an
//! overflow on the 2 MiB stack of a test's thread.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use boathook_core::manifest::{limit, parse};
use boathook_core::{Diagnostic, Source, dialect};
use test_case::test_case;

use super::vectors::{first_error, source};

/// Two seconds, as the program promises; a debug build beside other tests on a busy machine gets more.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 2 });

/// Everything said about a text; the clock runs.
fn read(text: &str) -> Vec<Diagnostic> {
    in_time(|| {
        let parsed = parse(&[source(text)]);
        let mut diagnostics = parsed.diagnostics;
        diagnostics.extend(dialect::read(parsed.documents).diagnostics);
        diagnostics
    })
}

fn in_time<T>(run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = run();
    let elapsed = start.elapsed();
    assert!(elapsed < LONGEST, "took {elapsed:?}");
    answer
}

fn error(text: &str) -> (String, String) {
    let diagnostics = read(text);
    let error = first_error(&diagnostics).expect("an error");
    (error.code.clone(), error.message.clone())
}

fn billion_laughs() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = format!("*a{}", level - 1);
        let _infallible = writeln!(text, "a{level}: &a{level} [{}]", [below.as_str(); 9].join(", "));
    }
    text
}

fn merge_bomb() -> String {
    let mut text = String::from("a0: &a0 {k: v}\n");
    for level in 1..10 {
        let below = format!("*a{}", level - 1);
        let _infallible = writeln!(text, "a{level}: &a{level} {{<<: [{}]}}", [below.as_str(); 9].join(", "));
    }
    text
}

#[test_case(&billion_laughs(), "250000 nodes"; "billion laughs")]
#[test_case(&merge_bomb(), "250000 nodes"; "merge keys that multiply")]
#[test_case(&format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(5_000)), "16777216 bytes of scalars"; "a long string by many aliases")]
#[test_case(&"[".repeat(200_000), "128 nested lists and maps"; "nested lists")]
#[test_case(&"[".repeat(1_000_000), "128 nested lists and maps"; "a million brackets")]
#[test_case(&"{".repeat(1_000_000), "128 nested lists and maps"; "a million braces")]
#[test_case(&"? ".repeat(100_000), "128 nested lists and maps"; "nested keys")]
#[test_case(&"- ".repeat(100_000), "128 nested lists and maps"; "nested items")]
#[test_case(&(0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(), "128 nested lists and maps"; "nested maps")]
#[test_case(&(0..1_200).map(|index| format!("a{index}: &a{index} 1\n")).collect::<String>(), "1000 anchors"; "many anchors")]
#[test_case(&format!("a: &a 1\nb:\n{}", "- *a\n".repeat(10_001)), "10000 aliases"; "many aliases")]
#[test_case(&(0..150_000).map(|index| format!("k{index}: 1\n")).collect::<String>(), "250000 nodes"; "many keys")]
#[test_case(&format!("a: {}\n", "x".repeat(3 << 20)), "3145728 bytes"; "a long document")]
fn a_document_beyond_a_limit(text: &str, limit: &str) {
    let expected = format!("document exceeds the limit of {limit}");
    assert_eq!(error(text), ("document-limit".to_owned(), expected));
}

#[test]
fn depth_128_is_read_and_129_is_not() {
    let nested = |depth: usize| format!("a: {}{}\n", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(read(&nested(128)).iter().all(|found| found.code == "missing-field"));
    assert_eq!(error(&nested(129)).0, "document-limit");
}

#[test]
fn too_many_documents_and_too_much_text() {
    let text = "a: 1\n---\n".repeat(limit::DOCUMENTS + 1);
    let parsed = in_time(|| parse(&[source(&text)]));
    assert_eq!(parsed.documents.len(), limit::DOCUMENTS);
    let message = first_error(&parsed.diagnostics).map(|error| error.message.as_str());
    assert_eq!(message, Some("input exceeds the limit of 20000 documents"));

    let half = Source { path: "a.yaml".to_owned(), text: "#".repeat(limit::TOTAL_BYTES / 2 + 1) };
    let parsed = in_time(|| parse(&[half.clone(), half]));
    let message = first_error(&parsed.diagnostics).map(|error| error.message.as_str());
    assert_eq!(message, Some("input of 67108866 bytes exceeds the limit of 67108864 bytes"));
}

#[test]
fn too_many_values_in_all() {
    let document: String = (0..100_000).map(|index| format!("- {index}\n")).collect();
    let text = format!("a:\n{document}---\n").repeat(11);
    let parsed = in_time(|| parse(&[source(&text)]));
    let message = first_error(&parsed.diagnostics).map(|error| error.message.as_str());
    assert_eq!(message, Some("input exceeds the limit of 1000000 values in all documents"));
}

/// Many documents are read by several threads: where the limit lies must not depend on which of them was faster.
#[test]
fn the_limit_of_all_values_is_met_at_the_same_document() {
    let items = "- 1\n".repeat(5_000);
    let text = format!("a:\n{items}---\n").repeat(400);
    let ends: Vec<_> = (0..3)
        .map(|_| {
            let parsed = in_time(|| parse(&[source(&text)]));
            (parsed.documents.len(), first_error(&parsed.diagnostics).and_then(|error| error.line))
        })
        .collect();
    // 5,003 values each: the key, the list and the map are some too.
    assert_eq!(ends, [(200, Some(199 * 5_002 + 1)); 3]);
}

#[test]
fn documents_and_findings_keep_their_order() {
    let mut text = String::new();
    for index in 0..1_000 {
        let value = if index % 7 == 0 { "[" } else { "1" };
        let _infallible = write!(text, "---\nkind: A\nname{index}: {value}\n");
    }
    let parsed = in_time(|| parse(&[source(&text)]));
    let documents: Vec<usize> = parsed.documents.iter().map(|document| document.origin.document).collect();
    let expected: Vec<usize> = (0..1_000).filter(|index| index % 7 != 0).collect();
    assert_eq!(documents, expected);
    let lines: Vec<usize> = parsed.diagnostics.iter().filter_map(|error| error.line).collect();
    assert!(lines.len() == 143 && lines.is_sorted(), "{lines:?}");
}

#[test_case("&a [*a]"; "list")]
#[test_case("a: &a {b: *a}"; "map")]
fn a_node_that_contains_itself(text: &str) {
    assert_eq!(error(text).1, "anchor contains itself");
}

#[test_case("a: \u{0}\n"; "NUL")]
#[test_case("a: \u{1b}[31m\n"; "ESC")]
#[test_case("a:\n\t- b\n"; "tab as indentation")]
#[test_case("a: {{ .Values.x }}\n"; "a template that was not rendered")]
#[test_case("a: [1, 2\n"; "unclosed")]
#[test_case("a: *nowhere\n"; "unknown anchor")]
#[test_case(&format!("{}: v\n", "k".repeat(2_000)); "a key of 2000 characters")]
#[test_case("null: v\n"; "null as a key")]
#[test_case("just text\n"; "a scalar as a document")]
#[test_case("- a\n"; "a list as a document")]
fn what_is_no_manifest(text: &str) {
    error(text);
}

#[test_case(&format!("a: {}\n", "x".repeat(3_000_000)); "a long plain scalar")]
#[test_case(&format!("a: |\n  {}\n", "x".repeat(3_000_000)); "a long block scalar")]
#[test_case(&format!("# {}\n", "x".repeat(3_000_000)); "a long comment")]
#[test_case(&format!("a: >\n{}", "  x\n".repeat(300_000)); "many folded lines")]
#[test_case(&"\n".repeat(3_000_000); "many empty lines")]
fn large_and_harmless(text: &str) {
    let diagnostics = read(text);
    assert!(diagnostics.iter().all(|found| found.code == "missing-field"), "{:?}", diagnostics.first());
}

/// Places are looked up for a few findings only: each look-up reads the document again.
#[test_case(&format!("apiVersion: v1\nkind: List\nitems:\n{}", "- {kind: A}\n".repeat(40_000)), 11; "many incomplete items")]
#[test_case(&format!("apiVersion: v1\nkind: List\nitems:\n{}", "- {kind: A, apiVersion: v1, metadata: {name: a}}\n".repeat(20_000)), 19_999; "many equal items")]
#[test_case(&format!("apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  labels:\n{}", (0..60_000).map(|at| format!("    l{at}: 1\n")).collect::<String>()), 11; "many labels")]
#[test_case(&format!("apiVersion: v1\nkind: A\nmetadata: {{name: a, annotations: {{helm.sh/hook: \"{}\"}}}}\n", ",".repeat(1_000_000)), 10; "many events")]
#[test_case(&format!("apiVersion: v1\nkind: A\nmetadata: {{name: a, annotations: {{helm.sh/hook: test, helm.sh/hook-delete-policy: \"{}\"}}}}\n", ",".repeat(1_000_000)), 10; "many policies")]
fn many_findings_about_one_document(text: &str, number: usize) {
    assert_eq!(read(text).len(), number);
}
