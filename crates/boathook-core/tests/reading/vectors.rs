//! Reading the vector files, and comparing JSON as the API server would.

use std::path::Path;

use boathook_core::{Diagnostic, Severity, Source};
use serde_json::Value;

/// The path that all vectors were made with.
pub(crate) const PATH: &str = "x/templates/a.yaml";

/// The cases of one file.
pub(crate) fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    match all["cases"].take() {
        Value::Array(cases) => cases,
        _ => panic!("{file} has no cases"),
    }
}

/// A text as a source at the vectors' path.
pub(crate) fn source(text: &str) -> Source {
    Source { path: PATH.to_owned(), text: text.to_owned() }
}

/// The first error among diagnostics.
pub(crate) fn first_error(diagnostics: &[Diagnostic]) -> Option<&Diagnostic> {
    diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Whether two values are the same to an API server: numbers by value, not by spelling.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => x == y,
            _ => x.as_f64() == y.as_f64(),
        },
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}
