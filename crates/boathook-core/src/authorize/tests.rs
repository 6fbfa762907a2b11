//! The table of decisions: who may do what, in one line each, and the laws that hold for every line.
//!
//! Permissions and requests are written in a short form: `get,create configmaps =my-app @prod` is a rule (verbs,
//! resource, names, namespaces), `get configmaps prod/my-app` a request; `POST https://example.com/a cluster` is an HTTP
//! rule, and without its last word a request. Rules of one grant are joined by `;`.

mod addresses;
mod bodies;
mod http;
mod kubernetes;
mod laws;

use serde_json::{Value, json};

use super::*;
use crate::names::{Plural, Resource};
use crate::permissions::{HttpRule, Network, PolicyRule};
use crate::{Gvk, Object};

const RELEASE_NAMESPACE: &str = "prod";

/// What comes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// It is allowed.
    Allow,
    /// It is denied, and its hint allows it.
    Deny,
    /// It is denied, and nothing allows it.
    Never,
    /// It is no request at all.
    Invalid,
}
use Expect::{Allow, Deny, Invalid, Never};

/// Kinds as discovery would answer them.
const KINDS: [(&str, &str, &str, bool); 27] = [
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Pod", "pods", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("v1", "Binding", "bindings", true),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("apps/v1", "Deployment", "deployments", true),
    ("batch/v1", "Job", "jobs", true),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false),
    ("authentication.k8s.io/v1", "TokenReview", "tokenreviews", false),
    ("authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", false),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", false),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests", false),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        false,
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        false,
    ),
    ("apiregistration.k8s.io/v1", "APIService", "apiservices", false),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("boathook.dev/v1alpha1", "WasmHook", "wasmhooks", true),
    ("example.com/v1", "Secret", "secretclaims", true),
    ("example.com/v1", "Widget", "widgets", true),
    ("example.com/v1", "Planet", "planets", false),
];

fn resource(plural: &str) -> Resource {
    let (api_version, kind, plural, namespaced) =
        *KINDS.iter().find(|kind| kind.2 == plural).unwrap_or_else(|| panic!("no kind {plural} in KINDS"));
    Resource { gvk: Gvk::new(api_version, kind), plural: Plural::new(plural).unwrap(), namespaced }
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

fn policy_rule(text: &str) -> PolicyRule {
    let mut rule = PolicyRule::default();
    let mut parts = text.split_whitespace();
    rule.verbs = words(parts.next().unwrap());
    rule.resources = words(parts.next().unwrap());
    for word in &rule.resources {
        let plural = word.split('/').next().unwrap();
        let group = match KINDS.iter().find(|kind| kind.2 == plural) {
            Some(kind) => Gvk::new(kind.0, kind.1).group,
            None => String::new(),
        };
        if !rule.api_groups.contains(&group) {
            rule.api_groups.push(group);
        }
    }
    for part in parts {
        match part.split_at(1) {
            ("=", names) => rule.resource_names = words(names),
            ("@", namespaces) => rule.namespaces = words(namespaces),
            ("/", groups) => rule.api_groups = words(groups),
            _ => panic!("{part} in {text}"),
        }
    }
    rule
}

fn http_rule(text: &str) -> HttpRule {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let network = match parts.get(2).copied() {
        None => Network::Public,
        Some("cluster") => Network::Cluster,
        Some("loopback") => Network::Loopback,
        Some(other) => panic!("{other} in {text}"),
    };
    HttpRule { url: parts[1].to_owned(), methods: words(parts[0]), network }
}

fn grant(rules: &str) -> Grant {
    let mut permissions = Permissions::default();
    for rule in rules.split(';').map(str::trim).filter(|rule| !rule.is_empty()) {
        if rule.contains("://") {
            permissions.http.push(http_rule(rule));
        } else {
            permissions.kubernetes.push(policy_rule(rule));
        }
    }
    Grant::new(Capability::ALL, permissions, RELEASE_NAMESPACE).unwrap()
}

/// `namespace/name`, or just a name. The namespace is up to the first slash, so that names can hold one.
fn place(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    }
}

fn kubernetes_request(grant: &Grant, text: &str) -> Result<Request, RequestError> {
    let parts: Vec<&str> = text.splitn(3, ' ').collect();
    let (plural, subresource) = match parts[1].split_once(':') {
        Some((plural, subresource)) => (plural, Some(Subresource::parse(subresource)?)),
        None => (parts[1], None),
    };
    let resource = resource(plural);
    let place_text = parts.get(2).copied().unwrap_or_default();
    let (namespace, name) = place(place_text);
    let object = || {
        let mut object = json!({
            "apiVersion": resource.gvk.api_version(), "kind": resource.gvk.kind, "metadata": {"name": name}
        });
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = namespace.into();
        }
        object
    };
    let request = match parts[0] {
        "get" => KubernetesRequest::get(grant, resource, namespace, name),
        "list" => {
            let namespace = Some(place_text).filter(|namespace| !namespace.is_empty());
            KubernetesRequest::list(grant, resource, namespace, None, None)
        }
        "create" => KubernetesRequest::create(grant, resource.clone(), object()),
        "apply" => KubernetesRequest::apply(grant, resource.clone(), object()),
        "patch" => {
            let patch = PatchBody::JsonMerge(json!({"data": {"a": "b"}}));
            KubernetesRequest::patch(grant, resource, namespace, name, patch)
        }
        "delete" => KubernetesRequest::delete(grant, resource, namespace, name),
        "wait" => KubernetesRequest::wait(grant, resource, namespace, name, Observes::State),
        "wait-value" => KubernetesRequest::wait(grant, resource, namespace, name, Observes::Values),
        other => panic!("{other} in {text}"),
    }?;
    Ok(Request::Kubernetes(match subresource {
        Some(subresource) => request.on(subresource),
        None => request,
    }))
}

fn http_request(text: &str) -> Result<Request, RequestError> {
    let (method, url) = text.split_once(' ').unwrap();
    let raw = RawHttpRequest { method, url, headers: &[], body_bytes: 0, credentials: &[] };
    HttpRequest::parse(&raw, |_| None).map(Request::Http)
}

fn request(grant: &Grant, text: &str) -> Result<Request, RequestError> {
    let first = text.split(' ').next().unwrap();
    if first.bytes().all(|b| b.is_ascii_uppercase()) {
        http_request(text)
    } else {
        kubernetes_request(grant, text)
    }
}

fn outcome(grant: &Grant, request: &Result<Request, RequestError>) -> Expect {
    match request {
        Err(RequestError::Denied(denial)) => of_hint(denial),
        Err(RequestError::Invalid(_) | RequestError::TooLarge { .. }) => Invalid,
        Ok(request) => match authorize(grant, request) {
            Ok(()) => Allow,
            Err(denial) => of_hint(&denial),
        },
    }
}

fn of_hint(denial: &Denial) -> Expect {
    match denial.hint {
        Hint::Never(_) => Never,
        Hint::Grant(_) | Hint::Credential { .. } | Hint::UrlOfCredential { .. } => Deny,
    }
}

/// The grant with the lines of a hint added, read from their text as a user's would be.
fn with_hint(grant: &Grant, hint: &Hint) -> Grant {
    let mut added = crate::manifest::read_yaml("hint", &hint.to_string()).expect("a hint is YAML");
    let added: Permissions =
        serde_json::from_value(added["permissions"].take()).expect("a hint is permissions");
    assert_eq!(Some(&added), hint.permissions(), "{hint}");
    let mut grant = grant.clone();
    grant.permissions.kubernetes.extend(added.kubernetes);
    grant.permissions.http.extend(added.http);
    grant
}

/// Checks every line of a table, and for each the law that a hint allows what was denied.
fn check(table: &[(&str, &str, Expect)]) {
    let mut wrong = Vec::new();
    for (rules, text, expected) in table {
        let grant = grant(rules);
        let request = request(&grant, text);
        let got = outcome(&grant, &request);
        if got != *expected {
            wrong.push(format!("{rules:?} {text:?}: expected {expected:?}, got {got:?} ({request:?})"));
        }
        if let Ok(request) = &request
            && let Err(denial) = authorize(&grant, request)
            && let Hint::Grant(_) = denial.hint
            && let Err(again) = authorize(&with_hint(&grant, &denial.hint), request)
        {
            wrong.push(format!("{text:?}: the hint {} does not help: {again}", denial.hint));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
