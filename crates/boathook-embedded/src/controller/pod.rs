//! Simulated Pods: scheduled and started at once, ended as their annotations say. No container runs, and what is written
//! says so.

use std::sync::Arc;

use serde_json::{Value, json};

use super::outcome::{self, Outcome};
use super::{Delayed, NODE, PODS, SIMULATED, Step, event, write};
use crate::cluster::Cluster;
use crate::store::Entry;

const MANAGER: &str = "simulated-kubelet";

/// Starts a new Pod, and ends it if it does not wait.
pub(crate) fn sync(cluster: &mut Cluster, entry: &Arc<Entry>, delayed: &mut Vec<Delayed>) {
    let pod = &entry.value;
    if !pod["status"]["startTime"].is_null() {
        return;
    }
    // Annotations were checked when the Pod was created; what cannot be read any more counts as the default.
    let (outcome, delay) = outcome::read(pod).unwrap_or((Outcome::Succeed, std::time::Duration::ZERO));
    let started = start(cluster, pod, outcome);
    if ends(pod, outcome) {
        if delay.is_zero() {
            end(cluster, &started);
        } else {
            delayed.push(Delayed::new(pod, Step::EndPod, delay));
        }
    }
}

/// The step for which a started Pod waits.
pub(crate) fn waits(pod: &Value) -> Option<Delayed> {
    let (outcome, delay) = outcome::read(pod).ok()?;
    let running = pod["status"]["phase"] == "Running";
    (running && ends(pod, outcome)).then(|| Delayed::new(pod, Step::EndPod, delay))
}

/// Whether a Pod ever ends by itself.
fn ends(pod: &Value, outcome: Outcome) -> bool {
    pod["spec"]["restartPolicy"] != "Always" && matches!(outcome, Outcome::Succeed | Outcome::Fail(_))
}

fn start(cluster: &mut Cluster, old: &Value, outcome: Outcome) -> Arc<Entry> {
    let now = cluster.clock.stamp();
    let mut pod = old.clone();
    pod["spec"]["nodeName"] = json!(NODE);
    let pulled = outcome != Outcome::ImagePullError;
    let state = if pulled {
        json!({"running": {"startedAt": now}})
    } else {
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "simulated: the image cannot be pulled"}})
    };
    let ready = if pulled { "True" } else { "False" };
    let bits = crate::uid::random_bits();
    pod["status"] = json!({
        "phase": if pulled { "Running" } else { "Pending" },
        "qosClass": old["status"]["qosClass"],
        "hostIP": "192.0.2.1",
        "podIP": format!("10.244.{}.{}", bits & 0xff, 1 + (bits >> 8) % 254),
        "startTime": now,
        "conditions": conditions(&[("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready)], &now),
        "containerStatuses": containers(old, |_| state.clone(), pulled, 0),
    });
    let entry = write(cluster, PODS, old, pod, MANAGER);
    let pod = &entry.value;
    if pulled {
        event::record(
            cluster,
            pod,
            "Normal",
            "Started",
            "simulated: no container runs on the embedded cluster",
        );
    } else {
        let images: Vec<&str> = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|c| c["image"].as_str())
            .collect();
        let message =
            format!("simulated: Failed to pull image \"{}\"", images.first().copied().unwrap_or_default());
        event::record(cluster, pod, "Warning", "Failed", &message);
    }
    entry
}

/// Ends a running Pod as its annotations say.
pub(crate) fn end(cluster: &mut Cluster, entry: &Arc<Entry>) {
    let old = &entry.value;
    if old["status"]["phase"] != "Running" {
        return;
    }
    let (outcome, _) = outcome::read(old).unwrap_or((Outcome::Succeed, std::time::Duration::ZERO));
    let code = match outcome {
        Outcome::Fail(code) => code,
        Outcome::Succeed | Outcome::Hang | Outcome::ImagePullError => 0,
    };
    let now = cluster.clock.stamp();
    let started = old["status"]["startTime"].clone();
    let mut pod = old.clone();
    pod["metadata"]["annotations"][SIMULATED] = json!("true");
    let state = |index: usize| {
        let code = if index == 0 { code } else { 0 };
        let reason = if code == 0 { "Completed" } else { "Error" };
        json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now}})
    };
    let restarts = if code != 0 && old["spec"]["restartPolicy"] == "OnFailure" { 1 } else { 0 };
    let status = &mut pod["status"];
    status["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
    status["containerStatuses"] = containers(old, state, false, restarts);
    status["conditions"] = conditions(
        &[
            ("PodScheduled", "True"),
            ("Initialized", "True"),
            ("ContainersReady", "False"),
            ("Ready", "False"),
        ],
        &now,
    );
    write(cluster, PODS, old, pod, MANAGER);
}

fn containers(pod: &Value, state: impl Fn(usize) -> Value, ready: bool, restarts: u32) -> Value {
    let list = pod["spec"]["containers"].as_array();
    list.into_iter()
        .flatten()
        .enumerate()
        .map(|(index, container)| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": ready,
                "restartCount": restarts,
                "state": state(index),
                "lastState": {},
            })
        })
        .collect()
}

fn conditions(list: &[(&str, &str)], now: &str) -> Value {
    list.iter()
        .map(|(kind, status)| json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": now}))
        .collect()
}
