//! Discovery: which groups, versions and resources are served, in the old form (one document per group version) and in
//! the aggregated one. Written from the registry alone.

use serde_json::{Map, Value, json};

use crate::request::Call;
use crate::resource::{Registry, ResourceType};
use crate::service::Answer;

/// The Kubernetes version whose behaviour is followed.
const MINOR: &str = "36";

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": MINOR,
        "gitVersion": format!("v1.{MINOR}.0+boathook-embedded"),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "embedded",
    })
}

/// `/api`, `/apis` and what lies below.
pub(crate) fn answer(registry: &Registry, segments: &[&str], call: &Call) -> Option<Answer> {
    let aggregated = call
        .accept
        .split(',')
        .find(|one| one.contains("as=apigroupdiscoverylist") && one.contains("g=apidiscovery.k8s.io"))
        .and_then(|one| {
            ["v2", "v2beta1"].into_iter().find(|version| one.split(';').any(|p| p == format!("v={version}")))
        });
    match segments {
        [root @ ("api" | "apis")] if aggregated.is_some() => {
            let version = aggregated.unwrap_or("v2");
            let content_type = if version == "v2" {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            } else {
                "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            };
            Some(Answer::Typed(aggregate(registry, *root == "api", version), content_type))
        }
        ["api"] => Some(Answer::ok(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        }))),
        ["apis"] => {
            let groups: Vec<Value> = groups(registry)
                .into_iter()
                .filter(|group| !group.is_empty())
                .map(|name| group(registry, &name))
                .collect();
            Some(Answer::ok(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
        }
        ["apis", name] if groups(registry).iter().any(|one| one == name) => {
            let mut value = group(registry, name);
            value["kind"] = json!("APIGroup");
            value["apiVersion"] = json!("v1");
            Some(Answer::ok(value))
        }
        ["api", version] => resources(registry, "", version).map(Answer::ok),
        ["apis", name, version] => resources(registry, name, version).map(Answer::ok),
        _ => None,
    }
}

/// Group names in the order of the registry, each once.
pub(crate) fn groups(registry: &Registry) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for kind in registry.iter() {
        if !names.contains(&kind.group) {
            names.push(kind.group.clone());
        }
    }
    names
}

/// Versions of a group, the preferred one first.
pub(crate) fn versions(registry: &Registry, group: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for kind in registry.iter().filter(|kind| kind.group == group) {
        if !names.contains(&kind.version) {
            names.push(kind.version.clone());
        }
    }
    names.sort_by_key(|version| std::cmp::Reverse(priority(version)));
    names
}

/// Stable before beta before alpha, then higher numbers first: the order of `version.CompareKubeAwareVersionStrings`.
fn priority(version: &str) -> (u8, u32, u32) {
    let rest = version.strip_prefix('v').unwrap_or(version);
    let (stage, major, minor) = match (rest.split_once("alpha"), rest.split_once("beta")) {
        (Some((major, minor)), _) => (1, major, minor),
        (_, Some((major, minor))) => (2, major, minor),
        _ => (3, rest, "0"),
    };
    (stage, major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

fn group(registry: &Registry, name: &str) -> Value {
    let versions: Vec<Value> = versions(registry, name)
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn verbs(kind: &ResourceType) -> Value {
    debug_assert!(!kind.plural.is_empty());
    json!(["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"])
}

/// Subresources with their kind (group, version, kind) and verbs.
fn subresources(kind: &ResourceType) -> Vec<(&'static str, (String, String, String), Value)> {
    let own = || (kind.group.clone(), kind.version.clone(), kind.kind.clone());
    let mut all = Vec::new();
    if kind.has_status {
        all.push(("status", own(), json!(["get", "patch", "update"])));
    }
    if kind.has_scale {
        let scale = ("autoscaling".to_owned(), "v1".to_owned(), "Scale".to_owned());
        all.push(("scale", scale, json!(["get", "patch", "update"])));
    }
    if kind.is("", "Pod") {
        all.push(("log", own(), json!(["get"])));
    }
    if kind.is("", "Namespace") {
        all.push(("finalize", own(), json!(["update"])));
    }
    all
}

fn resources(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for kind in registry.iter().filter(|kind| kind.group == group && kind.version == version) {
        let mut entry = Map::new();
        entry.insert("name".to_owned(), json!(kind.plural));
        entry.insert("singularName".to_owned(), json!(kind.singular));
        entry.insert("namespaced".to_owned(), json!(kind.namespaced));
        entry.insert("kind".to_owned(), json!(kind.kind));
        entry.insert("verbs".to_owned(), verbs(kind));
        if !kind.short_names.is_empty() {
            entry.insert("shortNames".to_owned(), json!(kind.short_names));
        }
        if !kind.categories.is_empty() {
            entry.insert("categories".to_owned(), json!(kind.categories));
        }
        list.push(Value::Object(entry));
        for (name, (of_group, of_version, of_kind), verbs) in subresources(kind) {
            let mut entry = json!({
                "name": format!("{}/{name}", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": of_kind,
                "verbs": verbs,
            });
            if of_group != kind.group {
                entry["group"] = json!(of_group);
                entry["version"] = json!(of_version);
            }
            list.push(entry);
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!list.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
    })
}

fn aggregate(registry: &Registry, core: bool, version: &str) -> Value {
    let items: Vec<Value> = groups(registry)
        .into_iter()
        .filter(|name| name.is_empty() == core)
        .map(|name| {
            let versions: Vec<Value> = versions(registry, &name)
                .into_iter()
                .map(|version| {
                    let kinds = registry.iter().filter(|kind| kind.group == name && kind.version == version);
                    let list: Vec<Value> = kinds.map(|kind| aggregated_resource(kind)).collect();
                    json!({"version": version, "resources": list, "freshness": "Current"})
                })
                .collect();
            let metadata = if core {
                json!({"creationTimestamp": null})
            } else {
                json!({"name": name, "creationTimestamp": null})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(kind: &ResourceType) -> Value {
    let response = |(group, version, kind): (String, String, String)| json!({"group": group, "version": version, "kind": kind});
    let mut entry = Map::new();
    entry.insert("resource".to_owned(), json!(kind.plural));
    let own = (kind.group.clone(), kind.version.clone(), kind.kind.clone());
    entry.insert("responseKind".to_owned(), response(own));
    entry.insert("scope".to_owned(), json!(if kind.namespaced { "Namespaced" } else { "Cluster" }));
    entry.insert("singularResource".to_owned(), json!(kind.singular));
    entry.insert("verbs".to_owned(), verbs(kind));
    if !kind.short_names.is_empty() {
        entry.insert("shortNames".to_owned(), json!(kind.short_names));
    }
    if !kind.categories.is_empty() {
        entry.insert("categories".to_owned(), json!(kind.categories));
    }
    let below: Vec<Value> = subresources(kind)
        .into_iter()
        .map(|(name, of, verbs)| json!({"subresource": name, "responseKind": response(of), "verbs": verbs}))
        .collect();
    if !below.is_empty() {
        entry.insert("subresources".to_owned(), Value::Array(below));
    }
    Value::Object(entry)
}
