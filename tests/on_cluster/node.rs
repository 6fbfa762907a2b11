//! The stand-in for a kubelet, as the real controllers and kubectl meet it.

use serde_json::Value;

use crate::place::Place;
use crate::tests;

tests![
    workloads_become_ready,
    a_pod_sees_its_environment,
    a_pod_acts_as_its_service_account,
    what_crashes_is_started_again,
    a_sidecar_ends_with_the_pod,
    a_deleted_pod_is_ended_in_order,
    a_pod_that_no_node_takes,
    images_that_cannot_be_pulled,
    logs_of_the_last_run,
];

/// A Pod with one container that runs a script.
fn pod(name: &str, script: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: alpine:3.22
    command: [sh, -ec]
    args:
    - |
      {script}
"
    )
}

#[track_caller]
fn wait(place: &Place, object: &str, condition: &str) {
    place.kubectl(&["wait", object, &format!("--for={condition}"), "--timeout=60s"]).ok();
}

fn ended(place: &Place, name: &str) -> (String, Value) {
    wait(place, &format!("pod/{name}"), "jsonpath={.status.containerStatuses[0].state.terminated}");
    let logs = place.kubectl(&["logs", name]).ok().stdout;
    let pod = place.object(&format!("pods/{name}")).unwrap();
    (logs, pod["status"].clone())
}

fn workloads_become_ready(place: &Place) {
    place.apply(
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  replicas: 2
  selector: {matchLabels: {app: d}}
  template: {metadata: {labels: {app: d}}, spec: {containers: [{name: main, image: nginx}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  replicas: 2
  serviceName: s
  selector: {matchLabels: {app: s}}
  template: {metadata: {labels: {app: s}}, spec: {containers: [{name: main, image: postgres}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: each}
spec:
  selector: {matchLabels: {app: each}}
  template: {metadata: {labels: {app: each}}, spec: {containers: [{name: main, image: agent}]}}
",
    );
    for workload in ["deployment/d", "statefulset/s", "daemonset/each"] {
        place.kubectl(&["rollout", "status", workload, "--timeout=60s"]).ok();
    }
    // A new template is rolled out: old pods go when new ones are ready.
    place.kubectl(&["set", "image", "deployment/d", "main=nginx:2"]).ok();
    place.kubectl(&["rollout", "status", "deployment/d", "--timeout=60s"]).ok();
}

fn a_pod_sees_its_environment(place: &Place) {
    place.apply(
        "apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {ONE: '1', TWO: '2'}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {password: secret}
---
apiVersion: v1
kind: Pod
metadata: {name: env, labels: {app: a}}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: busybox
    command: [sh, -ec, 'echo $C_ONE $PASSWORD $LABEL $ALL $(ALL) $MISSING-$HERE']
    envFrom: [{prefix: C_, configMapRef: {name: c}}]
    env:
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: s, key: password}}}
    - {name: MISSING, valueFrom: {configMapKeyRef: {name: c, key: NONE, optional: true}}}
    - {name: LABEL, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}
    - {name: ALL, value: $(C_TWO)$(PASSWORD)}
",
    );
    assert_eq!(ended(place, "env").0, "1 secret a 2secret 2secret -\n", "and nothing of the test's own");
    // What is referred to comes later.
    place.apply(
        "apiVersion: v1
kind: Pod
metadata: {name: later}
spec:
  restartPolicy: Never
  containers: [{name: main, image: busybox, command: [sh, -c, echo $A], envFrom: [{configMapRef: {name: later}}]}]
",
    );
    let reason = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError";
    wait(place, "pod/later", reason);
    place.kubectl(&["create", "configmap", "later", "--from-literal=A=there"]).ok();
    assert_eq!(ended(place, "later").0, "there\n");
}

fn a_pod_acts_as_its_service_account(place: &Place) {
    place.apply(&pod("nobody", "kubectl get secrets"));
    let (logs, status) = ended(place, "nobody");
    let whose = format!("system:serviceaccount:{}:default", place.namespace);
    assert!(
        logs.replace("NAMESPACE", &place.namespace).contains(&format!("User \"{whose}\" cannot list")),
        "{logs}"
    );
    assert_eq!(
        (&status["phase"], &status["containerStatuses"][0]["state"]["terminated"]["exitCode"]),
        (&"Failed".into(), &1.into())
    );
    place
        .kubectl(&[
            "create",
            "rolebinding",
            "view",
            "--clusterrole=view",
            &format!("--serviceaccount={}:default", place.namespace),
        ])
        .ok();
    place.apply(&pod("reader", "kubectl get configmap kube-root-ca.crt -o name"));
    assert_eq!(ended(place, "reader").0, "configmap/kube-root-ca.crt\n");
    let without = pod("without", "kubectl get configmaps")
        .replace("spec:\n", "spec:\n  automountServiceAccountToken: false\n");
    place.apply(&without);
    assert_eq!(ended(place, "without").1["phase"], "Failed", "it has no token");
}

fn what_crashes_is_started_again(place: &Place) {
    place.apply(&pod("crashes", "exit 3").replace("restartPolicy: Never", "restartPolicy: Always"));
    wait(
        place,
        "pod/crashes",
        "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff",
    );
    let status = place.object("pods/crashes").unwrap()["status"].clone();
    let container = &status["containerStatuses"][0];
    assert_eq!((&status["phase"], &container["restartCount"]), (&"Running".into(), &1.into()), "{status}");
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 3);
    // Until it succeeds, where that is what is asked for.
    let flag = place.env.path("flag");
    let script = format!("[ -e {0} ] || {{ touch {0}; exit 1; }}", flag.display());
    place.apply(&pod("retries", &script).replace("restartPolicy: Never", "restartPolicy: OnFailure"));
    wait(place, "pod/retries", "jsonpath={.status.phase}=Succeeded");
    assert_eq!(place.object("pods/retries").unwrap()["status"]["containerStatuses"][0]["restartCount"], 1);
}

fn a_sidecar_ends_with_the_pod(place: &Place) {
    let sidecar = "  initContainers:
  - {name: first, image: busybox, command: [sh, -c, echo first]}
  - {name: beside, image: proxy, restartPolicy: Always}
";
    place.apply(&pod("two", "sleep 0.2").replace("  containers:\n", &format!("{sidecar}  containers:\n")));
    wait(place, "pod/two", "jsonpath={.status.phase}=Succeeded");
    let status = place.object("pods/two").unwrap()["status"].clone();
    let init = status["initContainerStatuses"].as_array().unwrap();
    assert!(init.iter().all(|status| status["state"].get("terminated").is_some()), "{status}");
    assert_eq!(place.kubectl(&["logs", "two", "-c", "first"]).ok().stdout, "first\n");
}

fn a_deleted_pod_is_ended_in_order(place: &Place) {
    let said = place.env.path("said");
    let script = format!(
        "trap 'echo ending > {}; exit 0' TERM; echo up; while :; do sleep 0.05; done",
        said.display()
    );
    place.apply(&pod("polite", &script));
    place.apply(&pod("deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done"));
    for name in ["polite", "deaf"] {
        let up = || place.kubectl(&["logs", name]).stdout == "up\n";
        assert!((0..200).any(|_| up()), "{name} is up");
    }
    place.kubectl(&["delete", "pod", "polite", "deaf", "--timeout=60s"]).ok();
    assert_eq!(std::fs::read_to_string(said).unwrap(), "ending\n");
    assert_eq!(place.object("pods/deaf"), None);
}

fn a_pod_that_no_node_takes(place: &Place) {
    place.apply(&pod("nowhere", "true").replace("spec:\n", "spec:\n  nodeSelector: {disk: fast}\n"));
    wait(place, "pod/nowhere", "condition=PodScheduled=False");
    let status = place.object("pods/nowhere").unwrap()["status"].clone();
    assert_eq!(
        (&status["phase"], &status["conditions"][0]["reason"]),
        (&"Pending".into(), &"Unschedulable".into())
    );
}

fn images_that_cannot_be_pulled(place: &Place) {
    place.apply(&pod("pulls", "true").replace("alpine:3.22", "unpullable.example/a:1"));
    wait(place, "pod/pulls", "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff");
    assert_eq!(place.object("pods/pulls").unwrap()["status"]["phase"], "Pending");
    let events = place.kubectl(&["events", "--for=pod/pulls"]).ok().stdout;
    assert!(events.contains("Failed to pull image \"unpullable.example/a:1\""), "{events}");
}

fn logs_of_the_last_run(place: &Place) {
    let flag = place.env.path("flag");
    let script = format!("[ -e {0} ] || {{ touch {0}; echo first; exit 1; }}; seq 5", flag.display());
    place.apply(&pod("twice", &script).replace("restartPolicy: Never", "restartPolicy: OnFailure"));
    wait(place, "pod/twice", "jsonpath={.status.phase}=Succeeded");
    assert_eq!(place.kubectl(&["logs", "twice", "--previous"]).ok().stdout, "first\n");
    assert_eq!(place.kubectl(&["logs", "twice", "--tail=2"]).ok().stdout, "4\n5\n");
    assert_eq!(place.kubectl(&["logs", "twice", "-f", "--since=1h"]).ok().stdout, "1\n2\n3\n4\n5\n");
    let timed = place.kubectl(&["logs", "twice", "--timestamps", "--tail=1"]).ok().stdout;
    assert!(timed.starts_with("20") && timed.ends_with("Z 5\n"), "{timed}");
}
