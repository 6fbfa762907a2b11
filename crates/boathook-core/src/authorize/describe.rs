//! Permissions in a few words, for the plan: what a hook may touch, and which of its rules are wrong.

use super::http_url::UrlPrefix;
use super::kubernetes::Verb;
use super::never;
use crate::permissions::{HttpRule, Network, Permissions, PolicyRule};

/// Kinds whose objects become pods.
const POD_MAKERS: [(&str, &str); 8] = [
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("apps", "replicasets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
];

/// One line per rule: `get, create configmaps/my-app-config`, `POST https://hooks.slack.com/services/`. What a rule
/// allows beyond its words is said in brackets: whoever makes pods acts as any ServiceAccount of the namespace.
pub fn describe(permissions: &Permissions) -> Vec<String> {
    let kubernetes = permissions.kubernetes.iter().map(describe_policy_rule);
    kubernetes.chain(permissions.http.iter().map(describe_http_rule)).collect()
}

fn describe_policy_rule(rule: &PolicyRule) -> String {
    let resources: Vec<String> = rule
        .resources
        .iter()
        .flat_map(|resource| {
            rule.api_groups.iter().map(move |group| match group.as_str() {
                "" => resource.clone(),
                group => format!("{resource}.{group}"),
            })
        })
        .collect();
    let names = match rule.resource_names.as_slice() {
        [] => String::new(),
        [name] => format!("/{name}"),
        names => format!("/{{{}}}", names.join(",")),
    };
    let namespaces = match rule.namespaces.as_slice() {
        [] => String::new(),
        namespaces if namespaces.iter().any(|namespace| namespace == "*") => " in any namespace".to_owned(),
        namespaces => format!(" in {}", namespaces.join(", ")),
    };
    let mut text = format!("{} {}{names}{namespaces}", rule.verbs.join(", "), resources.join(", "));
    let has_verb = |verb: Verb| rule.verbs.iter().any(|word| word == verb.as_str());
    let has = |group: &str, plural: &str| {
        rule.api_groups.iter().any(|word| word == group) && rule.resources.iter().any(|word| word == plural)
    };
    let makes_pods = POD_MAKERS.iter().any(|(group, plural)| has(group, plural));
    if makes_pods && (has_verb(Verb::Create) || has_verb(Verb::Patch)) {
        text += " (as any ServiceAccount there)";
    }
    if has("", "secrets") && has_verb(Verb::Get) && rule.resource_names.iter().any(|name| name != "*") {
        text += " (reads its data)";
    }
    text
}

fn describe_http_rule(rule: &HttpRule) -> String {
    let network = match rule.network {
        Network::Public => "",
        Network::Cluster => " (also private addresses)",
        Network::Loopback => " (this machine)",
    };
    format!("{} {}{network}", rule.methods.join(", "), rule.url)
}

/// What is wrong with rules, each naming its place (`permissions.http[0].url`): such a part grants nothing, and would
/// only look as if it did.
pub fn problems(permissions: &Permissions) -> Vec<String> {
    let mut found = Vec::new();
    for (index, rule) in permissions.kubernetes.iter().enumerate() {
        policy_rule_problems(rule, &format!("permissions.kubernetes[{index}]"), &mut found);
    }
    for (index, rule) in permissions.http.iter().enumerate() {
        let place = format!("permissions.http[{index}]");
        if let Err(reason) = UrlPrefix::parse(&rule.url) {
            found.push(format!("{place}.url: {reason}"));
        }
        if rule.methods.is_empty() {
            found.push(format!("{place}.methods: is empty"));
        }
        for method in rule.methods.iter().filter(|method| !method.bytes().all(|b| b.is_ascii_uppercase())) {
            found.push(format!("{place}.methods: {method:?} is no method in upper case"));
        }
    }
    found
}

fn policy_rule_problems(rule: &PolicyRule, place: &str, found: &mut Vec<String>) {
    for (field, list) in
        [("apiGroups", &rule.api_groups), ("resources", &rule.resources), ("verbs", &rule.verbs)]
    {
        if list.is_empty() {
            found.push(format!("{place}.{field}: is empty"));
        }
        if list.iter().any(|word| word == "*") {
            found.push(format!("{place}.{field}: * is not allowed, name what is needed"));
        }
    }
    for verb in rule.verbs.iter().filter(|verb| *verb != "*") {
        if !Verb::ALL.iter().any(|known| known.as_str() == verb) {
            found.push(format!("{place}.verbs: {verb:?} is none of get, list, watch, create, patch, delete"));
        }
    }
    for resource in &rule.resources {
        if let Some(reason) = never::never_word(resource) {
            found.push(format!("{place}.resources: {resource} is never granted to plugins: {reason}"));
        }
    }
}
