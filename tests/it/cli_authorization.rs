//! `--authorization rbac`: what users of the embedded cluster may do, by the Roles in it.

use crate::env::{Run, TestEnv};
use crate::snapshot;

const CLUSTER: [&str; 4] = ["--cluster", "embedded:state.json", "--authorization", "rbac"];

/// Installs as somebody who may do everything.
fn install(env: &TestEnv, name: &str, text: &str) {
    env.write("roles.yaml", text);
    env.run(&[&["install", name, "roles.yaml"], CLUSTER.as_slice()].concat()).ok();
}

fn as_jane(env: &TestEnv, args: &[&str]) -> Run {
    env.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    env.run(&[args, &CLUSTER, &["--as", "jane"]].concat())
}

fn binding(kind: &str, role: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: jane-{role}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {role}}}
subjects: [{{kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}}]
"
    )
}

#[test]
fn a_user_without_a_role_is_refused_before_anything_is_done() {
    let env = TestEnv::new();
    snapshot!(as_jane(&env, &["install", "web", "a.yaml"]), @r#"
    exit 4
    --- stderr
    error: secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "default"
      help: releases are Secrets of their namespace: it must let you read and write them
    "#);
    snapshot!(env.run(&[&["list", "--all-namespaces"], CLUSTER.as_slice()].concat()), @r"
    exit 0
    --- stdout
    NAME  NAMESPACE  REVISION  UPDATED  STATUS  CHART  APP VERSION
    ");
}

#[test]
fn a_role_that_lacks_a_kind_is_told() {
    let env = TestEnv::new();
    let role = "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: recorder}
rules:
- {apiGroups: [''], resources: [secrets], verbs: ['*']}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: ['*']}
---
";
    install(&env, "roles", &format!("{role}{}", binding("Role", "recorder")));
    snapshot!(as_jane(&env, &["install", "web", "a.yaml"]), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: unable to continue with install: could not get information about the resource ConfigMap default/a: configmaps "a" is forbidden: User "jane" cannot get resource "configmaps" in API group "" in the namespace "default"
    "#);
}

#[test]
fn a_user_with_the_role_of_editors_installs_and_uninstalls() {
    let env = TestEnv::new();
    install(&env, "roles", &binding("ClusterRole", "edit"));
    install(
        &env,
        "more",
        &format!(
            "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: leases}}
rules: [{{apiGroups: [coordination.k8s.io], resources: [leases], verbs: ['*']}}]
---
{}",
            binding("Role", "leases")
        ),
    );
    as_jane(&env, &["install", "web", "a.yaml"]).ok();
    as_jane(&env, &["uninstall", "web"]).ok();
    // Elsewhere she may not.
    let run = as_jane(&env, &["install", "web", "a.yaml", "--namespace", "kube-public"]);
    assert_eq!(run.code, Some(4), "{run}");
}

#[test]
fn only_an_embedded_cluster_takes_the_mode() {
    let env = TestEnv::new();
    snapshot!(env.run(&["list", "--authorization", "rbac"]), @r"
    exit 2
    --- stderr
    error: --authorization rbac is for embedded clusters
      help: a real cluster decides by itself; add --cluster embedded or embedded:FILE to try roles out
    ");
    snapshot!(env.run(&["list", "--cluster", "embedded", "--authorization", "abac"]), @r"
    exit 2
    --- stderr
    error: invalid value 'abac' for '--authorization <MODE>'
      [possible values: always-allow, rbac]

      tip: a similar value exists: 'rbac'

    For more information, try '--help'.
    ");
}
