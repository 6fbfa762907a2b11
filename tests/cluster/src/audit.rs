//! What was asked of the API server, as its audit log tells it: every request that changes something, in order.

use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// `secrets`, `deployments`, `pods/eviction`.
    pub resource: String,
    /// Empty where the server was to choose it.
    pub name: String,
    /// Who asked.
    pub user: String,
    /// The status of the answer.
    pub code: u16,
    /// Nothing was to be kept.
    pub dry_run: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, name, code, dry_run, .. } = self;
        write!(f, "{verb} {resource} {name}{}", if *dry_run { " (dry run)" } else { "" })?;
        if *code < 400 { Ok(()) } else { write!(f, ": {code}") }
    }
}

/// The requests of a log about objects of a namespace.
pub(crate) fn changes(log: &str, namespace: &str) -> Result<Vec<Change>> {
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).context("the audit log"));
    let mut changes = Vec::new();
    for event in events {
        let event = event?;
        let of = &event["objectRef"];
        if event["stage"] != "ResponseComplete" || of["namespace"] != namespace {
            continue;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = match of["subresource"].as_str() {
            Some(part) => format!("{}/{part}", text(&of["resource"])),
            None => text(&of["resource"]),
        };
        changes.push(Change {
            verb: text(&event["verb"]),
            resource,
            name: text(&of["name"]),
            user: text(&event["user"]["username"]),
            code: event["responseStatus"]["code"]
                .as_u64()
                .and_then(|code| code.try_into().ok())
                .unwrap_or_default(),
            dry_run: event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All")),
        });
    }
    Ok(changes)
}
