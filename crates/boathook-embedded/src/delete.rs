//! DELETE of one object or of a collection: preconditions, finalizers, propagation. The objects that fall with their
//! owner are removed by the garbage collector (`controller/garbage.rs`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::resource::ResourceType;
use crate::status::{self, Refusal};

/// What happens to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// How a delete is done.
#[derive(Clone, Debug)]
pub(crate) struct DeleteOptions {
    /// Only this very object.
    pub(crate) uid: Option<String>,
    /// Only at this revision.
    pub(crate) resource_version: Option<String>,
    /// What happens to dependents.
    pub(crate) propagation: Propagation,
    /// Nothing is kept.
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    /// Reads DeleteOptions, null if the body was empty, and the parameters that stand for it.
    ///
    /// # Errors
    /// 400 for a body of another kind or an unknown policy.
    pub(crate) fn parse(value: &Value, policy: &str, dry_run: bool) -> Result<Self, Refusal> {
        if value["kind"].as_str().is_some_and(|kind| kind != "DeleteOptions") {
            return Err(Refusal::bad_request("the body of a delete must be DeleteOptions"));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let policy = value["propagationPolicy"].as_str().unwrap_or(policy);
        let propagation = match policy {
            "" | "Background" => Propagation::Background,
            "Foreground" => Propagation::Foreground,
            "Orphan" => Propagation::Orphan,
            other => {
                return Err(Refusal::new(
                    422,
                    "Invalid",
                    format!(
                        "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"{other}\": supported values: \"Background\", \"Foreground\", \"Orphan\""
                    ),
                ));
            }
        };
        let listed = value["dryRun"].as_array().is_some_and(|list| !list.is_empty());
        Ok(Self {
            uid: text(&value["preconditions"]["uid"]),
            resource_version: text(&value["preconditions"]["resourceVersion"]),
            propagation,
            dry_run: dry_run || listed,
        })
    }
}

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
        if let Some(given) = options.uid.as_deref().filter(|given| *given != uid) {
            let why = format!("Precondition failed: UID in precondition: {given}, UID in object meta: {uid}");
            return Err(Refusal::conflict(kind, name, &why));
        }
        if let Some(given) = &options.resource_version
            && live["metadata"]["resourceVersion"] != given.as_str()
        {
            let found = live["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            let why = format!(
                "Precondition failed: ResourceVersion in precondition: {given}, ResourceVersion in object meta: {found}"
            );
            return Err(Refusal::conflict(kind, name, &why));
        }
        let mut object = live.clone();
        match options.propagation {
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

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let metadata = &mut object["metadata"];
    match &mut metadata["finalizers"] {
        Value::Array(list) if list.iter().any(|one| one == finalizer) => {}
        Value::Array(list) => list.push(json!(finalizer)),
        other => *other = json!([finalizer]),
    }
}
