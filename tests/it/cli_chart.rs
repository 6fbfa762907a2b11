//! The chart form of the worked examples, rendered by the user's helm.

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
