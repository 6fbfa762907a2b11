//! Clusters that cannot be used: state files, kubeconfigs, servers. Each says the way out.

use std::net::TcpListener;
use std::process::Stdio;

use crate::env::{Run, TestEnv};
use crate::snapshot;

const LIST: [&str; 3] = ["list", "--cluster", "embedded:state.json"];

#[track_caller]
fn refuse_state(bytes: impl AsRef<[u8]>) -> Run {
    let env = TestEnv::new();
    env.write("state.json", bytes);
    let run = env.refuses(&LIST);
    assert_eq!(run.code, Some(3), "{run}");
    run
}

#[test]
fn a_state_file_that_is_cut_foreign_or_newer() {
    let env = TestEnv::new();
    env.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    env.run(&["install", "web", "a.yaml", "--cluster", "embedded:state.json"]).ok();
    let whole = std::fs::read_to_string(env.path("state.json")).unwrap();
    let cut = refuse_state(&whole[..whole.len() / 2]);
    assert!(cut.stderr.contains("state file state.json is damaged: "), "{cut}");
    snapshot!(refuse_state(""), @r"
    exit 3
    --- stderr
    error: state file state.json is damaged: EOF while parsing a value at line 1 column 0
      help: the file was left as it is: repair it, or move it away to start with an empty cluster
    ");
    snapshot!(refuse_state("{\"kind\": \"List\"}"), @r"
    exit 3
    --- stderr
    error: file state.json is no state of the embedded cluster
      help: the file was left as it is: repair it, or move it away to start with an empty cluster
    ");
    snapshot!(refuse_state(whole.replacen("boathook-embedded/1", "boathook-embedded/7", 1)), @r"
    exit 3
    --- stderr
    error: state file state.json has the format boathook-embedded/7, this version reads boathook-embedded/1
      help: the file was left as it is: repair it, or move it away to start with an empty cluster
    ");
}

#[test]
fn a_state_file_that_cannot_be_read_or_written() {
    let env = TestEnv::new();
    std::fs::create_dir(env.path("folder")).unwrap();
    snapshot!(env.refuses(&["list", "--cluster", "embedded:folder"]), @r"
    exit 3
    --- stderr
    error: state file folder cannot be read: it is no regular file
      help: name a file in a folder that exists and that you may write to
    ");
    snapshot!(env.refuses(&["list", "--cluster", "embedded:missing/state.json"]), @r"
    exit 3
    --- stderr
    error: state file missing/state.json cannot be read: No such file or directory (os error 2)
      help: name a file in a folder that exists and that you may write to
    ");
}

#[test]
fn a_state_file_in_use_names_its_holder() {
    let env = TestEnv::new();
    let mut holder = env.command(&["embedded", "serve", "--state", "state.json"]);
    let mut holder = holder.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line)
        .unwrap();
    let run = env.refuses(&LIST);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(run.code, Some(5));
    snapshot!(run, @r"
    exit 5
    --- stderr
    error: state file state.json is in use by process [pid]
      help: wait for the other command to end, or use another state file
    ");
    env.run(&LIST).ok();
}

#[test]
fn no_kubeconfig_names_both_ways_out() {
    let run = TestEnv::new().refuses(&["list"]);
    assert_eq!(run.code, Some(4));
    snapshot!(run, @r"
    exit 4
    --- stderr
    error: no kubeconfig found
      help: looked at [folder]/home/.kube/config; name one with --kubeconfig FILE or KUBECONFIG, or use --cluster embedded for a cluster in memory
    ");
}

#[test]
fn a_kubeconfig_that_is_none() {
    let env = TestEnv::new();
    env.write("config", "users: [\n");
    snapshot!(env.refuses(&["list", "--kubeconfig", "config"]), @r"
    exit 4
    --- stderr
    error: cannot read kubeconfig config: unclosed bracket '[' at line 1, column 8
    ");
    snapshot!(env.refuses(&["list", "--kubeconfig", "missing"]), @r"
    exit 4
    --- stderr
    error: cannot read kubeconfig missing: No such file or directory (os error 2)
    ");
    env.write("config", kubeconfig(1));
    snapshot!(env.refuses(&["list", "--kubeconfig", "config", "--context", "prod"]), @r#"
    exit 4
    --- stderr
    error: the kubeconfig has no context "prod"
      help: its contexts are dev
    "#);
}

#[test]
fn a_server_that_refuses_connections() {
    let env = TestEnv::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    env.write("config", kubeconfig(port));
    env.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    for args in [&["list"][..], &["install", "web", "a.yaml"]] {
        let run = env.refuses(&[args, &["--kubeconfig", "config"]].concat());
        assert_eq!(run.code, Some(4), "{run}");
    }
    snapshot!(env.refuses(&["list", "--kubeconfig", "config"]), @r"
    exit 4
    --- stderr
    error: cannot reach the cluster at http://127.0.0.1:[port]: Connection refused (os error 111)
      help: check the server in your kubeconfig, or try without a cluster: --cluster embedded
    ");
}

#[test]
fn a_release_or_revision_that_is_not_there() {
    let env = TestEnv::new();
    snapshot!(env.refuses(&["status", "web", "--cluster", "embedded"]), @r"
    exit 1
    --- stderr
    error: release web not found in namespace default
      help: `boathook list --all-namespaces` lists every release; `-n` names a namespace
    ");
    snapshot!(env.refuses(&["history", "web", "--cluster", "embedded"]), @r"
    exit 1
    --- stderr
    error: release web not found in namespace default
      help: `boathook list --all-namespaces` lists every release; `-n` names a namespace
    ");
    snapshot!(env.refuses(&["get", "hooks", "web", "--revision", "3", "--cluster", "embedded"]), @r"
    exit 1
    --- stderr
    error: release web not found in namespace default
      help: `boathook list --all-namespaces` lists every release; `-n` names a namespace
    ");
}

#[test]
fn a_namespace_that_is_not_there() {
    let env = TestEnv::new();
    env.write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    env.run(&["install", "other", "a.yaml", "--cluster", "embedded:state.json"]).ok();
    let install = ["install", "web", "a.yaml", "-n", "prod", "--cluster", "embedded:state.json"];
    snapshot!(env.refuses(&install), @r#"
    exit 1
    --- stdout
    Refused: nothing was changed · [duration] (exit code 1)
    --- stderr

    refused: namespaces "prod" not found

      create it, or use --create-namespace
    "#);
    env.run(&[&install[..], &["--create-namespace"]].concat()).ok();
}

fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: dev\ncontexts: [{{name: dev, context: {{cluster: dev, user: dev}}}}]\n\
         clusters: [{{name: dev, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}]\nusers: [{{name: dev, user: {{}}}}]\n"
    )
}
