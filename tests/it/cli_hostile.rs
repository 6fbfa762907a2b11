//! Guests that mean harm, through the program: each ends as a failed hook with its reason, the next hook is skipped as
//! Helm's rules say, and the record is failed.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::env::{Run, TestEnv, root};
use crate::snapshot;

/// A guest of `tests/guests/` as a component of the world `hook`.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let file: &Path = &root().join("tests/guests").join(format!("{name}.wat"));
    let mut module = wat::parse_file(file).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("hook")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// Installs a release whose first hook is the guest and whose second is a ConfigMap.
fn install(env: &TestEnv, guest: &[u8]) -> Run {
    env.write("app/guest.wasm", guest);
    env.write(
        "app/hooks.yaml",
        "apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata:
  name: hostile
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"1\"}
spec:
  plugin: ./guest.wasm
  timeout: 1s
  permissions: {kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get]}]}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: next
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"2\"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: ordinary
",
    );
    let run = env.run(&["install", "web", "app", "--cluster", "embedded:state.json", "-o", "json"]);
    assert_eq!(run.code, Some(1), "{run}");
    let report = run.json();
    assert_eq!(
        (&report["outcome"], &report["release"]["status"]),
        (&"failed".into(), &"failed".into()),
        "{run}"
    );
    assert_eq!(report["hooks"][0]["phase"], "Failed", "{run}");
    assert_eq!(report["hooks"][1]["phase"], "Skipped", "{run}");
    assert_eq!(report["resources"].as_array().unwrap().len(), 0, "{run}");
    let status = env.run(&["status", "web", "--cluster", "embedded:state.json"]).ok();
    assert!(status.stdout.contains("STATUS: failed"), "{status}");
    run
}

/// Why the hook failed.
fn reason(run: &Run) -> String {
    let error = &run.json()["hooks"][0]["error"];
    format!("{}: {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

#[test]
fn an_endless_loop_is_ended_by_its_timeout() {
    snapshot!(reason(&install(&TestEnv::new(), &component("loop"))), @"timeout: did not end within 1s");
}

#[test]
fn memory_growth_ends_at_the_limit() {
    snapshot!(reason(&install(&TestEnv::new(), &component("memory-growth"))), @"limit-reached: memory limit of 64 MiB reached (the plugin asked for 64.1 MiB)");
}

#[test]
fn a_trap_names_the_functions_of_the_guest() {
    let run = install(&TestEnv::new(), &component("trap"));
    snapshot!(reason(&run), @"plugin-trap: out of bounds memory access");
    let details = run.json()["hooks"][0]["error"]["details"].to_string();
    assert!(details.contains("configure") && details.contains("read_setting"), "{details}");
}

#[test]
fn a_trap_in_the_middle_of_a_call_is_a_trap() {
    let env = TestEnv::new();
    // The object whose reading the guest does not survive.
    env.write("before.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n");
    env.run(&["install", "before", "before.yaml", "--cluster", "embedded:state.json"]).ok();
    snapshot!(reason(&install(&env, &component("trap-in-call"))), @"plugin-trap: the plugin gave up (wasm `unreachable`: a panic, an abort or an uncaught exception)");
}

#[test]
fn deep_recursion_is_a_trap() {
    snapshot!(reason(&install(&TestEnv::new(), &component("recursion"))), @"plugin-trap: the plugin's stack overflowed (endless recursion?)");
}

#[test]
fn an_endless_command_is_ended_by_its_timeout() {
    let command =
        wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#);
    snapshot!(reason(&install(&TestEnv::new(), &command.unwrap())), @"timeout: did not end within 1s");
}

#[test]
fn the_failure_is_told_to_people() {
    let env = TestEnv::new();
    install(&env, &component("trap"));
    let run = env.run(&["run", "pre-install", "web", "app", "--cluster", "embedded"]);
    assert_eq!(run.code, Some(1));
    snapshot!(run, @r"
    exit 1
    --- stdout
    Failed for release web in default · [duration] (exit code 1)
      2 hooks: 0 succeeded, 1 failed, 1 not reached
    --- stderr
      failed  pre-install   WasmHook/hostile  out of bounds memory access  [duration]

    failed: WasmHook/hostile (pre-install): out of bounds memory access

      hook     hooks.yaml:1
      plugin   guest ([folder]/app/guest.wasm, sha256:[digest]…)
      details  read_setting
               plugin::configure
               function 2
    ");
}
