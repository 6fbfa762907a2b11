//! Refusals: the `Status` object that every failed request of the Kubernetes API answers with, with the texts of the
//! real server (apimachinery's `api/errors` and `validation/field`). Nothing here decides whether to refuse.

use serde_json::{Map, Value, json};

use crate::authorize::Attributes;
use crate::resource::ResourceType;

/// What a request comes to when it is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) code: u16,
    /// The machine-readable reason, e.g. `NotFound`.
    pub(crate) reason: &'static str,
    /// The text for people.
    pub(crate) message: String,
    /// `details`, if any.
    pub(crate) details: Option<Value>,
    /// The answer is the message alone and no Status: so answers the part of the real server that finds nobody who
    /// serves a path.
    pub(crate) plain: bool,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// `FieldValueInvalid`, `FieldValueRequired`, …
    reason: &'static str,
    /// The path, e.g. `metadata.name`.
    field: String,
    /// The text without the path.
    message: String,
}

impl FieldError {
    /// A value that breaks a rule.
    pub(crate) fn invalid(field: &str, value: &Value, rule: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            field: field.to_owned(),
            message: format!("Invalid value: {value}: {rule}"),
        }
    }

    /// Several values together that break a rule; none of them is shown.
    pub(crate) fn broken(field: &str, rule: &str) -> Self {
        let message = format!("Invalid value: {rule}");
        Self { reason: "FieldValueInvalid", field: field.to_owned(), message }
    }

    /// A value of another type than the schema of a custom kind says.
    pub(crate) fn wrong_type(field: &str, found: &str, wanted: &str) -> Self {
        let message =
            format!("Invalid value: \"{found}\": {field} in body must be of type {wanted}: \"{found}\"");
        Self { reason: "FieldValueTypeInvalid", field: field.to_owned(), message }
    }

    /// A value that is not there.
    pub(crate) fn required(field: &str, rule: &str) -> Self {
        let message =
            if rule.is_empty() { "Required value".to_owned() } else { format!("Required value: {rule}") };
        Self { reason: "FieldValueRequired", field: field.to_owned(), message }
    }

    /// A value that must not be there, or must not change.
    pub(crate) fn forbidden(field: &str, rule: &str) -> Self {
        Self { reason: "FieldValueForbidden", field: field.to_owned(), message: format!("Forbidden: {rule}") }
    }

    /// A value outside a closed list.
    pub(crate) fn unsupported(field: &str, value: &Value, supported: &[&str]) -> Self {
        let list: Vec<String> = supported.iter().map(|value| format!("\"{value}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        Self { reason: "FieldValueNotSupported", field: field.to_owned(), message }
    }

    /// A value over a size limit in bytes.
    pub(crate) fn too_long(field: &str, limit: usize) -> Self {
        let message = format!("Too long: may not be more than {limit} bytes");
        Self { reason: "FieldValueTooLong", field: field.to_owned(), message }
    }

    /// A second entry with the same key.
    pub(crate) fn duplicate(field: &str, value: &Value) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            field: field.to_owned(),
            message: format!("Duplicate value: {value}"),
        }
    }

    fn text(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

impl Refusal {
    /// A refusal without details.
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, plain: false }
    }

    /// A refusal whose details say nothing: those that the real server makes of an HTTP status.
    fn of_status(code: u16, reason: &'static str, message: &str) -> Self {
        Self { details: Some(json!({})), ..Self::new(code, reason, message) }
    }

    fn about(kind: &ResourceType, name: &str, code: u16, reason: &'static str, message: String) -> Self {
        Self { details: Some(details(&kind.group, &kind.plural, name)), ..Self::new(code, reason, message) }
    }

    /// 404 for an object.
    pub(crate) fn not_found(kind: &ResourceType, name: &str) -> Self {
        Self::about(kind, name, 404, "NotFound", format!("{} \"{name}\" not found", kind.group_resource()))
    }

    /// 404 for a path below a group that is served.
    pub(crate) fn no_such_path() -> Self {
        Self::of_status(404, "NotFound", "the server could not find the requested resource")
    }

    /// 404 for any other path, or one of a custom group.
    pub(crate) fn nobody_serves() -> Self {
        Self { plain: true, ..Self::new(404, "", "404 page not found\n") }
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::of_status(405, "MethodNotAllowed", message)
    }

    /// 409 for a create.
    pub(crate) fn already_exists(kind: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.group_resource());
        Self::about(kind, name, 409, "AlreadyExists", message)
    }

    /// 409 for a write on an older state.
    pub(crate) fn conflict(kind: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.group_resource());
        Self::about(kind, name, 409, "Conflict", message)
    }

    /// 409 for a delete of another object or state than it was meant for. It names the kind, not the resource.
    pub(crate) fn not_as_expected(
        kind: &ResourceType,
        name: &str,
        what: &str,
        given: &str,
        found: &str,
    ) -> Self {
        let hint = if what == "UID" {
            "The object might have been deleted and then recreated"
        } else {
            "The object might have been modified"
        };
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the {what} in the precondition ({given}) does not match the {what} in record ({found}). {hint}",
            kind.group_kind()
        );
        Self { details: Some(details(&kind.group, &kind.kind, name)), ..Self::new(409, "Conflict", message) }
    }

    /// 409 for a write with a resourceVersion that is not the current one.
    pub(crate) fn modified(kind: &ResourceType, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// 409 for fields of other managers; `(manager, field)` pairs in the order they are told.
    pub(crate) fn apply_conflicts(conflicts: &[(String, String)]) -> Self {
        let mut lines = Vec::new();
        let mut causes = Vec::new();
        for (manager, field) in conflicts {
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {manager}"),
                "field": field,
            }));
        }
        let plural = if conflicts.len() == 1 { "conflict" } else { "conflicts" };
        let managers: std::collections::BTreeSet<&String> =
            conflicts.iter().map(|(manager, _)| manager).collect();
        let message = match conflicts {
            [(manager, field)] => format!("Apply failed with 1 conflict: conflict with {manager}: {field}"),
            _ => {
                for manager in managers {
                    lines.push(format!("conflicts with {manager}:"));
                    let fields = conflicts.iter().filter(|(of, _)| of == manager);
                    lines.extend(fields.map(|(_, field)| format!("- {field}")));
                }
                format!("Apply failed with {} {plural}: {}", conflicts.len(), lines.join("\n"))
            }
        };
        Self { details: Some(json!({"causes": causes})), ..Self::new(409, "Conflict", message) }
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 403 for an object.
    pub(crate) fn forbidden(kind: &ResourceType, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.group_resource());
        Self::about(kind, name, 403, "Forbidden", message)
    }

    /// 403 for what the user may not do.
    pub(crate) fn not_authorized(user: &str, asked: &Attributes, reason: &str) -> Self {
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let Attributes { verb, namespace, group, resource, name, .. } = asked;
        if let Some(path) = &asked.path {
            let message = format!("forbidden: User \"{user}\" cannot {verb} path \"{path}\"{because}");
            return Self::of_status(403, "Forbidden", &message);
        }
        let of_group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let scope = match namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let message = format!(
            "{resource}{of_group}{named} is forbidden: User \"{user}\" cannot {verb} resource \"{}\" in API group \"{group}\" {scope}{because}",
            asked.combined()
        );
        Self { details: Some(details(group, resource, name)), ..Self::new(403, "Forbidden", message) }
    }

    /// 401: nobody is known by these credentials.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 422 for the fields of an object.
    pub(crate) fn invalid(kind: &ResourceType, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_fields(&kind.group, &kind.kind, name, errors)
    }

    /// 422 for an object that is named by its resource.
    pub(crate) fn invalid_resource(kind: &ResourceType, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_fields(&kind.group, &kind.plural, name, errors)
    }

    /// 422 for the options of a request: `CreateOptions`, `ListOptions`, …
    pub(crate) fn invalid_options(options: &str, errors: &[FieldError]) -> Self {
        Self::invalid_fields("meta.k8s.io", options, "", errors)
    }

    /// 422 for fields of what has this group and kind.
    pub(crate) fn invalid_fields(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = errors.iter().map(FieldError::text).collect();
        // What is said twice is told once, but counts twice among the causes.
        let mut seen = std::collections::HashSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut about = details(group, kind, name);
        if let Value::Object(map) = &mut about {
            let causes = errors
                .iter()
                .map(|error| json!({"reason": error.reason, "message": error.message, "field": error.field}));
            map.insert("causes".to_owned(), causes.collect());
        }
        let message = format!("{qualified} \"{name}\" is invalid: {list}");
        Self { details: Some(about), ..Self::new(422, "Invalid", message) }
    }

    /// 422 for a JSON patch that does not fit the object.
    pub(crate) fn patch_rejected() -> Self {
        Self::of_status(422, "Invalid", "the server rejected our request due to an error in our request")
    }

    /// 410 for a resourceVersion or a continue token that is too old.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// 415, with what is accepted.
    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 415 for a patch of an unknown kind.
    pub(crate) fn unknown_patch() -> Self {
        Self::of_status(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    }

    /// 406.
    pub(crate) fn not_acceptable() -> Self {
        let message = "406: Not Acceptable\n\nAvailable representations: application/json";
        Self::of_status(406, "NotAcceptable", message)
    }

    /// The `Status` object.
    pub(crate) fn to_value(&self) -> Value {
        let mut status = Map::new();
        status.insert("kind".to_owned(), json!("Status"));
        status.insert("apiVersion".to_owned(), json!("v1"));
        status.insert("metadata".to_owned(), json!({}));
        status.insert("status".to_owned(), json!("Failure"));
        status.insert("message".to_owned(), json!(self.message));
        if !self.reason.is_empty() {
            status.insert("reason".to_owned(), json!(self.reason));
        }
        if let Some(details) = &self.details {
            status.insert("details".to_owned(), details.clone());
        }
        status.insert("code".to_owned(), json!(self.code));
        Value::Object(status)
    }
}

/// `details` of a Status: absent parts are left out, as the real server does.
fn details(group: &str, kind: &str, name: &str) -> Value {
    let mut details = Map::new();
    if !name.is_empty() {
        details.insert("name".to_owned(), json!(name));
    }
    if !group.is_empty() {
        details.insert("group".to_owned(), json!(group));
    }
    details.insert("kind".to_owned(), json!(kind));
    Value::Object(details)
}

/// The `Status` of a successful delete.
pub(crate) fn deleted(kind: &ResourceType, name: &str, uid: &str) -> Value {
    let mut about = details(&kind.group, &kind.plural, name);
    if let Value::Object(map) = &mut about {
        map.insert("uid".to_owned(), json!(uid));
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about})
}
