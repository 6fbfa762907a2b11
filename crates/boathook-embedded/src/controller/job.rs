//! Simulated Jobs: the decisions of the real Job controller (how many Pods, when is it complete or failed, which
//! conditions) over simulated Pods, without its back-off between attempts. Jobs with a foreign `managedBy` are left alone.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Delayed, JOBS, MANAGER, PODS, SIMULATED, Step, controlled, event, remove, write};
use crate::cluster::Cluster;
use crate::store::Entry;

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
        delayed.push(Delayed::new(JOBS, job, Step::JobDeadline, delay));
    }
    let counts = Counts { active: counts.active + missing, ..counts };
    let running = report(cluster, job, counts);
    for index in 0..missing {
        create_pod(cluster, &running, counts.succeeded + index);
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
            .map(|delay| Delayed::new(JOBS, job, Step::JobExpiry, delay));
    }
    let started = job["status"]["startTime"].is_string() && !foreign(job);
    seconds("activeDeadlineSeconds")
        .filter(|_| started)
        .map(|delay| Delayed::new(JOBS, job, Step::JobDeadline, delay))
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

/// Creates a Pod from the template.
fn create_pod(cluster: &mut Cluster, job: &Value, index: i64) {
    let mut pod = controlled::pod(job, &job["spec"]["template"]);
    if job["spec"]["completionMode"] == "Indexed" {
        pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] = json!(index.to_string());
    }
    controlled::create_pod(cluster, job, pod);
}
