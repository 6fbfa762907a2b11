//! Hooks that run a plugin: kind `WasmHook`, and the annotation `boathook.dev/wasm-hook` on a hook Job. Both carry one
//! schema, [`WasmHookSpec`]; a wrong field is reported with its path and place, never with its value.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize as _;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::helm::{HOOK, is_wasm_hook, pointer};
use super::similar::closest;
use crate::Diagnostic;
use crate::check::SHOWN;
use crate::hook::Action;
use crate::manifest::Document;
use crate::wasm_hook::{ANNOTATION, API_VERSION, KIND, WasmHookSpec};

/// Places of a spec's fields by name; the empty name is the spec itself.
type Places = BTreeMap<String, (usize, usize)>;

/// What a hook document does, and where the fields of its spec stand; `None` if it means to call a plugin but does
/// not say how.
pub(crate) fn action(document: &Document, diagnostics: &mut Vec<Diagnostic>) -> Option<(Action, Places)> {
    hidden_in_list(document, diagnostics);
    if is_wasm_hook(document) {
        let spec = wasm_hook(document, diagnostics)?;
        let mut places: Places = document.places_below("/spec").into_iter().collect();
        places.insert(String::new(), document.place("/spec"));
        return Some((Action::CallPlugin(Box::new(spec)), places));
    }
    let Some(text) = document.head.annotations.get(ANNOTATION) else {
        return Some((Action::ApplyResource, Places::new()));
    };
    if document.head.kind != "Job" {
        let message = format!("annotation {ANNOTATION} is read on a Job only");
        let help = "put it on a Job, or write a WasmHook instead".to_owned();
        let diagnostic = Diagnostic::error("misplaced-wasm-hook", message).help(help);
        diagnostics.push(document.diagnose(diagnostic, &pointer(ANNOTATION)));
        return None;
    }
    let spec = annotated(document, text, diagnostics)?;
    let at = pointer(ANNOTATION);
    let mut places: Places = document.places_embedded(&at, text).into_iter().collect();
    places.insert(String::new(), document.place(&at));
    Some((Action::CallPlugin(Box::new(spec)), places))
}

/// What is to be said of an ordinary document that names a plugin.
pub(crate) fn without_hook(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    hidden_in_list(document, diagnostics);
    if is_wasm_hook(document) {
        let message = format!("{KIND} without annotation {HOOK} would never run");
        let help = format!("add metadata.annotations with {HOOK}: pre-install, or another event");
        let diagnostic = Diagnostic::error("wasm-hook-without-event", message).help(help);
        diagnostics.push(document.diagnose(diagnostic, "/metadata"));
    } else if document.head.annotations.contains_key(ANNOTATION) {
        let message = format!("annotation {ANNOTATION} has no effect without {HOOK}");
        let help = format!("add annotation {HOOK} with an event, or remove this one");
        let diagnostic = Diagnostic::warning("misplaced-wasm-hook", message).help(help);
        diagnostics.push(document.diagnose(diagnostic, &pointer(ANNOTATION)));
    }
}

/// Helm reads no annotations of a list's items, so a `WasmHook` among them could not run.
fn hidden_in_list(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    for (index, object) in document.objects.iter().enumerate() {
        let in_list = !document.object_pointer(index).is_empty();
        if in_list && object.kind() == KIND && object.api_version().starts_with("boathook.dev/") {
            let message = format!("{KIND} inside a list would never run");
            let help = "make it a document of its own: annotations of a list's items are not read";
            let (line, column) = document.object_place(index);
            diagnostics.push(Diagnostic::error("wasm-hook-in-list", message).help(help).at(
                &document.origin.path,
                line,
                column,
            ));
        }
    }
}

fn wasm_hook(document: &Document, diagnostics: &mut Vec<Diagnostic>) -> Option<WasmHookSpec> {
    if document.head.api_version != API_VERSION {
        let message = format!("{KIND} of apiVersion {:?} is not known", document.head.api_version);
        let diagnostic =
            Diagnostic::error("unknown-version", message).help(format!("write apiVersion: {API_VERSION}"));
        diagnostics.push(document.diagnose(diagnostic, "/apiVersion"));
        return None;
    }
    const FIELDS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let object = document.objects.first()?;
    let mut complete = true;
    let unknown = object.0.keys().filter(|field| !FIELDS.contains(&field.as_str()));
    for field in unknown.take(SHOWN) {
        complete = false;
        let diagnostic = unknown_field(field, &format!("a {KIND}"), &FIELDS);
        diagnostics.push(document.diagnose(diagnostic, &child("", field)));
    }
    let Some(spec) = object.0.get("spec") else {
        let message = format!("{KIND} has no spec");
        let help = "add spec with at least plugin: NAME";
        diagnostics
            .push(document.diagnose(Diagnostic::error("invalid-wasm-hook", message).help(help), "/kind"));
        return None;
    };
    let spec = spec_of(spec, "spec", diagnostics, &|diagnostic, inner| {
        document.diagnose(diagnostic, &format!("/spec{inner}"))
    });
    spec.filter(|_| complete)
}

fn annotated(document: &Document, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<WasmHookSpec> {
    let outer = pointer(ANNOTATION);
    match document.read_embedded(&outer, text) {
        Ok(value) => {
            spec_of(&value, &format!("annotation {ANNOTATION}"), diagnostics, &|diagnostic, inner| {
                let (line, column) = document.place_embedded(&outer, text, inner);
                diagnostic.at(&document.origin.path, line, column)
            })
        }
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    }
}

/// Reads and checks a spec. `place` puts a finding at a JSON pointer inside the spec.
fn spec_of(
    value: &Value,
    what: &str,
    diagnostics: &mut Vec<Diagnostic>,
    place: &dyn Fn(Diagnostic, &str) -> Diagnostic,
) -> Option<WasmHookSpec> {
    let mut track = serde_path_to_error::Track::new();
    let spec = match WasmHookSpec::deserialize(serde_path_to_error::Deserializer::new(value, &mut track)) {
        Ok(spec) => spec,
        Err(error) => {
            let path = track.path();
            diagnostics.push(place(wrong_field(&error.to_string(), &path, what), &json_pointer(&path)));
            return None;
        }
    };
    let mut wrong = Vec::new();
    if spec.plugin.trim().is_empty() {
        wrong.push(("/plugin".to_owned(), format!("{what}: plugin is empty")));
    }
    let mut names = HashSet::new();
    for (index, credential) in spec.credentials.iter().enumerate() {
        if credential.secret_key_ref.is_some() == credential.env.is_some() {
            let message = format!("{what}: credentials[{index}] needs exactly one of secretKeyRef and env");
            wrong.push((format!("/credentials/{index}"), message));
        }
        if !names.insert(&credential.name) {
            let message = format!("{what}: credentials[{index}] has the name of an earlier one");
            wrong.push((format!("/credentials/{index}/name"), message));
        }
    }
    if spec.limits.memory == 0 {
        wrong.push(("/limits/memory".to_owned(), format!("{what}: limits.memory is 0")));
    }
    let valid = wrong.is_empty();
    for (at, message) in wrong.into_iter().take(SHOWN) {
        diagnostics.push(place(Diagnostic::error("invalid-wasm-hook", message), &at));
    }
    valid.then_some(spec)
}

/// serde's message about a field, without the value it quotes.
fn wrong_field(message: &str, path: &Path, what: &str) -> Diagnostic {
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((field, rest)) = rest.split_once('`')
    {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let parent = parent(path, field);
        let place = if parent.is_empty() { what.to_owned() } else { format!("{what}: {parent}") };
        return unknown_field(field, &place, &known);
    }
    let path = path.to_string();
    let place = if path == "." { what.to_owned() } else { format!("{what}: {path}") };
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return Diagnostic::error("invalid-wasm-hook", format!("{place}: field {field:?} is missing"));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `")
        && let Some((_, expected)) = rest.rsplit_once("`, expected ")
    {
        let expected = expected.replace('`', "");
        return Diagnostic::error("invalid-wasm-hook", format!("{place}: expected {expected}"));
    }
    if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        let found = found.split(['"', '`']).next().unwrap_or_default().trim();
        let message = format!("{place}: expected {expected}, found {found}");
        return Diagnostic::error("invalid-wasm-hook", message);
    }
    Diagnostic::error("invalid-wasm-hook", format!("{place}: {message}"))
}

fn unknown_field(field: &str, place: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-field", format!("{place} has no field {field:?}"));
    match closest(field, known.iter().copied()) {
        Some(known) => diagnostic.help(format!("did you mean {known:?}?")),
        None => diagnostic.help(format!("fields are {}", known.join(", "))),
    }
}

/// The path above an unknown field, which may itself be the path's last segment.
fn parent(path: &Path, field: &str) -> String {
    let path = path.to_string();
    let path = path.strip_suffix(field).map_or(path.as_str(), |rest| rest.trim_end_matches('.'));
    path.to_owned()
}

fn json_pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => child(&pointer, key),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}
