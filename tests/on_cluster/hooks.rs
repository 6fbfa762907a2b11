//! Job and Pod hooks that really run: their logs while they run, their ends, and who gets in between.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use boathook_test_cluster::tools::Tool;
use boathook_tests::receiver::Receiver;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::place::Place;
use crate::{snapshot, tests};

tests![
    the_example_with_images,
    the_example_chart_by_helm_itself,
    logs_are_streamed_while_the_job_runs,
    a_failing_job_gives_its_reason,
    a_failing_pod_gives_its_reason,
    a_program_that_the_image_lacks,
    an_init_container_that_fails,
    an_image_that_cannot_be_pulled_is_told_at_once,
    a_job_without_its_service_account,
    a_job_that_its_namespace_has_no_room_for,
    a_job_that_is_deleted_while_it_is_waited_for,
    a_job_with_a_ttl_of_0,
    a_pod_and_a_job_that_succeed,
    two_installs_at_once,
    the_requests_of_an_install,
    an_interrupt_leaves_the_job_and_the_same_command_goes_on_with_it,
];

/// A hook Job with one container of this name; `spec` goes before its template.
fn job(name: &str, spec: &str, command: &str) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations: {{helm.sh/hook: pre-install}}
spec:
  backoffLimit: 0
{spec}
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox:1.37
        command: [sh, -c]
        args:
        - |
          {command}
"
    )
}

fn the_example_with_images(place: &Place) {
    let receiver = Receiver::start();
    place.env.example("first-jobs", receiver.port);
    let run = place.run(&["install", "web", "first-jobs"]).ok();
    // curl's progress is as it may be.
    let steps: Vec<&str> = run.stderr.lines().filter(|line| !line.contains("notify-")).collect();
    snapshot!(steps.join("\n"), @r#"
    ok      pre-install   ServiceAccount/ensure-config  created  [duration]
    ok      pre-install   Role/ensure-config            created  [duration]
    ok      pre-install   RoleBinding/ensure-config     created  [duration]
    [clock] ensure-config  ensure-config-[pod]/ensure-config: OK
    [clock] ensure-config  ensure-config-[pod]/ensure-config: Error from server (NotFound): configmaps "my-app-config" not found
    [clock] ensure-config  ensure-config-[pod]/ensure-config: configmap/my-app-config created
    ok      pre-install   Job/ensure-config             completed  [duration]
    ok      post-install  Job/notify                    completed  [duration]
    "#);
    assert_eq!(
        receiver.next().body,
        r#"{"text":"Deployment of release 'web' in namespace 'default' completed successfully!"}"#
    );
    assert_eq!(place.object("configmaps/my-app-config").unwrap()["data"]["setting"], "initial_value");
    assert!(place.object("batch/v1/jobs/ensure-config").is_some());
    assert_eq!(place.object("batch/v1/jobs/notify"), None, "its policy is hook-succeeded");
}

/// What its annotations say to Boathook does not keep Helm from running its containers.
fn the_example_chart_by_helm_itself(place: &Place) {
    let receiver = Receiver::start();
    place.env.example("first-chart", receiver.port);
    for (helm, name) in [(Tool::Helm3, "three"), (Tool::Helm4, "four")] {
        place.helm(helm, &["install", name, "first-chart", "--timeout", "60s"]).ok();
        assert!(receiver.next().body.contains(&format!("release '{name}'")));
        assert!(place.object("configmaps/my-app-config").is_some());
        assert!(place.object(&format!("batch/v1/jobs/{name}-ensure-config")).is_some());
        place.kubectl(&["delete", "configmap", "my-app-config"]).ok();
    }
}

fn logs_are_streamed_while_the_job_runs(place: &Place) {
    // The container is a process of this machine: it goes on when the test has seen what it wrote before.
    let flag = place.env.path("flag");
    let command = format!("echo before; while ! [ -e {} ]; do sleep 0.05; done; echo after", flag.display());
    place.env.write("hooks.yaml", job("streams", "", &command));
    let mut command = place.command(&["install", "web", "hooks.yaml"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let before = lines.find(|line| line.contains("before")).expect("it is shown while the job runs");
    assert!(before.contains("/main: before"), "{before}");
    std::fs::write(flag, "").unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(rest[0].ends_with("/main: after"), "{rest:?}");
    assert!(child.wait().unwrap().success(), "{rest:?}");
}

fn a_failing_job_gives_its_reason(place: &Place) {
    place.env.write("hooks.yaml", job("fails", "", "echo one; echo two >&2; exit 3"));
    snapshot!(place.run(&["install", "web", "hooks.yaml"]), @r"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      [clock] fails  fails-[pod]/main: one
      [clock] fails  fails-[pod]/main: two
      failed  pre-install   Job/fails  job fails failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container main exited with code 3  [duration]

    failed: Job/fails (pre-install): job fails failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container main exited with code 3

      hook     hooks.yaml:1
      details  pod fails-[pod]: container main exited with code 3
      log      one
               two
    ");
    snapshot!(place.run(&["status", "web"]), @r#"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: NAMESPACE
    STATUS: failed
    REVISION: 1
    CHART: hooks-0.0.0
    DESCRIPTION: Release "web" failed: failed pre-install: job fails failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container main exited with code 3

    HOOK       EVENTS       WEIGHT  LAST RUN  AT
    Job/fails  pre-install       0  Failed    [time]
    "#);
}

fn a_failing_pod_gives_its_reason(place: &Place) {
    place.env.write(
        "hooks.yaml",
        "apiVersion: v1
kind: Pod
metadata:
  name: fails
  annotations: {helm.sh/hook: pre-install}
spec:
  restartPolicy: Never
  containers:
  - {name: first, image: busybox, command: [sh, -c, echo fine]}
  - {name: second, image: busybox, command: [sh, -c, echo bad; exit 7]}
",
    );
    let run = place.run(&["install", "web", "hooks.yaml"]);
    // Two containers write as they like.
    let said: Vec<&str> = run.stderr.lines().filter(|line| !line.contains("fails/")).take(5).collect();
    snapshot!(said.join("\n"), @r"
      failed  pre-install   Pod/fails  pod fails failed: container second exited with code 7  [duration]

    failed: Pod/fails (pre-install): pod fails failed: container second exited with code 7

      hook     hooks.yaml:1
    ");
    assert!(run.stderr.contains("fails/first: fine") && run.stderr.contains("fails/second: bad"), "{run}");
    assert_eq!(run.code, Some(1));
}

fn a_program_that_the_image_lacks(place: &Place) {
    let lacks = job("lacks", "", "true").replace("command: [sh, -c]", "command: [no-such-program]");
    place.env.write("hooks.yaml", lacks);
    snapshot!(place.run(&["install", "web", "hooks.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      failed  pre-install   Job/lacks  job lacks failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container main exited with code 128 (StartError): failed to create containerd task: exec: "no-such-program": executable file not found in $PATH  [duration]

    failed: Job/lacks (pre-install): job lacks failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container main exited with code 128 (StartError): failed to create containerd task: exec: "no-such-program": executable file not found in $PATH

      hook     hooks.yaml:1
      details  pod lacks-[pod]: container main exited with code 128 (StartError): failed to create containerd task: exec: "no-such-program": executable file not found in $PATH
               event Failed of lacks-[pod]: Error: failed to create containerd task: exec: "no-such-program": executable file not found in $PATH
    "#);
}

fn an_init_container_that_fails(place: &Place) {
    let init = "      initContainers:\n      - {name: prepare, image: busybox, command: [sh, -c, echo no; exit 2]}\n";
    let hook = job("prepared", "", "echo never")
        .replace("      containers:\n", &format!("{init}      containers:\n"));
    place.env.write("hooks.yaml", hook);
    snapshot!(place.run(&["install", "web", "hooks.yaml"]), @r"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      [clock] prepared  prepared-[pod]/prepare: no
      failed  pre-install   Job/prepared  job prepared failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container prepare exited with code 2  [duration]

    failed: Job/prepared (pre-install): job prepared failed: BackoffLimitExceeded: Job has reached the specified backoff limit; container prepare exited with code 2

      hook     hooks.yaml:1
      details  pod prepared-[pod]: container prepare exited with code 2
      log      no
    ");
}

fn an_image_that_cannot_be_pulled_is_told_at_once(place: &Place) {
    let hook = job("pulls", "", "true").replace("busybox:1.37", "unpullable.example/migrate:1.2");
    place.env.write("hooks.yaml", hook);
    snapshot!(place.run(&["install", "web", "hooks.yaml", "--timeout", "4s"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      [clock] pulls  pod pulls-[pod]: container main cannot start: ErrImagePull: failed to pull and unpack image "unpullable.example/migrate:1.2": failed to resolve reference "unpullable.example/migrate:1.2": unpullable.example/migrate:1.2: not found
      failed  pre-install   Job/pulls  resource Job/NAMESPACE/pulls not ready. status: InProgress, message: Job in progress\u{a}context deadline exceeded  [duration]

    failed: Job/pulls (pre-install): resource Job/NAMESPACE/pulls not ready. status: InProgress, message: Job in progress
    context deadline exceeded

      hook     hooks.yaml:1
      details  pod pulls-[pod]: container main cannot start: ImagePullBackOff: Back-off pulling image "unpullable.example/migrate:1.2": ErrImagePull: failed to pull and unpack image "unpullable.example/migrate:1.2": failed to resolve reference "unpullable.example/migrate:1.2": unpullable.example/migrate:1.2: not found
               event Failed of pulls-[pod]: Failed to pull image "unpullable.example/migrate:1.2": failed to pull and unpack image "unpullable.example/migrate:1.2": failed to resolve reference "unpullable.example/migrate:1.2": unpullable.example/migrate:1.2: not found
               event Failed of pulls-[pod]: Error: ErrImagePull
               event Failed of pulls-[pod]: Error: ImagePullBackOff

      raise the hook's timeout, or look at why it hangs; its object was left running
    "#);
}

fn a_job_without_its_service_account(place: &Place) {
    let hook = job("nobody", "", "true")
        .replace("      restartPolicy", "      serviceAccountName: no-such-account\n      restartPolicy");
    place.env.write("hooks.yaml", hook);
    snapshot!(place.run(&["install", "web", "hooks.yaml", "--timeout", "4s"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      [clock] nobody  event FailedCreate of nobody: Error creating: pods "nobody-" is forbidden: error looking up service account NAMESPACE/no-such-account: serviceaccount "no-such-account" not found
      failed  pre-install   Job/nobody  resource Job/NAMESPACE/nobody not ready. status: InProgress, message: Job in progress\u{a}context deadline exceeded  [duration]

    failed: Job/nobody (pre-install): resource Job/NAMESPACE/nobody not ready. status: InProgress, message: Job in progress
    context deadline exceeded

      hook     hooks.yaml:1
      details  event FailedCreate of nobody: Error creating: pods "nobody-" is forbidden: error looking up service account NAMESPACE/no-such-account: serviceaccount "no-such-account" not found

      raise the hook's timeout, or look at why it hangs; its object was left running
    "#);
}

fn a_job_that_its_namespace_has_no_room_for(place: &Place) {
    place.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: 0}}}");
    place.kubectl(&["wait", "resourcequota/none", "--for=jsonpath={.status.hard}", "--timeout=30s"]).ok();
    place.env.write("hooks.yaml", job("crowded", "", "true"));
    let run = place.run(&["install", "web", "hooks.yaml", "--timeout", "5s"]);
    assert_eq!(run.code, Some(1), "{run}");
    // The controller tries more than once; the first word comes long before the deadline.
    snapshot!(run.stderr.lines().next().unwrap(), @r#"  [clock] crowded  event FailedCreate of crowded: Error creating: pods "crowded-[pod]" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"#);
    let said = run
        .stderr
        .lines()
        .any(|line| line.trim_start().starts_with("details  event FailedCreate of crowded: "));
    assert!(said, "{run}");
}

fn a_job_that_is_deleted_while_it_is_waited_for(place: &Place) {
    place.env.write("hooks.yaml", job("vanishes", "", "echo started; sleep 1000"));
    let mut command = place.command(&["install", "web", "hooks.yaml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("started")), "it runs");
    place.kubectl(&["delete", "job", "vanishes"]).ok();
    let rest: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    let summary = String::from_utf8(output.stdout).unwrap().replace(&place.namespace, "NAMESPACE");
    snapshot!(rest.join("\n"), @r"  ok      pre-install   Job/vanishes  deleted while it ran, taken as done  [duration]");
    snapshot!(summary, @r"
    Release web is deployed in NAMESPACE, revision 1 · [duration]
      1 hook: 1 succeeded
    ");
    assert!(output.status.success());
}

fn a_job_with_a_ttl_of_0(place: &Place) {
    place.env.write("hooks.yaml", job("brief", "  ttlSecondsAfterFinished: 0", "echo done"));
    let run = place.run(&["install", "web", "hooks.yaml"]).ok();
    assert!(run.stderr.contains("/main: done"), "{run}");
    place.env.write("hooks.yaml", job("brief-failure", "  ttlSecondsAfterFinished: 0", "echo done; exit 1"));
    // Its pod may be gone or not when it is asked for a reason.
    let run = place.run(&["install", "web2", "hooks.yaml"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("job brief-failure failed: BackoffLimitExceeded"), "{run}");
    assert!(run.stderr.contains("/main: done"), "{run}");
}

fn a_pod_and_a_job_that_succeed(place: &Place) {
    let pod = "apiVersion: v1
kind: Pod
metadata:
  name: greets
  annotations: {helm.sh/hook: post-install, helm.sh/hook-delete-policy: hook-succeeded}
spec:
  restartPolicy: OnFailure
  containers: [{name: main, image: busybox, command: [sh, -c, echo hello]}]
";
    place.env.write("hooks.yaml", format!("{}---\n{pod}", job("works", "", "echo working")));
    snapshot!(place.run(&["install", "web", "hooks.yaml"]), @r"
    exit 0
    --- stdout
    Release web is deployed in NAMESPACE, revision 1 · [duration]
      2 hooks: 2 succeeded, 1 deleted by policy
    --- stderr
      [clock] works  works-[pod]/main: working
      ok      pre-install   Job/works   completed  [duration]
      [clock] greets  greets/main: hello
      ok      post-install  Pod/greets  completed  [duration]
    ");
    assert_eq!(place.object("pods/greets"), None);
    assert!(place.object("batch/v1/jobs/works").is_some());
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap()
}

fn two_installs_at_once(place: &Place) {
    let flag = place.env.path("flag");
    place.env.write(
        "hooks.yaml",
        format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: waits, annotations: {{helm.sh/hook: pre-install}}}}
spec:
  restartPolicy: Never
  containers: [{{name: main, image: busybox, command: [sh, -c, 'echo here; until [ -e {} ]; do sleep 0.05; done']}}]
",
            flag.display()
        ),
    );
    let mut first = place.command(&["install", "web", "hooks.yaml"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("here")));
    // The name of this machine is as it may be.
    let mut second = place.run(&["install", "web", "hooks.yaml"]);
    second.stderr = second.stderr.replace(hostname().trim(), "HOST");
    snapshot!(second, @r"
    exit 5
    --- stdout
    Refused: nothing was changed · [duration] (exit code 5)
      1 hook: 0 succeeded, 1 not reached
    --- stderr

    refused: release web is locked: somebody on HOST, process [pid] is at work on it, since [time]

      wait until it is done, or let this command wait: --wait-for-lock 10m
    ");
    // Who waits plans for what the first one leaves.
    let mut third = place.command(&["upgrade", "--install", "web", "hooks.yaml", "--wait-for-lock", "60s"]);
    let third = third.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::fs::write(flag, "").unwrap();
    lines.for_each(drop);
    assert!(first.wait().unwrap().success());
    let third = third.wait_with_output().unwrap();
    assert!(third.status.success(), "{third:?}");
    snapshot!(place.run(&["history", "web"]), @r"
    exit 0
    --- stdout
    REVISION  UPDATED                  STATUS      CHART        APP VERSION  DESCRIPTION
           1  [time]  superseded  hooks-0.0.0               Install complete
           2  [time]  deployed    hooks-0.0.0               Upgrade complete
    ");
}

fn an_interrupt_leaves_the_job_and_the_same_command_goes_on_with_it(place: &Place) {
    let flag = place.env.path("flag");
    let hangs = format!("echo started; until [ -e {} ]; do sleep 0.05; done", flag.display());
    place.env.write("hooks.yaml", job("hangs", "", &hangs));
    let mut command = place.command(&["install", "web", "hooks.yaml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("started")), "it runs");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(place.object("batch/v1/jobs/hangs").is_some(), "its end was not seen, so it stays");
    snapshot!(place.run(&["status", "web"]), @r#"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: NAMESPACE
    STATUS: failed
    REVISION: 1
    CHART: hooks-0.0.0
    DESCRIPTION: Release "web" failed: context canceled

    HOOK       EVENTS       WEIGHT  LAST RUN  AT
    Job/hangs  pre-install       0  Unknown   [time]
    "#);
    // The same command goes on: it waits for the Job that it finds, and does not make another.
    let uid = |place: &Place| place.object("batch/v1/jobs/hangs").unwrap()["metadata"]["uid"].clone();
    let before = uid(place);
    std::fs::write(place.env.path("flag"), "").unwrap();
    let again = place.run(&["install", "web", "hooks.yaml"]).ok();
    assert!(again.stdout.contains("note revision 1 was begun before and not finished"), "{again}");
    assert_eq!(uid(place), before);
    let history = place.run(&["history", "web"]).ok().stdout;
    assert!(history.contains("deployed") && history.lines().count() == 2, "{history}");
}

fn the_requests_of_an_install(place: &Place) {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    place.env.write("hooks.yaml", format!("{}---\n{config}", job("works", "", "true")));
    place.run(&["install", "web", "hooks.yaml"]).ok();
    let changes = place.cluster.changes(&place.namespace).unwrap();
    let asked: Vec<String> =
        changes.iter().filter(|change| change.user == "admin").map(ToString::to_string).collect();
    snapshot!(asked.join("\n"), @r"
    create leases boathook.web
    create secrets sh.helm.release.v1.web.v1
    create secrets boathook.release.v1.web.v1
    update secrets sh.helm.release.v1.web.v1
    patch jobs works
    update secrets boathook.release.v1.web.v1
    patch configmaps a
    update secrets sh.helm.release.v1.web.v1
    update secrets boathook.release.v1.web.v1
    delete leases boathook.web
    ");
}
