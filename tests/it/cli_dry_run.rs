//! `--dry-run`: what an operation would change, on the embedded cluster.

use crate::env::TestEnv;
use crate::snapshot;

const V1: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {colour: red, size: \"1\"}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter2}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: old}
";

const V2: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {colour: blue, size: \"1\"}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: correct-horse}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: new}
---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox}]}}}
";

/// Ensures an object, and sends a message with an address from a Secret that the release brings.
const PLUGINS: &str = "apiVersion: v1
kind: Secret
metadata: {name: webhook}
stringData: {url: http://127.0.0.1:9/hook}
---
apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata: {name: first, annotations: {helm.sh/hook: pre-install}}
spec:
  plugin: ensure
  config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: made}, data: {a: b}}}
  permissions:
    kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}]
---
apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata: {name: tell, annotations: {helm.sh/hook: post-install}}
spec:
  plugin: notify
  config: {urlFrom: webhook, text: done}
  credentials: [{name: webhook, secretKeyRef: {name: webhook, key: url}}]
  permissions:
    http: [{url: \"http://127.0.0.1:9/hook\", methods: [POST], network: loopback}]
";

fn embedded<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &["--cluster", "embedded:state.json"]].concat()
}

#[test]
fn an_upgrade_tells_what_would_change_and_changes_nothing() {
    let env = TestEnv::new();
    env.write("v1.yaml", V1);
    env.write("v2.yaml", V2);
    env.run(&embedded(&["install", "web", "v1.yaml"])).ok();
    let before = std::fs::read(env.path("state.json")).unwrap();
    snapshot!(env.run(&embedded(&["upgrade", "web", "v2.yaml", "--dry-run=server"])), @r#"
    exit 0
    --- stdout
      pre-upgrade  Job/migrate
        + Job default/migrate
      apply
        ~ Secret default/login
            data.password  "(12 characters)" → "(20 characters)"
        ~ ConfigMap default/config
            data.colour  "red" → "blue"
        + ConfigMap default/new
      delete
        - ConfigMap default/old
    Dry run: nothing was changed · [duration]
      1 hook: 1 succeeded
      4 objects: 1 created (ConfigMap/new), 2 configured (Secret/login, ConfigMap/config), 1 deleted (ConfigMap/old)
    --- stderr
      ok      pre-upgrade   Job/migrate  checked, not run  [duration]
    "#);
    snapshot!(env.run(&embedded(&["upgrade", "web", "v2.yaml", "--dry-run"])), @r"
    exit 0
    --- stdout
    Upgrade web in default · revision 2 · chart v2 0.0.0

      PHASE        WEIGHT  STEP         RUNS                                MAY TOUCH
      pre-upgrade       0  Job/migrate  image busybox, waits
      apply                3 objects    apply                               (-v lists them)
      delete               1 object     delete, unless kept on the cluster  (-v lists them)

    1 hook, 4 objects. Nothing was changed.
    ");
    snapshot!(env.run(&embedded(&["uninstall", "web", "--dry-run=server"])), @r"
    exit 0
    --- stdout
      delete
        - ConfigMap default/config
        - ConfigMap default/old
        - Secret default/login
    Dry run: nothing was changed · [duration]
      3 objects: 3 deleted (ConfigMap/config, ConfigMap/old, Secret/login)
    ");
    assert_eq!(std::fs::read(env.path("state.json")).unwrap(), before);
}

#[test]
fn plugins_run_and_keep_nothing() {
    let env = TestEnv::new();
    env.write("a.yaml", PLUGINS);
    snapshot!(env.run(&embedded(&["install", "web", "a.yaml", "--dry-run=server"])), @r"
    exit 0
    --- stdout
      pre-install  WasmHook/first
        + ConfigMap default/made
      apply
        + Secret default/webhook
      post-install  WasmHook/tell
        > POST the URL in credential webhook (not sent)
    Dry run: nothing was changed · [duration]
      2 hooks: 2 succeeded
      1 object: 1 created (Secret/webhook)
    --- stderr
      ok      pre-install   WasmHook/first  created ConfigMap default/made  [duration]
      ok      post-install  WasmHook/tell   would notify the webhook in credential webhook  [duration]
    ");
    snapshot!(env.run(&embedded(&["run", "pre-install", "web", "a.yaml", "--dry-run=server", "-v"])), @r#"
    exit 0
    --- stdout
      pre-install  WasmHook/first
        + ConfigMap default/made
            data.a  "b"
            metadata.annotations["boathook.dev/release"]  "default/web"
    Dry run: nothing was changed · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/first  created ConfigMap default/made  [duration]
    "#);
    snapshot!(env.run(&embedded(&["list"])), @r"
    exit 0
    --- stdout
    NAME  NAMESPACE  REVISION  UPDATED  STATUS  CHART  APP VERSION
    ");
}

#[test]
fn a_namespace_that_the_install_makes_is_not_there_yet() {
    let env = TestEnv::new();
    env.write("a.yaml", PLUGINS);
    let args = ["install", "web", "a.yaml", "-n", "fresh", "--create-namespace", "--dry-run=server"];
    snapshot!(env.run(&embedded(&args)), @r"
    exit 0
    --- stdout
      namespace
        + Namespace fresh
      apply
        + Secret fresh/webhook
    Dry run: nothing was changed · [duration]
      2 hooks: 2 succeeded
      1 object: 1 created (Secret/webhook)
    --- stderr
      ok      pre-install   WasmHook/first  not run: namespace fresh is made by this operation  [duration]
      ok      post-install  WasmHook/tell   not run: namespace fresh is made by this operation  [duration]
    ");
    snapshot!(env.run(&embedded(&["install", "web", "a.yaml", "-n", "fresh", "--dry-run=server"])), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
      2 hooks: 0 succeeded, 2 not reached
    --- stderr

    refused: namespaces "fresh" not found

      create it, or use --create-namespace
    "#);
}

#[test]
fn the_plan_of_an_install_needs_no_cluster() {
    let env = TestEnv::new();
    env.write("v1.yaml", V1);
    snapshot!(env.run(&["install", "web", "v1.yaml", "--dry-run=client"]), @r"
    exit 0
    --- stdout
    Install web into default · revision 1 · chart v1 0.0.0

      PHASE  WEIGHT  STEP       RUNS   MAY TOUCH
      apply          3 objects  apply  (-v lists them)

    0 hooks, 3 objects. Nothing was changed.
    ");
}
