//! What tells one plan from another: after a crash the same plan goes on, another one does not. Of the texts of objects, which
//! may be secret, only a digest leaves this. How long is waited is no part of it: who gave up waiting may come back with more
//! patience.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Plan, PlanDocument};

impl Plan {
    /// A digest of everything that the plan does; the same plan made again has the same.
    pub fn digest(&self) -> String {
        let mut steps = json!(PlanDocument::from(self).steps);
        for step in steps.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            step.remove("timeoutSeconds");
        }
        let hooks: Vec<&str> = self.hooks.helm.iter().map(|entry| entry.manifest.as_str()).collect();
        let ours: Vec<&str> = self.hooks.ours.iter().map(|hook| hook.entry.manifest.as_str()).collect();
        let revision = self.revision.as_ref().map(|new| json!([new.chart, new.config, new.manifest]));
        let said = json!([self.operation.as_str(), self.release, steps, hooks, ours, revision]);
        format!("sha256:{:x}", Sha256::digest(said.to_string()))
    }
}
