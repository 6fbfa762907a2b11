//! Plugins that cannot be used, and settings and grants that do not fit: refused before any hook runs.

use crate::cli_hostile::component;
use crate::cli_plugin::COMMAND;
use crate::env::{Run, TestEnv};
use crate::snapshot;

/// Installs a release with one hook of this spec, which must be refused.
#[track_caller]
fn refuse(env: &TestEnv, spec: &str, code: i32) -> Run {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    env.write(
        "app/hooks.yaml",
        format!(
            "apiVersion: boathook.dev/v1alpha1\nkind: WasmHook\nmetadata:\n  name: a\n  annotations:\n    \
             helm.sh/hook: pre-install\nspec:\n{spec}"
        ),
    );
    let run = env.refuses(&["install", "web", "app", "--cluster", "embedded:state.json", "-q"]);
    assert_eq!(run.code, Some(code), "{run}");
    run
}

/// A file that is no plugin.
#[track_caller]
fn refuse_file(bytes: &[u8]) -> Run {
    let env = TestEnv::new();
    env.write("app/x.wasm", bytes);
    refuse(&env, "plugin: ./x.wasm", 3)
}

#[test]
fn a_plugin_that_nobody_knows() {
    snapshot!(refuse(&TestEnv::new(), "plugin: ensur", 3), @r#"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: no plugin "ensur"
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ensur
       ·   ──────
       ╰────
      help: there are ensure, notify (looked in [folder]/data/boathook/plugins); a file is
            named by its path, ./plugin.wasm
    "#);
}

#[test]
fn a_plugin_file_that_is_missing_or_outside_of_the_source() {
    snapshot!(refuse(&TestEnv::new(), "plugin: ./missing.wasm", 3), @r#"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: no plugin "./missing.wasm"
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./missing.wasm
       ·   ──────
       ╰────
      help: app/./missing.wasm: No such file or directory (os error 2)
    "#);
    let env = TestEnv::new();
    env.write("outside.wasm", wat::parse_str(COMMAND).unwrap());
    snapshot!(refuse(&env, "plugin: ./../outside.wasm", 3), @r"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./../outside.wasm: lies outside the folder of the manifest that names it
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./../outside.wasm
       ·   ──────
       ╰────
      help: copy the file into the folder, or install it as a plugin
    ");
}

#[test]
fn a_plugin_file_that_is_empty_cut_or_no_wasm() {
    snapshot!(refuse_file(b""), @r"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./x.wasm: the file is empty
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./x.wasm
       ·   ──────
       ╰────
    ");
    snapshot!(refuse_file(&wat::parse_str(COMMAND).unwrap()[..40]), @r"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./x.wasm: the file is truncated (it ends within a section, at 40 bytes)
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./x.wasm
       ·   ──────
       ╰────
      help: build it again, or copy it again
    ");
    snapshot!(refuse_file(b"#!/bin/sh\necho hello\n"), @r#"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./x.wasm: not WebAssembly (the file does not start with \0asm)
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./x.wasm
       ·   ──────
       ╰────
    "#);
}

#[test]
fn a_module_that_is_no_command() {
    snapshot!(refuse_file(&wat::parse_str("(module)").unwrap()), @r"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./x.wasm: a core module without `_start`
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./x.wasm
       ·   ──────
       ╰────
      help: a plugin is a component of the world boathook:hook, or a WASI command (a core module that
            exports `_start`)
    ");
}

#[test]
fn a_component_of_another_world() {
    let other = wat::parse_str(
        r#"(component
             (import "wasi:sockets/tcp@0.2.0" (instance))
             (import "example:other/thing@1.0.0" (instance (export "f" (func)))))"#,
    );
    snapshot!(refuse_file(&other.unwrap()), @r"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./x.wasm: a component of another world: it does not export boathook:hook/
      │ run@0.1.0 (it exports nothing)
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./x.wasm
       ·   ──────
       ╰────
      help: build it for the world `hook` of package boathook:hook (see wit/README.md)
    ");
}

#[test]
fn a_plugin_file_of_17_mebibytes() {
    snapshot!(refuse_file(&vec![0; 17 << 20]), @r"
    exit 3
    --- stderr
    error: unusable-plugin

      × hooks.yaml:8:3: ./x.wasm: the file has 17 MiB, plugins have at most 16 MiB
       ╭─[hooks.yaml:8:3]
     7 │ spec:
     8 │   plugin: ./x.wasm
       ·   ──────
       ╰────
      help: build it with optimisation for size, without debug information
    ");
}

#[test]
fn settings_that_break_the_schema_are_all_named() {
    let spec = "plugin: notify
config:
  url: [not, a, text]
  preset: pager
  colour: red
permissions:
  http:
  - {url: \"https://example.com/\", methods: [POST]}";
    snapshot!(refuse(&TestEnv::new(), spec, 3), @r#"
    exit 3
    --- stderr
    error: invalid-config

      × hooks.yaml:9:3: config of plugin notify: /url: value is not of types "null", "string"
        ╭─[hooks.yaml:9:3]
      8 │   plugin: notify
      9 │   config:
        ·   ──────
     10 │     url: [not, a, text]
        ╰────
      help: see `boathook plugin inspect notify` for its settings
    error: invalid-config

      × hooks.yaml:9:3: config of plugin notify: /preset: value is not one of "slack", "teams" or
      │ "json"
        ╭─[hooks.yaml:9:3]
      8 │   plugin: notify
      9 │   config:
        ·   ──────
     10 │     url: [not, a, text]
        ╰────
      help: see `boathook plugin inspect notify` for its settings
    error: invalid-config

      × hooks.yaml:9:3: config of plugin notify: Additional properties are not allowed ('colour' was
      │ unexpected)
        ╭─[hooks.yaml:9:3]
      8 │   plugin: notify
      9 │   config:
        ·   ──────
     10 │     url: [not, a, text]
        ╰────
      help: see `boathook plugin inspect notify` for its settings
    "#);
}

#[test]
fn a_spec_with_unknown_fields_or_values() {
    let env = TestEnv::new();
    snapshot!(refuse(&env, "plugin: ensure\nconfg: {}", 3), @r#"
    exit 3
    --- stderr
    error: unknown-field

      × hooks.yaml:9:3: spec has no field "confg"
       ╭─[hooks.yaml:9:3]
     8 │   plugin: ensure
     9 │   confg: {}
       ·   ─────
       ╰────
      help: did you mean "config"?
    "#);
    snapshot!(refuse(&env, "plugin: ensure\ntimeout: soon", 3), @r#"
    exit 3
    --- stderr
    error: invalid-wasm-hook

      × hooks.yaml:9:3: spec: timeout: expected a positive duration such as "30s" or "1m30s"
       ╭─[hooks.yaml:9:3]
     8 │   plugin: ensure
     9 │   timeout: soon
       ·   ───────
       ╰────
    "#);
    snapshot!(refuse(&env, "config: {}", 3), @r#"
    exit 3
    --- stderr
    error: invalid-wasm-hook

      × hooks.yaml:7:1: spec: field "plugin" is missing
       ╭─[hooks.yaml:7:1]
     6 │     helm.sh/hook: pre-install
     7 │ spec:
       · ────
     8 │   config: {}
       ╰────
    "#);
    let wide = "plugin: ensure\nconfig: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}\n\
                permissions: {kubernetes: [{apiGroups: [\"*\"], resources: [\"*\"], verbs: [\"*\"]}]}";
    snapshot!(refuse(&env, wide, 3), @r#"
    exit 3
    --- stderr
    error: invalid-permission

      × hooks.yaml:10:3: permissions.kubernetes[0].apiGroups: * is not allowed, name what is needed
        ╭─[hooks.yaml:10:3]
      9 │   config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}
     10 │   permissions: {kubernetes: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
        ·   ───────────
        ╰────
    error: invalid-permission

      × hooks.yaml:10:3: permissions.kubernetes[0].resources: * is not allowed, name what is needed
        ╭─[hooks.yaml:10:3]
      9 │   config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}
     10 │   permissions: {kubernetes: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
        ·   ───────────
        ╰────
    error: invalid-permission

      × hooks.yaml:10:3: permissions.kubernetes[0].verbs: * is not allowed, name what is needed
        ╭─[hooks.yaml:10:3]
      9 │   config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}
     10 │   permissions: {kubernetes: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
        ·   ───────────
        ╰────
    "#);
}

#[test]
fn a_hook_without_the_grant_that_its_plugin_needs() {
    let spec = "plugin: ensure\nconfig: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}";
    snapshot!(refuse(&TestEnv::new(), spec, 6), @r#"
    exit 6
    --- stderr
    error: permission-not-granted

      × hooks.yaml:7:1: ensure needs permission for kubernetes, and the hook grants none (makes the
      │ objects of its config; mode apply needs patch too, mode recreate delete and watch)
       ╭─[hooks.yaml:7:1]
     6 │     helm.sh/hook: pre-install
     7 │ spec:
       · ────
     8 │   plugin: ensure
       ╰────
      help: if this is what you want, add to the hook's spec:
            permissions:
              kubernetes:
              - {apiGroups: [""], resources: [configmaps], verbs: [get, create], resourceNames: [a]}
    "#);
}

#[test]
fn a_credential_whose_secret_is_missing_fails_its_hook() {
    let env = TestEnv::new();
    env.example("first", 8642);
    let run = env.run(&["run", "post-install", "web", "first", "--cluster", "embedded"]);
    assert_eq!(run.code, Some(1));
    snapshot!(run, @r"
    exit 1
    --- stdout
    Failed for release web in default · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      failed  post-install  WasmHook/notify  credential webhook: Secret default/slack-webhook does not exist  [duration]

    failed: WasmHook/notify (post-install): credential webhook: Secret default/slack-webhook does not exist

      hook     hooks.yaml:24
      plugin   notify 0.1.0 (built-in, sha256:[digest]…)

      kubectl create secret generic slack-webhook -n default --from-literal=url=VALUE
    ");
}

#[test]
fn a_guest_is_refused_by_inspect_as_by_install() {
    let env = TestEnv::new();
    env.write("ok.wasm", component("ok"));
    assert_eq!(env.run(&["plugin", "inspect", "./ok.wasm", "-o", "json"]).ok().json()["form"], "component");
    env.write("cut.wasm", &component("ok")[..100]);
    snapshot!(env.refuses(&["plugin", "inspect", "./cut.wasm"]), @r"
    exit 3
    --- stderr
    error: ./cut.wasm: the file is truncated (it ends within a section, at 100 bytes)
      help: build it again, or copy it again
    ");
}
