//! Charts that render differently each time: plans say where, and a plan that was kept is applied as it was rendered.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::env::{Run, TestEnv};
use crate::snapshot;

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  user: {{ .Values.user }}\n  \
                      password: {{ randAlphaNum 24 }}\n";
const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {user: \"{{ .Values.user }}\"}\n";

/// A folder with a chart of these templates.
fn chart(templates: &[(&str, &str)]) -> Option<TestEnv> {
    let env = TestEnv::with_engine()?;
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
    env.write("chart/values.yaml", "user: app\n");
    for (name, text) in templates {
        env.write(&format!("chart/templates/{name}"), text);
    }
    Some(env)
}

/// A chart with a password of chance.
fn chance() -> Option<TestEnv> {
    chart(&[("secret.yaml", SECRET), ("a.yaml", CONFIG_MAP), ("NOTES.txt", "for {{ .Values.user }}")])
}

fn on(env: &TestEnv, args: &[&str]) -> Run {
    env.run(&[args, &["--cluster", "embedded:state.json"]].concat())
}

/// The line of a password in the release's manifest.
fn password(env: &TestEnv) -> String {
    let manifest = on(env, &["get", "manifest", "web"]).ok().stdout;
    manifest.lines().find(|line| line.contains("password: ")).unwrap().trim().to_owned()
}

/// The second line of a plan file.
fn content(env: &TestEnv, file: &str) -> Value {
    let text = std::fs::read_to_string(env.path(file)).unwrap();
    serde_json::from_str(text.lines().nth(1).unwrap()).unwrap()
}

#[test]
fn a_plan_says_which_templates_are_not_deterministic() {
    let Some(env) = chance() else { return };
    env.write(
        "chart/templates/day.yaml",
        CONFIG_MAP.replace("name: a", "name: b, labels: {day: \"{{ now | date \"Mon\" }}\"}"),
    );
    snapshot!(env.run(&["plan", "install", "web", "chart"]), @"
    exit 0
    --- stdout
    Install web into default · revision 1 · chart c 0.1.0

      PHASE  WEIGHT  STEP       RUNS   MAY TOUCH
      apply          3 objects  apply  (-v lists them)

    0 hooks, 3 objects. Nothing was changed.
    --- stderr
    warning: not-deterministic

      ⚠ c/templates/day.yaml:3: renders differently each time, first in this line
      help: a command that is given the chart renders it anew; `--out FILE` keeps this render, and
            `--plan FILE` of the command applies it
    warning: not-deterministic

      ⚠ c/templates/secret.yaml:6: renders differently each time, first in this line
    ");
    let plan = env.run(&["plan", "install", "web", "chart", "-o", "json"]).ok().json();
    assert_eq!(
        plan["notDeterministic"],
        serde_json::json!(["c/templates/day.yaml", "c/templates/secret.yaml"])
    );
    std::fs::remove_file(env.path("chart/templates/day.yaml")).unwrap();
    std::fs::remove_file(env.path("chart/templates/secret.yaml")).unwrap();
    let plan = env.run(&["plan", "install", "web", "chart", "-o", "json"]).ok();
    assert_eq!((plan.json().get("notDeterministic"), plan.stderr.as_str()), (None, ""));
}

#[test]
fn each_function_of_chance_clock_and_map_is_seen() {
    const FUNCTIONS: [&str; 31] = [
        "randAlphaNum 9",
        "randAlpha 9",
        "randAscii 9 | quote",
        "randNumeric 9",
        "randBytes 9",
        "randInt 0 1000000000",
        "shuffle \"abcdefghijklmnopqrstuvwxyz\"",
        "uuidv4",
        "genPrivateKey \"ecdsa\" | b64enc",
        "(genCA \"a\" 1).Cert | b64enc",
        "(genSelfSignedCert \"a\" nil nil 1).Cert | b64enc",
        "htpasswd \"a\" \"b\"",
        "bcrypt \"a\"",
        "encryptAES \"a\" \"b\"",
        "now",
        "now.Year",
        "now | date \"2006\"",
        "now | date \"01\"",
        "now | date \"02\"",
        "now | date \"15\"",
        "now | date \"04\"",
        "now | date \"05\"",
        "now | date \"Mon\"",
        "now | htmlDate",
        "htmlDateInZone now \"UTC\"",
        "dateInZone \"2006\" \"no time\" \"UTC\"",
        "date_in_zone \"2006\" \"no time\" \"UTC\"",
        "ago (toDate \"2006-01-02\" \"2020-01-01\")",
        "durationRound (toDate \"2006-01-02\" \"2026-06-01\")",
        "keys (dict \"a\" 1 \"b\" 2 \"c\" 3 \"d\" 4 \"e\" 5 \"f\" 6 \"g\" 7 \"h\" 8 \"i\" 9) | toJson",
        "values (dict \"a\" 1 \"b\" 2 \"c\" 3 \"d\" 4 \"e\" 5 \"f\" 6 \"g\" 7 \"h\" 8 \"i\" 9) | toJson",
    ];
    let Some(env) = chart(&[]) else { return };
    for (index, function) in FUNCTIONS.iter().enumerate() {
        let text = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{index}}}\ndata:\n  a: |\n    {{{{ {function} }}}}\n"
        );
        env.write(&format!("chart/templates/{index:02}.yaml"), text);
    }
    let plan = env.run(&["plan", "install", "web", "chart", "-q", "-o", "json"]).ok().json();
    let told = plan["notDeterministic"].as_array().unwrap();
    for (index, function) in FUNCTIONS.iter().enumerate() {
        assert!(told.contains(&format!("c/templates/{index:02}.yaml").into()), "{function}");
    }
}

#[test]
fn functions_in_values_are_seen() {
    let Some(env) = chart(&[(
        "a.yaml",
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {a: \"{{ tpl .Values.text . }}\"}",
    )]) else {
        return;
    };
    for (text, told) in [("{{ uuidv4 }}", true), ("{{ .Release.Name }}", false)] {
        let plan = ["plan", "install", "web", "chart", "-q", "-o", "json", "--set-literal"];
        let plan = env.run(&[&plan[..], &[&format!("text={text}")]].concat()).ok().json();
        assert_eq!(plan.get("notDeterministic").is_some(), told, "{text}");
    }
}

#[test]
fn what_was_planned_is_what_is_applied() {
    let Some(env) = chance() else { return };
    snapshot!(env.run(&["plan", "install", "web", "chart", "-n", "prod", "--set", "user=me", "--out", "web.plan"]).stderr, @"
    warning: not-deterministic

      ⚠ c/templates/secret.yaml:6: renders differently each time, first in this line
      help: a command that is given the chart renders it anew; `--out FILE` keeps this render, and
            `--plan FILE` of the command applies it
    The plan is in web.plan: `boathook install web -n prod --plan web.plan`
    ");
    let planned = content(&env, "web.plan");
    let secret = planned["input"]["sources"][1]["text"].as_str().unwrap().to_owned();
    // Neither the chart nor its values are asked any more.
    std::fs::remove_dir_all(env.path("chart")).unwrap();
    on(&env, &["install", "web", "--plan", "web.plan", "--create-namespace"]).ok();
    let namespace = ["-n", "prod"];
    let manifest = on(&env, &[&["get", "manifest", "web"], &namespace[..]].concat()).ok().stdout;
    assert!(manifest.contains(secret.trim()), "{manifest}\n{secret}");
    let values = on(&env, &[&["get", "values", "web"], &namespace[..]].concat()).ok().json();
    assert_eq!(values, serde_json::json!({"user": "me"}));
    let all = on(&env, &[&["get", "all", "web"], &namespace[..]].concat()).ok().stdout;
    assert!(all.contains("for me"), "{all}");
    let list = on(&env, &["list", "-n", "prod", "-o", "json"]).ok().json();
    assert_eq!(list[0]["chart"], "c-0.1.0");
}

#[test]
fn an_upgrade_is_carried_out_as_it_was_planned() {
    let Some(env) = chance() else { return };
    on(&env, &["plan", "upgrade", "web", "chart", "--install", "--out", "web.plan"]).ok();
    snapshot!(on(&env, &["upgrade", "--plan", "web.plan"]), @r#"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      2 objects: 2 created (Secret/db, ConfigMap/a)
      note release "web" does not exist: it is installed

    NOTES:
    for app
    --- stderr
    info: installs

      ☞ release "web" does not exist: it is installed
    "#);
    let first = password(&env);
    env.write("chart/templates/a.yaml", CONFIG_MAP.replace("name: a", "name: b"));
    on(&env, &["plan", "upgrade", "web", "chart", "--out", "web.plan"]).ok();
    let planned = content(&env, "web.plan")["input"].to_string();
    on(&env, &["upgrade", "--plan", "web.plan", "--rollback-on-failure", "--description", "as reviewed"])
        .ok();
    let second = password(&env);
    assert!(first != second && planned.contains(&second), "{second}\n{planned}");
    let history = on(&env, &["history", "web", "-o", "json"]).ok().json();
    assert_eq!(history[1]["description"], "as reviewed");
}

#[test]
fn a_plan_is_not_carried_out_once_the_release_has_moved_on() {
    let Some(env) = chance() else { return };
    env.run(&["plan", "install", "web", "chart", "--out", "install.plan"]).ok();
    on(&env, &["install", "--plan", "install.plan"]).ok();
    on(&env, &["plan", "upgrade", "web", "chart", "--out", "upgrade.plan"]).ok();
    let before = std::fs::read(env.path("state.json")).unwrap();
    let mut said = on(&env, &["install", "--plan", "install.plan"]).to_string();
    assert!(before == std::fs::read(env.path("state.json")).unwrap(), "nothing is changed");
    on(&env, &["uninstall", "web"]).ok();
    said += &on(&env, &["upgrade", "--plan", "upgrade.plan"]).to_string();
    // As many revisions as before, in the same state: another release all the same.
    on(&env, &["install", "web", "chart"]).ok();
    said += &on(&env, &["upgrade", "--plan", "upgrade.plan"]).to_string();
    on(&env, &["upgrade", "web", "chart"]).ok();
    said += &on(&env, &["upgrade", "--plan", "upgrade.plan"]).to_string();
    let report = on(&env, &["upgrade", "--plan", "upgrade.plan", "-o", "json"]).json();
    assert_eq!((&report["outcome"], &report["error"]["code"]), (&"refused".into(), &"locked".into()));
    snapshot!(said, @"
    exit 5
    --- stdout
    Refused: nothing was changed · [duration] (exit code 5)
    --- stderr

    refused: release web was changed since this plan was made: there was no revision, now revision 1 (deployed)

      nothing was done: plan again, and look at what is different

    exit 5
    --- stdout
    Refused: nothing was changed · [duration] (exit code 5)
    --- stderr

    refused: release web was changed since this plan was made: there was revision 1 (deployed), now no revision

      nothing was done: plan again, and look at what is different

    exit 5
    --- stdout
    Refused: nothing was changed · [duration] (exit code 5)
    --- stderr

    refused: release web was changed since this plan was made: there was revision 1 (deployed), now another revision 1 (deployed)

      nothing was done: plan again, and look at what is different

    exit 5
    --- stdout
    Refused: nothing was changed · [duration] (exit code 5)
    --- stderr

    refused: release web was changed since this plan was made: there was revision 1 (deployed), now revision 2 (deployed)

      nothing was done: plan again, and look at what is different
    ");
}

#[test]
fn what_is_no_plan_for_this_is_refused() {
    let Some(env) = chance() else { return };
    env.run(&["plan", "install", "web", "chart", "--out", "web.plan"]).ok();
    let plan = std::fs::read_to_string(env.path("web.plan")).unwrap();
    env.write("cut.plan", &plan[..plan.len() / 2]);
    env.write("changed.plan", plan.replace("password", "passwort"));
    env.write("newer.plan", plan.replace("\"format\":1", "\"format\":2"));
    env.write("shown.plan", env.run(&["plan", "install", "web", "chart", "-o", "json"]).ok().stdout);
    env.write("empty.plan", "");
    let mut said = String::new();
    for args in [
        &["install", "--plan", "cut.plan"][..],
        &["install", "--plan", "changed.plan"],
        &["install", "--plan", "newer.plan"],
        &["install", "--plan", "shown.plan"],
        &["install", "--plan", "empty.plan"],
        &["install", "--plan", "missing.plan"],
        &["install", "other", "--plan", "web.plan"],
        &["install", "web", "--plan", "web.plan", "-n", "other"],
        &["upgrade", "web", "--plan", "web.plan"],
        &["install", "web", "chart", "--plan", "web.plan"],
        &["install", "web", "--plan", "web.plan", "--set", "user=me"],
        &["install", "web", "--plan", "web.plan", "--replace"],
        &["upgrade", "--plan", "web.plan", "--reuse-values"],
        &["install", "web"],
    ] {
        said += &format!("$ {}\n{}", args.join(" "), on(&env, args));
    }
    assert!(!env.path("state.json").exists());
    snapshot!(said, @"
    $ install --plan cut.plan
    exit 3
    --- stderr
    error: cut.plan is damaged: its content does not have its digest
      help: plan again: `boathook plan … --out FILE`
    $ install --plan changed.plan
    exit 3
    --- stderr
    error: changed.plan is damaged: its content does not have its digest
      help: plan again: `boathook plan … --out FILE`
    $ install --plan newer.plan
    exit 3
    --- stderr
    error: newer.plan has format 2, and this program knows 1: a newer one wrote it
      help: carry it out with that program, or plan again with this one
    $ install --plan shown.plan
    exit 3
    --- stderr
    error: shown.plan is no plan file
      help: plan again: `boathook plan … --out FILE`
    $ install --plan empty.plan
    exit 3
    --- stderr
    error: empty.plan is no plan file
      help: plan again: `boathook plan … --out FILE`
    $ install --plan missing.plan
    exit 3
    --- stderr
    error: cannot read missing.plan: No such file or directory (os error 2)
    $ install other --plan web.plan
    exit 2
    --- stderr
    error: web.plan holds a plan for release web, not other
      help: carry it out with `boathook install web -n default --plan web.plan`, or plan anew
    $ install web --plan web.plan -n other
    exit 2
    --- stderr
    error: web.plan holds a plan for namespace default, not other
      help: carry it out with `boathook install web -n default --plan web.plan`, or plan anew
    $ upgrade web --plan web.plan
    exit 2
    --- stderr
    error: web.plan holds a plan for command install, not upgrade
      help: carry it out with `boathook install web -n default --plan web.plan`, or plan anew
    $ install web chart --plan web.plan
    exit 2
    --- stderr
    error: the argument '[SOURCE]' cannot be used with '--plan <FILE>'

    Usage: boathook install --cluster <CLUSTER> <NAME> <SOURCE>

    For more information, try '--help'.
    $ install web --plan web.plan --set user=me
    exit 2
    --- stderr
    error: the argument '--plan <FILE>' cannot be used with '--set <KEY=VALUE>'

    Usage: boathook install --plan <FILE> --cluster <CLUSTER> <NAME> [SOURCE]

    For more information, try '--help'.
    $ install web --plan web.plan --replace
    exit 2
    --- stderr
    error: the argument '--plan <FILE>' cannot be used with '--replace'

    Usage: boathook install --plan <FILE> --cluster <CLUSTER> <NAME> [SOURCE]

    For more information, try '--help'.
    $ upgrade --plan web.plan --reuse-values
    exit 2
    --- stderr
    error: the argument '--plan <FILE>' cannot be used with '--reuse-values'

    Usage: boathook upgrade --plan <FILE> --cluster <CLUSTER> [NAME] [SOURCE]

    For more information, try '--help'.
    $ install web
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <SOURCE>

    Usage: boathook install --cluster <CLUSTER> <NAME> <SOURCE>

    For more information, try '--help'.
    ");
}

#[test]
fn another_plugin_than_was_planned_does_not_run() {
    let env = TestEnv::new();
    env.write("hook.yaml", "apiVersion: boathook.dev/v1alpha1\nkind: WasmHook\nmetadata:\n  name: h\n  annotations: {helm.sh/hook: pre-install}\nspec:\n  plugin: p\n  config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: made}}}\n  permissions: {kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}]}\n");
    let plugin = std::fs::read(crate::env::root().join("target/boathook-plugins/ensure.wasm")).unwrap();
    // A section that says nothing: the same program with another digest.
    let other = [&plugin[..], &[0, 2, 1, b'x']].concat();
    let folder = ["--plugin-dir", "plugins"];
    env.write("plugins/p.wasm", &plugin);
    env.run(&[&["plan", "install", "web", "hook.yaml", "--out", "web.plan"], &folder[..]].concat()).ok();
    let install = [&["install", "--plan", "web.plan"], &folder[..]].concat();
    env.write("plugins/p.wasm", other);
    snapshot!(on(&env, &install), @"
    exit 3
    --- stderr
    error: pre-install/1 would run another plugin than was planned
      help: plan again with what there is now
    ");
    env.write("plugins/p.wasm", plugin);
    on(&env, &install).ok();
}

#[test]
fn a_plan_file_is_its_owners_alone() {
    let Some(env) = chance() else { return };
    env.write("web.plan", "something of mine");
    let plan = ["plan", "install", "web", "chart", "--out", "web.plan"];
    env.write("chart/templates/a.yaml", "kind: ConfigMap\n");
    assert_eq!(env.run(&plan).code, Some(3));
    assert_eq!(
        std::fs::read_to_string(env.path("web.plan")).unwrap(),
        "something of mine",
        "a plan with errors"
    );
    env.write("chart/templates/a.yaml", CONFIG_MAP);
    env.run(&plan).ok();
    assert_eq!(env.path("web.plan").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut files: Vec<_> =
        std::fs::read_dir(env.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    files.sort();
    assert_eq!(files, ["chart", "tmp", "web.plan"], "nothing else is left");
    snapshot!(env.run(&["plan", "install", "web", "chart", "-q", "--out", "none/web.plan"]).stderr, @"error: cannot write the plan to none/web.plan: there is no such folder");
}

#[test]
fn a_plan_on_the_cluster_keeps_what_templates_found_there() {
    let found = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: found}\ndata:\n  other: {{ (lookup \"v1\" \"ConfigMap\" \
                 .Release.Namespace \"other\").data.a }}\n  version: {{ .Capabilities.KubeVersion.Version }}\n";
    let Some(env) = chart(&[("a.yaml", found)]) else { return };
    env.write("other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: here}\n");
    on(&env, &["install", "base", "other.yaml"]).ok();
    env.write("grant.yaml", "kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get]}]\n");
    let plan = [
        "plan",
        "install",
        "web",
        "chart",
        "--on-cluster",
        "--lookup-grant",
        "grant.yaml",
        "--out",
        "web.plan",
    ];
    on(&env, &plan).ok();
    on(&env, &["install", "--plan", "web.plan"]).ok();
    snapshot!(on(&env, &["get", "manifest", "web"]), @"
    exit 0
    --- stdout
    ---
    # Source: c/templates/a.yaml
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: found}
    data:
      other: here
      version: v1.36.0+boathook-embedded
    ");
    snapshot!(on(&env, &plan), @"
    exit 1
    --- stderr
    error: release name check failed: cannot reuse a name that is still in use
      help: choose another name, or uninstall the release first
    ");
}

#[test]
fn plain_manifests_and_chosen_hooks_are_kept_too() {
    let env = TestEnv::new();
    env.example("first-jobs", 8642);
    let plan = ["plan", "install", "web", "first-jobs", "--skip-hook", "Job/notify", "--out", "web.plan"];
    env.run(&plan).ok();
    std::fs::remove_dir_all(env.path("first-jobs")).unwrap();
    let report = on(&env, &["install", "--plan", "web.plan", "-o", "json"]).ok().json();
    let ids: Vec<&str> =
        report["hooks"].as_array().unwrap().iter().map(|hook| hook["name"].as_str().unwrap()).collect();
    assert!(ids.contains(&"ensure-config") && !ids.contains(&"notify"), "{ids:?}");
}
