//! Simulated Jobs: the decisions of the real Job controller (how many Pods, when is it complete or failed, which
//! conditions) over simulated Pods, without its back-off between attempts. Jobs with a foreign `managedBy` are left alone.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Delayed, JOBS, PODS, SIMULATED, Step, event, outcome, remove, write};
use crate::cluster::Cluster;
use crate::store::Entry;
use crate::{names, uid};

const MANAGER: &str = "kube-controller-manager";

/// Brings a Job on: Pods where they are missing, status where it changed.
pub(crate) fn sync(cluster: &mut Cluster, entry: &Arc<Entry>, delayed: &mut Vec<Delayed>) {
    let job = &entry.value;
    if finished(job) {
        expire(cluster, job, delayed);
        return;
    }
    if foreign(job) || job["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    if job["spec"]["suspend"] == true {
        suspend(cluster, job);
        return;
    }
    let counts = Counts::of(cluster, job);
    let number = |field: &str| job["spec"][field].as_i64();
    let limit = number("backoffLimit").unwrap_or(6);
    let restarting = job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure";
    if counts.failed > limit || (restarting && counts.failed > 0) {
        let message = "Job has reached the specified backoff limit";
        finish(cluster, job, counts, Some(("BackoffLimitExceeded", message)));
        return;
    }
    let parallelism = number("parallelism").unwrap_or(1);
    let complete = match number("completions") {
        Some(completions) => counts.succeeded >= completions,
        None => counts.succeeded > 0 && counts.active == 0,
    };
    if complete {
        finish(cluster, job, counts, None);
        return;
    }
    let wanted = match number("completions") {
        Some(completions) => parallelism.min(completions - counts.succeeded),
        None if counts.succeeded > 0 => counts.active,
        None => parallelism,
    };
    let missing = (wanted - counts.active).max(0);
    let started = job["status"]["startTime"].is_null();
    if started && let Some(seconds) = number("activeDeadlineSeconds") {
        let delay = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        delayed.push(Delayed::new(job, Step::JobDeadline, delay));
    }
    let counts = Counts { active: counts.active + missing, ..counts };
    let running = report(cluster, job, counts);
    for index in 0..missing {
        create_pod(cluster, &running, counts.succeeded + index);
    }
}

/// A Pod changed: its Job looks again.
pub(crate) fn pod_changed(cluster: &mut Cluster, pod: &Value, delayed: &mut Vec<Delayed>) {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let Some(owner) = owners.into_iter().flatten().find(|owner| owner["kind"] == "Job") else { return };
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let name = owner["name"].as_str().unwrap_or_default();
    let found = cluster.store.get(JOBS, namespace, name).cloned();
    if let Some(entry) = found.filter(|entry| entry.value["metadata"]["uid"] == owner["uid"]) {
        sync(cluster, &entry, delayed);
    }
}

/// The Job was active for too long.
pub(crate) fn deadline(cluster: &mut Cluster, entry: &Arc<Entry>) {
    if finished(&entry.value) {
        return;
    }
    let counts = Counts::of(cluster, &entry.value);
    let reason = ("DeadlineExceeded", "Job was active longer than specified deadline");
    finish(cluster, &entry.value, counts, Some(reason));
}

/// The step for which a Job waits.
pub(crate) fn waits(job: &Value) -> Option<Delayed> {
    let seconds = |field: &str| job["spec"][field].as_u64().map(Duration::from_secs);
    if let Some(end) = end(job) {
        // As the real controller, which does nothing where it does not know since when.
        return seconds("ttlSecondsAfterFinished")
            .filter(|_| end["lastTransitionTime"].is_string())
            .map(|delay| Delayed::new(job, Step::JobExpiry, delay));
    }
    let started = job["status"]["startTime"].is_string() && !foreign(job);
    seconds("activeDeadlineSeconds")
        .filter(|_| started)
        .map(|delay| Delayed::new(job, Step::JobDeadline, delay))
}

/// The condition that says how the Job ended.
fn end(job: &Value) -> Option<&Value> {
    let ends =
        |one: &&Value| (one["type"] == "Complete" || one["type"] == "Failed") && one["status"] == "True";
    job["status"]["conditions"].as_array().into_iter().flatten().find(ends)
}

fn finished(job: &Value) -> bool {
    end(job).is_some()
}

fn foreign(job: &Value) -> bool {
    job["spec"]["managedBy"].as_str().is_some_and(|name| name != "kubernetes.io/job-controller")
}

#[derive(Clone, Copy)]
struct Counts {
    active: i64,
    succeeded: i64,
    failed: i64,
}

impl Counts {
    fn of(cluster: &Cluster, job: &Value) -> Self {
        let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
        let mut counts = Self { active: 0, succeeded: 0, failed: 0 };
        for (_, entry) in cluster.store.dependents(uid).iter().filter(|(resource, _)| &**resource == PODS) {
            match entry.value["status"]["phase"].as_str() {
                Some("Succeeded") => counts.succeeded += 1,
                Some("Failed") => counts.failed += 1,
                _ => counts.active += 1,
            }
        }
        counts
    }
}

/// Writes the counters of a Job that goes on.
fn report(cluster: &mut Cluster, old: &Value, counts: Counts) -> Value {
    let now = cluster.clock.stamp();
    let mut job = old.clone();
    let status = &mut job["status"];
    if status["startTime"].is_null() {
        status["startTime"] = json!(now);
    }
    for (field, count) in
        [("active", counts.active), ("succeeded", counts.succeeded), ("failed", counts.failed)]
    {
        match (count, &mut *status) {
            (0, Value::Object(map)) => {
                map.shift_remove(field);
            }
            (count, status) => status[field] = json!(count),
        }
    }
    status["ready"] = json!(0);
    status["terminating"] = json!(0);
    status["uncountedTerminatedPods"] = json!({});
    if job["status"] == old["status"] {
        return job;
    }
    write(cluster, JOBS, old, job, MANAGER).value.clone()
}

/// Ends a Job: with a reason it failed, without one it is complete.
fn finish(cluster: &mut Cluster, job: &Value, counts: Counts, failure: Option<(&str, &str)>) {
    let current = report(cluster, job, Counts { active: 0, ..counts });
    let now = cluster.clock.stamp();
    let mut ended = current.clone();
    ended["metadata"]["annotations"][SIMULATED] = json!("true");
    let condition = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now,
            "reason": reason, "message": message,
        })
    };
    let (kinds, reason, message) = match failure {
        Some((reason, message)) => (["FailureTarget", "Failed"], reason, message),
        None => (
            ["SuccessCriteriaMet", "Complete"],
            "CompletionsReached",
            "Reached expected number of succeeded pods",
        ),
    };
    ended["status"]["conditions"] = json!(kinds.map(|kind| condition(kind, reason, message)));
    if failure.is_none() {
        ended["status"]["completionTime"] = json!(now);
    }
    let entry = write(cluster, JOBS, &current, ended, MANAGER);
    let uid = entry.value["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    for (resource, pod) in cluster.store.dependents(&uid) {
        let active = !matches!(pod.value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if active && &*resource == PODS {
            remove(cluster, PODS, &pod.value);
        }
    }
    match failure {
        Some((reason, message)) => {
            event::record(cluster, &entry.value, "Warning", reason, &format!("simulated: {message}"));
        }
        None => event::record(cluster, &entry.value, "Normal", "Completed", "simulated: Job completed"),
    }
}

/// Removes a finished Job when its time to live is over, whoever finished it.
fn expire(cluster: &mut Cluster, job: &Value, delayed: &mut Vec<Delayed>) {
    match waits(job) {
        Some(step) if step.delay.is_zero() => remove(cluster, JOBS, job),
        Some(step) => delayed.push(step),
        None => {}
    }
}

/// A suspended Job has no Pods and says so.
fn suspend(cluster: &mut Cluster, job: &Value) {
    let uid = job["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    for (resource, pod) in cluster.store.dependents(&uid) {
        let active = !matches!(pod.value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if active && &*resource == PODS {
            remove(cluster, PODS, &pod.value);
        }
    }
    let conditions = job["status"]["conditions"].as_array();
    if conditions.into_iter().flatten().any(|one| one["type"] == "Suspended") {
        return;
    }
    let now = cluster.clock.stamp();
    let mut suspended = job.clone();
    suspended["status"]["conditions"] = json!([{
        "type": "Suspended", "status": "True", "lastProbeTime": now, "lastTransitionTime": now,
        "reason": "JobSuspended", "message": "Job suspended",
    }]);
    write(cluster, JOBS, job, suspended, MANAGER);
}

/// Creates a Pod from the template, with the Job's own simulation annotations where the template has none.
fn create_pod(cluster: &mut Cluster, job: &Value, index: i64) {
    let template = &job["spec"]["template"];
    let job_name = job["metadata"]["name"].as_str().unwrap_or_default();
    let mut metadata = json!({
        "generateName": format!("{job_name}-"),
        "name": names::generate(&format!("{job_name}-")),
        "namespace": job["metadata"]["namespace"],
        "uid": uid::new_uid(),
        "creationTimestamp": cluster.clock.stamp(),
        "generation": 1,
        "labels": template["metadata"]["labels"],
        "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job_name, "uid": job["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }],
    });
    let mut annotations = template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    for (key, value) in job["metadata"]["annotations"].as_object().into_iter().flatten() {
        if key.starts_with(outcome::PREFIX) && key != SIMULATED && !annotations.contains_key(key) {
            annotations.insert(key.clone(), value.clone());
        }
    }
    if job["spec"]["completionMode"] == "Indexed" {
        annotations.insert("batch.kubernetes.io/job-completion-index".to_owned(), json!(index.to_string()));
    }
    if !annotations.is_empty() {
        metadata["annotations"] = Value::Object(annotations);
    }
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    if let Some(kind) = cluster.registry.by_key(PODS) {
        crate::defaults::fill(&kind, &mut pod);
        crate::defaults::prepare(&kind, &mut pod, None);
    }
    let entry = write(cluster, PODS, &Value::Null, pod, MANAGER);
    let name = entry.value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    event::record(cluster, job, "Normal", "SuccessfulCreate", &format!("Created pod: {name}"));
}
