//! `boathook plugin`: built-in plugins and files.

use crate::env::TestEnv;
use crate::snapshot;

const CONFIG: &str =
    r#"{"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}}"#;
const GRANT: &str =
    "permissions:\n  kubernetes:\n  - {apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}\n";

/// A WASI command that reports success and does nothing else.
pub(crate) const COMMAND: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "{\22report\22:{\22message\22:\22did it\22,\22changed\22:true}}\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 47))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[test]
fn built_in_plugins_are_listed() {
    snapshot!(TestEnv::new().run(&["plugin", "list"]).ok(), @r"
    exit 0
    --- stdout
    NAME    VERSION    SIZE  FROM      WHAT IT DOES
    ensure  0.1.0    [size]  built-in  Creates objects unless they exist; or applies them, or makes them anew
    notify  0.1.0    [size]  built-in  Posts a message to a webhook: Slack, Teams or any JSON
    ");
}

#[test]
fn a_plugin_says_what_it_needs() {
    let run = TestEnv::new().run(&["plugin", "inspect", "ensure"]).ok();
    let head = run.stdout.split("Settings").next().unwrap();
    snapshot!(head, @r"
    ensure 0.1.0
    Creates objects unless they exist; or applies them, or makes them anew

      form    component of the world boathook:hook
      from    built-in
      digest  sha256:[digest]
      size    [size]
      imports context, kubernetes, log

    Needs permission for
      kubernetes (get, create): makes the objects of its config; mode apply needs patch too, mode recreate delete and watch
    ");
}

#[test]
fn a_plugin_runs_under_a_grant() {
    let env = TestEnv::new();
    env.write("grant.yaml", GRANT);
    let args =
        ["plugin", "run", "ensure", "--config", CONFIG, "--grant", "grant.yaml", "--cluster", "embedded"];
    snapshot!(env.run(&args).ok(), @r"
    exit 0
    --- stdout
    Done for release plugin-run in default · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/ensure  created ConfigMap default/a  [duration]
    ");
}

#[test]
fn a_dry_run_tells_what_it_would_change() {
    let env = TestEnv::new();
    env.write("grant.yaml", GRANT.replace("get, create", "get, create, patch").as_str());
    let plugin = |value: &str, more: &[&str]| {
        let config =
            CONFIG.replace("{\"k\": \"v\"}}", &format!("{{\"k\": \"{value}\"}}}}, \"mode\": \"apply\""));
        let mut args =
            vec!["plugin", "run", "ensure", "--grant", "grant.yaml", "--cluster", "embedded:s.json"];
        args.extend(["--config", &config]);
        args.extend(more);
        env.run(&args).ok()
    };
    snapshot!(plugin("v", &["--dry-run", "-v"]), @r#"
    exit 0
    --- stdout
      pre-install  WasmHook/ensure
        + ConfigMap default/a
            data.k  "v"
            metadata.annotations["boathook.dev/release"]  "default/plugin-run"
    Dry run: nothing was changed · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/ensure  created ConfigMap default/a  [duration]
    "#);
    plugin("v", &[]);
    snapshot!(plugin("w", &["--dry-run"]), @r#"
    exit 0
    --- stdout
      pre-install  WasmHook/ensure
        ~ ConfigMap default/a
            data.k  "v" → "w"
    Dry run: nothing was changed · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/ensure  applied ConfigMap default/a  [duration]
    "#);
    assert!(
        plugin("w", &["--dry-run", "-o", "json"]).stdout.contains(r#""before": "v""#),
        "nothing was kept"
    );
}

#[test]
fn a_plugin_without_its_grant_is_refused_with_the_lines_to_add() {
    let env = TestEnv::new();
    let run =
        env.refuses(&["plugin", "run", "ensure", "--config", CONFIG, "--cluster", "embedded:state.json"]);
    assert_eq!(run.code, Some(6));
    snapshot!(run, @r#"
    exit 6
    --- stderr
    error: permission-not-granted

      × arguments:1:1: ensure needs permission for kubernetes, and the hook grants none (makes the
      │ objects of its config; mode apply needs patch too, mode recreate delete and watch)
      help: if this is what you want, add to the hook's spec:
            permissions:
              kubernetes:
              - {apiGroups: [""], resources: [configmaps], verbs: [get, create], resourceNames: [a]}
    "#);
}

#[test]
fn a_call_outside_of_the_grant_is_denied_with_the_lines_to_add() {
    let env = TestEnv::new();
    env.write("grant.yaml", GRANT.replace("[get, create]", "[get]"));
    let args =
        ["plugin", "run", "ensure", "--config", CONFIG, "--grant", "grant.yaml", "--cluster", "embedded"];
    let run = env.run(&args);
    assert_eq!(run.code, Some(6));
    snapshot!(run, @r#"
    exit 6
    --- stdout
    Failed for release plugin-run in default · [duration] (exit code 6)
      1 hook: 0 succeeded, 1 failed
    --- stderr
      failed  pre-install   WasmHook/ensure  not allowed to create configmaps/a in default  [duration]

    failed: WasmHook/ensure (pre-install): not allowed to create configmaps/a in default

      hook     grant.yaml:1
      plugin   ensure 0.1.0 (built-in, sha256:[digest]…)
      details  call kubernetes.create v1 ConfigMap a

      If this is what you want, add to the hook's spec:
          permissions:
            kubernetes:
            - {apiGroups: [""], resources: [configmaps], verbs: [create], resourceNames: [a]}
    "#);
}

#[test]
fn a_wasi_command_is_a_plugin_too() {
    let env = TestEnv::new();
    env.write("x.wasm", wat::parse_str(COMMAND).unwrap());
    snapshot!(env.run(&["plugin", "run", "./x.wasm", "--cluster", "embedded"]).ok(), @r"
    exit 0
    --- stdout
    Done for release plugin-run in default · [duration]
      1 hook: 1 succeeded
    --- stderr
      ok      pre-install   WasmHook/x  did it  [duration]
    ");
    let info = env.run(&["plugin", "inspect", "./x.wasm", "-o", "json"]).ok().json();
    assert_eq!((&info["name"], &info["form"]), (&"x".into(), &"command".into()));
}

#[test]
fn a_plugin_folder_is_looked_at_before_the_built_in_ones() {
    let env = TestEnv::new();
    env.write("plugins/ensure.wasm", wat::parse_str(COMMAND).unwrap());
    let list = env.run(&["plugin", "list", "--plugin-dir", "plugins", "-o", "json"]).ok().json();
    let ensure = list.as_array().unwrap().iter().find(|plugin| plugin["name"] == "ensure").unwrap();
    assert_eq!(ensure["form"], "command");
}
