//! Objects and patches that would say another thing than what was decided.

use test_case::test_case;

use super::*;

fn everything() -> Grant {
    grant("get,list,watch,create,patch,delete configmaps,secrets,jobs @*")
}

fn create(object: Value) -> Expect {
    let grant = everything();
    let plural = if object["kind"] == "Secret" { "secrets" } else { "configmaps" };
    let request = KubernetesRequest::create(&grant, resource(plural), object).map(Request::Kubernetes);
    outcome(&grant, &request)
}

fn config_map(metadata: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
}

#[test_case(config_map(json!({"name": "a"})), Allow)]
#[test_case(config_map(json!({"name": "a", "namespace": "kube-system"})), Allow; "a namespace that is granted")]
#[test_case(config_map(json!({"name": "a", "namespace": "kube-system/secrets/tok?x="})), Invalid; "path in namespace")]
#[test_case(config_map(json!({"name": "../../secrets/a"})), Invalid; "path in name")]
#[test_case(config_map(json!({"name": 7})), Invalid; "name is a number")]
#[test_case(config_map(json!({"name": "a", "namespace": ["kube-system"]})), Invalid; "namespace is a list")]
#[test_case(config_map(json!({})), Invalid; "no name")]
#[test_case(config_map(json!({"generateName": "a-"})), Invalid; "generate name only")]
#[test_case(config_map(json!({"name": "a", "generateName": "a-"})), Invalid; "generate name too")]
#[test_case(config_map(json!({"name": "a", "generateName": ""})), Allow; "empty generate name")]
#[test_case(config_map(json!({"name": "a", "ownerReferences": [{"kind": "Pod"}]})), Invalid; "owner")]
#[test_case(config_map(json!({"name": "a", "ownerReferences": []})), Allow; "no owner")]
#[test_case(config_map(json!({"name": "a", "finalizers": ["x/y"]})), Invalid; "finalizer")]
#[test_case(config_map(json!({"name": "a", "managedFields": [{}]})), Allow; "managed fields are dropped")]
#[test_case(config_map(json!("a")), Invalid; "metadata is text")]
#[test_case(json!({"apiVersion": "v1", "kind": "ConfigMap"}), Invalid; "no metadata")]
#[test_case(json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "a"}}), Invalid; "other version")]
#[test_case(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}), Invalid; "other kind")]
#[test_case(json!({"apiVersion": "v1", "kind": "List", "items": [], "metadata": {}}), Invalid; "a list")]
#[test_case(json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [], "metadata": {}}), Invalid; "a typed list")]
#[test_case(json!([config_map(json!({"name": "a"}))]), Invalid; "an array")]
#[test_case(
    config_map(json!({"name": "a", "annotations": {"boathook.dev/wasm-hook": "plugin: x"}})), Invalid; "a hook of its own")]
fn objects(object: Value, expected: Expect) {
    assert_eq!(create(object), expected);
}

#[test_case("somebody", Allow)]
#[test_case("helm", Never)]
#[test_case("boathook", Never)]
fn labels_of_records(owner: &str, expected: Expect) {
    let labels = json!({"owner": owner});
    let metadata = json!({"name": "a", "labels": labels});
    assert_eq!(create(config_map(metadata.clone())), expected);
    assert_eq!(create(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})), expected);
    let grant = everything();
    for patch in [
        PatchBody::JsonMerge(json!({"metadata": {"labels": labels}})),
        PatchBody::StrategicMerge(json!({"metadata": {"labels": labels}})),
        PatchBody::Json(json!([{"op": "add", "path": "/metadata/labels/owner", "value": owner}])),
    ] {
        let request = KubernetesRequest::patch(&grant, resource("configmaps"), None, "a", patch);
        assert_eq!(outcome(&grant, &request.map(Request::Kubernetes)), expected);
    }
}

#[test]
fn a_label_of_records_cannot_be_copied_into_place() {
    let grant = everything();
    for op in ["copy", "move"] {
        let patch = json!([{"op": op, "from": "/metadata/labels/x", "path": "/metadata/labels/owner"}]);
        let request =
            KubernetesRequest::patch(&grant, resource("configmaps"), None, "a", PatchBody::Json(patch));
        assert_eq!(outcome(&grant, &request.map(Request::Kubernetes)), Never, "{op}");
    }
}

#[test_case("Opaque", Allow)]
#[test_case("helm.sh/release.v1", Never)]
#[test_case("kubernetes.io/service-account-token", Never)]
#[test_case("bootstrap.kubernetes.io/token", Never)]
fn types_of_secret(secret_type: &str, expected: Expect) {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "type": secret_type, "metadata": {"name": "a"}});
    assert_eq!(create(secret), expected);
    let grant = everything();
    for patch in [
        PatchBody::JsonMerge(json!({"type": secret_type})),
        PatchBody::StrategicMerge(json!({"type": secret_type})),
        PatchBody::Json(json!([{"op": "replace", "path": "/type", "value": secret_type}])),
    ] {
        let request = KubernetesRequest::patch(&grant, resource("secrets"), None, "a", patch);
        assert_eq!(outcome(&grant, &request.map(Request::Kubernetes)), expected);
    }
}

#[test]
fn what_is_sent_is_what_was_decided() {
    let grant = everything();
    let object = config_map(json!({
        "name": "a", "managedFields": [{}], "generation": 3, "creationTimestamp": null, "selfLink": "/api/v1/x",
        "labels": {"boathook.dev/release": "other", "app": "web"}, "annotations": {"boathook.dev/operation": "x"}
    }));
    let request = KubernetesRequest::apply(&grant, resource("configmaps"), object).unwrap();
    let sent = request.object().unwrap();
    assert_eq!(
        sent.get(&["metadata"]),
        Some(&json!({
            "name": "a", "namespace": "prod", "labels": {"app": "web"}, "annotations": {}
        }))
    );
    let target = request.target().unwrap();
    assert_eq!(target.reference(), sent.reference());
    assert_eq!(request.collection().namespace, target.namespace);
    assert_eq!(request.call(), KubernetesCall::Apply);
}

#[test]
fn a_body_of_more_than_a_mebibyte_is_too_large() {
    let grant = everything();
    let object = |size| {
        let mut object = config_map(json!({"name": "a"}));
        object["data"] = json!({"x": "y".repeat(size)});
        KubernetesRequest::create(&grant, resource("configmaps"), object)
    };
    assert!(object(MAX_OBJECT_BYTES - 200).is_ok());
    assert_eq!(object(MAX_OBJECT_BYTES), Err(RequestError::TooLarge { limit: 1 << 20 }));
}

fn merge(patch: Value) -> (Expect, Expect) {
    let grant = everything();
    let of = |patch| {
        let request = KubernetesRequest::patch(&grant, resource("configmaps"), None, "a", patch);
        outcome(&grant, &request.map(Request::Kubernetes))
    };
    (of(PatchBody::JsonMerge(patch.clone())), of(PatchBody::StrategicMerge(patch)))
}

#[test_case(json!({"data": {"a": null}}), Allow)]
#[test_case(json!({"metadata": {"labels": {"app": "web"}}}), Allow; "a label")]
#[test_case(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "prod"}}), Allow; "the same identity")]
#[test_case(json!({"metadata": {"name": "b"}}), Invalid; "other name")]
#[test_case(json!({"metadata": {"namespace": "kube-system"}}), Invalid; "other namespace")]
#[test_case(json!({"metadata": {"name": null}}), Invalid; "name removed")]
#[test_case(json!({"kind": "Secret"}), Invalid; "other kind")]
#[test_case(json!({"apiVersion": null}), Invalid; "version removed")]
#[test_case(json!({"metadata": null}), Invalid; "metadata removed")]
#[test_case(json!({"metadata": {"finalizers": null}}), Invalid; "finalizers removed")]
#[test_case(json!({"metadata": {"finalizers": ["a/b"]}}), Invalid; "finalizer added")]
#[test_case(json!({"metadata": {"ownerReferences": []}}), Invalid; "owners removed")]
#[test_case(json!({"metadata": {"managedFields": []}}), Invalid; "managed fields reset")]
#[test_case(json!({"metadata": {"labels": null}}), Invalid; "labels removed")]
#[test_case(json!({"metadata": {"labels": {"boathook.dev/release": "x"}}}), Invalid; "our label")]
#[test_case(json!({"metadata": {"annotations": {"boathook.dev/wasm-hook": "x"}}}), Invalid; "a hook of its own")]
#[test_case(json!({"$patch": "replace"}), Invalid; "whole object replaced")]
#[test_case(json!({"metadata": {"$patch": "delete"}}), Invalid; "metadata deleted")]
#[test_case(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}}), Invalid; "finalizer deleted")]
#[test_case(json!({"metadata": {"labels": {"$patch": "replace"}}}), Invalid; "labels replaced")]
#[test_case(json!([1]), Invalid; "a list")]
fn merge_patches(patch: Value, expected: Expect) {
    assert_eq!(merge(patch), (expected, expected));
}

fn json_patch(plural: &str, rules: &str, operations: Value) -> Expect {
    let grant = grant(rules);
    let request = KubernetesRequest::patch(&grant, resource(plural), None, "a", PatchBody::Json(operations));
    outcome(&grant, &request.map(Request::Kubernetes))
}

#[test_case(json!([{"op": "add", "path": "/data/x", "value": "y"}]), Allow)]
#[test_case(json!([{"op": "add", "path": "/metadata/labels/app", "value": "y"}]), Allow; "a label")]
#[test_case(json!([{"op": "test", "path": "/metadata/uid", "value": "y"}]), Allow; "a test")]
#[test_case(json!([{"op": "replace", "path": "", "value": {}}]), Invalid; "whole object")]
#[test_case(json!([{"op": "replace", "path": "/metadata", "value": {}}]), Invalid; "all metadata")]
#[test_case(json!([{"op": "replace", "path": "/metadata/name", "value": "b"}]), Invalid; "name")]
#[test_case(json!([{"op": "replace", "path": "/metadata/namespace", "value": "b"}]), Invalid; "namespace")]
#[test_case(json!([{"op": "replace", "path": "/kind", "value": "Secret"}]), Invalid; "kind")]
#[test_case(json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "a/b"}]), Invalid; "finalizer added")]
#[test_case(json!([{"op": "remove", "path": "/metadata/finalizers"}]), Invalid; "finalizers removed")]
#[test_case(json!([{"op": "remove", "path": "/metadata/ownerReferences/0"}]), Invalid; "owner removed")]
#[test_case(json!([{"op": "remove", "path": "/metadata/labels"}]), Invalid; "labels removed")]
#[test_case(json!([{"op": "add", "path": "/metadata/annotations/boathook.dev~1wasm-hook", "value": "x"}]), Invalid; "escaped slash")]
#[test_case(json!([{"op": "move", "from": "/metadata/name", "path": "/data/x"}]), Invalid; "name moved away")]
#[test_case(json!([{"op": "copy", "from": "/data/x", "path": "/metadata/name"}]), Invalid; "name copied over")]
#[test_case(json!([{"op": "delete", "path": "/data/x"}]), Invalid; "unknown operation")]
#[test_case(json!([{"op": "add", "value": "x"}]), Invalid; "no path")]
#[test_case(json!([{"op": "add", "path": "metadata/name", "value": "x"}]), Invalid; "no pointer")]
#[test_case(json!({"op": "add"}), Invalid; "not a list")]
fn json_patches(operations: Value, expected: Expect) {
    assert_eq!(json_patch("configmaps", "patch configmaps", operations), expected);
}

#[test_case(json!([{"op": "copy", "from": "/data/pw", "path": "/metadata/annotations/x"}]); "copied to an annotation")]
#[test_case(json!([{"op": "move", "from": "/data/pw", "path": "/metadata/annotations/x"}]); "moved to an annotation")]
#[test_case(json!([{"op": "test", "path": "/data/pw", "value": "YQ=="}]); "guessed")]
fn patches_that_would_read_a_secret(operations: Value) {
    assert_eq!(json_patch("secrets", "patch secrets =a", operations.clone()), Deny);
    assert_eq!(json_patch("secrets", "patch secrets =a; get secrets", operations.clone()), Deny);
    assert_eq!(json_patch("secrets", "patch,get secrets =a", operations.clone()), Allow);
    assert_eq!(json_patch("configmaps", "patch configmaps =a", operations), Allow);
}

#[test_case("", Some(""))]
#[test_case("app=web", Some("app=web"))]
#[test_case(" app == web , tier!=db ", Some("app=web,tier!=db"))]
#[test_case("a in (x, y),b notin (z),!c,d", Some("a in (x,y),b notin (z),!c,d"))]
#[test_case("app.kubernetes.io/name=web", Some("app.kubernetes.io/name=web"))]
#[test_case("a=", Some("a="))]
#[test_case("a=b&limit=1", None; "another parameter")]
#[test_case("a=b#", None; "fragment")]
#[test_case("a=%20", None; "escape")]
#[test_case("a in x", None; "set without parentheses")]
#[test_case("a in (x", None; "open set")]
#[test_case("a,,b", None; "empty requirement")]
#[test_case("-a=b", None; "bad key")]
#[test_case("a=b\nc", None; "line break")]
fn label_selectors(text: &str, printed: Option<&str>) {
    let selector = LabelSelector::parse(text).ok().map(|selector| selector.to_string());
    assert_eq!(selector.as_deref(), printed);
    if let Some(printed) = printed {
        assert_eq!(LabelSelector::parse(printed).unwrap().to_string(), printed);
    }
}

#[test_case("metadata.name=a", Some("metadata.name=a"))]
#[test_case("status.phase!=Failed, spec.nodeName == n1", Some("status.phase!=Failed,spec.nodeName=n1"))]
#[test_case("metadata.name", None; "no value")]
#[test_case("metadata.name=a&watch=true", None; "another parameter")]
#[test_case("=a", None; "no path")]
#[test_case("a=b\\,c", None; "escape")]
fn field_selectors(text: &str, printed: Option<&str>) {
    let selector = FieldSelector::parse(text).ok().map(|selector| selector.to_string());
    assert_eq!(selector.as_deref(), printed);
}

#[test]
fn a_list_prints_its_selectors_again() {
    let grant = grant("list pods");
    let request =
        KubernetesRequest::list(&grant, resource("pods"), None, Some("a == b"), Some("metadata.name==x"))
            .unwrap();
    assert_eq!(request.label_selector().as_deref(), Some("a=b"));
    assert_eq!(request.field_selector().as_deref(), Some("metadata.name=x"));
    assert!(request.target().is_none());
}
