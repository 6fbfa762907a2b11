//! PATCH by server-side apply: what the request must hold before `patch::apply` merges it, and where the result goes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{WriteOptions, Written};
use crate::cluster::Cluster;
use crate::managed::{SERVER_FIELDS, Writer};
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
        live: Option<Value>,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        for field in ["apiVersion", "kind"] {
            if !applied[field].is_string() {
                return Err(Refusal::bad_request(format!(
                    "invalid object type: {field} is required in an apply patch"
                )));
            }
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
        if let Some(path) = patch::apply::undeclared(&applied, &kind_type, "") {
            let object = format!(
                "{}/{name}; {}, Kind={}",
                namespace.unwrap_or_default(),
                kind.api_version(),
                kind.kind
            );
            let object = if kind.group.is_empty() { object.replace("; v1", "; /v1") } else { object };
            return Err(Refusal::new(
                500,
                "",
                format!(
                    "failed to create typed patch object ({object}): {path}: field not declared in schema"
                ),
            ));
        }
        let mut warnings = Vec::new();
        applied = decode::object(kind, applied, options.validation, &mut warnings)?;
        if kind.is("", "Secret") {
            defaults::string_data(&mut applied);
        }
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
        let mut object = patch::apply::apply(live.as_ref(), &applied, &kind_type, &writer, options.force)
            .map_err(|conflicts| Refusal::apply_conflicts(&conflicts))?;
        let Some(live) = live else {
            if status {
                return Err(Refusal::not_found(kind, name));
            }
            if !wanted.is_empty() || !uid.is_empty() {
                return Err(Refusal::conflict(
                    kind,
                    name,
                    "the object does not exist but a precondition was given",
                ));
            }
            let object = self.insert(kind, namespace, object, Some(()), options)?;
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
