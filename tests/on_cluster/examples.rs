//! The worked examples in each of their forms, as they run on a real cluster, and what is read back of them.

use boathook_test_cluster::tools::Tool;
use boathook_tests::receiver::Receiver;

use crate::place::Place;
use crate::{snapshot, tests};

tests![plugins, annotated_jobs, chart_with_helm_3, chart_with_helm_4, events_alone];

/// What the webhook gets.
fn sent(namespace: &str) -> String {
    format!(r#"{{"text":"Deployment of release 'web' in namespace '{namespace}' completed successfully!"}}"#)
}

fn made(place: &Place) -> bool {
    place.object("configmaps/my-app-config").is_some_and(|made| made["data"]["setting"] == "initial_value")
}

fn plugins(place: &Place) {
    let receiver = Receiver::start();
    place.env.example("first", receiver.port);
    snapshot!(place.run(&["install", "web", "first"]), @r"
    exit 0
    --- stdout
    Release web is deployed in NAMESPACE, revision 1 · [duration]
      2 hooks: 2 succeeded
      2 objects: 2 created (Secret/slack-webhook, Deployment/my-app)
    --- stderr
      ok      pre-install   WasmHook/ensure-config  created ConfigMap NAMESPACE/my-app-config  [duration]
      ok      post-install  WasmHook/notify         notified the webhook in credential webhook (200)  [duration]
    ");
    assert_eq!(receiver.next().body, sent(&place.namespace));
    assert!(made(place));
    snapshot!(place.run(&["status", "web"]), @r"
    exit 0
    --- stdout
    NAME: web
    LAST DEPLOYED: [time]
    NAMESPACE: NAMESPACE
    STATUS: deployed
    REVISION: 1
    CHART: first-0.0.0
    DESCRIPTION: Install complete

    HOOK                    EVENTS        WEIGHT  LAST RUN   AT
    WasmHook/ensure-config  pre-install        1  Succeeded  [time]
    WasmHook/notify         post-install      10  Succeeded  [time]
    ");
    snapshot!(place.run(&["list"]), @r"
    exit 0
    --- stdout
    NAME  NAMESPACE  REVISION  UPDATED                  STATUS    CHART        APP VERSION
    web   NAMESPACE         1  [time]  deployed  first-0.0.0
    ");
    snapshot!(place.run(&["history", "web"]), @r"
    exit 0
    --- stdout
    REVISION  UPDATED                  STATUS    CHART        APP VERSION  DESCRIPTION
           1  [time]  deployed  first-0.0.0               Install complete
    ");
    snapshot!(place.run(&["get", "hooks", "web"]), @r#"
    exit 0
    --- stdout
    ---
    # Source: hooks.yaml
    # Before the install: a ConfigMap, unless it exists.
    apiVersion: boathook.dev/v1alpha1
    kind: WasmHook
    metadata:
      name: ensure-config
      annotations:
        helm.sh/hook: pre-install
        helm.sh/hook-weight: "1"
    spec:
      plugin: ensure
      config:
        object:
          apiVersion: v1
          kind: ConfigMap
          metadata:
            name: my-app-config
          data:
            setting: initial_value
      permissions:
        kubernetes:
        - {apiGroups: [""], resources: [configmaps], verbs: [get, create], resourceNames: [my-app-config]}
    ---
    # Source: hooks.yaml
    # After the install: a message to a webhook whose URL is a secret. The host fills it in; the plugin never sees it.
    apiVersion: boathook.dev/v1alpha1
    kind: WasmHook
    metadata:
      name: notify
      annotations:
        helm.sh/hook: post-install
        helm.sh/hook-weight: "10"
        helm.sh/hook-delete-policy: hook-succeeded
    spec:
      plugin: notify
      config:
        urlFrom: webhook
        text: "Deployment of release '{release}' in namespace '{namespace}' completed successfully!"
      permissions:
        http:
        - {url: "http://127.0.0.1:[port]/services/", methods: [POST], network: loopback}
      credentials:
      - {name: webhook, secretKeyRef: {name: slack-webhook, key: url}}
    "#);
    // The release waits for nothing; the node lets the Deployment become what it should.
    place.kubectl(&["wait", "deployment/my-app", "--for=condition=Available", "--timeout=60s"]).ok();
    for helm in [Tool::Helm3, Tool::Helm4] {
        let status = place.helm(helm, &["status", "web"]).ok().stdout;
        assert!(status.contains("STATUS: deployed\nREVISION: 1\n"), "{status}");
        let list = place.helm(helm, &["list", "-o", "json"]).ok().json();
        assert_eq!((&list[0]["name"], &list[0]["chart"]), (&"web".into(), &"first-0.0.0".into()), "{list}");
    }
}

fn annotated_jobs(place: &Place) {
    let receiver = Receiver::start();
    place.env.example("first-annotated", receiver.port);
    snapshot!(place.run(&["install", "web", "first-annotated"]), @r"
    exit 0
    --- stdout
    Release web is deployed in NAMESPACE, revision 1 · [duration]
      2 hooks: 2 succeeded
    --- stderr
      ok      pre-install   Job/ensure-config  created ConfigMap NAMESPACE/my-app-config  [duration]
      ok      post-install  Job/notify         notified 127.0.0.1:[port] (200)  [duration]
    ");
    assert_eq!(receiver.next().body, sent(&place.namespace));
    assert!(made(place));
    assert_eq!(place.object("batch/v1/jobs/ensure-config"), None, "the plugin ran instead");
}

fn chart_with_helm_3(place: &Place) {
    chart(place, Tool::Helm3);
}

fn chart_with_helm_4(place: &Place) {
    chart(place, Tool::Helm4);
}

fn chart(place: &Place, helm: Tool) {
    let receiver = Receiver::start();
    place.env.example("first-chart", receiver.port);
    let helm = helm.find().unwrap();
    let run = place.run(&["install", "web", "first-chart", "--helm", helm.to_str().unwrap()]).ok();
    assert!(
        run.stdout.contains("2 hooks: 2 succeeded\n  1 object: 1 created (ConfigMap/web-release)"),
        "{run}"
    );
    assert_eq!(receiver.next().body, sent(&place.namespace));
    assert!(made(place));
    assert_eq!(place.object("configmaps/web-release").unwrap()["data"]["namespace"], place.namespace);
}

fn events_alone(place: &Place) {
    let receiver = Receiver::start();
    place.env.example("first", receiver.port);
    place.apply(&std::fs::read_to_string(place.env.path("first/app.yaml")).unwrap());
    snapshot!(place.run(&["run", "pre-install", "web", "first"]), @r"
    exit 0
    --- stdout
    Done for release web in NAMESPACE · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/ensure-config  created ConfigMap NAMESPACE/my-app-config  [duration]
    ");
    assert!(made(place));
    snapshot!(place.run(&["run", "pre-install", "web", "first"]), @r"
    exit 0
    --- stdout
    Done for release web in NAMESPACE · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/ensure-config  ConfigMap NAMESPACE/my-app-config exists, left as it is  [duration]
    ");
    snapshot!(place.run(&["run", "post-install", "web", "first"]), @r"
    exit 0
    --- stdout
    Done for release web in NAMESPACE · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      post-install  WasmHook/notify  notified the webhook in credential webhook (200)  [duration]
    ");
    assert_eq!(receiver.next().body, sent(&place.namespace));
    snapshot!(place.run(&["list"]), @r"
    exit 0
    --- stdout
    NAME  NAMESPACE  REVISION  UPDATED  STATUS  CHART  APP VERSION
    ");
}
