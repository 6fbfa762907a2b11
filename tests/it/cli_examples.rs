//! The worked examples of the repository, as a new user runs them.

use serde_json::Value;

use crate::env::TestEnv;
use crate::receiver::Receiver;
use crate::snapshot;

const SENT: &str = r#"{"text":"Deployment of release 'web' in namespace 'default' completed successfully!"}"#;
const STATE: [&str; 2] = ["--cluster", "embedded:state.json"];

fn with_state<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(STATE).collect()
}

/// An object of the state file.
fn stored_object(env: &TestEnv, kind: &str, name: &str) -> Option<Value> {
    let state: Value = serde_json::from_slice(&std::fs::read(env.path("state.json")).unwrap()).unwrap();
    let mut objects = state["objects"].as_array().unwrap().iter().map(|entry| &entry["object"]);
    objects.find(|object| object["kind"] == kind && object["metadata"]["name"] == name).cloned()
}

#[test]
fn a_plan_shows_the_steps_and_what_each_may_touch() {
    let env = TestEnv::new();
    env.example("first", 8642);
    let run = env.run(&["plan", "install", "web", "first/hooks.yaml"]).ok();
    snapshot!(run, @r"
    exit 0
    --- stdout
    Install web into default · revision 1 · chart hooks 0.0.0

      PHASE         WEIGHT  STEP                    RUNS               MAY TOUCH
      pre-install        1  WasmHook/ensure-config  ensure (built-in)  get, create configmaps/my-app-config
      post-install      10  WasmHook/notify         notify (built-in)  POST http://127.0.0.1:[port]/services/ (this machine)
                                                                       credential webhook (Secret/slack-webhook)

    2 hooks, 0 objects. Nothing was changed.
    ");
}

#[test]
fn a_plan_as_json_names_every_step() {
    let env = TestEnv::new();
    env.example("first", 8642);
    let run = env.run(&["plan", "install", "web", "first/hooks.yaml", "-o", "json"]).ok();
    snapshot!(run, @r#"
    exit 0
    --- stdout
    {
      "apiVersion": "boathook.dev/v1alpha1",
      "kind": "Plan",
      "operation": "install",
      "release": {
        "name": "web",
        "namespace": "default",
        "revision": 1
      },
      "steps": [
        {
          "id": "pre-install/1",
          "phase": "pre-install",
          "type": "hook",
          "hook": {
            "apiVersion": "boathook.dev/v1alpha1",
            "kind": "WasmHook",
            "name": "ensure-config",
            "namespace": "default",
            "events": [
              "pre-install"
            ],
            "weight": 1,
            "deletePolicies": [
              "before-hook-creation"
            ],
            "source": {
              "path": "hooks.yaml",
              "document": 0,
              "line": 2
            }
          },
          "run": {
            "plugin": {
              "name": "ensure",
              "origin": "built-in",
              "digest": "sha256:[digest]",
              "permissions": {
                "kubernetes": [
                  {
                    "apiGroups": [
                      ""
                    ],
                    "resources": [
                      "configmaps"
                    ],
                    "verbs": [
                      "get",
                      "create"
                    ],
                    "resourceNames": [
                      "my-app-config"
                    ]
                  }
                ]
              }
            }
          },
          "timeoutSeconds": 300
        },
        {
          "id": "post-install/1",
          "phase": "post-install",
          "type": "hook",
          "hook": {
            "apiVersion": "boathook.dev/v1alpha1",
            "kind": "WasmHook",
            "name": "notify",
            "namespace": "default",
            "events": [
              "post-install"
            ],
            "weight": 10,
            "deletePolicies": [
              "hook-succeeded"
            ],
            "source": {
              "path": "hooks.yaml",
              "document": 1,
              "line": 24
            }
          },
          "run": {
            "plugin": {
              "name": "notify",
              "origin": "built-in",
              "digest": "sha256:[digest]",
              "permissions": {
                "http": [
                  {
                    "url": "http://127.0.0.1:[port]/services/",
                    "methods": [
                      "POST"
                    ],
                    "network": "loopback"
                  }
                ]
              },
              "credentials": [
                "webhook"
              ]
            }
          },
          "timeoutSeconds": 300
        }
      ],
      "diagnostics": []
    }
    "#);
}

#[test]
fn an_install_runs_hooks_around_objects_and_is_read_back() {
    let (env, receiver) = (TestEnv::new(), Receiver::start());
    env.example("first", receiver.port);
    let install = ["install", "web", "first", "--cluster", "embedded:state.json", "-n", "default"];
    snapshot!(env.run(&install).ok(), @r"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      2 hooks: 2 succeeded
      2 objects: 2 created (Secret/slack-webhook, Deployment/my-app)
    --- stderr
      ok      pre-install   WasmHook/ensure-config  created ConfigMap default/my-app-config  [duration]
      ok      post-install  WasmHook/notify         notified the webhook in credential webhook (200)  [duration]
    ");
    let request = receiver.next();
    assert_eq!(
        (request.line.as_str(), request.content_type.as_str()),
        ("POST /services/demo", "application/json")
    );
    assert_eq!(request.body, SENT);
    let made = stored_object(&env, "ConfigMap", "my-app-config").unwrap();
    assert_eq!(made["data"]["setting"], "initial_value");

    snapshot!(env.run(&with_state(&["list"])).ok(), @r"
    exit 0
    --- stdout
    NAME  NAMESPACE  REVISION  UPDATED                  STATUS    CHART        APP VERSION
    web   default           1  [time]  deployed  first-0.0.0
    ");
    snapshot!(env.run(&with_state(&["status", "web"])).ok(), @r"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: default
    STATUS: deployed
    REVISION: 1
    CHART: first-0.0.0
    DESCRIPTION: Install complete

    HOOK                    EVENTS        WEIGHT  LAST RUN   AT
    WasmHook/ensure-config  pre-install        1  Succeeded  [time]
    WasmHook/notify         post-install      10  Succeeded  [time]
    ");
    snapshot!(env.run(&with_state(&["history", "web"])).ok(), @r"
    exit 0
    --- stdout
    REVISION  UPDATED                  STATUS    CHART        APP VERSION  DESCRIPTION
           1  [time]  deployed  first-0.0.0               Install complete
    ");
    let hooks = env.run(&with_state(&["get", "hooks", "web"])).ok();
    let text = std::fs::read_to_string(env.path("first/hooks.yaml")).unwrap();
    for document in text.split("---\n") {
        assert!(hooks.stdout.contains(document.trim_end()), "{hooks}");
    }

    snapshot!(env.refuses(&install), @r"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: release name check failed: cannot reuse a name that is still in use

      choose another name, or uninstall the release first
    ");
    assert!(receiver.is_empty(), "a refused install runs no hook");

    snapshot!(env.run(&with_state(&["run", "post-install", "web", "first"])).ok(), @r"
    exit 0
    --- stdout
    Done for release web in default · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      post-install  WasmHook/notify  notified the webhook in credential webhook (200)  [duration]
    ");
    assert_eq!(receiver.next().body, SENT);
    let history = env.run(&with_state(&["history", "web", "-o", "json"])).ok().json();
    assert_eq!(history.as_array().unwrap().len(), 1, "`run` records nothing");
}

#[test]
fn a_config_map_that_exists_is_left_as_it_is() {
    let (env, receiver) = (TestEnv::new(), Receiver::start());
    env.example("first", receiver.port);
    env.write(
        "before.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: my-app-config}\ndata: {setting: mine}\n",
    );
    env.run(&with_state(&["install", "before", "before.yaml"])).ok();
    let before = stored_object(&env, "ConfigMap", "my-app-config").unwrap();
    let report = env.run(&with_state(&["install", "web", "first", "-o", "json"])).ok().json();
    assert_eq!(stored_object(&env, "ConfigMap", "my-app-config").unwrap(), before);
    assert_eq!(report["hooks"][0]["changed"], false);
    snapshot!(report["hooks"][0]["message"].as_str().unwrap(), @"ConfigMap default/my-app-config exists, left as it is");
}

#[test]
fn delete_policies_show_in_the_report() {
    let (env, receiver) = (TestEnv::new(), Receiver::start());
    env.example("first-jobs", receiver.port);
    let report = env.run(&with_state(&["install", "web", "first-jobs", "-o", "json"])).ok().json();
    let jobs: Vec<&Value> =
        report["hooks"].as_array().unwrap().iter().filter(|hook| hook["kind"] == "Job").collect();
    let deleted: Vec<String> =
        jobs.iter().map(|hook| format!("{} {}", hook["name"], hook["deleted"])).collect();
    assert_eq!(deleted, [r#""ensure-config" false"#, r#""notify" true"#]);
    assert!(stored_object(&env, "Job", "ensure-config").is_some());
    assert!(stored_object(&env, "Job", "notify").is_none(), "hook-succeeded deleted it");
    assert!(jobs.iter().all(|hook| hook["simulated"] == true));
    assert!(receiver.is_empty(), "no container ran");
}

#[test]
fn jobs_with_an_annotation_run_the_plugin() {
    let (env, receiver) = (TestEnv::new(), Receiver::start());
    env.example("first-annotated", receiver.port);
    snapshot!(env.run(&with_state(&["install", "web", "first-annotated"])).ok(), @r"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      5 hooks: 5 succeeded
    --- stderr
      ok      pre-install   ServiceAccount/ensure-config  created  [duration]
      ok      pre-install   Role/ensure-config            created  [duration]
      ok      pre-install   RoleBinding/ensure-config     created  [duration]
      ok      pre-install   Job/ensure-config             created ConfigMap default/my-app-config  [duration]
      ok      post-install  Job/notify                    notified 127.0.0.1:[port] (200)  [duration]
    ");
    assert_eq!(receiver.next().body, SENT);
    assert!(stored_object(&env, "Job", "ensure-config").is_none(), "no Job was made");
}

#[test]
fn hooks_of_any_kind_run_in_order() {
    let env = TestEnv::new();
    env.example("ordering", 8642);
    snapshot!(env.run(&with_state(&["install", "web", "ordering"])).ok(), @r#"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      6 hooks: 6 succeeded, 2 simulated by the embedded cluster
      1 object: 1 created (ConfigMap/app)
      note document dropped, "pre-instal" is no hook event
      note document dropped, helm.sh/hook holds an empty event
    --- stderr
    warning: unknown-event

      ⚠ dropped.yaml:7:32: document dropped, "pre-instal" is no hook event
       ╭─[dropped.yaml:7:32]
     6 │   name: misspelt
     7 │   annotations: {helm.sh/hook: "pre-instal"}
       ·                                ───────────
     8 │ ---
       ╰────
      help: did you mean "pre-install"? Helm drops the whole document too, and says so only in its
            debug log
    warning: unknown-event

      ⚠ dropped.yaml:13:44: document dropped, helm.sh/hook holds an empty event
        ╭─[dropped.yaml:13:44]
     12 │   name: trailing-comma
     13 │   annotations: {helm.sh/hook: "pre-install,"}
        ·                                            ─
        ╰────
      help: events are pre-install, post-install, pre-delete, post-delete, pre-upgrade, post-upgrade,
            pre-rollback, post-rollback, test. Helm drops the whole document too, and says so only in
            its debug log
      ok      pre-install   ServiceAccount/first  created  [duration]
      [clock] a  a-[pod]/main: simulated: container main was not run
      ok      pre-install   Job/a                 completed (simulated: no container ran)  [duration]
      ok      pre-install   ServiceAccount/b      created  [duration]
      ok      pre-install   ConfigMap/third       created  [duration]
      ok      post-install  ConfigMap/same        created  [duration]
      [clock] same  same-[pod]/main: simulated: container main was not run
      ok      post-install  Job/same              completed (simulated: no container ran)  [duration]
    "#);
}

#[test]
fn a_manifest_on_stdin_is_a_source() {
    let env = TestEnv::new();
    let text =
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}\n";
    snapshot!(env.run_with(&["plan", "install", "web", "-"], text).ok(), @r"
    exit 0
    --- stdout
    Install web into default · revision 1 · chart stdin 0.0.0

      PHASE        WEIGHT  STEP         RUNS   MAY TOUCH
      pre-install       0  ConfigMap/a  apply

    1 hook, 0 objects. Nothing was changed.
    ");
}

#[test]
fn a_report_is_written_to_a_file_as_json_or_junit() {
    let env = TestEnv::new();
    env.example("ordering", 8642);
    let install = ["install", "web", "ordering", "--cluster", "embedded", "-q"];
    for file in ["report.json", "report.xml"] {
        env.run(&[&install[..], &["--report", file]].concat()).ok();
    }
    let report: Value = serde_json::from_slice(&std::fs::read(env.path("report.json")).unwrap()).unwrap();
    assert_eq!((&report["outcome"], report["hooks"].as_array().unwrap().len()), (&"succeeded".into(), 6));
    snapshot!(std::fs::read_to_string(env.path("report.xml")).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuite name="install web" tests="6" failures="0" skipped="0" errors="0" time="[seconds]" timestamp="[time]">
      <testcase classname="pre-install" name="ServiceAccount/first" time="[seconds]">
      </testcase>
      <testcase classname="pre-install" name="Job/a" time="[seconds]">
        <system-out>simulated: container main was not run</system-out>
      </testcase>
      <testcase classname="pre-install" name="ServiceAccount/b" time="[seconds]">
      </testcase>
      <testcase classname="pre-install" name="ConfigMap/third" time="[seconds]">
      </testcase>
      <testcase classname="post-install" name="ConfigMap/same" time="[seconds]">
      </testcase>
      <testcase classname="post-install" name="Job/same" time="[seconds]">
        <system-out>simulated: container main was not run</system-out>
      </testcase>
    </testsuite>
    "#);
}
