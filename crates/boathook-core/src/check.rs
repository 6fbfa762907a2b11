//! What is wrong with documents beyond their reading: objects that no API server would take, and objects that stand
//! twice. Everything here would otherwise come to light in the middle of an operation.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is built once per wrong input, never on a fast path, and a box would be in every signature"
)]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::manifest::Document;
use crate::names::{is_dns_label, is_dns_subdomain};
use crate::{Diagnostic, HookEvent, ObjectRef};

/// Kinds whose names are DNS labels: they become host names, or are label values by rule.
const LABEL_NAMES: [&str; 2] = ["Namespace", "Service"];
/// Kinds whose names hold more than a DNS subdomain allows (`system:node`), so only the API server can tell.
const FREE_NAMES: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// A release name by Helm's rule (`pkg/chart/common/util`): DNS labels joined by dots, at most 53 characters.
///
/// # Errors
/// A diagnostic without a place.
pub fn release_name(name: &str) -> Result<(), Diagnostic> {
    const LONGEST: usize = 53;
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if name.len() <= LONGEST && name.split('.').all(is_part) {
        return Ok(());
    }
    let message = format!("release name {name:?} is not valid");
    Err(Diagnostic::error("invalid-release-name", message)
        .help("use a-z, 0-9, '-' and '.', starting and ending with a letter or digit, at most 53 characters"))
}

/// A namespace: a DNS label.
///
/// # Errors
/// A diagnostic without a place.
pub fn namespace(name: &str) -> Result<(), Diagnostic> {
    if is_dns_label(name) {
        return Ok(());
    }
    Err(Diagnostic::error("invalid-namespace", format!("namespace {name:?} is not a DNS label"))
        .help("use a-z, 0-9 and '-', starting and ending with a letter or digit, at most 63 characters"))
}

/// How many findings of one kind of check are reported for one document: each costs a look-up of its place, and a
/// reader has seen enough by then.
pub(crate) const SHOWN: usize = 10;

/// Checks each object of one document.
pub(crate) fn document(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut more = 0;
    for (index, checked) in document.objects.iter().enumerate() {
        for (diagnostic, field) in object(checked) {
            if findings.len() < SHOWN {
                findings.push((diagnostic, format!("{}{field}", document.object_pointer(index))));
            } else {
                more += 1;
            }
        }
    }
    if more > 0 {
        let message = format!("{more} more findings in this document");
        findings.push((Diagnostic::error("more-findings", message), String::new()));
    }
    diagnostics.extend(document.diagnose_all(findings));
}

/// Findings about one object, with the JSON pointer of each.
fn object(object: &crate::Object) -> Vec<(Diagnostic, String)> {
    let mut found = Vec::new();
    if object.0.is_empty() {
        return found;
    }
    for field in ["apiVersion", "kind"] {
        if object.str(&[field]).is_none_or(str::is_empty) {
            let message = format!("object has no {field}");
            let diagnostic = match object.0.get(field) {
                Some(Value::Null | Value::String(_)) | None => Diagnostic::error("missing-field", message)
                    .help("every object needs apiVersion, kind and metadata.name"),
                Some(_) => must_be_string(field),
            };
            found.push((diagnostic, format!("/{field}")));
        }
    }
    names(object, &mut found);
    for map in ["annotations", "labels"] {
        let entries = object.get(&["metadata", map]);
        for (key, value) in entries.and_then(Value::as_object).into_iter().flatten() {
            if !matches!(value, Value::String(_) | Value::Null) {
                let what = if map == "annotations" { "annotation" } else { "label" };
                let escaped = key.replace('~', "~0").replace('/', "~1");
                found.push((must_be_string(&format!("{what} {key}")), format!("/metadata/{map}/{escaped}")));
            }
        }
    }
    found
}

fn must_be_string(what: &str) -> Diagnostic {
    Diagnostic::error("not-a-string", format!("{what} must be a quoted string"))
        .help("put the value in quotes: Helm cannot build the object either")
}

fn names(object: &crate::Object, found: &mut Vec<(Diagnostic, String)>) {
    let at = |field: &str| format!("/metadata/{field}");
    match object.get(&["metadata", "name"]) {
        Some(Value::String(name)) if !name.is_empty() => {
            if !is_valid_name(object.kind(), name) {
                let rule = if LABEL_NAMES.contains(&object.kind()) { "label" } else { "subdomain" };
                let message = format!("name {name:?} of {} is not a DNS {rule}", object.kind());
                let help = "use a-z, 0-9 and '-', starting and ending with a letter or digit";
                found.push((Diagnostic::error("invalid-name", message).help(help), at("name")));
            }
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            found.push((must_be_string("metadata.name"), at("name")));
        }
        _ if object.str(&["metadata", "generateName"]).is_some_and(|prefix| !prefix.is_empty()) => {}
        _ => {
            let diagnostic = Diagnostic::error("missing-field", "object has no metadata.name")
                .help("every object needs apiVersion, kind and metadata.name");
            found.push((diagnostic, at("name")));
        }
    }
    match object.get(&["metadata", "namespace"]) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => {
            if let Err(diagnostic) = namespace(text) {
                found.push((diagnostic, at("namespace")));
            }
        }
        Some(_) => found.push((must_be_string("metadata.namespace"), at("namespace"))),
    }
}

fn is_valid_name(kind: &str, name: &str) -> bool {
    if LABEL_NAMES.contains(&kind) {
        is_dns_label(name)
    } else if FREE_NAMES.contains(&kind) {
        // The API server's rule for these is one path segment.
        name != "." && name != ".." && !name.contains(['/', '%'])
    } else {
        is_dns_subdomain(name)
    }
}

/// Looks for objects that stand twice, over all documents. A hook object may stand for different events: Helm
/// creates it anew for each. Two ordinary ones, an ordinary one and a hook, or two hooks of one event would
/// overwrite or delete each other.
#[derive(Default)]
pub(crate) struct Checks {
    seen: BTreeMap<ObjectRef, Vec<Seen>>,
    found: Vec<Diagnostic>,
}

struct Seen {
    path: String,
    line: usize,
    /// `None`: ordinary.
    events: Option<Vec<HookEvent>>,
}

impl Checks {
    /// Takes in an ordinary document.
    pub(crate) fn resource(&mut self, document: &Document) {
        self.add(document, None);
    }

    /// Takes in a hook's document.
    pub(crate) fn hook(&mut self, document: &Document, events: &[HookEvent]) {
        self.add(document, Some(events));
    }

    /// Hands over what was found.
    pub(crate) fn finish(self, diagnostics: &mut Vec<Diagnostic>) {
        diagnostics.extend(self.found);
    }

    fn add(&mut self, document: &Document, events: Option<&[HookEvent]>) {
        for (index, object) in document.objects.iter().enumerate() {
            let reference = object.reference();
            if reference.name.is_empty() {
                continue;
            }
            let (line, column) = document.object_place(index);
            let others = self.seen.entry(reference).or_default();
            let Some(other) = others.iter().find(|other| collide(other.events.as_deref(), events)) else {
                let events = events.map(<[HookEvent]>::to_vec);
                others.push(Seen { path: document.origin.path.clone(), line, events });
                continue;
            };
            let kind = match (&other.events, events) {
                (None, None) => "object",
                (Some(_), Some(_)) => "hook of the same event",
                _ => "object, once as a hook and once as an ordinary one",
            };
            let message = format!(
                "{} stands twice ({kind}): also at {}:{}",
                object.reference(),
                other.path,
                other.line
            );
            let diagnostic = Diagnostic::error("duplicate-object", message)
                .help("remove one of them or give it another name")
                .at(&document.origin.path, line, column);
            self.found.push(diagnostic);
        }
    }
}

fn collide(a: Option<&[HookEvent]>, b: Option<&[HookEvent]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.iter().any(|event| b.contains(event)),
        _ => true,
    }
}
