//! `--wait`: the release's own objects, on the embedded cluster.

use crate::env::TestEnv;
use crate::snapshot;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: main, image: busybox}]}
";

/// A Job that is no hook, and ends as its annotation says.
fn job(outcome: &str) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: seed, annotations: {{embedded.boathook.dev/outcome: {outcome}}}}}
spec: {{backoffLimit: 0, template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: busybox}}]}}}}}}
"
    )
}

fn install(env: &TestEnv, text: &str, more: &[&str]) -> crate::env::Run {
    env.write("a.yaml", text);
    env.run(&[&["install", "web", "a.yaml", "--cluster", "embedded:state.json"], more].concat())
}

#[test]
fn a_deployment_is_waited_for() {
    snapshot!(install(&TestEnv::new(), DEPLOYMENT, &["--wait"]), @r"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      1 object: 1 created (Deployment/app)
    ");
}

/// A workload of each kind, whose Pods fare as the annotation says.
fn workloads(annotation: &str) -> String {
    let labels = "{app: KIND}";
    let template = "{metadata: {labels: {app: KIND}}, spec: {containers: [{name: main, image: busybox}]}}";
    let of = |api_version: &str, kind: &str, selector: &str, more: &str| {
        format!(
            "apiVersion: {api_version}
kind: {kind}
metadata: {{name: KIND, annotations: {{embedded.boathook.dev/{annotation}}}}}
spec: {{selector: {selector}, template: {template}, {more}}}
---
"
        )
        .replace("KIND", &kind.to_lowercase())
        .replace(&format!("kind: {}", kind.to_lowercase()), &format!("kind: {kind}"))
    };
    let matching = format!("{{matchLabels: {labels}}}");
    [
        of("apps/v1", "Deployment", &matching, "replicas: 3"),
        of("apps/v1", "StatefulSet", &matching, "replicas: 2, serviceName: db"),
        of("apps/v1", "DaemonSet", &matching, ""),
        of("apps/v1", "ReplicaSet", &matching, "replicas: 2"),
        of("v1", "ReplicationController", labels, "replicas: 1"),
    ]
    .concat()
}

#[test]
fn every_workload_gets_ready_by_the_rules_of_both_helms() {
    for strategy in ["--wait=watcher", "--wait=legacy"] {
        let env = TestEnv::new();
        install(&env, &workloads("delay: 300ms"), &[strategy, "--timeout", "30s"]).ok();
        // A new template of each that takes one: the wait sees the new Pods, not the old ones.
        env.write("a.yaml", workloads("delay: 300ms").replace("busybox", "busybox:2"));
        let upgrade =
            ["upgrade", "web", "a.yaml", "--cluster", "embedded:state.json", strategy, "--timeout", "30s"];
        env.run(&upgrade).ok();
    }
}

#[test]
fn pods_that_do_not_get_ready_are_not_there_in_time() {
    for (strategy, outcome) in [("watcher", "hang"), ("legacy", "hang"), ("legacy", "image-pull-error")] {
        let text = DEPLOYMENT.replace(
            "metadata: {name: app}",
            &format!("metadata: {{name: app, annotations: {{embedded.boathook.dev/outcome: {outcome}}}}}"),
        );
        let run = install(&TestEnv::new(), &text, &["--timeout", "1s", &format!("--wait={strategy}")]);
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains("context deadline exceeded"), "{run}");
    }
}

#[test]
fn a_job_counts_as_ready_once_it_runs_unless_jobs_are_waited_for() {
    install(&TestEnv::new(), &job("hang"), &["--wait"]).ok();
    let env = TestEnv::new();
    snapshot!(install(&env, &job("hang"), &["--wait", "--wait-for-jobs", "--timeout", "1s"]), @r"
    exit 1
    --- stdout
    Release web is failed in default, revision 1 · [duration] (exit code 1)
      1 object: 1 created (Job/seed)
    --- stderr
      [clock] wait/1  1 of 1 objects not ready: Job/seed (Job in progress)

    failed: resource Job/default/seed not ready. status: InProgress, message: Job in progress
    context deadline exceeded

      raise --timeout, or look at why it is not ready
    ");
    snapshot!(env.run(&["history", "web", "--cluster", "embedded:state.json"]), @r#"
    exit 0
    --- stdout
    REVISION  UPDATED                  STATUS  CHART    APP VERSION  DESCRIPTION
           1  [time]  failed  a-0.0.0               Release "web" failed: resource Job/default/seed not ready. status: InProgress, message: Job in progress\u{a}context deadline exceeded
    "#);
}

#[test]
fn a_job_that_failed_is_told_without_waiting_for_the_end_of_time() {
    snapshot!(install(&TestEnv::new(), &job("fail"), &["--wait", "--wait-for-jobs", "--timeout", "1h"]), @r"
    exit 1
    --- stdout
    Release web is failed in default, revision 1 · [duration] (exit code 1)
      1 object: 1 created (Job/seed)
    --- stderr

    failed: resource Job/default/seed not ready. status: Failed, message: Job Failed. failed: 1/1: BackoffLimitExceeded: Job has reached the specified backoff limit

      details  pod seed-[pod]: container main exited with code 1
               event BackoffLimitExceeded of seed: simulated: Job has reached the specified backoff limit
    ");
}

#[test]
fn what_can_be_undone_is_waited_for() {
    let env = TestEnv::new();
    snapshot!(install(&env, &job("fail"), &["--rollback-on-failure", "--wait-for-jobs"]), @r"
    exit 1
    --- stdout
    Release web is failed in default, revision 1 · [duration] (exit code 1)
      uninstall: done, revision 1 is uninstalled
      2 objects: 1 created (Job/seed), 1 deleted (Job/seed)
    --- stderr
      it failed: uninstall begins

    failed: release web failed, and has been uninstalled due to rollback-on-failure being set: resource Job/default/seed not ready. status: Failed, message: Job Failed. failed: 1/1: BackoffLimitExceeded: Job has reached the specified backoff limit

      details  pod seed-[pod]: container main exited with code 1
               event BackoffLimitExceeded of seed: simulated: Job has reached the specified backoff limit
    ");
    snapshot!(env.run(&["list", "--cluster", "embedded:state.json"]), @r"
    exit 0
    --- stdout
    NAME  NAMESPACE  REVISION  UPDATED  STATUS  CHART  APP VERSION
    ");
}

#[test]
fn a_plan_shows_the_wait() {
    let env = TestEnv::new();
    env.write("a.yaml", DEPLOYMENT);
    snapshot!(env.run(&["plan", "install", "web", "a.yaml", "--wait", "--timeout", "2m"]), @r"
    exit 0
    --- stdout
    Install web into default · revision 1 · chart a 0.0.0

      PHASE  WEIGHT  STEP      RUNS                                 MAY TOUCH
      apply          1 object  apply                                (-v lists them)
      wait           objects   until they are ready, at most [duration]

    0 hooks, 1 object. Nothing was changed.
    ");
}
