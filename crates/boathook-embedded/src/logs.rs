//! `pods/log`: the lines that a Pod's annotation names, each marked as simulated. They are a function of the Pod, so
//! nothing is stored; a follower waits until the Pod ends.

use std::sync::Arc;

use futures::StreamExt as _;
use hyper::body::Bytes;
use serde_json::Value;

use crate::clock;
use crate::controller::PODS;
use crate::controller::outcome::PREFIX;
use crate::request::Query;
use crate::resource::ResourceType;
use crate::service::Answer;
use crate::shared::Shared;
use crate::status::Refusal;

/// Answers the log of one container.
pub(crate) fn answer(
    shared: &Arc<Shared>,
    kind: &ResourceType,
    namespace: &str,
    name: &str,
    query: &Query,
) -> Result<Answer, Refusal> {
    let (pod, now) = {
        let cluster = shared.lock();
        (cluster.get(kind, Some(namespace), name)?, clock::stamp(cluster.clock.now()))
    };
    let container = container(&pod, name, query.text("container"))?;
    if query.flag("previous") {
        let message = format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
        return Err(Refusal::bad_request(message));
    }
    let statuses = pod["status"]["containerStatuses"].as_array();
    let status = statuses.into_iter().flatten().find(|one| one["name"] == container.as_str());
    if let Some(reason) = status.and_then(|status| status["state"]["waiting"]["reason"].as_str()) {
        let why = match reason {
            "ImagePullBackOff" | "ErrImagePull" => "trying and failing to pull image",
            other => other,
        };
        let message = format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}");
        return Err(Refusal::bad_request(message));
    }
    let mut lines = lines(&pod, &container);
    if let Some(tail) = query.number("tailLines")? {
        let tail = usize::try_from(tail).unwrap_or(usize::MAX);
        lines.drain(..lines.len().saturating_sub(tail));
    }
    if query.flag("timestamps") {
        let time = pod["status"]["startTime"].as_str().unwrap_or(&now).to_owned();
        lines.iter_mut().for_each(|line| *line = format!("{time} {line}"));
    }
    let mut text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    if let Some(limit) = query.number("limitBytes")? {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    if !query.flag("follow") {
        return Ok(Answer::Text(text));
    }
    let uid = pod["metadata"]["uid"].clone();
    let ended = wait_for_end(shared.clone(), namespace.to_owned(), name.to_owned(), uid);
    let first = futures::stream::once(async move { Bytes::from(text) });
    let stream = first.chain(futures::stream::once(ended).filter_map(|()| async { None }));
    Ok(Answer::Stream(Box::pin(stream), "text/plain; charset=utf-8"))
}

/// Waits until a Pod has ended or is gone.
async fn wait_for_end(shared: Arc<Shared>, namespace: String, name: String, uid: Value) {
    let mut changed = shared.subscribe();
    loop {
        let over = {
            let cluster = shared.lock();
            cluster.store.get(PODS, &namespace, &name).is_none_or(|entry| {
                let phase = entry.value["status"]["phase"].as_str();
                entry.value["metadata"]["uid"] != uid || matches!(phase, Some("Succeeded" | "Failed"))
            })
        };
        if over || changed.changed().await.is_err() {
            return;
        }
    }
}

fn container(pod: &Value, name: &str, asked: &str) -> Result<String, Refusal> {
    let list = |field: &str| -> Vec<String> {
        let names = pod["spec"][field].as_array().into_iter().flatten();
        names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    };
    let (containers, first) = (list("containers"), list("initContainers"));
    match (asked, containers.as_slice()) {
        ("", [one]) => Ok(one.clone()),
        ("", many) => Err(Refusal::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            many.join(" ")
        ))),
        (asked, _) if containers.iter().chain(&first).any(|one| one == asked) => Ok(asked.to_owned()),
        (asked, _) => Err(Refusal::bad_request(format!("container {asked} is not valid for pod {name}"))),
    }
}

fn lines(pod: &Value, container: &str) -> Vec<String> {
    let annotations = &pod["metadata"]["annotations"];
    match annotations[format!("{PREFIX}log").as_str()].as_str() {
        Some(text) => text.lines().map(|line| format!("simulated: {line}")).collect(),
        None => vec![format!("simulated: container {container} was not run")],
    }
}
