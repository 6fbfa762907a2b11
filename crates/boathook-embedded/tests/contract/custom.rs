//! Custom kinds: what a definition makes the API serve, and what its schema asks of objects.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Cluster, DEFINITIONS};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    a_definition_serves_its_kind,
    a_definition_is_named_after_its_kind,
    a_custom_object_has_the_types_of_its_schema,
    fields_outside_a_schema_are_told_refused_or_dropped,
    a_schema_fills_in_its_defaults,
    a_custom_object_says_what_it_is,
    a_custom_object_is_replaced_at_its_version_only,
    the_status_of_a_custom_object_is_written_apart,
    keyed_lists_of_a_schema_merge_by_key,
    custom_objects_take_three_kinds_of_patch,
    custom_fields_are_no_field_selectors,
];

/// A kind `Thing` of the test's own, and the path of its objects.
struct Things {
    group: String,
    path: String,
}

impl Things {
    async fn new(cluster: &Cluster) -> Self {
        let group = format!("{}.example.com", cluster.namespace);
        cluster.post_clusterwide(DEFINITIONS, definition(&group)).await.ok();
        let path = cluster.group(&format!("{group}/v1"), "things");
        // A real server takes a moment to serve a new kind.
        for _ in 0..400 {
            if cluster.get(&path).await.code == 200 {
                return Self { group, path };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} is not served");
    }

    fn thing(&self, spec: Value) -> Value {
        json!({"apiVersion": format!("{}/v1", self.group), "kind": "Thing", "metadata": {"name": "t"}, "spec": spec})
    }

    fn object(&self) -> String {
        format!("{}/t", self.path)
    }
}

fn definition(group: &str) -> Value {
    json!({"metadata": {"name": format!("things.{group}")}, "spec": {
        "group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
            "type": "object", "properties": {
                "spec": {"type": "object", "required": ["size"], "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "enum": ["red", "blue"]},
                    "mode": {"type": "string", "default": "fast"},
                    "tags": {"type": "array", "items": {"type": "object", "required": ["name"],
                        "properties": {"name": {"type": "string"}, "v": {"type": "string"}}},
                        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}}},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}})
}

async fn a_definition_serves_its_kind(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let path = format!("{DEFINITIONS}/things.{}", things.group);
    let read = cluster.get(&path).await.ok();
    let conditions = read["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True"));
    let made = cluster.post(&things.path, things.thing(json!({"size": 1}))).await.ok();
    assert_eq!(made["metadata"]["generation"], 1);
    let changed = cluster.merge(&things.object(), json!({"spec": {"size": 2}})).await.ok();
    assert_eq!(changed["metadata"]["generation"], 2);
    let list = cluster.get(&things.path).await.ok();
    assert_eq!((&list["kind"], &list["items"][0]["kind"]), (&json!("ThingList"), &json!("Thing")));
    cluster.delete(&path, Value::Null).await.ok();
    cluster.gone(&things.path).await;
}

async fn a_definition_is_named_after_its_kind(cluster: &Cluster) {
    let group = format!("{}.example.com", cluster.namespace);
    let mut wrong = definition(&group);
    wrong["metadata"]["name"] = json!("wrong");
    let message = cluster.post(DEFINITIONS, wrong).await.refused(422, "Invalid");
    assert!(message.ends_with("must be spec.names.plural+\".\"+spec.group"), "{message}");
    let mut bare = definition(&group);
    bare["spec"]["versions"][0].as_object_mut().unwrap().remove("schema");
    let message = cluster.post(DEFINITIONS, bare).await.refused(422, "Invalid");
    assert!(message.ends_with("spec.versions[0].schema.openAPIV3Schema: Required value"), "{message}");
}

async fn a_custom_object_has_the_types_of_its_schema(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let start = format!("Thing.{} \"t\" is invalid: ", things.group);
    for (spec, expected) in [
        (json!({}), "spec.size: Required value"),
        (
            json!({"size": "x"}),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"size": 0}),
            "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
        ),
        (
            json!({"size": 1, "color": "green"}),
            "spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\"",
        ),
        (
            json!({"size": 1, "tags": [{"name": "a"}, {"name": "a"}]}),
            "spec.tags[1]: Duplicate value: {\"name\":\"a\"}",
        ),
    ] {
        let message = cluster.post(&things.path, things.thing(spec)).await.refused(422, "Invalid");
        assert_eq!(message, format!("{start}{expected}"));
    }
}

async fn fields_outside_a_schema_are_told_refused_or_dropped(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let thing = things.thing(json!({"size": 1, "other": 1}));
    let strict = cluster.post(&format!("{}?fieldValidation=Strict", things.path), thing.clone()).await;
    let message = strict.refused(400, "BadRequest");
    assert!(message.ends_with("strict decoding error: unknown field \"spec.other\""), "{message}");
    let warned = cluster.post(&things.path, thing).await;
    assert_eq!(warned.warnings, ["299 - \"unknown field \\\"spec.other\\\"\""]);
    assert!(warned.ok()["spec"].get("other").is_none());
}

async fn a_schema_fills_in_its_defaults(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let made = cluster.post(&things.path, things.thing(json!({"size": 1}))).await.ok();
    assert_eq!(made["spec"], json!({"size": 1, "mode": "fast"}));
}

async fn a_custom_object_says_what_it_is(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let bare = json!({"metadata": {"name": "t"}, "spec": {"size": 1}});
    let message = cluster.post(&things.path, bare).await.refused(400, "BadRequest");
    assert!(message.contains("Object 'Kind' is missing"), "{message}");
    let mut other = things.thing(json!({"size": 1}));
    other["apiVersion"] = json!("v1");
    let message = cluster.post(&things.path, other).await.refused(400, "BadRequest");
    assert!(message.contains("does not match the expected API version"), "{message}");
}

async fn a_custom_object_is_replaced_at_its_version_only(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let made = cluster.post(&things.path, things.thing(json!({"size": 1}))).await.ok();
    let mut next = things.thing(json!({"size": 2}));
    let message = cluster.put(&things.object(), next.clone()).await.refused(422, "Invalid");
    assert!(
        message.ends_with("metadata.resourceVersion: Invalid value: 0: must be specified for an update"),
        "{message}"
    );
    next["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(cluster.put(&things.object(), next).await.ok()["spec"]["size"], 2);
}

async fn the_status_of_a_custom_object_is_written_apart(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    cluster.post(&things.path, things.thing(json!({"size": 1}))).await.ok();
    let ignored = cluster.merge(&things.object(), json!({"status": {"a": 1}})).await.ok();
    assert!(ignored.get("status").is_none());
    let change = json!({"spec": {"size": 5}, "status": {"a": 1}});
    let written = cluster.merge(&format!("{}/status", things.object()), change).await.ok();
    assert_eq!((&written["status"], &written["spec"]["size"]), (&json!({"a": 1}), &json!(1)));
    assert_eq!(written["metadata"]["generation"], 1);
}

async fn keyed_lists_of_a_schema_merge_by_key(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let tags = |name: &str| things.thing(json!({"size": 1, "tags": [{"name": name, "v": "1"}]}));
    cluster.apply(&things.object(), "x", "", tags("a")).await.ok();
    let both = cluster.apply(&things.object(), "y", "", tags("b")).await.ok();
    assert_eq!(both["spec"]["tags"], json!([{"name": "a", "v": "1"}, {"name": "b", "v": "1"}]));
    let size = cluster.apply(&things.object(), "y", "", things.thing(json!({"size": 2}))).await;
    let message = size.refused(409, "Conflict");
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"x\": .spec.size");
}

async fn custom_objects_take_three_kinds_of_patch(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    cluster.post(&things.path, things.thing(json!({"size": 1}))).await.ok();
    let strategic = cluster.strategic(&things.object(), json!({"spec": {"size": 2}})).await;
    let message = strategic.refused(415, "UnsupportedMediaType");
    assert!(
        message.ends_with(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        ),
        "{message}"
    );
    let replace = json!([{"op": "replace", "path": "/spec/size", "value": 3}]);
    assert_eq!(cluster.json_patch(&things.object(), replace).await.ok()["spec"]["size"], 3);
}

async fn custom_fields_are_no_field_selectors(cluster: &Cluster) {
    let things = Things::new(cluster).await;
    let answer = cluster.get(&format!("{}?fieldSelector=spec.size%3D1", things.path)).await;
    assert_eq!(answer.refused(400, "BadRequest"), "field label not supported: spec.size");
}
