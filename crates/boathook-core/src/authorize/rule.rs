//! Matching a Kubernetes request with the rules of a grant. A request may need several verbs; each must be allowed, by
//! the same rule or by different ones.

use super::body::PatchBody;
use super::kubernetes::{KubernetesRequest, Observes, Payload, Verb};
use super::never::never;
use super::{Denial, Grant, Hint};
use crate::names::Namespace;
use crate::permissions::{Permissions, PolicyRule};
use crate::plugin::Capability;

pub(super) fn authorize_kubernetes(grant: &Grant, request: &KubernetesRequest) -> Result<(), Denial> {
    let denial = |reason: &str, hint| {
        let action = request.action();
        Err(Denial { capability: Capability::Kubernetes, action, reason: reason.to_owned(), hint })
    };
    if let Some(reason) = never(request) {
        return denial(reason, Hint::Never(reason.to_owned()));
    }
    let rules = &grant.permissions.kubernetes;
    let mut missing: Vec<Verb> = request
        .call
        .verbs()
        .iter()
        .copied()
        .filter(|verb| !rules.iter().any(|rule| allows(rule, *verb, request, &grant.release_namespace)))
        .collect();
    let mut reason = "no permission allows it";
    if reads_secret_values(request) && !secret_data_granted(grant, request) {
        if missing.is_empty() {
            reason = "a Secret's data is readable only under a rule with verb get that spells out its name";
        }
        if !missing.contains(&Verb::Get) {
            missing.push(Verb::Get);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    denial(reason, Hint::Grant(smallest_rule(grant, request, &missing)))
}

/// Whether the grant lets the guest see the data of the Secret that the request is about.
pub(super) fn secret_data_granted(grant: &Grant, request: &KubernetesRequest) -> bool {
    let Some(name) = &request.name else {
        return false;
    };
    grant.permissions.kubernetes.iter().any(|rule| {
        rule.resource_names.iter().any(|granted| granted == name.as_str())
            && allows(rule, Verb::Get, request, &grant.release_namespace)
    })
}

/// Whether the request would tell the guest something of a Secret's values even though answers are redacted: by
/// copying one into an annotation, by testing for it, or by waiting for it.
fn reads_secret_values(request: &KubernetesRequest) -> bool {
    request.is_secret()
        && match &request.payload {
            Payload::Wait(observes) => *observes == Observes::Values,
            Payload::Patch(PatchBody::Json(operations)) => operations.as_array().is_some_and(|operations| {
                operations.iter().any(|operation| {
                    let word = operation.get("op").and_then(serde_json::Value::as_str);
                    matches!(word, Some("copy" | "move" | "test"))
                })
            }),
            Payload::Patch(PatchBody::JsonMerge(_) | PatchBody::StrategicMerge(_))
            | Payload::None
            | Payload::Object(_)
            | Payload::Selectors(..) => false,
        }
}

/// Whether one rule allows one verb. `*` means anything in `resourceNames` and `namespaces` only.
fn allows(rule: &PolicyRule, verb: Verb, request: &KubernetesRequest, release_namespace: &Namespace) -> bool {
    let holds = |list: &[String], word: &str| list.iter().any(|item| item == word);
    let word = request.resource_word();
    let any_name = rule.resource_names.is_empty() || holds(&rule.resource_names, "*");
    let any_namespace = holds(&rule.namespaces, "*");
    holds(&rule.verbs, verb.as_str())
        && holds(&rule.api_groups, &request.resource.gvk.group)
        && holds(&rule.resources, &word)
        // A request without a name is about all names.
        && (any_name || request.name.as_ref().is_some_and(|name| holds(&rule.resource_names, name.as_str())))
        // A cluster-scoped object is in no namespace that a list could hold.
        && (any_namespace
            || request.namespace.as_ref().is_some_and(|namespace| {
                if rule.namespaces.is_empty() {
                    namespace == release_namespace
                } else {
                    holds(&rule.namespaces, namespace.as_str())
                }
            }))
}

fn smallest_rule(grant: &Grant, request: &KubernetesRequest, verbs: &[Verb]) -> Permissions {
    let namespaces = match &request.namespace {
        Some(namespace) if *namespace == grant.release_namespace => Vec::new(),
        Some(namespace) => vec![namespace.to_string()],
        None => vec!["*".to_owned()],
    };
    let rule = PolicyRule {
        api_groups: vec![request.resource.gvk.group.clone()],
        resources: vec![request.resource_word()],
        verbs: verbs.iter().map(|verb| verb.as_str().to_owned()).collect(),
        resource_names: request.name.iter().map(ToString::to_string).collect(),
        namespaces,
    };
    Permissions { kubernetes: vec![rule], http: Vec::new() }
}
