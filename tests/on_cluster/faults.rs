//! Everyday faults on a real cluster: each has its message and exit code, and leaves nothing half recorded.

use boathook_tests::env::Run;
use http::Method;
use serde_json::json;

use crate::place::Place;
use crate::{snapshot, tests};

tests![
    forbidden_to_look_at_releases,
    forbidden_to_create_one_kind,
    forbidden_for_a_hook,
    a_narrow_role_is_enough,
    a_token_that_is_not_valid_any_more,
    a_certificate_of_somebody_else,
    a_namespace_that_is_not_there,
    a_namespace_that_is_being_deleted,
    a_quota_that_is_used_up,
    an_admission_policy_that_denies,
    an_admission_policy_that_denies_a_hook,
    a_webhook_that_cannot_be_called,
    an_object_of_another_release,
    an_object_that_is_wrong,
    a_kind_that_is_not_there,
    an_immutable_field,
    a_release_that_is_too_large,
    a_name_that_is_taken,
    no_such_release_or_revision,
];

const CONFIG_MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n";

/// Runs the program as a service account of the namespace, with a Role of these rules.
fn run_as(place: &Place, rules: &str, args: &[&str]) -> Run {
    if !rules.is_empty() {
        place.apply(&format!(
            "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: limited}}, rules: [{rules}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: limited}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: limited}}
subjects: [{{kind: ServiceAccount, name: limited}}]
"
        ));
    }
    let limited = place.cluster.kubeconfig_of(&place.namespace, "limited").unwrap();
    place.env.write("limited", limited);
    let mut command = place.env.command(args);
    command.args(["--namespace", &place.namespace, "--kubeconfig", "limited"]);
    place.finish(command)
}

/// That no release was recorded.
#[track_caller]
fn nothing_recorded(place: &Place) {
    let secrets = place.kubectl(&["get", "secrets", "-o", "name"]).ok().stdout;
    assert!(!secrets.contains("helm.release"), "{secrets}");
}

const RECORDS: &str =
    "{apiGroups: [''], resources: [secrets], verbs: [get, list, create, update, patch, delete]}";

const LEASES: &str =
    "{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update, delete]}";

fn forbidden_to_look_at_releases(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    snapshot!(run_as(place, "", &["list"]), @r#"
    exit 4
    --- stderr
    error: secrets is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot list resource "secrets" in API group "" in the namespace "NAMESPACE"
      help: releases are Secrets of their namespace: it must let you read and write them
    "#);
    snapshot!(run_as(place, "", &["install", "web", "a.yaml"]), @r#"
    exit 4
    --- stderr
    error: secrets is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot list resource "secrets" in API group "" in the namespace "NAMESPACE"
      help: releases are Secrets of their namespace: it must let you read and write them
    "#);
    nothing_recorded(place);
}

fn forbidden_to_create_one_kind(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    let rules = format!("{RECORDS}, {{apiGroups: [''], resources: [configmaps], verbs: [get, list]}}");
    snapshot!(run_as(place, &rules, &["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 object: 1 failed (ConfigMap/a)
      note the release is not locked against other commands: leases.coordination.k8s.io is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "NAMESPACE"
           add to the Role: {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update, delete]}
    --- stderr

    failed: server-side apply failed for object NAMESPACE/a /v1, Kind=ConfigMap: configmaps "a" is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot patch resource "configmaps" in API group "" in the namespace "NAMESPACE"
    "#);
    snapshot!(place.run(&["status", "web"]), @r#"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: NAMESPACE
    STATUS: failed
    REVISION: 1
    CHART: a-0.0.0
    DESCRIPTION: Release "web" failed: server-side apply failed for object NAMESPACE/a /v1, Kind=ConfigMap: configmaps "a" is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot patch resource "configmaps" in API group "" in the namespace "NAMESPACE"
    "#);
}

fn forbidden_for_a_hook(place: &Place) {
    place.env.write(
        "hooks.yaml",
        "apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ['true']}]}}}
",
    );
    snapshot!(run_as(place, RECORDS, &["install", "web", "hooks.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
      note the release is not locked against other commands: leases.coordination.k8s.io is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "NAMESPACE"
           add to the Role: {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update, delete]}
    --- stderr
      failed  pre-install   Job/migrate  jobs.batch "migrate" is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot get resource "jobs" in API group "batch" in the namespace "NAMESPACE"  [duration]

    failed: Job/migrate (pre-install): jobs.batch "migrate" is forbidden: User "system:serviceaccount:NAMESPACE:limited" cannot get resource "jobs" in API group "batch" in the namespace "NAMESPACE"

      hook     hooks.yaml:1
    "#);
    // It may start the Job, but neither see its pods nor its events.
    let rules = format!(
        "{RECORDS}, {LEASES}, {{apiGroups: [batch], resources: [jobs], verbs: [get, create, patch, delete]}}"
    );
    snapshot!(run_as(place, &rules, &["install", "web2", "hooks.yaml"]), @r"
    exit 0
    --- stdout
    Release web2 is deployed in NAMESPACE, revision 1 · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   Job/migrate  completed  [duration]
    ");
}

fn a_narrow_role_is_enough(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    let rules = format!(
        "{RECORDS}, {LEASES}, {{apiGroups: [''], resources: [configmaps], verbs: [get, create, patch]}}"
    );
    snapshot!(run_as(place, &rules, &["install", "web", "a.yaml"]), @r"
    exit 0
    --- stdout
    Release web is deployed in NAMESPACE, revision 1 · [duration]
      1 object: 1 created (ConfigMap/a)
    ");
}

fn a_token_that_is_not_valid_any_more(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    let ended = place.cluster.kubeconfig_of(&place.namespace, "leaves").unwrap();
    place.kubectl(&["delete", "serviceaccount", "leaves"]).ok();
    place.env.write("ended", ended);
    let run = |args: &[&str]| {
        let mut command = place.env.command(args);
        command.args(["--namespace", &place.namespace, "--kubeconfig", "ended"]);
        place.finish(command)
    };
    snapshot!(run(&["list"]), @r"
    exit 4
    --- stderr
    error: Unauthorized (also after the credentials were read again: they may have expired)
      help: are the kubeconfig's credentials expired?
    ");
    snapshot!(run(&["install", "web", "a.yaml"]), @r"
    exit 4
    --- stderr
    error: Unauthorized (also after the credentials were read again: they may have expired)
      help: are the kubeconfig's credentials expired?
    ");
    nothing_recorded(place);
}

fn a_certificate_of_somebody_else(place: &Place) {
    // A certificate that signed nothing here.
    place.env.write("other.crt", include_str!("other.crt"));
    let mut config = place.kubectl(&["config", "view", "--raw", "-o", "json"]).ok().json();
    let cluster = config["clusters"][0]["cluster"].as_object_mut().unwrap();
    cluster.remove("certificate-authority-data");
    cluster.insert("certificate-authority".to_owned(), place.env.path("other.crt").to_str().unwrap().into());
    place.env.write("other", config.to_string());
    snapshot!(place.finish(place.env.command(&["list", "--kubeconfig", "other"])), @r"
    exit 4
    --- stderr
    error: cannot reach the cluster at https://127.0.0.1:[port]: invalid peer certificate: UnknownIssuer
      help: check the server in your kubeconfig, or try without a cluster: --cluster embedded
    ");
}

fn a_namespace_that_is_not_there(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    let args = ["install", "web", "a.yaml", "--kubeconfig", "kubeconfig", "-n", "no-such-namespace"];
    snapshot!(place.finish(place.env.command(&args)), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: namespaces "no-such-namespace" not found

      create it, or use --create-namespace
    "#);
}

fn a_namespace_that_is_being_deleted(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    // A finalizer that nobody takes away holds it.
    place
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: holds, finalizers: [boathook.dev/test]}}");
    place.kubectl(&["delete", "namespace", &place.namespace, "--wait=false"]).ok();
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 4
    --- stdout
    Refused: nothing was changed · [duration] (exit code 4)
    --- stderr

    refused: secrets "sh.helm.release.v1.web.v1" is forbidden: unable to create new content in namespace NAMESPACE because it is being terminated

      releases are Secrets of their namespace: it must let you read and write them
    "#);
    place
        .kubectl(&[
            "patch",
            "configmap",
            "holds",
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":null}}"#,
        ])
        .ok();
}

fn a_quota_that_is_used_up(place: &Place) {
    place.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {count/jobs.batch: 0, count/services: 0}}}");
    place.kubectl(&["wait", "resourcequota/few", "--for=jsonpath={.status.hard}", "--timeout=30s"]).ok();
    place.env.write(
        "a.yaml",
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}\n",
    );
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 object: 1 failed (Service/a)
    --- stderr

    failed: server-side apply failed for object NAMESPACE/a /v1, Kind=Service: services "a" is forbidden: exceeded quota: few, requested: count/services=1, used: count/services=0, limited: count/services=0
    "#);
    place.env.write(
        "hooks.yaml",
        "apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ['true']}]}}}
",
    );
    snapshot!(place.run(&["install", "web2", "hooks.yaml"]), @r#"
    exit 1
    --- stdout
    Release web2 is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      failed  pre-install   Job/migrate  warning: Hook pre-install hooks.yaml failed: server-side apply failed for object NAMESPACE/migrate batch/v1, Kind=Job: jobs.batch "migrate" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0  [duration]

    failed: Job/migrate (pre-install): warning: Hook pre-install hooks.yaml failed: server-side apply failed for object NAMESPACE/migrate batch/v1, Kind=Job: jobs.batch "migrate" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0

      hook     hooks.yaml:1
    "#);
}

/// No ConfigMap in this namespace may be named so.
fn deny(place: &Place, name: &str) {
    let policy = format!("{name}-{}", place.namespace);
    let namespace = &place.namespace;
    for kind in ["validatingadmissionpolicybindings", "validatingadmissionpolicies"] {
        place.remove_later(format!("/apis/admissionregistration.k8s.io/v1/{kind}/{policy}"));
    }
    place.apply(&format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {policy}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}]
  validations: [{{expression: \"object.metadata.name != '{name}'\", message: the house allows no {name}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {policy}}}
spec:
  policyName: {policy}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
"
    ));
    // A policy acts a moment after it is made.
    let asked = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let path = format!("/api/v1/namespaces/{namespace}/configmaps?dryRun=All");
    for _ in 0..300 {
        if place.cluster.send(Method::POST, &path, &asked).is_err() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the policy does not act");
}

fn an_admission_policy_that_denies(place: &Place) {
    deny(place, "banned");
    let banned = CONFIG_MAP.replace("name: a", "name: banned");
    place.env.write("a.yaml", format!("{CONFIG_MAP}---\n{banned}"));
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      2 objects: 1 created (ConfigMap/a), 1 failed (ConfigMap/banned)
    --- stderr

    failed: server-side apply failed for object NAMESPACE/banned /v1, Kind=ConfigMap: configmaps "banned" is forbidden: ValidatingAdmissionPolicy 'banned-NAMESPACE' with binding 'banned-NAMESPACE' denied request: the house allows no banned
    "#);
    snapshot!(place.run(&["status", "web"]), @r#"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: NAMESPACE
    STATUS: failed
    REVISION: 1
    CHART: a-0.0.0
    DESCRIPTION: Release "web" failed: server-side apply failed for object NAMESPACE/banned /v1, Kind=ConfigMap: configmaps "banned" is forbidden: ValidatingAdmissionPolicy 'banned-NAMESPACE' with binding 'banned-NAMESPACE' denied request: the house allows no banned
    "#);
}

fn an_admission_policy_that_denies_a_hook(place: &Place) {
    deny(place, "banned");
    place.env.write(
        "hooks.yaml",
        "apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata: {name: makes, annotations: {helm.sh/hook: pre-install}}
spec:
  plugin: ensure
  config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: banned}}}
  permissions: {kubernetes: [{apiGroups: [''], resources: [configmaps], verbs: [get, create]}]}
",
    );
    snapshot!(place.run(&["install", "web", "hooks.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      failed  pre-install   WasmHook/makes  ConfigMap NAMESPACE/banned: invalid: configmaps "banned" is forbidden: ValidatingAdmissionPolicy 'banned-NAMESPACE' with binding 'banned-NAMESPACE' denied request: the house allows no banned  [duration]

    failed: WasmHook/makes (pre-install): ConfigMap NAMESPACE/banned: invalid: configmaps "banned" is forbidden: ValidatingAdmissionPolicy 'banned-NAMESPACE' with binding 'banned-NAMESPACE' denied request: the house allows no banned

      hook     hooks.yaml:1
      plugin   ensure 0.1.0 (built-in, sha256:[digest]…)
    "#);
}

fn a_webhook_that_cannot_be_called(place: &Place) {
    let namespace = &place.namespace;
    let kind = "validatingwebhookconfigurations";
    place.remove_later(format!("/apis/admissionregistration.k8s.io/v1/{kind}/absent-{namespace}"));
    place.apply(&format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: absent-{namespace}}}
webhooks:
- name: absent.boathook.dev
  clientConfig: {{url: 'https://127.0.0.1:1/check'}}
  rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}]
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
  sideEffects: None
  admissionReviewVersions: [v1]
"
    ));
    let asked = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}});
    let path = format!("/api/v1/namespaces/{namespace}/configmaps?dryRun=All");
    while place.cluster.send(Method::POST, &path, &asked).is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    place.env.write("a.yaml", CONFIG_MAP);
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 4
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 4)
      1 object: 1 failed (ConfigMap/a)
    --- stderr

    failed: server-side apply failed for object NAMESPACE/a /v1, Kind=ConfigMap: Internal error occurred: failed calling webhook "absent.boathook.dev": failed to call webhook: Post "https://127.0.0.1:[port]/check?timeout=10s": dial tcp 127.0.0.1:[port]: connect: connection refused
    "#);
}

fn an_object_of_another_release(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    place.run(&["install", "first", "a.yaml"]).ok();
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: unable to continue with install: ConfigMap "a" in namespace "NAMESPACE" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name" must equal "web": current value is "first"

      rename it, delete the existing one, or use --take-ownership
    "#);
    place.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}");
    place.env.write("b.yaml", CONFIG_MAP.replace("name: a", "name: b"));
    snapshot!(place.run(&["install", "web", "b.yaml"]), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: unable to continue with install: ConfigMap "b" in namespace "NAMESPACE" exists and cannot be imported into the current release: invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by": must be set to "Helm"; annotation validation error: missing key "meta.helm.sh/release-name": must be set to "web"; annotation validation error: missing key "meta.helm.sh/release-namespace": must be set to "NAMESPACE"

      rename it, delete the existing one, or use --take-ownership
    "#);
    place.run(&["install", "web", "b.yaml", "--take-ownership"]).ok();
}

fn an_object_that_is_wrong(place: &Place) {
    let service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 99999}]}}\n";
    place.env.write("a.yaml", format!("{service}---\n{CONFIG_MAP}"));
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      2 objects: 1 created (ConfigMap/a), 1 failed (Service/a)
    --- stderr

    failed: server-side apply failed for object NAMESPACE/a /v1, Kind=Service: Service "a" is invalid: [spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 99999: must be between 1 and 65535, inclusive]
    "#);
    place.env.write("b.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, dta: {a: b}}\n");
    snapshot!(place.run(&["install", "web2", "b.yaml"]), @r"
    exit 1
    --- stdout
    Release web2 is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 object: 1 failed (ConfigMap/b)
    --- stderr

    failed: server-side apply failed for object NAMESPACE/b /v1, Kind=ConfigMap: failed to create typed patch object (NAMESPACE/b; /v1, Kind=ConfigMap): .dta: field not declared in schema
    ");
}

fn a_kind_that_is_not_there(place: &Place) {
    place.env.write(
        "a.yaml",
        format!("{CONFIG_MAP}---\n{{apiVersion: example.dev/v1, kind: Widget, metadata: {{name: w}}}}\n"),
    );
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: unable to build kubernetes objects from release manifest: resource mapping not found for name: "w" namespace: "" from "": no matches for kind "Widget" in version "example.dev/v1"
    ensure CRDs are installed first
    "#);
    nothing_recorded(place);
}

fn an_immutable_field(place: &Place) {
    let hook = |role: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: binds
  annotations: {{helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: hook-failed}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}
subjects: [{{kind: ServiceAccount, name: default}}]
"
        )
    };
    place.env.write("hooks.yaml", hook("view"));
    place.run(&["run", "pre-upgrade", "web", "hooks.yaml"]).ok();
    place.env.write("hooks.yaml", hook("edit"));
    snapshot!(place.run(&["run", "pre-upgrade", "web", "hooks.yaml"]), @r#"
    exit 1
    --- stdout
    Failed for release web in NAMESPACE · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      failed  pre-upgrade   RoleBinding/binds  warning: Hook pre-upgrade hooks.yaml failed: server-side apply failed for object NAMESPACE/binds rbac.authorization.k8s.io/v1, Kind=RoleBinding: RoleBinding.rbac.authorization.k8s.io "binds" is invalid: roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef  [duration]

    failed: RoleBinding/binds (pre-upgrade): warning: Hook pre-upgrade hooks.yaml failed: server-side apply failed for object NAMESPACE/binds rbac.authorization.k8s.io/v1, Kind=RoleBinding: RoleBinding.rbac.authorization.k8s.io "binds" is invalid: roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef

      hook     hooks.yaml:1
    "#);
}

fn a_release_that_is_too_large(place: &Place) {
    // What cannot be compressed: a megabyte and a half of it is too much for one Secret.
    let mut text = String::new();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for index in 0..3 {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}}}\ndata:\n  a: \""
        ));
        for _ in 0..40_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(&format!("{:012x}", state >> 16));
        }
        text.push_str("\"\n");
    }
    place.env.write("a.yaml", text);
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: Secret "sh.helm.release.v1.web.v1" is invalid: data: Too long: may not be more than 1048576 bytes

      a release is kept in one Secret, which holds 1 MiB: leave out large files, or make two releases of it
    "#);
    nothing_recorded(place);
    assert_eq!(place.object("configmaps/c0"), None, "nothing was made");
    let large = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata: {{a: {}}}\n",
        "x".repeat(1_100_000)
    );
    place.env.write("b.yaml", large);
    snapshot!(place.run(&["install", "web", "b.yaml"]), @r#"
    exit 1
    --- stdout
    Release web is failed in NAMESPACE, revision 1 · [duration] (exit code 1)
      1 object: 1 failed (ConfigMap/large)
    --- stderr

    failed: server-side apply failed for object NAMESPACE/large /v1, Kind=ConfigMap: ConfigMap "large" is invalid: []: Too long: may not be more than 1048576 bytes
    "#);
}

fn a_name_that_is_taken(place: &Place) {
    place.env.write("a.yaml", CONFIG_MAP);
    place.run(&["install", "web", "a.yaml"]).ok();
    snapshot!(place.run(&["install", "web", "a.yaml"]), @r"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: release name check failed: cannot reuse a name that is still in use

      choose another name, or uninstall the release first
    ");
}

fn no_such_release_or_revision(place: &Place) {
    snapshot!(place.run(&["status", "web"]), @r"
    exit 1
    --- stderr
    error: release web not found in namespace NAMESPACE
      help: `boathook list --all-namespaces` lists every release; `-n` names a namespace
    ");
    place.env.write("a.yaml", CONFIG_MAP);
    place.run(&["install", "web", "a.yaml"]).ok();
    snapshot!(place.run(&["get", "manifest", "web", "--revision", "3"]), @r"
    exit 1
    --- stderr
    error: release web has no revision 3 in namespace NAMESPACE
      help: `boathook history web -n NAMESPACE` lists its revisions
    ");
}
