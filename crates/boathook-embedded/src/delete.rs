//! DELETE of one object or of a collection: preconditions, finalizers, propagation. The objects that fall with their
//! owner are removed by the garbage collector (`controller/garbage.rs`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::options::{DeleteOptions, Propagation};
use crate::resource::ResourceType;
use crate::status::{self, Refusal};

impl Cluster {
    /// DELETE of one object. Answers the object while it stays (finalizers) or where its kind returns it, a Status else.
    pub(crate) fn delete(
        &mut self,
        kind: &Arc<ResourceType>,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Value, Refusal> {
        let Some(live) = self.current(kind, namespace, name) else {
            return Err(Refusal::not_found(kind, name));
        };
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        for (what, field, given) in
            [("UID", "uid", &options.uid), ("ResourceVersion", "resourceVersion", &options.resource_version)]
        {
            let found = live["metadata"][field].as_str().unwrap_or_default();
            if let Some(given) = given.as_deref().filter(|given| *given != found) {
                return Err(Refusal::not_as_expected(kind, name, what, given, found));
            }
        }
        let mut object = live.clone();
        match options.propagation.unwrap_or(by_default(kind)) {
            Propagation::Orphan => add_finalizer(&mut object, "orphan"),
            Propagation::Foreground => add_finalizer(&mut object, "foregroundDeletion"),
            Propagation::Background => {}
        }
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        let finalizing = kind.is("", "Namespace")
            && object["spec"]["finalizers"].as_array().is_some_and(|l| !l.is_empty());
        if held || finalizing {
            if !object["metadata"]["deletionTimestamp"].is_string() {
                object["metadata"]["deletionTimestamp"] = json!(self.clock.stamp());
                object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
                if kind.generation {
                    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
                    object["metadata"]["generation"] = json!(generation);
                }
                if finalizing {
                    object["status"]["phase"] = json!("Terminating");
                }
            }
            if options.dry_run || object == live {
                return Ok(object);
            }
            return Ok(self.store.put(&kind.key, object).value.clone());
        }
        if !options.dry_run {
            object = self.store.remove(&kind.key, object).value.clone();
        }
        Ok(if kind.returns_deleted { object } else { status::deleted(kind, name, &uid) })
    }
}

/// What happens where the client does not say: the Pods of Jobs stay, for the sake of clients of long ago.
fn by_default(kind: &ResourceType) -> Propagation {
    if kind.is("batch", "Job") { Propagation::Orphan } else { Propagation::Background }
}

/// What the answer to a delete warns of.
pub(crate) fn warnings(kind: &ResourceType, options: &DeleteOptions) -> Vec<String> {
    if kind.is("batch", "Job") && options.propagation.is_none() {
        let text = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
        return vec![text.to_owned()];
    }
    Vec::new()
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let metadata = &mut object["metadata"];
    match &mut metadata["finalizers"] {
        Value::Array(list) if list.iter().any(|one| one == finalizer) => {}
        Value::Array(list) => list.push(json!(finalizer)),
        other => *other = json!([finalizer]),
    }
}
