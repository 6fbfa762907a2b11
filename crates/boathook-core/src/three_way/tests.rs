//! What is refused, and with which words. What patches look like is held by the vectors in `tests/three_way.rs`.

use serde_json::json;
use test_case::test_case;

use super::*;

fn pod(containers: Value) -> Object {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
    Object::from_value(pod).unwrap()
}

fn fault(old: &Object, new: &Object) -> String {
    three_way(old, new, old, CustomKinds::TwoWay).unwrap_err().to_string()
}

#[test_case(json!([{"image": "i"}]) => ".spec.containers: an item has no name, by which items of this list are merged"; "no key")]
#[test_case(json!(["a"]) => ".spec.containers: items of this list must all be maps, or all be scalars of one type"; "a scalar among maps")]
#[test_case(json!([null]) => ".spec.containers: items of this list must all be maps, or all be scalars of one type"; "a null")]
#[test_case(json!([{"name": "a", "env": [[1]]}]) => ".spec.containers[name=a].env: items of this list must all be maps, or all be scalars of one type"; "a list of lists")]
#[test_case(json!([{"name": "a", "livenessProbe": {"grpcs": {"port": 2}}}]) => ".spec.containers[name=a].livenessProbe.grpcs: client-side updates cannot merge a change of this field; server-side apply can"; "unknown field")]
#[test_case(json!([{"name": "a", "$patch": "delete"}]) => ".spec.containers.$patch: the name of this field is an instruction of strategic merge patch, not a field"; "directive")]
fn faults_name_the_field(containers: Value) -> String {
    let old = pod(json!([{"name": "a", "env": [{"name": "E"}], "livenessProbe": {"grpcs": {"port": 1}}}]));
    fault(&old, &pod(containers))
}

#[test]
fn an_unknown_field_that_does_not_change_is_no_matter() {
    let old = pod(json!([{"name": "a", "livenessProbe": {"grpcs": {"port": 1}}, "image": "1"}]));
    let new = pod(json!([{"name": "a", "livenessProbe": {"grpcs": {"port": 1}}, "image": "2"}]));
    assert!(matches!(three_way(&old, &new, &old, CustomKinds::TwoWay), Ok(Update::StrategicMerge(_))));
}

#[test]
fn a_custom_object_stays_what_it_is() {
    let widget = |version: &str, name: &str| {
        let widget = json!({"apiVersion": format!("example.com/{version}"), "kind": "Widget", "metadata": {"name": name}});
        Object::from_value(widget).unwrap()
    };
    for other in [widget("v2", "a"), widget("v1", "b")] {
        let refused = three_way(&widget("v1", "a"), &other, &widget("v1", "a"), CustomKinds::ThreeWay);
        assert_eq!(refused, Err(Unmergeable::new(Fault::OtherObject)));
    }
}
