//! temporary
use boathook_core::Object;
use serde_json::Value;
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Current,
    InProgress(#[expect(dead_code, reason = "x")] String),
    Failed(String),
}
pub(crate) fn hook_job(o: &Object) -> Readiness {
    for c in o.get(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten() {
        let s = |k: &str| c.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
        if s("status") == "True" && s("type") == "Complete" {
            return Readiness::Current;
        }
        if s("status") == "True" && s("type") == "Failed" {
            return Readiness::Failed(s("reason"));
        }
    }
    Readiness::InProgress(String::new())
}
pub(crate) fn hook_pod(o: &Object) -> Readiness {
    match o.str(&["status", "phase"]) {
        Some("Succeeded") => Readiness::Current,
        Some("Failed") => Readiness::Failed(String::new()),
        _ => Readiness::InProgress(String::new()),
    }
}
pub(crate) fn pod_problem(_: &Object) -> Option<String> {
    None
}
