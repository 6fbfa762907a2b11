//! What a dry run left undone, for people: step by step, object by object, field by field.

use boathook_core::Report;
use boathook_core::effect::{Effect, FieldChange};
use serde_json::Value;

use super::safe;
use super::style::{DIM, ERROR, HEADING, OK, WARNING, count, paint};

/// Longest value shown on its line.
const WIDEST: usize = 60;

/// Everything that would have changed. Objects that stay as they are, are only counted; the fields of new ones are
/// shown on request.
pub(crate) fn render(report: &Report, verbose: bool) -> String {
    let mut out = String::new();
    let mut same = 0;
    let mut group = String::new();
    for withheld in &report.withheld {
        if matches!(&withheld.effect, Effect::Change { fields: Some(fields), .. } if fields.is_empty()) {
            same += 1;
            continue;
        }
        let hook = report.hooks.iter().find(|hook| hook.id == withheld.step);
        let title = match hook {
            Some(hook) => format!("{}  {}/{}", hook.event, hook.kind, hook.name),
            None => withheld.step.0.split('/').next().unwrap_or_default().to_owned(),
        };
        if title != group {
            out += &format!("  {}\n", paint(HEADING, &safe::line(&title)));
            group = title;
        }
        out += &effect(&withheld.effect, verbose);
    }
    if same > 0 {
        out += &format!("  {}\n", paint(DIM, &format!("= {} as they are", count(same, "object"))));
    }
    out
}

fn effect(effect: &Effect, verbose: bool) -> String {
    let line = |style, sign: &str, text: &str| format!("    {} {}\n", paint(style, sign), safe::line(text));
    match effect {
        Effect::Create { object, fields } => {
            line(OK, "+", &object.to_string()) + &changes(fields.as_deref().filter(|_| verbose))
        }
        Effect::Change { object, fields } => {
            let more = if fields.is_some() { "" } else { " (too much to show)" };
            line(WARNING, "~", &format!("{object}{more}")) + &changes(fields.as_deref())
        }
        Effect::Delete { object } => line(ERROR, "-", &object.to_string()),
        Effect::Send { request } => line(WARNING, ">", &format!("{request} (not sent)")),
    }
}

fn changes(fields: Option<&[FieldChange]>) -> String {
    let mut out = String::new();
    for FieldChange { path, before, after } in fields.unwrap_or_default() {
        let text = match (before, after) {
            (None, Some(after)) => value(after),
            (Some(before), Some(after)) => format!("{} → {}", value(before), value(after)),
            (Some(before), None) => format!("{} → (removed)", value(before)),
            (None, None) => continue,
        };
        out += &format!("        {}  {}\n", safe::line(path), safe::line(&text));
    }
    out
}

fn value(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= WIDEST {
        return text;
    }
    text.chars().take(WIDEST).chain("…".chars()).collect()
}
