//! Which kubeconfig is read, and what is said where it cannot be.

use std::fs;

use test_case::test_case;

use super::*;

#[test_case("https://10.0.0.1:6443" => "https://10.0.0.1:6443")]
#[test_case("https://user:secret@host/prefix" => "https://host"; "no credentials")]
#[test_case("http://[::1]:8080/" => "http://[::1]:8080")]
fn servers_are_named_without_credentials(url: &str) -> String {
    server_url(&url.parse().unwrap())
}

fn kubeconfig(current: &str, contexts: &[(&str, &str)]) -> String {
    let entries: String = contexts
        .iter()
        .map(|(name, cluster)| format!("- {{name: {name}, context: {{cluster: {cluster}, user: u}}}}\n"))
        .collect();
    format!("apiVersion: v1\nkind: Config\ncurrent-context: {current}\ncontexts:\n{entries}")
}

#[test]
fn the_first_file_of_a_list_wins_and_one_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, gone] = ["one", "two", "gone"].map(|name| folder.path().join(name));
    fs::write(&one, kubeconfig("a", &[("a", "first"), ("b", "first")])).unwrap();
    fs::write(&two, kubeconfig("b", &[("b", "second"), ("c", "second")])).unwrap();
    let merged = load(&[gone.clone(), one, two], false).unwrap();
    assert_eq!(merged.current_context.as_deref(), Some("a"));
    let clusters: Vec<_> = merged
        .contexts
        .iter()
        .map(|context| (context.name.as_str(), context.context.as_ref().unwrap().cluster.as_str()))
        .collect();
    assert_eq!(clusters, [("a", "first"), ("b", "first"), ("c", "second")]);
    let error = load(&[gone], true).unwrap_err();
    assert!(matches!(error, ConnectError::BadFile { .. }), "{error}");
}

#[test]
fn a_file_that_is_no_kubeconfig_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, "contexts: [").unwrap();
    let error = load(std::slice::from_ref(&file), false).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot read kubeconfig {}: ", file.display())),
        "{error}"
    );
}

#[test]
fn what_stands_in_a_broken_kubeconfig_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    for broken in ["contexts: [", "clusters: 7", "contexts: [{name: [x]}]"] {
        let text = format!("users:\n- name: u\n  user:\n    token: hunter2\n{broken}\n");
        fs::write(&file, text).unwrap();
        let error = load(std::slice::from_ref(&file), true).unwrap_err().to_string();
        assert!(error.contains("line 5"), "{error}");
        assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
    }
    for wrong in ["user: hunter2", "user: {exec: hunter2}", "user: {tokenFile: [hunter2]}", "hunter2"] {
        fs::write(&file, format!("users:\n- name: u\n  {wrong}\n")).unwrap();
        let error = load(std::slice::from_ref(&file), true).unwrap_err().to_string();
        assert!(error.contains("line ") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_context_is_the_one_asked_for_or_the_current_one() {
    let of = |current: &str| Kubeconfig::from_yaml(&kubeconfig(current, &[("a", "x"), ("b", "x")])).unwrap();
    assert_eq!(choose(&of("a"), None).unwrap(), "a");
    assert_eq!(choose(&of("a"), Some("b")).unwrap(), "b");
    let unknown = choose(&of("a"), Some("prod")).unwrap_err();
    assert_eq!(unknown.to_string(), "the kubeconfig has no context \"prod\"");
    assert_eq!(unknown.help().unwrap(), "its contexts are a, b");
    let none = choose(&of("''"), None).unwrap_err();
    assert_eq!(none.to_string(), "the kubeconfig has no current context");
    assert_eq!(none.help().unwrap(), "choose one with --context: a, b");
}

#[test]
fn without_a_kubeconfig_both_ways_out_are_named() {
    let help = ConnectError::NoKubeconfig { looked_at: vec![PathBuf::from("/home/me/.kube/config")] }
        .help()
        .unwrap();
    assert!(help.contains("/home/me/.kube/config"), "{help}");
    assert!(help.contains("--kubeconfig") && help.contains("--cluster embedded"), "{help}");
}

#[tokio::test]
async fn groups_need_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let clusters = "clusters: [{name: x, cluster: {server: 'http://127.0.0.1:1'}}]\n";
    fs::write(&file, kubeconfig("a", &[("a", "x")]) + clusters).unwrap();
    let options =
        ConnectOptions { kubeconfig: Some(file), as_groups: vec!["g".into()], ..ConnectOptions::default() };
    let error = open(&options).await.err().unwrap();
    assert!(matches!(error, ConnectError::GroupsWithoutUser), "{error}");
    let connection = open(&ConnectOptions { as_user: Some("me".into()), ..options }).await.unwrap();
    assert_eq!(connection.server.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(connection.context.as_deref(), Some("a"));
}

#[tokio::test]
async fn the_proxy_of_the_contexts_cluster_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let clusters = "clusters:\n\
        - {name: x, cluster: {server: 'http://127.0.0.1:1', proxy-url: 'http://proxy:3128'}}\n\
        - {name: y, cluster: {server: 'http://127.0.0.1:1'}}\n\
        - {name: z, cluster: {server: 'http://127.0.0.1:1', proxy-url: 'http://me:hunter2@a b'}}\n";
    fs::write(&file, kubeconfig("a", &[("a", "x"), ("b", "y"), ("c", "z")]) + clusters).unwrap();
    let of = |context: &str| ConnectOptions {
        kubeconfig: Some(file.clone()),
        context: Some(context.into()),
        ..ConnectOptions::default()
    };
    let (config, _) = configuration(&of("a")).await.unwrap();
    assert_eq!(config.proxy_url.unwrap().to_string(), "http://proxy:3128/");
    let (config, _) = configuration(&of("b")).await.unwrap();
    assert_eq!(config.proxy_url, None, "loopback needs none, whatever the environment says");
    let error = configuration(&of("c")).await.unwrap_err().to_string();
    assert!(error.starts_with("context \"c\" cannot be used: "), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
