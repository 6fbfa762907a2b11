//! What a user asks about himself: may I, what may I, who am I. Nothing of it is stored.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::authorize::{self, Attributes, User};
use crate::decode;
use crate::protobuf;
use crate::request::Call;
use crate::service::Answer;
use crate::shared::Shared;
use crate::status::{FieldError, Refusal};

/// Answers a review; nothing if the path is that of none.
pub(crate) fn answer(
    shared: &Arc<Shared>,
    user: &User,
    path: &str,
    call: &Call,
    body: &[u8],
) -> Option<Result<Answer, Refusal>> {
    let (group, kind): (&str, &str) = match path.trim_matches('/') {
        "apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            ("authorization", "SelfSubjectAccessReview")
        }
        "apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => ("authorization", "SelfSubjectRulesReview"),
        "apis/authentication.k8s.io/v1/selfsubjectreviews" => ("authentication", "SelfSubjectReview"),
        _ => return None,
    };
    Some(review(shared, user, group, kind, call, body))
}

fn review(
    shared: &Arc<Shared>,
    user: &User,
    group: &str,
    kind: &str,
    call: &Call,
    body: &[u8],
) -> Result<Answer, Refusal> {
    if call.method != Method::POST {
        return Err(Refusal::method_not_allowed());
    }
    let mut value = match call.content_type.as_str() {
        protobuf::MEDIA_TYPE => protobuf::object(body, &format!("{group}.v1.{kind}"))
            .ok_or_else(|| Refusal::bad_request("the body is no protobuf message of this kind"))?,
        _ => decode::json(body, kind)?,
    };
    let cluster = shared.lock();
    let spec = value["spec"].clone();
    let mut shown = spec.clone();
    let status = match kind {
        "SelfSubjectAccessReview" => access(&cluster.store, user, &spec)?,
        "SelfSubjectRulesReview" => {
            shown = json!({});
            let namespace = spec["namespace"].as_str().unwrap_or_default();
            if namespace.is_empty() {
                return Err(Refusal::bad_request("no namespace on request"));
            }
            rules(&cluster.store, user, namespace)
        }
        _ => {
            let mut info = json!({"username": user.name, "groups": user.groups});
            if !user.uid.is_empty() {
                info["uid"] = json!(user.uid);
            }
            for (key, values) in &user.extra {
                info["extra"][key] = json!(values);
            }
            json!({"userInfo": info})
        }
    };
    let mut metadata = json!({});
    if kind == "SelfSubjectReview" {
        metadata["creationTimestamp"] = json!(cluster.clock.stamp());
    }
    value = json!({"kind": kind, "apiVersion": format!("{group}.k8s.io/v1"), "metadata": metadata});
    if kind != "SelfSubjectReview" {
        value["spec"] = shown;
    }
    value["status"] = status;
    Ok(Answer::Json { code: 201, value, warnings: Vec::new() })
}

/// Whether the user may.
fn access(store: &crate::store::Store, user: &User, spec: &Value) -> Result<Value, Refusal> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_object() == path.is_object() {
        let rule = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        let error = FieldError::invalid("spec.resourceAttributes", resource, rule);
        return Err(Refusal::invalid_fields("authorization.k8s.io", "", "", &[error]));
    }
    let text = |of: &Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    let asked = if resource.is_object() {
        Attributes {
            verb: text(resource, "verb"),
            namespace: text(resource, "namespace"),
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            name: text(resource, "name"),
            path: None,
        }
    } else {
        Attributes { verb: text(path, "verb"), path: Some(text(path, "path")), ..Attributes::default() }
    };
    let decision = authorize::decide(store, user, &asked);
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = json!(decision.reason);
    }
    Ok(status)
}

/// What the user may in a namespace.
fn rules(store: &crate::store::Store, user: &User, namespace: &str) -> Value {
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    for rule in authorize::rules_for(store, user, namespace) {
        let fields = |names: &[&str]| -> Value {
            let given =
                names.iter().filter(|name| rule[**name].as_array().is_some_and(|list| !list.is_empty()));
            given.map(|name| ((*name).to_owned(), rule[*name].clone())).collect()
        };
        if rule["resources"].as_array().is_some_and(|list| !list.is_empty()) {
            resources.push(fields(&["verbs", "apiGroups", "resources", "resourceNames"]));
        }
        if rule["nonResourceURLs"].as_array().is_some_and(|list| !list.is_empty()) {
            paths.push(fields(&["verbs", "nonResourceURLs"]));
        }
    }
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}
