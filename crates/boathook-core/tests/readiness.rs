//! Verdicts of both waiters against the answers of Helm's own code (`vectors/readiness.json`).

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

mod json_patch;

use boathook_core::Object;
use boathook_core::readiness::{Around, Readiness, Waiter, judge};
use json_patch::edited;
use serde_json::Value;

/// An answer of Helm as a verdict. Errors of kstatus, with which Helm waits for ever, are none.
fn expected(answer: &str) -> Option<(&str, &str)> {
    match answer.split_once(": ").unwrap_or((answer, "")) {
        ("ready", _) => Some(("Current", "")),
        ("not ready", _) => Some(("InProgress", "")),
        ("error", message) if message.starts_with("job is failed") => Some(("Failed", message)),
        ("error", _) => None,
        verdict => Some(verdict),
    }
}

/// Whether a message says what Helm's says; it may say more behind it.
fn says(message: &str, helms: &str) -> bool {
    message
        .strip_prefix(helms)
        .is_some_and(|more| helms.is_empty() || more.is_empty() || more.starts_with(": "))
}

#[test]
fn every_verdict_is_helms() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/readiness.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for case in cases {
        let base = &vectors["bases"][case["base"].as_str().unwrap()];
        let edits = case["edits"].as_array().unwrap().iter();
        let state = edits.fold(base["state"].clone(), |state, name| {
            edited(&state, &base["edits"][name.as_str().unwrap()]).unwrap()
        });
        let objects = |field: &str| state[field].as_array().cloned().unwrap_or_default();
        let controlled: Vec<Object> = [objects("pods"), objects("replicaSets")]
            .concat()
            .into_iter()
            .filter_map(Object::from_value)
            .collect();
        let object = Object::from_value(state["object"].clone()).unwrap();
        let around =
            Around { controlled: &controlled, now: "2026-06-01T00:00:00Z".parse().ok(), ..Around::default() };
        for (name, fallback, waiter) in [
            ("watcher", "", Waiter::Watcher { jobs: false }),
            ("watcherJobs", "watcher", Waiter::Watcher { jobs: true }),
            ("legacy", "", Waiter::Legacy { jobs: false }),
            ("legacyJobs", "legacy", Waiter::Legacy { jobs: true }),
        ] {
            let answer = case[name].as_str().or(case[fallback].as_str());
            let Some((status, message)) = answer.and_then(expected) else { continue };
            let verdict = judge(waiter, Some(&object), &around);
            // Helm leaves paused Deployments out before it asks.
            let paused =
                matches!(waiter, Waiter::Watcher { .. }) && state["object"]["spec"]["paused"] == true;
            let same =
                verdict.status() == status && (status == "Current" || says(verdict.message(), message));
            let left_out = paused && verdict == Readiness::Current;
            if !(same || left_out) {
                wrong.push(format!("{} {} {name}: {answer:?}\n   {verdict:?}", case["base"], case["edits"]));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 1000, "{compared}");
}
