//! What a tool did with a scenario, as lines. Details are compared, and not shown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::audit::Request;

/// The story of one tool.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) lines: Vec<Line>,
    /// What the scenario does not expect of Helm 4.
    pub(crate) unexpected: String,
}

/// A line of it.
pub(crate) enum Line {
    /// A command, how it ended, a revision, a hook.
    Told(String),
    /// A request, and what it asked for.
    Request { verb: &'static str, what: String },
    /// An object that is there at the end, and the managers of its fields.
    Object { slug: String, managers: Vec<String> },
    /// A field of an object or of a release record: of which, and the field.
    Detail { of: String, field: String },
}

impl Story {
    pub(crate) fn tell(&mut self, text: impl Into<String>) {
        self.lines.push(Line::Told(text.into()));
    }

    pub(crate) fn requests(&mut self, requests: &[Request], deletes_at_once: bool) {
        let start = self.lines.len();
        for Request { verb, object, remarks } in requests {
            self.lines.push(Line::Request { verb, what: format!("{}{remarks}", object.slug()) });
        }
        sort_what_runs_at_once(&mut self.lines[start..], deletes_at_once);
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            // Writing to a String cannot fail.
            let _ = match line {
                Line::Told(text) => writeln!(out, "{text}"),
                Line::Request { verb, what } => writeln!(out, "  {verb:<7} {what}"),
                Line::Object { slug, managers } => writeln!(out, "  {slug}  {}", managers.join(", ")),
                Line::Detail { .. } => Ok(()),
            };
        }
        out
    }

    /// All lines, as they are compared with another story; that something is not in the other at all is said once, without its
    /// fields. `only_intent`: what was to be had, not by which means. Helm 3 creates and patches where Helm 4 applies, so the two are
    /// held against each other in this way.
    pub(crate) fn compared(&self, other: &Self, only_intent: bool) -> Vec<String> {
        let theirs: BTreeSet<&str> = other.lines.iter().filter_map(Line::of).collect();
        let lines = self.lines.iter().filter(|line| line.of().is_none_or(|of| theirs.contains(of)));
        let lines = lines.map(|line| match line {
            Line::Told(text) => text.trim().to_owned(),
            Line::Detail { of, field } => format!("{of}{field}"),
            Line::Request { verb, what } if only_intent => format!("{} {what}", intent(verb)),
            Line::Request { verb, what } => format!("{verb} {what}"),
            Line::Object { slug, .. } if only_intent => slug.clone(),
            Line::Object { slug, managers } => format!("{slug} of {}", managers.join(", ")),
        });
        lines.collect()
    }
}

impl Line {
    /// Whose field it is.
    fn of(&self) -> Option<&str> {
        match self {
            Self::Detail { of, .. } => Some(of),
            Self::Told(_) | Self::Request { .. } | Self::Object { .. } => None,
        }
    }
}

/// Ordinary objects of one kind are written at once, and deleted at once: their order is chance. Hooks are not touched by this, because the
/// release is recorded before each.
fn sort_what_runs_at_once(lines: &mut [Line], deletes: bool) {
    let key = |line: &Line| match line {
        Line::Request { verb: "delete", .. } if !deletes => None,
        Line::Request { verb, what } if !what.starts_with("secrets/") => {
            Some((intent(verb), what.split('/').next().unwrap_or_default().to_owned()))
        }
        Line::Told(_) | Line::Request { .. } | Line::Object { .. } | Line::Detail { .. } => None,
    };
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let wanted = key(first);
        let same = rest.iter().take_while(|line| wanted.is_some() && key(line) == wanted).count().max(1);
        let (run, after) = rest.split_at_mut(same);
        run.sort_by(|a, b| match (a, b) {
            (Line::Request { what: a, .. }, Line::Request { what: b, .. }) => a.cmp(b),
            _ => std::cmp::Ordering::Equal,
        });
        rest = after;
    }
}

/// To create, to apply and to patch are ways to have an object so.
fn intent(verb: &'static str) -> &'static str {
    match verb {
        "create" | "apply" | "patch" => "write",
        other => other,
    }
}

/// The fields of a document, a line for each scalar.
pub(crate) fn details(of: &str, value: &serde_json::Value) -> Vec<Line> {
    let mut lines = Vec::new();
    fields("", value, &mut lines);
    lines.into_iter().map(|field| Line::Detail { of: of.to_owned(), field }).collect()
}

/// `.` and its name lead to a field.
fn fields(path: &str, value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                fields(&format!("{path}.{key}"), value, out);
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                fields(&format!("{path}[{index}]"), value, out);
            }
        }
        other => out.push(format!("{path}: {other}")),
    }
}
