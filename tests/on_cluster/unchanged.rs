//! What is sent of an upgrade, and what a dry run sends: objects as a server has them, with its defaults in them.

use crate::place::Place;
use crate::snapshot;

crate::tests![what_is_so_already_is_not_sent, what_was_changed_by_hand_is_put_right, a_dry_run_keeps_nothing];

/// One object of each kind that charts are made of.
const KINDS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: app}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
data: {password: aHVudGVyMg==}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, labels: {app: app}}
data: {colour: red}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: app}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: app}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: app}
subjects: [{kind: ServiceAccount, name: app}]
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: main
        image: busybox
        command: [sleep, infinity]
        ports: [{name: http, containerPort: 8080}]
        env: [{name: A, value: b}]
        resources: {requests: {cpu: 10m}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: app
  replicas: 0
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: main, image: busybox}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: store}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: store}
  maxReplicas: 3
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app}
spec:
  rules:
  - host: app.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {name: http}}}}]}
"#;

/// What the program asked the API to change, without the release's records.
fn asked(place: &Place, since: usize) -> (usize, String) {
    let changes = place.cluster.changes(&place.namespace).unwrap();
    let asked = changes.iter().skip(since).filter(|change| change.user == "admin").map(ToString::to_string);
    let records = |line: &String| line.contains(" sh.helm.release.") || line.contains(" boathook.");
    (changes.len(), asked.filter(|line| !records(line)).collect::<Vec<_>>().join("\n"))
}

/// Two objects of a custom kind.
const LAMPS: &str = "---
apiVersion: unchanged.example.com/v1
kind: Lamp
metadata: {name: left}
spec: {colour: red, sockets: [{name: a, volts: 12}]}
---
apiVersion: unchanged.example.com/v1
kind: Lamp
metadata: {name: right}
spec: {colour: red}
";

const LAMP: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.unchanged.example.com}
spec:
  group: unchanged.example.com
  names: {kind: Lamp, plural: lamps, singular: lamp, listKind: LampList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              colour: {type: string}
              lit: {type: boolean, default: false}
              sockets:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, volts: {type: integer}}
";

fn what_is_so_already_is_not_sent(place: &Place) {
    place.apply(LAMP);
    let definition = "lamps.unchanged.example.com";
    place.remove_later(format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}"));
    place.kubectl(&["wait", "--for=condition=Established", "crd", definition]).ok();
    place.env.write("a.yaml", format!("{KINDS}{LAMPS}"));
    place.run(&["install", "web", "a.yaml"]).ok();
    let (before, _) = asked(place, 0);
    place.run(&["upgrade", "web", "a.yaml"]).ok();
    snapshot!(asked(place, before).1, @"");
}

fn what_was_changed_by_hand_is_put_right(place: &Place) {
    place.env.write("a.yaml", KINDS);
    place.run(&["install", "web", "a.yaml"]).ok();
    place
        .kubectl(&[
            "patch",
            "configmap",
            "config",
            "--type=json",
            "-p",
            r#"[{"op": "remove", "path": "/data/colour"}]"#,
        ])
        .ok();
    place.kubectl(&["delete", "service", "app"]).ok();
    let (before, _) = asked(place, 0);
    snapshot!(place.run(&["upgrade", "web", "a.yaml"]), @r"
    exit 0
    --- stdout
    Release web is deployed in NAMESPACE, revision 2 · [duration]
      12 objects: 1 created (Service/app), 1 configured (ConfigMap/config), 10 unchanged
    ");
    snapshot!(asked(place, before).1, @r"
    patch configmaps config
    patch services app
    ");
}

fn a_dry_run_keeps_nothing(place: &Place) {
    let hook = "---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [\"true\"]}]}}}
";
    place.env.write("a.yaml", format!("{KINDS}{hook}"));
    place.env.write(
        "b.yaml",
        format!("{KINDS}{hook}").replace("red", "blue").replace("replicas: 1", "replicas: 2"),
    );
    place.run(&["install", "web", "a.yaml"]).ok();
    let (before, _) = asked(place, 0);
    snapshot!(place.run(&["upgrade", "web", "b.yaml", "--dry-run=server"]), @r#"
    exit 0
    --- stdout
      pre-upgrade  Job/migrate
        - Job NAMESPACE/migrate
        + Job NAMESPACE/migrate
      apply
        ~ ConfigMap NAMESPACE/config
            data.colour  "red" → "blue"
        ~ Deployment NAMESPACE/app
            spec.replicas  1 → 2
      = 10 objects as they are
    Dry run: nothing was changed · [duration]
      1 hook: 1 succeeded
      12 objects: 2 configured (ConfigMap/config, Deployment/app), 10 unchanged
    --- stderr
      ok      pre-upgrade   Job/migrate  checked, not run  [duration]
    "#);
    snapshot!(asked(place, before).1, @r"
    create jobs  (dry run)
    patch configmaps config (dry run)
    patch deployments app (dry run)
    ");
}
