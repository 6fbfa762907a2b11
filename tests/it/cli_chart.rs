//! Charts: rendered by Helm's engine in the sandbox, with what they may see of a cluster; and by the user's helm.

use std::process::Command;

use boathook_core::Object;
use boathook_core::release::codec;
use serde_json::Value;

use crate::env::{TestEnv, tool};
use crate::receiver::Receiver;
use crate::snapshot;

#[test]
fn a_chart_without_helm_says_what_is_missing() {
    let env = TestEnv::new();
    env.example("first-chart", 8642);
    snapshot!(env.refuses(&["plan", "install", "web", "first-chart", "--helm", "./no-helm"]), @r#"
    exit 3
    --- stderr
    error: cannot render the chart: no "./no-helm" program (No such file or directory (os error 2))
      help: charts are rendered by Helm: install helm 3 or 4, or name it with --helm or BOATHOOK_HELM;
            rendered manifests work without it: boathook … FILE
    "#);
}

#[test]
fn a_chart_is_rendered_with_values_and_installed() {
    let Some(helm) = tool("helm") else { return };
    let (env, receiver) = (TestEnv::new(), Receiver::start());
    env.example("first-chart", receiver.port);
    let url = format!("slackWebhookUrl=http://127.0.0.1:{}/services/chart", receiver.port);
    let helm = helm.to_string_lossy().into_owned();
    let install =
        ["install", "web", "first-chart", "--helm", &helm, "--set", &url, "--cluster", "embedded:state.json"];
    env.run(&install).ok();
    let request = receiver.next();
    assert_eq!(request.line, "POST /services/chart");
    assert_eq!(
        request.body,
        r#"{"text":"Deployment of release 'web' in namespace 'default' completed successfully!"}"#
    );
    let list = env.run(&["list", "--cluster", "embedded:state.json", "-o", "json"]).ok().json();
    assert_eq!((&list[0]["name"], &list[0]["status"]), (&"web".into(), &"deployed".into()));
    assert!(list[0]["chart"].as_str().unwrap().starts_with("first-chart-"), "{list}");
    let values = env.run(&["get", "values", "web", "--cluster", "embedded:state.json"]).ok().json();
    assert_eq!(values["slackWebhookUrl"], format!("http://127.0.0.1:{}/services/chart", receiver.port));
}

#[test]
fn what_helm_says_of_a_broken_chart_is_shown() {
    let Some(helm) = tool("helm") else { return };
    let env = TestEnv::new();
    env.example("first-chart", 8642);
    env.write("first-chart/templates/broken.yaml", "{{ .Values.a.b.c | nonsense }}\n");
    let run = env.refuses(&["plan", "install", "web", "first-chart", "--helm", &helm.to_string_lossy()]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stderr.contains("nonsense"), "{run}");
}

/// A chart that looks for a Secret.
const LOOKING: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: found}
data:
  password: {{ (lookup "v1" "Secret" .Release.Namespace "db").data | toJson | quote }}
  version: {{ .Capabilities.KubeVersion.Version }}
  serves: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
"#;

fn looking(env: &TestEnv) {
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: looking\nversion: 0.1.0\n");
    env.write("chart/templates/a.yaml", LOOKING);
    env.write(
        "db.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: hunter22}\n",
    );
    env.run(&["install", "base", "db.yaml", "--cluster", "embedded:state.json"]).ok();
}

#[test]
fn a_chart_needs_nothing_but_the_program() {
    let Some(env) = TestEnv::with_engine() else { return };
    let receiver = Receiver::start();
    env.example("first-chart", receiver.port);
    let url = format!("slackWebhookUrl=http://127.0.0.1:{}/services/chart", receiver.port);
    let mut command = env.command(&["install", "web", "first-chart", "--set", &url, "--cluster", "embedded"]);
    let status = command.env("PATH", "").output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert_eq!(receiver.next().line, "POST /services/chart");
}

#[test]
fn lookup_without_a_grant_is_refused_with_the_lines_to_add() {
    let Some(env) = TestEnv::with_engine() else { return };
    looking(&env);
    let install = ["install", "web", "chart", "--cluster", "embedded:state.json"];
    snapshot!(env.refuses(&install), @r#"
    exit 6
    --- stderr
    error: template: looking/templates/a.yaml:5:16: executing "looking/templates/a.yaml" at <lookup "v1" "Secret" .Release.Namespace "db">: error calling lookup: not allowed to get secrets/db in default: no permission allows it
      help: if this is what you want, write it to a file and name that with --lookup-grant:
            permissions:
              kubernetes:
              - {apiGroups: [""], resources: [secrets], verbs: [get], resourceNames: [db]}
    "#);
}

#[test]
fn lookup_reads_what_is_granted_and_templates_see_the_cluster() {
    let Some(env) = TestEnv::with_engine() else { return };
    looking(&env);
    env.write(
        "grant.yaml",
        "permissions:\n  kubernetes:\n  - {apiGroups: [\"\"], resources: [secrets], verbs: [get], resourceNames: [db]}\n",
    );
    let cluster = ["--cluster", "embedded:state.json"];
    env.run(&[&["install", "web", "chart", "--lookup-grant", "grant.yaml"], &cluster[..]].concat()).ok();
    snapshot!(env.run(&[&["get", "manifest", "web"], &cluster[..]].concat()), @r#"
    exit 0
    --- stdout
    ---
    # Source: looking/templates/a.yaml
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: found}
    data:
      password: "{\"password\":\"aHVudGVyMjI=\"}"
      version: v1.36.0+boathook-embedded
      serves: "true"
    "#);
}

#[test]
fn a_plan_without_a_cluster_finds_nothing_there() {
    let Some(env) = TestEnv::with_engine() else { return };
    looking(&env);
    let plan = env.run(&["plan", "install", "web", "chart", "-v", "--kube-version", "1.30.1"]).ok();
    assert!(plan.stdout.contains("ConfigMap/found"), "{plan}");
    env.write("grant.yaml", "");
    snapshot!(env.run(&["plan", "install", "web", "chart", "--lookup-grant", "grant.yaml"]), @"
    exit 2
    --- stderr
    error: --lookup-grant needs a cluster to look into
      help: without one `lookup` finds nothing, as with `helm template`
    ");
}

/// The example of docs/charts.md.
#[test]
fn the_example_of_lookup_keeps_its_password() {
    let Some(env) = TestEnv::with_engine() else { return };
    env.example("lookup", 8642);
    let run = |operation: &str, more: &[&str]| {
        env.run(&[&[operation, "db", "lookup/chart", "--cluster", "embedded:state.json"], more].concat())
    };
    assert_eq!(run("install", &[]).code, Some(6));
    let grant = ["--lookup-grant", "lookup/grant.yaml"];
    run("install", &grant).ok();
    let manifest = || env.run(&["get", "manifest", "db", "--cluster", "embedded:state.json"]).ok().stdout;
    let first = manifest();
    let upgraded = run("upgrade", &grant).ok();
    assert!(upgraded.stdout.contains("1 unchanged (Secret/db)"), "{upgraded}");
    assert_eq!(manifest(), first);
}

#[test]
fn every_violation_of_a_schema_is_told() {
    let Some(env) = TestEnv::with_engine() else { return };
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
    env.write("chart/values.yaml", "port: text\nmode: never\n");
    let schema = r#"{"required": ["name"], "additionalProperties": false,
        "properties": {"port": {"type": "integer"}, "mode": {"enum": ["fast"]}, "sub": {}, "name": {}, "global": {}}}"#;
    env.write("chart/values.schema.json", schema);
    env.write("chart/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n");
    env.write("chart/charts/sub/values.schema.json", r#"{"required": ["size"]}"#);
    let run = env.refuses(&["template", "web", "chart", "--set", "more=1"]);
    assert_eq!(run.code, Some(3));
    // Their order is chance, as with Helm.
    let mut lines: Vec<&str> = run.stderr.lines().collect();
    lines.sort_unstable();
    snapshot!(lines.join("\n"), @"
    - at '': additional properties 'more' not allowed
    - at '': missing property 'name'
    - at '': missing property 'size'
    - at '/mode': value must be 'fast'
    - at '/port': got string, want integer
    c:
    error: values don't meet the specifications of the schema(s) in the following chart(s):
    sub:
    ");
}

#[test]
fn grants_that_make_no_sense_for_charts_are_refused() {
    let Some(env) = TestEnv::with_engine() else { return };
    looking(&env);
    let mut said = String::new();
    for grant in [
        "http: [{url: \"https://example.com/\"}]",
        "kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}]",
        "kubernetes: [{apiGroups: [\"\"], resources: [configmaps, secrets], verbs: [get]}]",
        "kubernetes: [{apiGroups: [\"\"], resources: [secrets], verbs: [get], resourceNames: [\"*\"]}]",
        "kubernetes: [{resources: [secrets]}]",
    ] {
        env.write("grant.yaml", grant);
        let install =
            ["install", "web", "chart", "--lookup-grant", "grant.yaml", "--cluster", "embedded:state.json"];
        said += &env.refuses(&install).to_string();
    }
    snapshot!(said, @"
    exit 3
    --- stderr
    error: grant.yaml: templates send no HTTP requests: only `kubernetes` can be granted
    exit 3
    --- stderr
    error: grant.yaml: templates only look: verb create cannot be granted, get and list can
    exit 3
    --- stderr
    error: grant.yaml: Secrets are granted by name: add resourceNames to the rule. The data of others is never shown, and a template would take it for empty
    exit 3
    --- stderr
    error: grant.yaml: Secrets are granted by name: add resourceNames to the rule. The data of others is never shown, and a template would take it for empty
    exit 3
    --- stderr
    error: grant.yaml: kubernetes[0]: missing field `apiGroups`
    ");
}

#[test]
fn lookup_lists_what_it_may_list() {
    let Some(env) = TestEnv::with_engine() else { return };
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: looking\nversion: 0.1.0\n");
    let template = r#"kind: ConfigMap
apiVersion: v1
metadata: {name: found}
data:
  here: {{ range (lookup "v1" "ConfigMap" .Release.Namespace "").items }}{{ .metadata.name }},{{ end }}
  everywhere: {{ range (lookup "v1" "ConfigMap" "" "").items }}{{ .metadata.namespace }}/{{ .metadata.name }},{{ end }}
  kind: {{ (lookup "v1" "ConfigMap" "" "").kind }}
  scoped: {{ (lookup "v1" "Namespace" "ignored" "other").metadata.name }}
  outside: {{ lookup "v1" "ConfigMap" "" "a" | toJson | quote }}
  missing: {{ lookup "v1" "ConfigMap" .Release.Namespace "missing" | toJson | quote }}
  number: {{ (lookup "apps/v1" "Deployment" .Release.Namespace "d").spec.replicas | quote }}
"#;
    env.write("chart/templates/a.yaml", template);
    let config_map = |name: &str, namespace: &str| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n")
    };
    let deployment = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 1234567\n  \
                      selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: \
                      {containers: [{name: c, image: i}]}\n";
    let base = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: other}}\n{}{}{deployment}",
        config_map("a", "default"),
        config_map("b", "other")
    );
    env.write("base.yaml", base);
    env.write(
        "grant.yaml",
        "kubernetes:\n- {apiGroups: [\"\"], resources: [configmaps], verbs: [get, list], namespaces: [\"*\"]}\n\
         - {apiGroups: [\"\"], resources: [namespaces], verbs: [get], resourceNames: [other], namespaces: [\"*\"]}\n\
         - {apiGroups: [apps], resources: [deployments], verbs: [get]}\n",
    );
    let cluster = ["--cluster", "embedded:state.json"];
    env.run(&[&["install", "base", "base.yaml"], &cluster[..]].concat()).ok();
    env.run(&[&["install", "web", "chart", "--lookup-grant", "grant.yaml"], &cluster[..]].concat()).ok();
    snapshot!(env.run(&[&["get", "manifest", "web"], &cluster[..]].concat()), @r#"
    exit 0
    --- stdout
    ---
    # Source: looking/templates/a.yaml
    kind: ConfigMap
    apiVersion: v1
    metadata: {name: found}
    data:
      here: a,
      everywhere: default/a,other/b,
      kind: ConfigMapList
      scoped: other
      outside: "{}"
      missing: "{}"
      number: "1234567"
    "#);
}

/// The newest record of a release in a state file of the embedded cluster.
fn record(env: &TestEnv, state: &str, release: &str) -> Value {
    let state: Value = serde_json::from_slice(&std::fs::read(env.path(state)).unwrap()).unwrap();
    let name = format!("sh.helm.release.v1.{release}.v1");
    let secret = find(&state, &name).unwrap_or_else(|| panic!("no {name}"));
    let secret = Object::from_value(secret.clone()).unwrap();
    serde_json::to_value(codec::decode(&secret).unwrap()).unwrap()
}

fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    if value.pointer("/metadata/name").and_then(Value::as_str) == Some(name) && value.get("data").is_some() {
        return Some(value);
    }
    match value {
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        Value::Object(map) => map.values().find_map(|item| find(item, name)),
        _ => None,
    }
}

#[test]
fn the_record_holds_what_helm_stores() {
    let (Some(env), Some(helm)) = (TestEnv::with_engine(), tool("helm")) else { return };
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nappVersion: \"2\"\ndependencies:\n- {name: sub, version: 0.1.0, condition: sub.enabled}\n");
    env.write(
        "chart/Chart.lock",
        "dependencies: []\ndigest: sha256:00\ngenerated: \"2024-01-01T00:00:00Z\"\n",
    );
    env.write(
        "chart/values.yaml",
        "a: 1\nnested: {list: [1, {b: 2.5}], text: \"<&>\"}\nsub: {enabled: true}\n",
    );
    env.write("chart/values.schema.json", "{\"type\": \"object\"}");
    env.write("chart/README.md", "# größe\n");
    env.write("chart/crds/a.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n");
    env.write("chart/templates/NOTES.txt", "hello {{ .Release.Name }}\n");
    env.write("chart/templates/_h.tpl", "{{ define \"n\" }}name{{ end }}");
    env.write("chart/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"n\" . }}}\ndata: {a: \"{{ .Values.a }}\"}\n");
    env.write("chart/templates/h.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: h\n  annotations: {helm.sh/hook: post-install}\n");
    env.write("chart/charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n");
    env.write("chart/charts/sub/templates/NOTES.txt", "of the subchart");
    env.write("values.yaml", "nested: {text: mine}\nnew: [x]\n");
    let values = ["-f", "values.yaml", "--set", "a=5,deep.er=true"];
    let install = ["install", "web", "chart", "--skip-crds", "--cluster", "embedded:ours.json"];
    env.run(&[&install[..], &values].concat()).ok();
    let ours = record(&env, "ours.json", "web");
    let dry_run = ["install", "web", "chart", "--dry-run=client", "-o", "json"];
    let theirs = env.prepare(Command::new(helm), &[&dry_run[..], &values].concat()).output().unwrap();
    let theirs: Value = serde_json::from_slice(&theirs.stdout).unwrap();
    for part in ["/chart", "/config", "/info/notes", "/manifest", "/name", "/version"] {
        assert!(theirs.pointer(part).is_some(), "{part}: {theirs}");
        assert_eq!(ours.pointer(part), theirs.pointer(part), "{part}");
    }
    assert_eq!(ours["hooks"][0]["manifest"], theirs["hooks"][0]["manifest"]);
}
