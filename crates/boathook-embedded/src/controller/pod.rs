//! Simulated Pods: scheduled and started at once, then ended, or ready if they are to run for ever, as their annotations
//! say. No container runs, and what is written says so.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::outcome::{self, Outcome};
use super::{Delayed, NODE, PODS, SIMULATED, Step, event, write};
use crate::cluster::Cluster;
use crate::store::Entry;

const MANAGER: &str = "simulated-kubelet";

/// Starts a new Pod, and settles it if it does not wait.
pub(crate) fn sync(cluster: &mut Cluster, entry: &Arc<Entry>, delayed: &mut Vec<Delayed>) {
    let pod = &entry.value;
    if !pod["status"]["startTime"].is_null() {
        return;
    }
    let (outcome, delay) = meant(pod);
    let started = start(cluster, pod, outcome, delay.is_zero());
    if settles(outcome) {
        if delay.is_zero() {
            settle(cluster, &started);
        } else {
            delayed.push(Delayed::new(PODS, pod, Step::SettlePod, delay));
        }
    }
}

/// The step for which a started Pod waits.
pub(crate) fn waits(pod: &Value) -> Option<Delayed> {
    let (outcome, delay) = meant(pod);
    let waiting = pod["status"]["phase"] == "Running" && !(serves(pod) && is_ready(pod));
    (waiting && settles(outcome)).then(|| Delayed::new(PODS, pod, Step::SettlePod, delay))
}

/// Whether it says that it is ready.
pub(crate) fn is_ready(pod: &Value) -> bool {
    ready_condition(pod).is_some_and(|one| one["status"] == "True")
}

/// Its condition `Ready`.
pub(crate) fn ready_condition(pod: &Value) -> Option<&Value> {
    pod["status"]["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == "Ready")
}

/// What it comes to, and when. Annotations were checked when the Pod was created; what cannot be read any more counts as
/// the default.
fn meant(pod: &Value) -> (Outcome, Duration) {
    outcome::read(pod).unwrap_or((Outcome::Succeed, Duration::ZERO))
}

/// Whether it is to run for ever: what it comes to is to be ready, not to end.
fn serves(pod: &Value) -> bool {
    pod["spec"]["restartPolicy"] == "Always"
}

/// Whether anything happens to a Pod after its start.
fn settles(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Succeed | Outcome::Fail(_))
}

fn start(cluster: &mut Cluster, old: &Value, outcome: Outcome, at_once: bool) -> Arc<Entry> {
    let now = cluster.clock.stamp();
    let mut pod = old.clone();
    pod["spec"]["nodeName"] = json!(NODE);
    pod["metadata"]["annotations"][SIMULATED] = json!("true");
    let pulled = outcome != Outcome::ImagePullError;
    let state = if pulled {
        json!({"running": {"startedAt": now}})
    } else {
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "simulated: the image cannot be pulled"}})
    };
    // What runs to its end has no probe; what serves is ready when its time has come.
    let ready = pulled && (!serves(old) || (at_once && outcome == Outcome::Succeed));
    let bits = crate::uid::random_bits();
    pod["status"] = json!({
        "phase": if pulled { "Running" } else { "Pending" },
        "qosClass": old["status"]["qosClass"],
        "hostIP": "192.0.2.1",
        "podIP": format!("10.244.{}.{}", bits & 0xff, 1 + (bits >> 8) % 254),
        "startTime": now,
        "conditions": conditions(ready, &now),
        "containerStatuses": containers(old, |_| state.clone(), ready, 0),
    });
    let entry = write(cluster, PODS, old, pod, MANAGER);
    let pod = &entry.value;
    if pulled {
        let message = "simulated: no container runs on the embedded cluster";
        event::record(cluster, pod, "Normal", "Started", message);
    } else {
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
        let message = format!("simulated: Failed to pull image \"{image}\"");
        event::record(cluster, pod, "Warning", "Failed", &message);
    }
    entry
}

/// Ends a running Pod as its annotations say; one that is to run for ever gets ready instead, or crashes again and again.
pub(crate) fn settle(cluster: &mut Cluster, entry: &Arc<Entry>) {
    let old = &entry.value;
    if old["status"]["phase"] != "Running" {
        return;
    }
    let code = match meant(old).0 {
        Outcome::Fail(code) => code,
        Outcome::Succeed | Outcome::Hang | Outcome::ImagePullError => 0,
    };
    let now = cluster.clock.stamp();
    let started = old["status"]["startTime"].clone();
    let ended = |code: i64| {
        let reason = if code == 0 { "Completed" } else { "Error" };
        json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now}})
    };
    let mut pod = old.clone();
    let status = &mut pod["status"];
    let serving = serves(old) && code == 0;
    if serving && is_ready(old) {
        return;
    }
    status["conditions"] = conditions(serving, &now);
    if serving {
        let state = json!({"running": {"startedAt": started}});
        status["containerStatuses"] = containers(old, |_| state.clone(), true, 0);
    } else if serves(old) {
        let message = "simulated: the container ends again and again";
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
        status["containerStatuses"] = containers(old, |_| waiting.clone(), false, 1);
        status["containerStatuses"][0]["lastState"] = ended(code);
    } else {
        status["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
        let restarts = u32::from(code != 0 && old["spec"]["restartPolicy"] == "OnFailure");
        let state = |index: usize| ended(if index == 0 { code } else { 0 });
        status["containerStatuses"] = containers(old, state, false, restarts);
    }
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

fn conditions(ready: bool, now: &str) -> Value {
    let ready = if ready { "True" } else { "False" };
    [("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready)]
        .iter()
        .map(|(kind, status)| json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": now}))
        .collect()
}
