//! The roles and bindings that every cluster has, and ClusterRoles that gather the rules of others.

use serde_json::{Value, json};

use super::CLUSTER_ROLES;
use crate::cluster::Cluster;
use crate::controller;

/// Those of Kubernetes 1.36 that are for users, as `kubectl get clusterroles,clusterrolebindings -o json` shows them. What
/// gathers the rules of others has none here.
const BUILT_IN: &str = include_str!("roles.json");

/// Stores what is not there yet, as the API server does when it starts.
pub(crate) fn bootstrap(cluster: &mut Cluster) {
    let objects: Vec<Value> = serde_json::from_str(BUILT_IN).unwrap_or_default();
    for object in objects {
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let resource = format!("rbac.authorization.k8s.io/{kind}s");
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if cluster.store.get(&resource, "", name).is_none() {
            controller::create(cluster, &resource, object);
        }
    }
}

/// Gives every ClusterRole that gathers the rules of others those rules.
pub(crate) fn gather(cluster: &mut Cluster) {
    let all: Vec<Value> =
        cluster.store.iter(CLUSTER_ROLES, None).map(|(_, entry)| entry.value.clone()).collect();
    for role in &all {
        let Some(selectors) = role["aggregationRule"]["clusterRoleSelectors"].as_array() else { continue };
        let mut rules: Vec<&Value> = Vec::new();
        let name = &role["metadata"]["name"];
        for other in all.iter().filter(|other| other["metadata"]["name"] != *name) {
            if selectors.iter().any(|selector| selects(selector, &other["metadata"]["labels"])) {
                let new = other["rules"].as_array().into_iter().flatten();
                for rule in new {
                    if !rules.contains(&rule) {
                        rules.push(rule);
                    }
                }
            }
        }
        if role["rules"].as_array().is_none_or(|before| before.iter().collect::<Vec<_>>() != rules) {
            let mut next = role.clone();
            next["rules"] = json!(rules);
            controller::write(cluster, CLUSTER_ROLES, role, next, "clusterrole-aggregation-controller");
        }
    }
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let equal =
        selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal
        && expressions.into_iter().all(|one| {
            let value = text(&labels[text(&one["key"]).unwrap_or_default()]);
            let among = value.is_some()
                && one["values"].as_array().into_iter().flatten().any(|each| text(each) == value);
            match one["operator"].as_str() {
                Some("In") => among,
                Some("NotIn") => !among,
                Some("Exists") => value.is_some(),
                _ => value.is_none(),
            }
        })
}
