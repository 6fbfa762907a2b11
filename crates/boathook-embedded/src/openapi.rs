//! `/openapi/v3` and `/openapi/v2`: what clients read before they write. The one says that writes take `fieldValidation`, so
//! that kubectl leaves the check of fields to the server; schemas name the kinds and leave their fields open. The other knows
//! no kind at all: kubectl and Helm ask it about what the first has not, such as a `List`, and let through what it has not.

use futures::stream;
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use crate::discovery;
use crate::resource::{Registry, ResourceType};
use crate::service::Answer;

/// The media type of version 2 in protobuf, which is all that client-go takes. Requests also spell it `v2@v1.0`, which is no
/// legal media type: clients refuse it in an answer.
const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// `swagger` (field 1) and `info` (field 2) with `title` and `version` of a `openapi.v2.Document`.
const V2_DOCUMENT: &[u8] = b"\x0a\x032.0\x12\x1c\x0a\x11Boathook embedded\x12\x07v1.36.0";

/// The document of version 2, in the encoding that is asked for.
pub(crate) fn version_2(accept: &str) -> Answer {
    if accept.contains("+protobuf") {
        return Answer::Stream(Box::pin(stream::iter([Bytes::from_static(V2_DOCUMENT)])), V2_PROTOBUF);
    }
    let info = json!({"title": "Boathook embedded", "version": "v1.36.0"});
    Answer::ok(json!({"swagger": "2.0", "info": info, "paths": {}}))
}

/// The list of documents.
pub(crate) fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for group in discovery::groups(registry) {
        for version in discovery::versions(registry, &group) {
            let root =
                if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
            let url = format!("/openapi/v3/{root}");
            paths.insert(root, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// The document of `api/v1` or `apis/GROUP/VERSION`.
pub(crate) fn document(registry: &Registry, root: &str) -> Option<Value> {
    let (group, version) = match root.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => (String::new(), (*version).to_owned()),
        ["apis", group, version] => ((*group).to_owned(), (*version).to_owned()),
        _ => return None,
    };
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in registry.iter().filter(|kind| kind.group == group && kind.version == version) {
        let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("/{root}{scope}/{}", kind.plural);
        paths.insert(collection.clone(), json!({"post": operation(kind, "post")}));
        let object = json!({
            "get": operation(kind, "get"),
            "put": operation(kind, "put"),
            "patch": operation(kind, "patch"),
            "delete": operation(kind, "delete"),
        });
        paths.insert(format!("{collection}/{{name}}"), object);
        schemas.insert(schema_name(kind), schema(kind));
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0",
            "info": {"title": "Boathook embedded", "version": "v1.36.0"},
            "paths": paths,
            "components": {"schemas": schemas},
        })
    })
}

fn schema_name(kind: &ResourceType) -> String {
    match kind.schema {
        Some(name) => format!("io.k8s.api.{name}"),
        None => {
            let mut domain: Vec<&str> = kind.group.split('.').collect();
            domain.reverse();
            format!("{}.{}.{}", domain.join("."), kind.version, kind.kind)
        }
    }
}

fn group_version_kind(kind: &ResourceType) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

fn schema(kind: &ResourceType) -> Value {
    json!({
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        },
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-group-version-kind": [group_version_kind(kind)],
    })
}

fn operation(kind: &ResourceType, verb: &str) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    let mut parameter = |name: &str| {
        parameters
            .push(json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}));
    };
    if verb != "get" {
        parameter("dryRun");
    }
    if matches!(verb, "post" | "put" | "patch") {
        parameter("fieldManager");
        parameter("fieldValidation");
    }
    let reference = json!({"$ref": format!("#/components/schemas/{}", schema_name(kind))});
    json!({
        "operationId": format!("{verb}{}", kind.kind),
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-group-version-kind": group_version_kind(kind),
        "x-kubernetes-action": verb,
    })
}
