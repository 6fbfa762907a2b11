//! The real kubectl against `serve`. It is found by `BOATHOOK_KUBECTL` or on the PATH; without one the test says so and
//! is skipped, but in CI (`CI=true`) that is a failure.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests: shared functions of a test binary are not #[test] themselves"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use boathook_embedded::{Embedded, kubeconfig, serve};
use tokio::net::TcpListener;

fn find_kubectl() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BOATHOOK_KUBECTL") {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|file| file.is_file())
}

/// kubectl with a home of its own, so that nothing of this machine is read or cached.
struct Kubectl {
    program: PathBuf,
    home: tempfile::TempDir,
    /// Dropping it ends the server, and with it every watch.
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Kubectl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.home.path().join("config"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write as _;
        let mut child = self.command(arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// stdout of a success.
    #[track_caller]
    fn ok(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// stderr of a failure.
    #[track_caller]
    fn fails(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(!output.status.success(), "{arguments:?} went well");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A served cluster and a kubectl for it; `None` where there is no kubectl.
async fn served() -> Option<Kubectl> {
    serving(Embedded::new()).await
}

async fn serving(embedded: Embedded) -> Option<Kubectl> {
    let Some(program) = find_kubectl() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI has no kubectl: set BOATHOOK_KUBECTL");
        println!("skipped: no kubectl on the PATH and no BOATHOOK_KUBECTL");
        return None;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    drop(tokio::spawn(serve(embedded, listener, shutdown)));
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("config"), &kubeconfig(address));
    Some(Kubectl { program, home, stop })
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: 'nginx:1', ports: [{containerPort: 80}]}
";

const JOB: &str = "
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {embedded.boathook.dev/log: \"one\\ntwo\", embedded.boathook.dev/delay: 300ms}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: 'migrate:1'}]
";

#[tokio::test(flavor = "multi_thread")]
async fn create_get_and_delete() {
    let Some(kubectl) = served().await else { return };
    kubectl.ok(&["create", "configmap", "a", "--from-literal=k=v"], "");
    let table = kubectl.ok(&["get", "configmaps"], "");
    assert!(table.starts_with("NAME"), "{table}");
    assert!(table.contains("a ") && table.contains("DATA") && table.contains("AGE"), "{table}");
    assert_eq!(kubectl.ok(&["get", "cm", "a", "-o", "jsonpath={.data.k}"], ""), "v");
    assert!(kubectl.fails(&["create", "configmap", "a"], "").contains("configmaps \"a\" already exists"));
    // Newer ones add the namespace.
    let deleted = kubectl.ok(&["delete", "cm", "a"], "");
    assert!(deleted.starts_with("configmap \"a\" deleted"), "{deleted}");
    assert!(kubectl.fails(&["get", "cm", "a"], "").contains("configmaps \"a\" not found"));
    let namespaces = kubectl.ok(&["get", "namespaces"], "");
    assert!(namespaces.contains("kube-system") && namespaces.contains("Active"), "{namespaces}");
    kubectl.ok(&["create", "namespace", "other"], "");
    kubectl.ok(&["delete", "namespace", "other", "--timeout=10s"], "");
    let resources = kubectl.ok(&["api-resources"], "");
    assert!(resources.contains("wasmhooks") && resources.contains("deploy"), "{resources}");
    assert!(kubectl.ok(&["version"], "").contains("Server Version: v1.36"));
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_on_the_client_side() {
    let Some(kubectl) = served().await else { return };
    assert_eq!(kubectl.ok(&["apply", "-f", "-"], DEPLOYMENT).trim(), "deployment.apps/web created");
    assert_eq!(kubectl.ok(&["apply", "-f", "-"], DEPLOYMENT).trim(), "deployment.apps/web unchanged");
    let changed = DEPLOYMENT.replace("nginx:1", "nginx:2");
    assert_eq!(kubectl.ok(&["apply", "-f", "-"], &changed).trim(), "deployment.apps/web configured");
    let image = "jsonpath={.spec.template.spec.containers[*].image}";
    assert_eq!(kubectl.ok(&["get", "deploy", "web", "-o", image], ""), "nginx:2");
    let unknown = DEPLOYMENT.replace("replicas: 2", "replicaz: 2");
    let error = kubectl.fails(&["apply", "-f", "-"], &unknown);
    assert!(error.contains("unknown field \"spec.replicaz\""), "{error}");
    kubectl.ok(&["rollout", "status", "deploy/web", "--timeout=10s"], "");
    kubectl.ok(&["scale", "deploy/web", "--replicas=3"], "");
    assert_eq!(kubectl.ok(&["get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}"], ""), "3");
    let table = kubectl.ok(&["get", "deployments"], "");
    assert!(table.contains("3/3"), "{table}");
    let text = kubectl.ok(&["describe", "deploy", "web"], "");
    assert!(text.contains("nginx:2"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_get_prints_may_be_applied() {
    let Some(kubectl) = served().await else { return };
    kubectl.ok(&["create", "configmap", "a", "--from-literal=k=v"], "");
    kubectl.ok(&["create", "configmap", "b", "--from-literal=k=v"], "");
    let list = kubectl.ok(&["get", "configmaps", "-o", "yaml"], "");
    assert!(list.contains("kind: List"), "{list}");
    kubectl.ok(&["delete", "configmaps", "a", "b"], "");
    let applied = kubectl.ok(&["apply", "-f", "-"], &list);
    assert!(applied.contains("configmap/a created") && applied.contains("configmap/b created"), "{applied}");
    let unknown = "apiVersion: nope.example/v1\nkind: Widget\nmetadata: {name: w}\n";
    let error = kubectl.fails(&["apply", "-f", "-"], unknown);
    assert!(error.contains("no matches for kind \"Widget\" in version \"nope.example/v1\""), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_on_the_server_side() {
    let Some(kubectl) = served().await else { return };
    let map = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{k: '{value}'}}\n")
    };
    let apply = |manager: &str, value: &str| {
        let manager = format!("--field-manager={manager}");
        kubectl.run(&["apply", "--server-side", &manager, "-f", "-"], &map(value))
    };
    let first = apply("one", "1");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(String::from_utf8_lossy(&first.stdout).trim(), "configmap/a serverside-applied");
    let second = apply("two", "2");
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(error.contains("Apply failed with 1 conflict: conflict with \"one\": .data.k"), "{error}");
    kubectl.ok(&["apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-"], &map("2"));
    assert_eq!(kubectl.ok(&["get", "cm", "a", "-o", "jsonpath={.data.k}"], ""), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_waited_for_and_their_logs_read() {
    let Some(kubectl) = served().await else { return };
    kubectl.ok(&["apply", "-f", "-"], JOB);
    kubectl.ok(&["wait", "--for=condition=complete", "job/migrate", "--timeout=20s"], "");
    assert_eq!(kubectl.ok(&["logs", "job/migrate"], ""), "simulated: one\nsimulated: two\n");
    assert_eq!(kubectl.ok(&["logs", "-f", "job/migrate", "--tail=1"], ""), "simulated: two\n");
    let table = kubectl.ok(&["get", "jobs"], "");
    assert!(table.contains("Complete") && table.contains("1/1"), "{table}");
    let pods = kubectl.ok(&["get", "pods", "-l", "job-name=migrate"], "");
    assert!(pods.contains("Completed") && pods.contains("0/1"), "{pods}");
    let text = kubectl.ok(&["describe", "job", "migrate"], "");
    assert!(
        text.contains("simulated: Job completed") && text.contains("embedded.boathook.dev/simulated: true"),
        "{text}"
    );
    kubectl.ok(&["delete", "job", "migrate", "--timeout=10s"], "");
    assert_eq!(kubectl.ok(&["get", "pods", "-o", "name"], ""), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn get_watches() {
    let Some(kubectl) = served().await else { return };
    let mut child = kubectl.command(&["get", "configmaps", "-w"]).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    kubectl.ok(&["create", "configmap", "seen"], "");
    // Whether the list or the watch shows it first, the second change can only come by the watch.
    kubectl.ok(&["create", "configmap", "later"], "");
    let (sender, seen) = std::sync::mpsc::channel();
    let reader =
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut text = String::new();
    while let Ok(line) = seen.recv_timeout(Duration::from_secs(20)) {
        text += &line;
        if text.contains("seen") && text.contains("later") {
            break;
        }
    }
    // kubectl may be a wrapper whose child outlives it: only the end of the watch ends both.
    drop(kubectl.stop);
    child.wait().unwrap();
    reader.join().unwrap().unwrap();
    assert!(text.contains("NAME") && text.contains("seen") && text.contains("later"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_kinds() {
    let Some(kubectl) = served().await else { return };
    let hook =
        "apiVersion: boathook.dev/v1alpha1\nkind: WasmHook\nmetadata: {name: h}\nspec: {plugin: ensure}\n";
    assert_eq!(kubectl.ok(&["apply", "-f", "-"], hook).trim(), "wasmhook.boathook.dev/h created");
    assert_eq!(
        kubectl.ok(&["apply", "-f", "-"], &hook.replace("ensure", "notify")).trim(),
        "wasmhook.boathook.dev/h configured"
    );
    let table = kubectl.ok(&["get", "wasmhooks"], "");
    assert!(table.contains("PLUGIN") && table.contains("notify"), "{table}");
    let missing = kubectl.fails(&["apply", "-f", "-"], &hook.replace("plugin: ensure", "timeout: 1s"));
    assert!(missing.contains("spec.plugin: Required value"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_may_what_roles_allow() {
    let Some(kubectl) = serving(Embedded::new().with_rbac()).await else { return };
    kubectl.ok(&["create", "configmap", "a"], "");
    let refused = kubectl.fails(&["get", "configmaps", "--as", "jane"], "");
    assert_eq!(
        refused.trim(),
        "Error from server (Forbidden): configmaps is forbidden: User \"jane\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
    );
    kubectl.ok(&["create", "rolebinding", "jane", "--clusterrole", "view", "--user", "jane"], "");
    kubectl.ok(
        &["create", "role", "reader", "--verb", "get", "--resource", "secrets", "--resource-name", "s"],
        "",
    );
    kubectl.ok(&["create", "serviceaccount", "app"], "");
    kubectl.ok(&["create", "rolebinding", "app", "--role", "reader", "--serviceaccount", "default:app"], "");
    assert!(kubectl.ok(&["get", "configmaps", "--as", "jane"], "").contains("a "));
    let app = "system:serviceaccount:default:app";
    for (user, question, answer) in [
        ("jane", ["list", "deployments"], true),
        ("jane", ["create", "deployments"], false),
        (app, ["get", "secrets/s"], true),
        (app, ["get", "secrets/t"], false),
    ] {
        let question = [&["auth", "can-i"], question.as_slice(), &["--as", user]].concat();
        let output = kubectl.run(&question, "");
        assert_eq!(
            (output.status.success(), output.stdout.starts_with(b"yes")),
            (answer, answer),
            "{question:?}"
        );
    }
    let list = kubectl.ok(&["auth", "can-i", "--list", "--as", app], "");
    assert!(list.lines().any(|line| line.split_whitespace().eq(["secrets", "[]", "[s]", "[get]"])), "{list}");
    assert!(kubectl.ok(&["auth", "whoami", "--as", app], "").contains("system:serviceaccounts:default"));
}
