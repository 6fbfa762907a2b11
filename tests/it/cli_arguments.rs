//! What is wrong with the arguments themselves: exit code 2, before anything is opened.

use crate::env::TestEnv;
use crate::snapshot;

#[test]
fn flags_that_do_not_exist_or_conflict() {
    let env = TestEnv::new();
    snapshot!(env.refuses(&["install", "web", ".", "--wiat"]), @r"
    exit 2
    --- stderr
    error: unexpected argument '--wiat' found

      tip: a similar argument exists: '--wait'

    Usage: boathook install --wait[=<STRATEGY>] <NAME> <SOURCE>

    For more information, try '--help'.
    ");
    snapshot!(env.refuses(&["install"]), @r"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <NAME>
      <SOURCE>

    Usage: boathook install <NAME> <SOURCE>

    For more information, try '--help'.
    ");
    snapshot!(env.refuses(&["list", "-q", "-v"]), @r"
    exit 2
    --- stderr
    error: the argument '--quiet' cannot be used with '--verbose...'

    Usage: boathook list --quiet

    For more information, try '--help'.
    ");
    snapshot!(env.refuses(&["run", "pre-instal", "web", "."]), @r"
    exit 2
    --- stderr
    error: invalid value 'pre-instal' for '<EVENT>': no hook event; the events are: pre-install, post-install, pre-delete, post-delete, pre-upgrade, post-upgrade, pre-rollback, post-rollback, test

    For more information, try '--help'.
    ");
    snapshot!(env.refuses(&["install", "web", ".", "--timeout", "5"]), @r"
    exit 2
    --- stderr
    error: invalid value '5' for '--timeout <DURATION>': expected a positive duration such as 30s, 5m or 1h30m

    For more information, try '--help'.
    ");
    snapshot!(env.refuses(&["install", "web", ".", "--timeout", "0s"]), @r"
    exit 2
    --- stderr
    error: invalid value '0s' for '--timeout <DURATION>': expected a positive duration such as 30s, 5m or 1h30m

    For more information, try '--help'.
    ");
    snapshot!(env.refuses(&["list", "--cluster", "embeded"]), @r#"
    exit 2
    --- stderr
    error: --cluster "embeded" is none of: kube, embedded, embedded:FILE
      help: embedded:FILE keeps the state in FILE between commands, e.g. embedded:state.json
    "#);
    snapshot!(env.refuses(&["list", "--cluster", "embedded:"]), @r#"
    exit 2
    --- stderr
    error: --cluster "embedded:" is none of: kube, embedded, embedded:FILE
      help: embedded:FILE keeps the state in FILE between commands, e.g. embedded:state.json
    "#);
    snapshot!(env.refuses(&["embedded", "serve", "--address", "0.0.0.0:0"]), @r"
    exit 2
    --- stderr
    error: 0.0.0.0:0 is no loopback address
      help: the embedded API lets everybody in, so it listens on 127.0.0.1 or [::1] only
    ");
}

#[test]
fn names_that_no_cluster_takes() {
    let env = TestEnv::new();
    env.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let on = ["--cluster", "embedded:state.json"];
    for name in ["Web", "web_1", "-web", "a/b", "..", "%2e", "", &"a".repeat(54)] {
        let run = env.refuses(&[&["install"][..], &on, &["--", name, "a.yaml"]].concat());
        assert_eq!(run.code, Some(2), "{name:?}: {run}");
        let alone = env.refuses(&["install", "--", name, "a.yaml"]);
        assert_eq!(alone.code, Some(2), "before a cluster is looked for, {name:?}: {alone}");
    }
    snapshot!(env.refuses(&[&["install", "Web", "a.yaml"][..], &on].concat()), @r#"
    exit 2
    --- stderr
    error: release name "Web" is not valid
      help: use a-z, 0-9, '-' and '.', starting and ending with a letter or digit, at most 53 characters
    "#);
    snapshot!(env.refuses(&[&["install", "web", "a.yaml", "-n", "Prod/x"][..], &on].concat()), @r#"
    exit 2
    --- stderr
    error: namespace "Prod/x" is not a DNS label
      help: use a-z, 0-9 and '-', starting and ending with a letter or digit, at most 63 characters
    "#);
}

#[test]
fn sources_that_cannot_be_read() {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("empty")).unwrap();
    env.write("latin1.yaml", b"a: 1\nb: \xe9\n");
    env.write("utf16.yaml", b"\xff\xfea\0:\0 \x001\0");
    snapshot!(env.refuses(&["plan", "install", "web", "nothing-here"]), @r"
    exit 3
    --- stderr
    error: cannot read nothing-here: no such file or folder
    ");
    snapshot!(env.refuses(&["plan", "install", "web", "empty"]), @r"
    exit 3
    --- stderr
    error: empty: no *.yaml, *.yml or *.json file in this folder
      help: name a manifest file, a folder of manifests, or a chart (a folder with Chart.yaml)
    ");
    snapshot!(env.refuses(&["plan", "install", "web", "latin1.yaml"]), @r"
    exit 3
    --- stderr
    error: latin1.yaml:2: not UTF-8 text
      help: save it as UTF-8
    ");
    snapshot!(env.refuses(&["plan", "install", "web", "utf16.yaml"]), @r"
    exit 3
    --- stderr
    error: utf16.yaml:1: not UTF-8 text
      help: it is UTF-16: save it as UTF-8
    ");
    snapshot!(env.refuses(&["plan", "install", "web", "/dev/zero"]), @r"
    exit 3
    --- stderr
    error: /dev/zero: neither a file nor a folder
      help: manifests on stdin are read with `-`
    ");
}

#[test]
fn a_config_that_is_no_object() {
    let env = TestEnv::new();
    let run =
        |config: &str| env.refuses(&["plugin", "run", "ensure", "--cluster", "embedded", "--config", config]);
    snapshot!(run("[1]"), @r"
    exit 2
    --- stderr
    error: --config is no object
      help: give a JSON object, or @FILE
    ");
    snapshot!(run("{"), @r"
    exit 2
    --- stderr
    error: --config:1:1: invalid YAML: unclosed bracket '{'
    ");
    snapshot!(run("@missing.yaml"), @r"
    exit 3
    --- stderr
    error: cannot read missing.yaml: No such file or directory (os error 2)
    ");
}
