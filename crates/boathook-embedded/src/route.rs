//! From a path and a method to the function that answers. Checks that hold for every request of a resource (is it
//! served, is the method known, is the media type taken) are made here and nowhere else.

use std::sync::Arc;

use http::Method;
use serde_json::json;

use crate::cluster::Cluster;
use crate::decode;
use crate::options::{DeleteOptions, ListOptions, WriteOptions};
use crate::request::{Call, Path, ResourcePath, parse_path};
use crate::resource::{Registry, ResourceType};
use crate::service::Answer;
use crate::shared::Shared;
use crate::status::Refusal;
use crate::watch::Shape;
use crate::write::Written;
use crate::{delete, discovery, logs, openapi, protobuf, read, scale, table, watch};

/// Answers one request.
pub(crate) fn route(shared: &Arc<Shared>, path: &str, call: &Call, body: &[u8]) -> Result<Answer, Refusal> {
    match parse_path(path)? {
        Path::Other(segments) => {
            if call.method != Method::GET && call.method != Method::HEAD {
                return Err(Refusal::nobody_serves());
            }
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            other(&shared.lock(), &segments, call)
        }
        Path::Resource(path) => resource(shared, &path, call, body),
    }
}

fn other(cluster: &Cluster, segments: &[&str], call: &Call) -> Result<Answer, Refusal> {
    match segments {
        ["healthz" | "livez" | "readyz", ..] => Ok(Answer::Text("ok".to_owned())),
        ["version"] => Ok(Answer::ok(discovery::version())),
        [] => Ok(Answer::ok(
            json!({"paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]}),
        )),
        ["openapi", "v2"] => Ok(openapi::version_2(&call.accept)),
        ["openapi", "v3"] => Ok(Answer::ok(openapi::index(&cluster.registry))),
        ["openapi", "v3", rest @ ..] => openapi::document(&cluster.registry, &rest.join("/"))
            .map(Answer::ok)
            .ok_or_else(Refusal::nobody_serves),
        ["api" | "apis", ..] => discovery::answer(&cluster.registry, segments, call)
            .ok_or_else(|| unserved(&cluster.registry, segments.get(1).copied().unwrap_or_default())),
        _ => Err(Refusal::nobody_serves()),
    }
}

/// A path below a group has an answer of its own where the group is built in.
fn unserved(registry: &Registry, group: &str) -> Refusal {
    let built_in = registry.iter().any(|kind| kind.group == group && kind.crd.is_none());
    if built_in || group.starts_with('v') { Refusal::no_such_path() } else { Refusal::nobody_serves() }
}

fn resource(shared: &Arc<Shared>, path: &ResourcePath, call: &Call, body: &[u8]) -> Result<Answer, Refusal> {
    let kind = shared.lock().registry.find(&path.group, &path.version, &path.resource);
    let kind = match kind {
        Some(kind) => kind,
        None if path.group.is_empty() => return Err(Refusal::no_such_path()),
        None => return Err(unserved(&shared.lock().registry, &path.group)),
    };
    if !kind.namespaced && path.namespace.is_some() {
        return Err(Refusal::no_such_path());
    }
    if kind.namespaced && path.namespace.is_none() && path.name.is_some() {
        return Err(Refusal::no_such_path());
    }
    if !call.accepts_json() {
        return Err(Refusal::not_acceptable());
    }
    match (path.name.as_deref(), path.subresource.as_deref()) {
        (None, _) => collection(shared, &kind, path.namespace.as_deref(), call, body),
        (Some(name), None) => object(shared, &kind, path.namespace.as_deref(), name, "", call, body),
        (Some(name), Some("status")) if kind.has_status => {
            object(shared, &kind, path.namespace.as_deref(), name, "status", call, body)
        }
        (Some(name), Some("log")) if kind.is("", "Pod") && call.method == Method::GET => {
            logs::answer(shared, &kind, path.namespace.as_deref().unwrap_or_default(), name, &call.query)
        }
        (Some(name), Some("scale")) if kind.has_scale => {
            scale::answer(shared, &kind, path.namespace.as_deref(), name, call, body)
        }
        (Some(name), Some("finalize")) if kind.is("", "Namespace") && call.method == Method::PUT => {
            let options = WriteOptions::of(call, "UpdateOptions", "")?;
            let value = decode_body(&kind, call, body)?;
            let written = shared.change(|cluster| cluster.replace(&kind, None, name, value, &options))?;
            Ok(wrote(&kind, shared, call, written))
        }
        _ => Err(Refusal::no_such_path()),
    }
}

fn collection(
    shared: &Arc<Shared>,
    kind: &Arc<ResourceType>,
    namespace: Option<&str>,
    call: &Call,
    body: &[u8],
) -> Result<Answer, Refusal> {
    match call.method {
        Method::GET if call.query.flag("watch") => {
            let options = ListOptions::of(kind, &call.query, true)?;
            let cluster = shared.lock();
            let stream = watch::open(shared, &cluster, kind, namespace, options, shape(call))?;
            Ok(Answer::Stream(Box::pin(stream), "application/json"))
        }
        Method::GET => {
            let options = ListOptions::of(kind, &call.query, false)?;
            let cluster = shared.lock();
            let page = cluster.list(kind, namespace, &options)?;
            let now = cluster.clock.now();
            drop(cluster);
            Ok(Answer::ok(match shape(call) {
                Shape::Object => read::list_object(kind, &page),
                Shape::Table => table::of_page(kind, &page, now),
                Shape::Metadata => table::metadata_list(&page),
            }))
        }
        Method::POST if kind.namespaced && namespace.is_none() => Err(Refusal::method_not_allowed()),
        Method::POST => {
            let options = WriteOptions::of(call, "CreateOptions", "")?;
            let value = decode_body(kind, call, body)?;
            let written = shared.change(|cluster| cluster.create(kind, namespace, value, &options))?;
            Ok(wrote(kind, shared, call, written))
        }
        Method::DELETE if kind.namespaced && namespace.is_none() => Err(Refusal::method_not_allowed()),
        Method::DELETE => {
            let options = delete_options(call, body)?;
            let listed = ListOptions::of(kind, &call.query, false)?;
            shared.change(|cluster| {
                let page = cluster.list(kind, namespace, &listed)?;
                for entry in &page.items {
                    let name = entry.value["metadata"]["name"].as_str().unwrap_or_default();
                    let within = entry.value["metadata"]["namespace"].as_str();
                    cluster.delete(kind, within, name, &options)?;
                }
                Ok(Answer::ok(read::list_object(kind, &page)))
            })
        }
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn object(
    shared: &Arc<Shared>,
    kind: &Arc<ResourceType>,
    namespace: Option<&str>,
    name: &str,
    subresource: &'static str,
    call: &Call,
    body: &[u8],
) -> Result<Answer, Refusal> {
    match call.method {
        Method::GET => {
            let cluster = shared.lock();
            let value = cluster.get(kind, namespace, name)?;
            let now = cluster.clock.now();
            drop(cluster);
            Ok(Answer::ok(match shape(call) {
                Shape::Object => value,
                Shape::Table => table::of_one(kind, &value, now, true),
                Shape::Metadata => table::partial_metadata(&value),
            }))
        }
        Method::PUT => {
            let options = WriteOptions::of(call, "UpdateOptions", subresource)?;
            let value = decode_body(kind, call, body)?;
            let written = shared.change(|cluster| cluster.replace(kind, namespace, name, value, &options))?;
            Ok(wrote(kind, shared, call, written))
        }
        Method::PATCH => {
            let how = call.patch_kind()?;
            let options = WriteOptions::of_patch(call, how, subresource)?;
            let written =
                shared.change(|cluster| cluster.patch(kind, namespace, name, body, how, &options))?;
            Ok(wrote(kind, shared, call, written))
        }
        Method::DELETE if subresource.is_empty() => {
            let options = delete_options(call, body)?;
            let value = shared.change(|cluster| cluster.delete(kind, namespace, name, &options))?;
            Ok(Answer::Json { code: 200, value, warnings: delete::warnings(kind, &options) })
        }
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn wrote(kind: &ResourceType, shared: &Arc<Shared>, call: &Call, written: Written) -> Answer {
    let code = if written.created { 201 } else { 200 };
    let value = match shape(call) {
        Shape::Object => written.object,
        Shape::Table => table::of_one(kind, &written.object, shared.now(), true),
        Shape::Metadata => table::partial_metadata(&written.object),
    };
    Answer::Json { code, value, warnings: written.warnings }
}

fn shape(call: &Call) -> Shape {
    if call.wants_table() {
        Shape::Table
    } else if call.wants_metadata() {
        Shape::Metadata
    } else {
        Shape::Object
    }
}

/// The object in a body whose media type is taken.
pub(crate) fn decode_body(
    kind: &ResourceType,
    call: &Call,
    body: &[u8],
) -> Result<serde_json::Value, Refusal> {
    match call.content_type.as_str() {
        "" | "application/json" => decode::json(body, &kind.kind),
        protobuf::MEDIA_TYPE if kind.schema.is_some() => {
            protobuf::object(body, kind.schema.unwrap_or_default())
                .ok_or_else(|| Refusal::bad_request("the body is no protobuf message of this kind"))
        }
        _ => Err(Refusal::unsupported_media_type(&["application/json", protobuf::MEDIA_TYPE])),
    }
}

/// The options in the body of a delete.
fn delete_options(call: &Call, body: &[u8]) -> Result<DeleteOptions, Refusal> {
    let value = match call.content_type.as_str() {
        _ if body.is_empty() => serde_json::Value::Null,
        protobuf::MEDIA_TYPE => protobuf::object(body, "meta.v1.DeleteOptions")
            .ok_or_else(|| Refusal::bad_request("the body is no protobuf message of DeleteOptions"))?,
        _ => decode::json(body, "DeleteOptions")?,
    };
    DeleteOptions::of(call, &value)
}
