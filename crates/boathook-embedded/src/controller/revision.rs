//! ControllerRevisions: the templates that a StatefulSet or a DaemonSet had.

use std::sync::Arc;

use serde_json::{Value, json};

use super::controlled::{self, sorted};
use super::{REVISIONS, remove};
use crate::cluster::Cluster;
use crate::store::Entry;

/// The revision of an object's template, which is made if it is not there, and is its newest then.
pub(crate) fn current(cluster: &mut Cluster, owner: &Value) -> Arc<Entry> {
    let mut template = owner["spec"]["template"].clone();
    template["$patch"] = json!("replace");
    let data = json!({"spec": {"template": template}});
    let known = controlled::of(cluster, owner, REVISIONS);
    let newest = known.iter().filter_map(|entry| entry.value["revision"].as_i64()).max().unwrap_or(0);
    let hash = controlled::hash(&data);
    if let Some(entry) = known.iter().find(|entry| sorted(&entry.value["data"]) == sorted(&data)) {
        if entry.value["revision"] == newest {
            return entry.clone();
        }
        let mut again = entry.value.clone();
        again["revision"] = json!(newest + 1);
        return cluster.store.put(REVISIONS, again);
    }
    let name = format!("{}-{hash}", owner["metadata"]["name"].as_str().unwrap_or_default());
    let mut revision = controlled::new(owner, "apps/v1", "ControllerRevision", &name);
    let label = if owner["kind"] == "DaemonSet" {
        "controller-revision-hash"
    } else {
        "controller.kubernetes.io/hash"
    };
    revision["metadata"]["labels"] = owner["spec"]["template"]["metadata"]["labels"].clone();
    revision["metadata"]["labels"][label] = json!(hash);
    revision["data"] = data;
    revision["revision"] = json!(newest + 1);
    controlled::create(cluster, REVISIONS, revision)
}

/// Removes the oldest revisions that no Pod has, beyond how many are to be kept.
pub(crate) fn clean_up(cluster: &mut Cluster, owner: &Value, live: impl Fn(&Value) -> bool) {
    let mut old = controlled::of(cluster, owner, REVISIONS);
    old.retain(|entry| !live(&entry.value));
    old.sort_by_key(|entry| entry.value["revision"].as_i64());
    let kept = owner["spec"]["revisionHistoryLimit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let surplus = old.len().saturating_sub(kept.unwrap_or(10));
    for entry in &old[..surplus] {
        remove(cluster, REVISIONS, &entry.value);
    }
}
