//! Creating and changing objects: the order of the checks, what the server fills in, and what is kept. One function per
//! verb on the state; nothing here reads HTTP or waits.

mod apply;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::decode;
use crate::managed::{self, SERVER_FIELDS, Writer};
use crate::options::WriteOptions;
use crate::patch::{self, json::JsonPatchError};
use crate::request::PatchKind;
use crate::resource::ResourceType;
use crate::schema;
use crate::status::{FieldError, Refusal};
use crate::{defaults, names, uid, validate};

/// The answer to a write.
pub(crate) struct Written {
    /// The object.
    pub(crate) object: Value,
    /// Whether it is new.
    pub(crate) created: bool,
    /// Texts for the `Warning` header.
    pub(crate) warnings: Vec<String>,
}

impl Cluster {
    /// POST of an object.
    pub(crate) fn create(
        &mut self,
        kind: &Arc<ResourceType>,
        namespace: Option<&str>,
        body: Value,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        let mut warnings = Vec::new();
        let mut object = decode::object(kind, body, options.validation, &mut warnings)?;
        set_namespace(kind, namespace, &mut object)?;
        let mut generated = false;
        if object["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
            let base = object["metadata"]["generateName"].as_str().unwrap_or_default();
            if base.is_empty() {
                let missing = FieldError::required("metadata.name", "name or generateName is required");
                return Err(Refusal::invalid(kind, "", &[missing]));
            }
            generated = true;
            object["metadata"]["name"] = json!(names::generate(base));
        }
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|text| !text.is_empty()) {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Refusal::new(500, "", message));
        }
        // A generated name that is taken is drawn again, as the real server does since 1.30.
        for _ in 0..8 {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if !generated || self.store.get(&kind.key, namespace.unwrap_or_default(), name).is_none() {
                break;
            }
            let base = object["metadata"]["generateName"].as_str().unwrap_or_default();
            object["metadata"]["name"] = json!(names::generate(base));
        }
        if let Value::Object(metadata) = &mut object["metadata"] {
            metadata.shift_remove("managedFields");
        }
        let object = self.insert(kind, namespace, object, false, options)?;
        Ok(Written { object, created: true, warnings })
    }

    /// Stores a new object; `applied` says that its `managedFields` are already there.
    fn insert(
        &mut self,
        kind: &Arc<ResourceType>,
        namespace: Option<&str>,
        mut object: Value,
        applied: bool,
        options: &WriteOptions,
    ) -> Result<Value, Refusal> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.check_namespace(kind, namespace, &name)?;
        let now = self.clock.stamp();
        if let Value::Object(metadata) = &mut object["metadata"] {
            for field in SERVER_FIELDS.iter().filter(|field| **field != "managedFields") {
                metadata.shift_remove(*field);
            }
            metadata.insert("uid".to_owned(), json!(uid::new_uid()));
            metadata.insert("creationTimestamp".to_owned(), json!(now));
            if kind.generation {
                metadata.insert("generation".to_owned(), json!(1));
            }
        }
        if kind.has_status
            && let Value::Object(map) = &mut object
        {
            map.shift_remove("status");
        }
        defaults::fill(kind, &mut object);
        settle_shape(kind, &mut object);
        if !applied {
            let api_version = kind.api_version();
            let writer =
                Writer { manager: &options.manager, subresource: "", api_version: &api_version, time: &now };
            managed::record_creation(&defaults::zero(kind), &mut object, &schema::type_of(kind), &writer);
        }
        defaults::prepare(kind, &mut object, None);
        let errors = validate::object(kind, &object);
        if !errors.is_empty() {
            return Err(Refusal::invalid(kind, &name, &errors));
        }
        if self.store.get(&kind.key, namespace.unwrap_or_default(), &name).is_some() {
            return Err(Refusal::already_exists(kind, &name));
        }
        if options.dry_run {
            return Ok(object);
        }
        Ok(self.store.put(&kind.key, object).value.clone())
    }

    /// PUT of an object.
    pub(crate) fn replace(
        &mut self,
        kind: &Arc<ResourceType>,
        namespace: Option<&str>,
        name: &str,
        body: Value,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        let mut warnings = Vec::new();
        let mut object = decode::object(kind, body, options.validation, &mut warnings)?;
        set_namespace(kind, namespace, &mut object)?;
        match object["metadata"]["name"].as_str().unwrap_or_default() {
            "" => {
                return Err(Refusal::bad_request(format!(
                    "the name of the object ({name} based on URL) was undeterminable: name must be provided"
                )));
            }
            given if given != name => {
                return Err(Refusal::bad_request(format!(
                    "the name of the object ({given}) does not match the name on the URL ({name})"
                )));
            }
            _ => {}
        }
        let Some(live) = self.current(kind, namespace, name) else {
            return Err(Refusal::not_found(kind, name));
        };
        if kind.crd.is_some() && object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
            let error =
                FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            return Err(Refusal::invalid_resource(kind, name, &[error]));
        }
        if let Some(given) = object["metadata"]["uid"].as_str().filter(|given| !given.is_empty())
            && live["metadata"]["uid"] != given
        {
            let found = live["metadata"]["uid"].as_str().unwrap_or_default();
            let why =
                format!("Precondition failed: UID in precondition: {given}, UID in object meta: {found}");
            return Err(Refusal::conflict(kind, name, &why));
        }
        let object = self.update(kind, &live, object, false, options)?;
        Ok(Written { object, created: false, warnings })
    }

    /// PATCH of an object; an apply creates what is not there.
    pub(crate) fn patch(
        &mut self,
        kind: &Arc<ResourceType>,
        namespace: Option<&str>,
        name: &str,
        body: &[u8],
        how: PatchKind,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        let live = self.current(kind, namespace, name);
        let change = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
        if how == PatchKind::Apply {
            return self.apply(kind, namespace, name, change, live, options);
        }
        let Some(live) = live else { return Err(Refusal::not_found(kind, name)) };
        let mut object = live.clone();
        match how {
            PatchKind::Merge => patch::merge::merge(&mut object, &change),
            PatchKind::Json => patch::json::apply(&mut object, &change).map_err(|error| match error {
                JsonPatchError::Malformed(text) => Refusal::bad_request(text),
                JsonPatchError::Rejected => Refusal::patch_rejected(),
            })?,
            PatchKind::Strategic if kind.crd.is_some() => {
                return Err(Refusal::unsupported_media_type(&[
                    "application/json-patch+json",
                    "application/merge-patch+json",
                    "application/apply-patch+yaml",
                ]));
            }
            PatchKind::Strategic | PatchKind::Apply => {
                patch::strategic::merge(&mut object, &change, &schema::type_of(kind))
                    .map_err(Refusal::bad_request)?;
            }
        }
        let mut warnings = Vec::new();
        let object = decode::object(kind, object, options.validation, &mut warnings)?;
        for (field, expected) in [("name", name), ("namespace", namespace.unwrap_or_default())] {
            if object["metadata"][field].as_str().unwrap_or_default() != expected {
                return Err(Refusal::bad_request(format!(
                    "the {field} of the object ({}) does not match the {field} on the URL ({expected})",
                    object["metadata"][field].as_str().unwrap_or_default()
                )));
            }
        }
        let object = self.update(kind, &live, object, false, options)?;
        Ok(Written { object, created: false, warnings })
    }

    /// Stores a changed object, or refuses it. `applied` says that its `managedFields` are already right.
    pub(crate) fn update(
        &mut self,
        kind: &Arc<ResourceType>,
        live: &Value,
        mut object: Value,
        applied: bool,
        options: &WriteOptions,
    ) -> Result<Value, Refusal> {
        let name = live["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let given = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !given.is_empty() && live["metadata"]["resourceVersion"] != given {
            return Err(Refusal::modified(kind, &name));
        }
        let mut errors = Vec::new();
        if let Some(uid) = object["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty())
            && live["metadata"]["uid"] != uid
        {
            errors.push(FieldError::invalid(
                "metadata.uid",
                &object["metadata"]["uid"],
                "field is immutable",
            ));
        }
        keep_server_fields(live, &mut object);
        separate_status(kind, live, &mut object, options.subresource);
        defaults::fill(kind, &mut object);
        settle_shape(kind, &mut object);
        defaults::prepare(kind, &mut object, Some(live));
        errors.extend(validate::object(kind, &object));
        errors.extend(validate::update(kind, live, &object, options.subresource));
        if !errors.is_empty() {
            return Err(Refusal::invalid(kind, &name, &errors));
        }
        if kind.generation && options.subresource != "status" && differs_beyond_metadata(live, &object) {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            object["metadata"]["generation"] = json!(generation);
        }
        if !applied {
            self.record_owner(kind, live, &mut object, options);
        }
        if managed::same(live, &object) {
            return Ok(live.clone());
        }
        if options.dry_run {
            return Ok(object);
        }
        let deleting = object["metadata"]["deletionTimestamp"].is_string();
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        let finalizing = kind.is("", "Namespace")
            && object["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        let entry = if deleting && !held && !finalizing {
            self.store.remove(&kind.key, object)
        } else {
            self.store.put(&kind.key, object)
        };
        Ok(entry.value.clone())
    }

    fn record_owner(&self, kind: &ResourceType, live: &Value, object: &mut Value, options: &WriteOptions) {
        // An empty list given by the client ends the record; anything else it sends is ignored.
        let ended = object["metadata"]["managedFields"].as_array().is_some_and(|list| {
            list.iter().all(|entry| entry.as_object().is_some_and(serde_json::Map::is_empty))
        });
        let record = live["metadata"].get("managedFields").filter(|_| !ended).cloned();
        if let Value::Object(metadata) = &mut object["metadata"] {
            metadata.shift_remove("managedFields");
            // Without a record nothing is recorded, until somebody applies.
            let Some(record) = record else { return };
            metadata.insert("managedFields".to_owned(), record);
        }
        let (api_version, now) = (kind.api_version(), self.clock.stamp());
        let writer = Writer {
            manager: &options.manager,
            subresource: options.subresource,
            api_version: &api_version,
            time: &now,
        };
        managed::record_update(live, object, &schema::type_of(kind), &writer);
    }

    /// An object in the version of a path.
    pub(crate) fn current(&self, kind: &ResourceType, namespace: Option<&str>, name: &str) -> Option<Value> {
        let entry = self.store.get(&kind.key, namespace.unwrap_or_default(), name)?;
        let mut value = entry.value.clone();
        in_version(kind, &mut value);
        Some(value)
    }

    fn check_namespace(
        &self,
        kind: &ResourceType,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<(), Refusal> {
        let Some(namespace) = namespace else { return Ok(()) };
        let namespaces = self.registry.find("", "v1", "namespaces");
        let (Some(entry), _) = (self.store.get("/namespaces", "", namespace), &namespaces) else {
            return match namespaces {
                Some(namespaces) => Err(Refusal::not_found(&namespaces, namespace)),
                None => Ok(()),
            };
        };
        if entry.value["metadata"]["deletionTimestamp"].is_string() {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            let mut refusal = Refusal::forbidden(kind, name, &why);
            if let Some(Value::Object(details)) = &mut refusal.details {
                let message = format!("namespace {namespace} is being terminated");
                let cause = json!({"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"});
                details.insert("causes".to_owned(), json!([cause]));
            }
            return Err(refusal);
        }
        Ok(())
    }
}

/// Sets the `apiVersion` of a custom object to the version in which it is read.
pub(crate) fn in_version(kind: &ResourceType, value: &mut Value) {
    if kind.crd.is_some() {
        value["apiVersion"] = json!(kind.api_version());
    }
}

/// Brings an object into the shape that its Go type would write.
fn settle_shape(kind: &ResourceType, object: &mut Value) {
    if kind.schema.is_some() {
        decode::omit_empty(object, &schema::type_of(kind));
    }
}

fn set_namespace(kind: &ResourceType, namespace: Option<&str>, object: &mut Value) -> Result<(), Refusal> {
    let given = object["metadata"]["namespace"].as_str().unwrap_or_default();
    match namespace {
        Some(namespace) if given.is_empty() => object["metadata"]["namespace"] = json!(namespace),
        Some(namespace) if given != namespace => {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Some(_) => {}
        None if kind.namespaced => {
            return Err(Refusal::bad_request("an empty namespace may not be set during creation"));
        }
        None => {
            if let Value::Object(metadata) = &mut object["metadata"] {
                metadata.shift_remove("namespace");
            }
        }
    }
    Ok(())
}

/// What a client cannot change stays as it is.
fn keep_server_fields(live: &Value, object: &mut Value) {
    let Value::Object(metadata) = &mut object["metadata"] else { return };
    for field in SERVER_FIELDS.iter().filter(|field| **field != "managedFields") {
        match live["metadata"].get(*field) {
            Some(value) => metadata.insert((*field).to_owned(), value.clone()),
            None => metadata.shift_remove(*field),
        };
    }
}

/// The main endpoint leaves status alone, `/status` leaves all but status (and plain metadata of built-in kinds) alone.
fn separate_status(kind: &ResourceType, live: &Value, object: &mut Value, subresource: &str) {
    if !kind.has_status {
        return;
    }
    if subresource == "status" {
        let status = object.get("status").cloned();
        let metadata = object["metadata"].clone();
        let mut kept = live.clone();
        if let Value::Object(map) = &mut kept {
            match status {
                Some(status) => map.insert("status".to_owned(), status),
                None => map.shift_remove("status"),
            };
            if kind.crd.is_none() {
                map.insert("metadata".to_owned(), metadata);
            } else if let Some(Value::Object(own)) = map.get_mut("metadata")
                && let Some(fields) = metadata.get("managedFields")
            {
                own.insert("managedFields".to_owned(), fields.clone());
            }
        }
        *object = kept;
    } else if let Value::Object(map) = object {
        match live.get("status") {
            Some(status) => map.insert("status".to_owned(), status.clone()),
            None => map.shift_remove("status"),
        };
    }
}

/// Whether anything but metadata and status differs.
fn differs_beyond_metadata(live: &Value, object: &Value) -> bool {
    let rest = |value: &Value| -> Vec<(String, Value)> {
        let mut fields: Vec<(String, Value)> = value
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != "metadata" && *key != "status")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields
    };
    rest(live) != rest(object)
}
