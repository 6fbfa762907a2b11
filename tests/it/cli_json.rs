//! What the program prints as JSON fits the schemas of `docs/reference/schemas/`.

use serde_json::Value;

use crate::env::{TestEnv, root};
use crate::receiver::Receiver;

#[track_caller]
fn fits(schema: &str, value: &Value) {
    let file = root().join("docs/reference/schemas").join(format!("{schema}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
}

/// Every line but the last is a run event, the last is the report.
#[track_caller]
fn lines_fit(stdout: &str) {
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (report, events) = lines.split_last().unwrap();
    assert!(!events.is_empty());
    for event in events {
        fits("run-event", event);
    }
    fits("report", report);
}

#[test]
fn plans() {
    let env = TestEnv::new();
    for example in ["first", "first-annotated", "first-jobs", "ordering"] {
        env.example(example, 8642);
        fits("plan", &env.run(&["plan", "install", "web", example, "-o", "json"]).ok().json());
    }
    env.write("bad.yaml", "kind: Job\n");
    fits("plan", &env.refuses(&["plan", "install", "web", "bad.yaml", "-o", "json"]).json());
}

#[test]
fn reports_and_run_events() {
    let (env, receiver) = (TestEnv::new(), Receiver::start());
    for example in ["first", "first-annotated", "first-jobs", "ordering"] {
        env.example(example, receiver.port);
        let install = ["install", "web", example, "--cluster", "embedded", "-o"];
        fits("report", &env.run(&[&install[..], &["json"]].concat()).ok().json());
        lines_fit(&env.run(&[&install[..], &["jsonl"]].concat()).ok().stdout);
    }
}

#[test]
fn failures() {
    let env = TestEnv::new();
    env.example("first", 1);
    let run = env.run(&["install", "web", "first", "--cluster", "embedded:state.json", "-o", "jsonl"]);
    assert_eq!(run.code, Some(1), "nobody listens on port 1:\n{run}");
    lines_fit(&run.stdout);
    let refused = env.run(&["install", "web", "first", "--cluster", "embedded:state.json", "-o", "json"]);
    fits("report", &refused.json());
}

/// A script gets a report whatever is in the way, and the person beside it the error.
#[test]
fn a_command_that_does_not_get_as_far_as_a_plan_reports_as_well() {
    let env = TestEnv::new();
    env.write("a.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n");
    env.write("gone", "{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: c, user: u}}]}\n");
    for (args, code, word) in [
        (&["install", "web", "missing", "--cluster", "embedded"][..], 3, "bad-input"),
        (&["upgrade", "web", "a.yaml", "--kubeconfig", "gone"], 4, "cluster-unavailable"),
        (&["uninstall", "web", "--kubeconfig", "nowhere"], 4, "cluster-unavailable"),
        (&["run", "pre-install", "web", "missing", "--cluster", "embedded"], 3, "bad-input"),
    ] {
        let run = env.run(&[args, &["-o", "jsonl", "--report", "report.json"]].concat());
        assert_eq!(run.code, Some(code), "{run}");
        assert!(run.stderr.starts_with("error: "), "{run}");
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        fits("report", &report);
        assert_eq!(
            (&report["outcome"], &report["exitCode"], &report["error"]["code"], &report["release"]["name"]),
            (&"refused".into(), &code.into(), &word.into(), &"web".into())
        );
        let kept: Value = serde_json::from_slice(&std::fs::read(env.path("report.json")).unwrap()).unwrap();
        assert_eq!(kept, report);
    }
}

#[test]
fn a_schema_refuses_what_is_none() {
    let schema: Value =
        serde_json::from_slice(&std::fs::read(root().join("docs/reference/schemas/report.json")).unwrap())
            .unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&serde_json::json!({"kind": "Report", "outcome": "perhaps"})));
}
