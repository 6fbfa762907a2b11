//! Objects at the end of a scenario, without what no two runs have in common.

use serde_json::{Map, Value};

use crate::story::{Line, details};

/// Who else writes to objects than the tools, and what kubectl calls itself.
const OTHERS: [&str; 2] = ["kube-controller-manager", "kube-apiserver"];
/// What the API server or its controllers put into objects by chance, by path.
const RANDOM: [&[&str]; 10] = [
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "creationTimestamp"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "selfLink"],
    &["status"],
    &["spec", "clusterIP"],
    &["spec", "clusterIPs"],
    &["spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"],
];
/// Labels of Boathook on hook objects and records: rows of docs/differences-from-helm.md.
pub(crate) const MARKS: &str = "boathook.dev/";

/// The lines of one object.
pub(crate) fn lines(slug: &str, mut object: Value) -> Vec<Line> {
    let managers = managers(&object);
    for path in RANDOM {
        remove(&mut object, path);
    }
    for list in ["/spec/volumes", "/spec/containers/0/volumeMounts"] {
        if let Some(list) = object.pointer_mut(list).and_then(Value::as_array_mut) {
            list.retain(|entry| !entry["name"].as_str().unwrap_or_default().starts_with("kube-api-access-"));
        }
    }
    for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
        if let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) {
            labels.retain(|name, _| {
                !name.contains("controller-uid") && !name.starts_with(MARKS) && !name.contains("job-name")
            });
        }
    }
    for empty in [&["metadata", "labels"][..], &["spec", "template", "metadata", "labels"]] {
        if object
            .pointer(&format!("/{}", empty.join("/")))
            .is_some_and(|map| map == &Value::Object(Map::new()))
        {
            remove(&mut object, empty);
        }
    }
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        object["metadata"]["deletionTimestamp"] = "set".into();
    }
    object.sort_all_objects();
    let mut lines = vec![Line::Object { slug: slug.to_owned(), managers }];
    lines.extend(details(slug, &object));
    lines
}

/// `helm Apply`, by name.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter(|entry| entry["subresource"].is_null() && !OTHERS.contains(&text(entry, "manager").as_str()))
        .map(|entry| format!("{} {}", text(entry, "manager"), text(entry, "operation")))
        .collect();
    found.sort();
    found
}

fn remove(value: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(value, |value, key| value.get_mut(key));
    if let Some(map) = parent.and_then(Value::as_object_mut) {
        map.shift_remove(*last);
    }
}
