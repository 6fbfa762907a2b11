//! PATCH by server-side apply: what the request must hold before `patch::apply` merges it, and where the result goes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Written;
use crate::cluster::Cluster;
use crate::managed::{self, SERVER_FIELDS, Writer};
use crate::options::WriteOptions;
use crate::resource::ResourceType;
use crate::schema;
use crate::status::Refusal;
use crate::{decode, defaults, patch};

impl Cluster {
    /// Applies an object; creates it if it is not there.
    pub(super) fn apply(
        &mut self,
        kind: &Arc<ResourceType>,
        namespace: Option<&str>,
        name: &str,
        mut applied: Value,
        mut live: Option<Value>,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        let given = |field: &str| applied[field].as_str().unwrap_or_default();
        if (given("apiVersion"), given("kind")) != (kind.api_version().as_str(), kind.kind.as_str()) {
            let version = given("apiVersion");
            let group = if version.contains('/') { "" } else { "/" };
            return Err(Refusal::bad_request(format!(
                "invalid object type: {group}{version}, Kind={}",
                given("kind")
            )));
        }
        if applied["metadata"]["managedFields"].as_array().is_some_and(|list| !list.is_empty()) {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        if let Some(given) = applied["metadata"]["name"].as_str().filter(|given| *given != name) {
            return Err(Refusal::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        if let Some(given) = applied["metadata"]["namespace"].as_str()
            && given != namespace.unwrap_or_default()
        {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        let kind_type = schema::type_of(kind);
        if let Some(problem) = patch::apply::undeclared(&applied, &kind_type, "") {
            let namespace = applied["metadata"]["namespace"].as_str().unwrap_or_default();
            let group = if kind.group.is_empty() { "/" } else { "" };
            return Err(Refusal::new(
                500,
                "",
                format!(
                    "failed to create typed patch object ({namespace}/{name}; {group}{}, Kind={}): {problem}",
                    kind.api_version(),
                    kind.kind
                ),
            ));
        }
        let mut warnings = Vec::new();
        applied = decode::object(kind, applied, options.validation, &mut warnings)?;
        applied["metadata"]["name"] = json!(name);
        if let Some(namespace) = namespace {
            applied["metadata"]["namespace"] = json!(namespace);
        }
        let wanted = applied["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let uid = applied["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if let Value::Object(metadata) = &mut applied["metadata"] {
            for field in SERVER_FIELDS {
                metadata.shift_remove(*field);
            }
        }
        let status = options.subresource == "status";
        if let Value::Object(map) = &mut applied
            && kind.has_status
            && !status
        {
            map.shift_remove("status");
        }
        let (api_version, now) = (kind.api_version(), self.clock.stamp());
        let writer = Writer {
            manager: &options.manager,
            subresource: options.subresource,
            api_version: &api_version,
            time: &now,
        };
        if let Some(live) = &mut live
            && live["metadata"]["managedFields"].is_null()
        {
            // What was there before anybody applied has an owner of its own.
            let before = Writer { manager: "before-first-apply", ..writer };
            managed::record_creation(&defaults::zero(kind), live, &kind_type, &before);
        }
        let mut object = patch::apply::apply(live.as_ref(), &applied, &kind_type, &writer, options.force)
            .map_err(|conflicts| Refusal::apply_conflicts(&conflicts))?;
        let Some(live) = live else {
            if status {
                return Err(Refusal::not_found(kind, name));
            }
            if !uid.is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(Refusal::conflict(kind, name, &why));
            }
            let object = self.insert(kind, namespace, object, true, options)?;
            return Ok(Written { object, created: true, warnings });
        };
        if !wanted.is_empty() {
            object["metadata"]["resourceVersion"] = json!(wanted);
        }
        if !uid.is_empty() {
            object["metadata"]["uid"] = json!(uid);
        }
        let object = self.update(kind, &live, object, true, options)?;
        Ok(Written { object, created: false, warnings })
    }
}
