//! What tells one plan from another: after a crash the same plan goes on, another one does not. Of the texts of objects, which
//! may be secret, only a digest leaves this.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Plan, PlanDocument};

impl Plan {
    /// A digest of everything that the plan does; the same plan made again has the same.
    pub fn digest(&self) -> String {
        let steps = PlanDocument::from(self).steps;
        let hooks: Vec<&str> = self.hooks.helm.iter().map(|entry| entry.manifest.as_str()).collect();
        let ours: Vec<&str> = self.hooks.ours.iter().map(|hook| hook.entry.manifest.as_str()).collect();
        let revision = self.revision.as_ref().map(|new| json!([new.chart, new.config, new.manifest]));
        let said = json!([self.operation.as_str(), self.release, steps, hooks, ours, revision]);
        format!("sha256:{:x}", Sha256::digest(said.to_string()))
    }
}
