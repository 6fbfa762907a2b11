//! Jobs: what their spec must hold, and what a controller may write into their status.

use serde_json::{Value, json};

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    the_template_of_a_job_stays,
    a_foreign_controller_has_a_domain,
    a_job_needs_containers_and_a_restart_policy,
    a_job_gets_its_defaults,
    the_spec_of_a_job_is_checked,
    the_selector_of_a_job_is_made_for_it,
    a_job_with_a_selector_of_its_own_needs_the_labels,
    only_a_suspended_job_that_never_started_may_move,
    the_status_of_a_new_job_is_dropped,
    the_spec_stays_when_status_is_written,
    a_job_completes_in_one_write,
    a_job_fails_in_one_write,
    a_job_starts_and_then_completes,
    counters_are_not_negative,
    a_complete_job_is_consistent,
    a_failed_job_is_consistent,
    an_ended_job_stays_ended,
    counters_only_grow,
    indexes_are_well_formed,
    uncounted_pods_are_named_once,
    the_conditions_of_a_job_have_one_owner,
    a_job_of_another_uid_is_not_written,
    a_finished_job_goes_after_its_time,
    a_deleted_job_leaves_its_dependents_unless_told,
];

const START: &str = "2026-01-01T00:00:00Z";
const END: &str = "2026-01-01T00:00:01Z";

fn template() -> Value {
    json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}})
}

fn suspended(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"suspend": true, "template": template()}})
}

/// A Job that nobody touches: no controller has this name.
async fn foreign(cluster: &Cluster, name: &str, more: Value) -> String {
    let mut job = json!({"metadata": {"name": name}, "spec": {"managedBy": "example.com/nobody", "template": template()}});
    for (field, value) in more.as_object().into_iter().flatten() {
        job["spec"][field.as_str()] = value.clone();
    }
    cluster.post(&cluster.group("batch/v1", "jobs"), job).await.ok();
    cluster.group("batch/v1", &format!("jobs/{name}/status"))
}

fn conditions(kinds: &[&str]) -> Value {
    kinds.iter().map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": END})).collect()
}

/// Writes of status that are refused, each with what is said of it.
async fn refuses(cluster: &Cluster, path: &str, writes: &[(Value, &str)]) {
    for (status, expected) in writes {
        let message = cluster.merge(path, json!({"status": status})).await.refused(422, "Invalid");
        assert!(message.ends_with(expected), "{status}\n{message}\n{expected}");
    }
}

fn complete() -> Value {
    json!({"startTime": START, "completionTime": END, "succeeded": 1, "conditions": conditions(&["SuccessCriteriaMet", "Complete"])})
}

fn with(mut status: Value, field: &str, value: Value) -> Value {
    status[field] = value;
    status
}

async fn the_template_of_a_job_stays(cluster: &Cluster) {
    let mut job = suspended("j");
    job["spec"]["suspend"] = json!(false);
    job["spec"]["managedBy"] = json!("example.com/nobody");
    cluster.post(&cluster.group("batch/v1", "jobs"), job).await.ok();
    let path = cluster.group("batch/v1", "jobs/j");
    let change = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "other"}]}}}});
    let message = cluster.merge(&path, change).await.refused(422, "Invalid");
    assert!(message.starts_with("Job.batch \"j\" is invalid: spec.template: Invalid value: "), "{message}");
    assert!(message.ends_with("field is immutable"), "{message}");
    cluster.merge(&path, json!({"spec": {"managedBy": "example.com/other"}})).await.refused(422, "Invalid");
    cluster.merge(&path, json!({"spec": {"parallelism": 2}})).await.ok();
}

async fn a_foreign_controller_has_a_domain(cluster: &Cluster) {
    let long = format!("example.com/{}", "x".repeat(60));
    for name in ["nodomain", "acme.io/", "/x", "Acme.io/x", &long] {
        let mut job = suspended("j");
        job["spec"]["managedBy"] = json!(name);
        cluster.post(&cluster.group("batch/v1", "jobs"), job).await.refused(422, "Invalid");
    }
}

async fn a_job_needs_containers_and_a_restart_policy(cluster: &Cluster) {
    let path = cluster.group("batch/v1", "jobs");
    let mut job = suspended("j");
    job["spec"]["template"]["spec"]["containers"] = json!([]);
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(message.contains("spec.template.spec.containers: Required value"), "{message}");
    let mut job = suspended("j");
    job["spec"]["template"]["spec"] = json!({"containers": [{"name": "c", "image": "i"}]});
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(
        message.contains(
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""
        ),
        "{message}"
    );
    let mut job = suspended("j");
    job["spec"]["template"]["spec"]["containers"] = json!([{"name": "c"}]);
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(message.contains("spec.template.spec.containers[0].image: Required value"), "{message}");
}

async fn a_job_gets_its_defaults(cluster: &Cluster) {
    let job = cluster.post(&cluster.group("batch/v1", "jobs"), suspended("j")).await.ok();
    let spec = &job["spec"];
    assert_eq!(
        (&spec["backoffLimit"], &spec["completions"], &spec["parallelism"]),
        (&json!(6), &json!(1), &json!(1))
    );
    let uid = &job["metadata"]["uid"];
    assert_eq!(spec["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!((&labels["job-name"], &labels["batch.kubernetes.io/job-name"]), (&json!("j"), &json!("j")));
}

async fn the_spec_of_a_job_is_checked(cluster: &Cluster) {
    let path = cluster.group("batch/v1", "jobs");
    for (field, value, expected) in [
        ("completions", json!(-1), "spec.completions: Invalid value: -1: must be greater than or equal to 0"),
        (
            "backoffLimit",
            json!(-1),
            "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "ttlSecondsAfterFinished",
            json!(-1),
            "spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "completionMode",
            json!("X"),
            "spec.completionMode: Unsupported value: \"X\": supported values: \"NonIndexed\", \"Indexed\"",
        ),
        (
            "podReplacementPolicy",
            json!("X"),
            "spec.podReplacementPolicy: Unsupported value: \"X\": supported values: \"Failed\", \"TerminatingOrFailed\"",
        ),
        (
            "backoffLimitPerIndex",
            json!(1),
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
        ),
        (
            "managedBy",
            json!("nodomain"),
            "spec.managedBy: Invalid value: \"nodomain\": must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
    ] {
        let mut job = suspended("j");
        job["spec"][field] = value;
        let message = cluster.post(&path, job).await.refused(422, "Invalid");
        assert_eq!(message, format!("Job.batch \"j\" is invalid: {expected}"));
    }
}

async fn the_selector_of_a_job_is_made_for_it(cluster: &Cluster) {
    let path = cluster.group("batch/v1", "jobs");
    let mut job = suspended("j");
    job["spec"]["selector"] = json!({"matchLabels": {"a": "b"}});
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(message.contains("`selector` not auto-generated"), "{message}");
    let mut job = suspended("j");
    job["spec"]["template"]["metadata"] = json!({"labels": {"job-name": "other"}});
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(message.ends_with(": must be 'j'"), "{message}");
}

async fn a_job_with_a_selector_of_its_own_needs_the_labels(cluster: &Cluster) {
    let path = cluster.group("batch/v1", "jobs");
    let mut job = suspended("j");
    job["spec"]["manualSelector"] = json!(true);
    let message = cluster.post(&path, job.clone()).await.refused(422, "Invalid");
    assert!(message.contains("spec.selector: Required value"), "{message}");
    job["spec"]["selector"] = json!({"matchLabels": {"a": "b"}});
    job["spec"]["template"]["metadata"] = json!({"labels": {"a": "b"}});
    let made = cluster.post(&path, job).await.ok();
    assert_eq!(made["spec"]["template"]["metadata"]["labels"], json!({"a": "b"}));
}

async fn only_a_suspended_job_that_never_started_may_move(cluster: &Cluster) {
    cluster.post(&cluster.group("batch/v1", "jobs"), suspended("j")).await.ok();
    let path = cluster.group("batch/v1", "jobs/j");
    let nodes = |name: &str| json!({"spec": {"template": {"spec": {"nodeSelector": {"a": name}}}}});
    cluster.merge(&path, nodes("one")).await.ok();
    let status = foreign(cluster, "k", json!({})).await;
    let message =
        cluster.merge(status.trim_end_matches("/status"), nodes("two")).await.refused(422, "Invalid");
    assert!(message.ends_with("field is immutable"), "{message}");
}

async fn the_status_of_a_new_job_is_dropped(cluster: &Cluster) {
    let mut job = suspended("j");
    job["spec"]["managedBy"] = json!("example.com/nobody");
    job["status"] = complete();
    let made = cluster.post(&cluster.group("batch/v1", "jobs"), job).await.ok();
    assert_eq!(made["status"], json!({}));
}

async fn the_spec_stays_when_status_is_written(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let written =
        cluster.merge(&path, json!({"spec": {"parallelism": 7}, "status": {"active": 1}})).await.ok();
    assert_eq!((&written["spec"]["parallelism"], &written["status"]["active"]), (&json!(1), &json!(1)));
    assert_eq!(written["metadata"]["generation"], 1);
}

async fn a_job_completes_in_one_write(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({"completions": 3})).await;
    // Neither the number of successes nor more than type and status of the conditions is asked for.
    let bare =
        json!([{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]);
    let written = cluster.merge(&path, json!({"status": with(complete(), "conditions", bare)})).await.ok();
    assert_eq!(written["status"]["completionTime"], END);
}

async fn a_job_fails_in_one_write(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let failed =
        json!({"startTime": START, "failed": 1, "conditions": conditions(&["FailureTarget", "Failed"])});
    let written = cluster.merge(&path, json!({"status": failed})).await.ok();
    assert_eq!(written["status"]["failed"], 1);
}

async fn a_job_starts_and_then_completes(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    cluster.merge(&path, json!({"status": {"startTime": START, "active": 1, "ready": 1}})).await.ok();
    let moved = (json!({"startTime": END}), "field is immutable for unsuspended job once set");
    refuses(cluster, &path, &[moved]).await;
    let done = with(with(complete(), "active", json!(0)), "ready", json!(0));
    cluster.merge(&path, json!({"status": done})).await.ok();
}

async fn counters_are_not_negative(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    for field in ["active", "terminating"] {
        let expected = format!("status.{field}: Invalid value: -1: must be greater than or equal to 0");
        refuses(cluster, &path, &[(json!({field: -1}), &expected)]).await;
    }
    let ready = "status.ready: Invalid value: 2: cannot set more ready pods than active";
    refuses(cluster, &path, &[(json!({"active": 1, "ready": 2}), ready)]).await;
}

async fn a_complete_job_is_consistent(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let all = ["SuccessCriteriaMet", "Complete"];
    refuses(
        cluster,
        &path,
        &[
            (
                with(complete(), "conditions", conditions(&["Complete"])),
                "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
            ),
            (
                with(complete(), "completionTime", Value::Null),
                "status.completionTime: Required value: completionTime is required for Complete jobs",
            ),
            (
                with(complete(), "startTime", Value::Null),
                "status.startTime: Required value: startTime is required for finished job",
            ),
            (
                json!({"startTime": END, "completionTime": START, "conditions": conditions(&all)}),
                "must be equal to or after `startTime`",
            ),
            (with(complete(), "active", json!(1)), "active>0 is invalid for finished job"),
            (with(complete(), "terminating", json!(1)), "terminating>0 is invalid for finished job"),
            (
                with(complete(), "uncountedTerminatedPods", json!({"succeeded": ["a"]})),
                "must be empty for finished job",
            ),
            (
                json!({"completionTime": END}),
                "cannot set completionTime when there is no Complete=True condition",
            ),
            (
                json!({"conditions": conditions(&["SuccessCriteriaMet", "FailureTarget"])}),
                "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
            ),
        ],
    )
    .await;
    cluster
        .merge(&path, json!({"status": with(complete(), "uncountedTerminatedPods", json!({}))}))
        .await
        .ok();
}

async fn a_failed_job_is_consistent(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let failed =
        json!({"startTime": START, "failed": 1, "conditions": conditions(&["FailureTarget", "Failed"])});
    refuses(
        cluster,
        &path,
        &[
            (
                with(failed.clone(), "conditions", conditions(&["Failed"])),
                "cannot set Failed=True condition without the FailureTarget=true condition",
            ),
            (
                with(failed.clone(), "completionTime", json!(END)),
                "cannot set completionTime when there is no Complete=True condition",
            ),
            (
                with(failed.clone(), "startTime", Value::Null),
                "status.startTime: Required value: startTime is required for finished job",
            ),
        ],
    )
    .await;
}

async fn an_ended_job_stays_ended(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    cluster.merge(&path, json!({"status": complete()})).await.ok();
    let late = "2026-01-01T00:00:09Z";
    for (status, expected) in [
        (
            json!({"conditions": conditions(&["Complete"])}),
            "cannot disable the SuccessCriteriaMet=True condition",
        ),
        (json!({"conditions": null}), "cannot disable the terminal Complete=True condition"),
        (
            json!({"conditions": conditions(&["SuccessCriteriaMet", "Complete", "Failed"])}),
            "cannot set Complete=True and Failed=true conditions",
        ),
        (
            json!({"completionTime": late}),
            "status.completionTime: Invalid value: \"2026-01-01T00:00:09Z\": field is immutable",
        ),
        (json!({"startTime": "2025-01-01T00:00:00Z"}), "field is immutable for unsuspended job once set"),
    ] {
        let message = cluster.merge(&path, json!({"status": status})).await.refused(422, "Invalid");
        assert!(message.contains(expected), "{status}\n{message}");
    }
}

async fn counters_only_grow(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({"completions": 9})).await;
    cluster.merge(&path, json!({"status": {"startTime": START, "succeeded": 2, "failed": 2}})).await.ok();
    refuses(
        cluster,
        &path,
        &[
            (
                json!({"succeeded": 1}),
                "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter",
            ),
            (json!({"failed": 1}), "status.failed: Invalid value: 1: cannot decrease the failed counter"),
        ],
    )
    .await;
    cluster.merge(&path, json!({"status": {"succeeded": 3, "failed": 2}})).await.ok();
}

async fn indexes_are_well_formed(cluster: &Cluster) {
    let plain = foreign(cluster, "plain", json!({})).await;
    let not_indexed = "cannot set non-empty completedIndexes when non-indexed completion mode";
    refuses(cluster, &plain, &[(json!({"completedIndexes": "0"}), not_indexed)]).await;
    let spec =
        json!({"completionMode": "Indexed", "completions": 5, "parallelism": 5, "backoffLimitPerIndex": 1});
    let path = foreign(cluster, "j", spec).await;
    refuses(
        cluster,
        &path,
        &[
            (json!({"completedIndexes": "7"}), "too large index: \"7\""),
            (json!({"completedIndexes": "3,1"}), "non-increasing order, previous: 3, current: 1"),
            (json!({"completedIndexes": "3-1"}), "non-increasing order, previous: 3, current: 1"),
            (json!({"completedIndexes": "a"}), "cannot convert string to integer for index: \"a\""),
            (
                json!({"completedIndexes": "1-2-3"}),
                "violates the requirement that an index interval can have at most two parts separated by '-'",
            ),
            (
                json!({"completedIndexes": "0,2-3", "failedIndexes": "3"}),
                "failedIndexes and completedIndexes overlap at index: 3",
            ),
        ],
    )
    .await;
    cluster.merge(&path, json!({"status": {"completedIndexes": "0,2-3", "failedIndexes": "1"}})).await.ok();
}

async fn uncounted_pods_are_named_once(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let pods = |succeeded: Value, failed: Value| json!({"uncountedTerminatedPods": {"succeeded": succeeded, "failed": failed}});
    refuses(
        cluster,
        &path,
        &[
            (
                pods(json!(["a"]), json!(["a"])),
                "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"",
            ),
            (
                pods(json!([""]), json!([])),
                "status.uncountedTerminatedPods.succeeded[0]: Invalid value: \"\": must not be empty",
            ),
        ],
    )
    .await;
}

async fn the_conditions_of_a_job_have_one_owner(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let status = |kind: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "status": {"conditions": conditions(&[kind])}})
    };
    cluster.apply(&path, "x", "", status("SuccessCriteriaMet")).await.ok();
    let message = cluster.apply(&path, "y", "", status("Suspended")).await.refused(409, "Conflict");
    assert_eq!(
        message,
        "Apply failed with 1 conflict: conflict with \"x\" with subresource \"status\": .status.conditions"
    );
}

async fn a_job_of_another_uid_is_not_written(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({})).await;
    let other = json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}, "status": complete()});
    cluster.merge(&path, other).await.refused(422, "Invalid");
    let old = json!({"metadata": {"resourceVersion": "1"}, "status": complete()});
    cluster.merge(&path, old).await.refused(409, "Conflict");
}

async fn a_finished_job_goes_after_its_time(cluster: &Cluster) {
    let path = foreign(cluster, "j", json!({"ttlSecondsAfterFinished": 0})).await;
    let mut status = complete();
    // The time runs from when the condition became true.
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"] = json!(START);
    }
    cluster.merge(&path, json!({"status": status})).await.ok();
    cluster.gone(path.trim_end_matches("/status")).await;
}

async fn a_deleted_job_leaves_its_dependents_unless_told(cluster: &Cluster) {
    for (name, options, warned) in
        [("kept", Value::Null, true), ("taken", json!({"propagationPolicy": "Background"}), false)]
    {
        let status = foreign(cluster, name, json!({})).await;
        let job = cluster.get(&status).await.ok();
        let mut child = config_map(name, json!({}));
        child["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"],
        }]);
        cluster.post(&cluster.core("configmaps"), child).await.ok();
        let path = cluster.group("batch/v1", &format!("jobs/{name}"));
        let answer = cluster.delete(&path, options).await;
        let told = answer.warnings.iter().any(|text| text.contains("child pods are preserved by default"));
        assert_eq!(told, warned, "{name}: {:?}", answer.warnings);
        cluster.gone(&path).await;
    }
    cluster.gone(&cluster.core("configmaps/taken")).await;
    let kept = cluster.get(&cluster.core("configmaps/kept")).await.ok();
    assert!(kept["metadata"].get("ownerReferences").is_none());
}
