//! Releases from install to uninstall, as their users see them: what is printed, what is stored, what is refused.

use serde_json::Value;

use crate::env::{Run, TestEnv};
use crate::snapshot;

/// An object, an object that goes or comes, a plugin as a hook of every operation, and a test.
fn manifest(value: &str, other: &str) -> String {
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: a}}
data: {{value: \"{value}\"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {other}}}
---
apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata:
  name: ensure
  annotations: {{helm.sh/hook: \"pre-upgrade,pre-rollback,pre-delete\"}}
spec:
  plugin: ensure
  config: {{object: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: made}}}}}}
  permissions: {{kubernetes: [{{apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}}]}}
---
apiVersion: v1
kind: Pod
metadata:
  name: smoke
  annotations: {{helm.sh/hook: test, embedded.boathook.dev/log: all is well}}
spec:
  restartPolicy: Never
  containers: [{{name: main, image: \"busybox:1.37\"}}]
"
    )
}

struct World(TestEnv);

impl World {
    fn new() -> Self {
        let env = TestEnv::new();
        env.write("v1.yaml", manifest("1", "gone"));
        env.write("v2.yaml", manifest("2", "new"));
        Self(env)
    }

    fn run(&self, args: &[&str]) -> Run {
        let state = ["--cluster", "embedded:state.json"];
        self.0.run(&args.iter().copied().chain(state).collect::<Vec<_>>())
    }

    fn json(&self, args: &[&str]) -> Value {
        self.run(&args.iter().copied().chain(["-o", "json"]).collect::<Vec<_>>()).ok().json()
    }
}

#[test]
fn an_upgrade_is_planned_and_done() {
    let world = World::new();
    world.run(&["install", "web", "v1.yaml"]).ok();
    snapshot!(world.run(&["plan", "upgrade", "web", "v2.yaml", "-v"]).ok(), @r"
    exit 0
    --- stdout
    Upgrade web in default · revision 2 · chart v2 0.0.0

      PHASE        WEIGHT  STEP             RUNS                                MAY TOUCH
      pre-upgrade       0  WasmHook/ensure  ensure (built-in)                   get, create configmaps
      apply                ConfigMap/a      apply
                           ConfigMap/new    apply
      delete               ConfigMap/gone   delete, unless kept on the cluster

    1 hook, 3 objects. Nothing was changed.
    ");
    snapshot!(world.run(&["upgrade", "web", "v2.yaml"]).ok(), @r"
    exit 0
    --- stdout
    Release web is deployed in default, revision 2 · [duration]
      1 hook: 1 succeeded
      3 objects: 1 created (ConfigMap/new), 1 configured (ConfigMap/a), 1 deleted (ConfigMap/gone)
    --- stderr
      ok      pre-upgrade   WasmHook/ensure  created ConfigMap default/made  [duration]
    ");
}

/// Hooks and results of a rollback come from the revision that it goes back to; a Wasm hook of ours is among them.
#[test]
fn a_rollback_brings_a_revision_back_with_its_hooks() {
    let world = World::new();
    world.run(&["install", "web", "v1.yaml"]).ok();
    world.run(&["upgrade", "web", "v2.yaml"]).ok();
    let report = world.json(&["rollback", "web"]);
    assert_eq!(report["release"]["revision"], 3);
    assert_eq!(report["hooks"][0]["id"], "pre-rollback/1");
    snapshot!(world.run(&["history", "web", "--show-rollback-revision"]).ok(), @r"
    exit 0
    --- stdout
    REVISION  UPDATED                  STATUS      CHART     APP VERSION  ROLLBACK  DESCRIPTION
           1  [time]  superseded  v1-0.0.0                         Install complete
           2  [time]  superseded  v2-0.0.0                         Upgrade complete
           3  [time]  deployed    v1-0.0.0               1         Rollback to 1
    ");
    let history = world.json(&["history", "web", "--max", "1"]);
    assert_eq!((&history[0]["revision"], &history[0]["rollback_revision"]), (&3.into(), &1.into()));
    assert_eq!(history.as_array().unwrap().len(), 1);
    let plan = world.json(&["plan", "rollback", "web", "2"]);
    assert_eq!((&plan["operation"], &plan["release"]["revision"]), (&"rollback".into(), &4.into()));
}

/// C61 and C62: all hooks, those of ours among them, and how they ended.
#[test]
fn tests_are_run_and_their_results_and_logs_shown() {
    let world = World::new();
    world.run(&["install", "web", "v1.yaml"]).ok();
    let run = world.run(&["test", "web", "--logs"]).ok();
    assert!(run.stdout.contains("Release web is deployed in default, revision 1"), "{run}");
    assert!(run.stdout.ends_with("\nPOD LOGS: smoke (main)\nsimulated: all is well\n"), "{run}");
    snapshot!(world.run(&["status", "web"]).ok(), @r"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: default
    STATUS: deployed
    REVISION: 1
    CHART: v1-0.0.0
    DESCRIPTION: Install complete

    HOOK             EVENTS                               WEIGHT  LAST RUN   AT
    Pod/smoke        test                                      0  Succeeded  [time]
    WasmHook/ensure  pre-upgrade,pre-rollback,pre-delete       0  never ran
    ");
    let hooks = world.run(&["get", "hooks", "web"]).ok().stdout;
    let heads: Vec<&str> =
        hooks.lines().filter(|line| line.starts_with("kind: ") || *line == "---").collect();
    assert_eq!(heads, ["---", "kind: Pod", "---", "kind: WasmHook"], "{hooks}");
    assert!(hooks.starts_with("---\n# Source: v1.yaml\napiVersion: v1\n"), "{hooks}");
    let report = world.json(&["test", "web", "--filter", "!name=smoke"]);
    assert_eq!(report["hooks"].as_array().unwrap().len(), 0);
}

#[test]
fn an_uninstall_says_what_it_kept() {
    let world = World::new();
    let kept =
        manifest("1", "b").replace("{name: b}", "{name: b, annotations: {helm.sh/resource-policy: keep}}");
    world.0.write("kept.yaml", kept);
    world.run(&["install", "web", "kept.yaml"]).ok();
    snapshot!(world.run(&["uninstall", "web", "--wait"]).ok(), @r"
    exit 0
    --- stdout
    Release web is uninstalled in default, revision 1 · [duration]
      1 hook: 1 succeeded
      2 objects: 1 deleted (ConfigMap/a), 1 kept (ConfigMap/b)
      note These resources were kept due to the resource policy:
           [ConfigMap] b
    --- stderr
      ok      pre-delete    WasmHook/ensure  created ConfigMap default/made  [duration]
    ");
    assert_eq!(world.json(&["list", "--all"]).as_array().unwrap().len(), 0);
}

#[test]
fn an_upgrade_that_fails_is_undone_if_asked() {
    let world = World::new();
    world.run(&["install", "web", "v1.yaml"]).ok();
    let broken = manifest("2", "new").replace("data: {value: \"2\"}", "foo: bar");
    world.0.write("broken.yaml", broken);
    let run = world.run(&["upgrade", "web", "broken.yaml", "--atomic", "-o", "json"]);
    assert_eq!(run.code, Some(1), "{run}");
    let report = run.json();
    let message = report["error"]["message"].as_str().unwrap();
    let start = "release web failed, and has been rolled back due to rollback-on-failure being set: ";
    assert!(message.starts_with(start), "{message}");
    assert_eq!(report["recovery"]["operation"], "rollback");
    assert_eq!(
        (&report["recovery"]["revision"], &report["recovery"]["status"]),
        (&3.into(), &"deployed".into())
    );
    let history = world.json(&["history", "web"]);
    let statuses: Vec<&str> =
        history.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["superseded", "failed", "deployed"]);
}

#[test]
fn upgrade_installs_what_is_not_there_if_asked() {
    let world = World::new();
    let run = world.run(&["upgrade", "web", "v1.yaml"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("refused: \"web\" has no deployed releases"), "{run}");
    assert!(run.stderr.contains("boathook upgrade --install web"), "{run}");
    let report = world.json(&["upgrade", "--install", "web", "v1.yaml"]);
    assert_eq!((&report["operation"], &report["release"]["revision"]), (&"install".into(), &1.into()));
    world.run(&["uninstall", "web", "--keep-history", "--description", "for now"]).ok();
    assert_eq!(world.json(&["history", "web"])[0]["description"], "for now");
    let again = world.run(&["install", "web", "v1.yaml"]);
    assert!(again.stderr.contains("cannot reuse a name that is still in use"), "{again}");
    let report = world.json(&["install", "web", "v1.yaml", "--replace"]);
    assert_eq!(report["release"]["revision"], 2);
}

/// What is refused before anything is written: the words, the exit code, and nothing else.
#[test]
fn what_the_history_does_not_allow_is_refused() {
    let world = World::new();
    for (args, message) in [
        (&["rollback", "web"][..], "refused: release: not found"),
        (&["uninstall", "web"], "refused: uninstall: Release not loaded: web: release: not found"),
        (&["test", "web"], "refused: release: not found"),
        (&["upgrade", "web", "v1.yaml"], "refused: \"web\" has no deployed releases"),
    ] {
        let run = world.run(args);
        assert_eq!((run.code, run.stdout.lines().count()), (Some(1), 1), "{run}");
        assert!(run.stderr.contains(message), "{run}");
        let report = world.run(&[args, &["-o", "json"]].concat()).json();
        assert_eq!((&report["outcome"], &report["exitCode"]), (&"refused".into(), &1.into()), "{report}");
    }
    world.run(&["install", "web", "v1.yaml"]).ok();
    let run = world.run(&["rollback", "web", "7"]);
    assert!(run.stderr.contains("refused: release has no 7 version"), "{run}");
    let run = world.run(&["plan", "rollback", "web"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("error: release has no 0 version"), "{run}");
}

#[test]
fn wrong_arguments_are_told_before_the_cluster_is_asked() {
    let world = World::new();
    let long = "x".repeat(257);
    for (args, message) in [
        (
            &["rollback", "web", "--description", &long][..],
            "description must be 256 characters or less, got 257",
        ),
        (&["rollback", "web", "x"], "invalid value 'x' for '[REVISION]'"),
        (&["test", "web", "--filter", "kind=Pod"], "no filter: \"kind=Pod\""),
        (
            &["install", "web", "v1.yaml", "-l", "status=x"],
            "user supplied labels contains system reserved label name. System labels: [name owner status version createdAt \
             modifiedAt]",
        ),
        (&["uninstall", "web", "--cascade", "maybe"], "invalid value 'maybe' for '--cascade <HOW>'"),
    ] {
        let run = world.run(args);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.stderr.contains(message), "{run}");
    }
    assert!(!world.0.path("state.json").exists(), "nothing was opened");
    world.run(&["install", "web", "v1.yaml", "--server-side=false"]).ok();
    let run = world.run(&["upgrade", "web", "v2.yaml", "--force-conflicts"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.stderr.contains("forceConflicts enabled when serverSideApply disabled"), "{run}");
}

#[test]
fn labels_go_along_with_a_release() {
    let world = World::new();
    world.run(&["install", "web", "v1.yaml", "-l", "team=a,old=x"]).ok();
    world.run(&["upgrade", "web", "v2.yaml", "-l", "old=null,new=y", "--history-max", "1"]).ok();
    let state: Value = serde_json::from_slice(&std::fs::read(world.0.path("state.json")).unwrap()).unwrap();
    let labels = |name: &str| {
        let objects = state["objects"].as_array().unwrap();
        let object = objects.iter().find(|entry| entry["object"]["metadata"]["name"] == name)?;
        Some(object["object"]["metadata"]["labels"].clone())
    };
    let found = labels("sh.helm.release.v1.web.v2").unwrap();
    assert_eq!((&found["team"], &found["new"], &found["old"]), (&"a".into(), &"y".into(), &Value::Null));
    assert_eq!(found["boathook.dev/wasm-hooks"], "2");
    assert!(labels("sh.helm.release.v1.web.v1").is_some(), "the deployed revision is never pruned");
}

/// Which values an upgrade starts from, and what templates are told of it.
#[test]
fn an_upgrade_of_a_chart_starts_from_the_values_of_its_mode() {
    let Some(env) = TestEnv::with_engine() else { return };
    let world = World(env);
    let chart = |own: &str| {
        world.0.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
        world.0.write("chart/values.yaml", format!("own: {own}\ngiven: default\n"));
        world.0.write(
            "chart/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  told: \"{{ .Values.own }} {{ .Values.given }} \
             {{ .Release.Revision }} {{ .Release.IsUpgrade }}\"\n",
        );
    };
    let told = || {
        let text = world.run(&["get", "manifest", "web"]).ok().stdout;
        text.lines().find_map(|line| line.trim().strip_prefix("told: ")).unwrap().replace('"', "")
    };
    chart("one");
    world.run(&["install", "web", "chart", "--set", "given=first"]).ok();
    assert_eq!(told(), "one first 1 false");
    chart("two");
    let upgrade = |flags: &[&str]| {
        world.run(&[&["upgrade", "web", "chart"], flags].concat()).ok();
        told()
    };
    assert_eq!(upgrade(&[]), "two first 2 true", "the last values, the new defaults");
    assert_eq!(upgrade(&["--set", "other=1"]), "two default 3 true", "new ones take the place of all");
    assert_eq!(upgrade(&["--reset-then-reuse-values", "--set", "given=second"]), "two second 4 true");
    chart("three");
    assert_eq!(upgrade(&["--reuse-values"]), "two second 5 true", "with the defaults of that time");
    let values = world.run(&["get", "values", "web"]).ok().json();
    assert_eq!(values, serde_json::json!({"given": "second", "other": 1}));
    assert_eq!(upgrade(&["--reset-values"]), "three default 6 true");
    assert_eq!(world.run(&["get", "values", "web"]).ok().json(), Value::Null);
    world.run(&["rollback", "web", "4"]).ok();
    assert_eq!(told(), "two second 4 true", "a rollback renders nothing");
}

/// C63 and C64: by kind, then file, then place; hooks last, and tests left out if asked.
#[test]
fn a_template_comes_in_the_order_of_helm() {
    let Some(env) = TestEnv::with_engine() else { return };
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
    let object = |kind: &str, name: &str, hook: &str| {
        let hook =
            if hook.is_empty() { String::new() } else { format!(", annotations: {{helm.sh/hook: {hook}}}") };
        format!("---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}{hook}}}\n")
    };
    let first =
        object("Service", "s", "") + &object("ConfigMap", "b", "") + &object("ConfigMap", "t", "test");
    env.write("chart/templates/one.yaml", first + &object("ConfigMap", "a", ""));
    env.write(
        "chart/templates/two.yaml",
        object("Secret", "x", "") + &object("ConfigMap", "c", "") + &object("ConfigMap", "h", "pre-install"),
    );
    let names = |flags: &[&str]| {
        let run = env.run(&[&["template", "web", "chart"], flags].concat()).ok();
        let name =
            |line: &str| Some(line.strip_prefix("metadata: {name: ")?.split([',', '}']).next()?.to_owned());
        run.stdout.lines().filter_map(name).collect::<Vec<String>>().join(" ")
    };
    assert_eq!(names(&[]), "x b a c s t h");
    assert_eq!(names(&["--skip-tests"]), "x b a c s h");
}
