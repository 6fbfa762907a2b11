//! The `/scale` subresource of workloads: `spec.replicas` under one shape for all of them.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::options::WriteOptions;
use crate::patch;
use crate::request::{Call, PatchKind};
use crate::resource::ResourceType;
use crate::service::Answer;
use crate::shared::Shared;
use crate::status::Refusal;

/// Answers a request for the scale of an object.
pub(crate) fn answer(
    shared: &Arc<Shared>,
    kind: &Arc<ResourceType>,
    namespace: Option<&str>,
    name: &str,
    call: &Call,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let object = shared.lock().get(kind, namespace, name)?;
    let scale = of(&object);
    let wanted = match call.method {
        Method::GET => return Ok(Answer::ok(scale)),
        Method::PUT => crate::decode::json(body, "Scale")?,
        Method::PATCH => {
            let change = crate::decode::json(body, "Scale")?;
            let mut wanted = scale;
            match call.patch_kind()? {
                PatchKind::Json => {
                    patch::json::apply(&mut wanted, &change).map_err(|_| Refusal::patch_rejected())?;
                }
                PatchKind::Merge | PatchKind::Strategic | PatchKind::Apply => {
                    patch::merge::merge(&mut wanted, &change);
                }
            }
            wanted
        }
        _ => return Err(Refusal::method_not_allowed()),
    };
    let replicas = wanted["spec"]["replicas"].as_u64().unwrap_or(0);
    let mut next = object;
    if let Some(version) = wanted["metadata"]["resourceVersion"].as_str() {
        next["metadata"]["resourceVersion"] = json!(version);
    }
    next["spec"]["replicas"] = json!(replicas);
    let options = WriteOptions::of(call, "UpdateOptions", "scale")?;
    let written = shared.change(|cluster| cluster.replace(kind, namespace, name, next, &options))?;
    Ok(Answer::ok(of(&written.object)))
}

fn of(object: &Value) -> Value {
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let metadata = &object["metadata"];
    let replicas = &object["spec"]["replicas"];
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": if *replicas == 0 { json!({}) } else { json!({"replicas": replicas}) },
        "status": {"replicas": object["status"]["replicas"].as_u64().unwrap_or(0), "selector": selector.join(",")},
    })
}
