//! The cluster of a developer, and that nothing is left of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use boathook_test_cluster::tools::Tool;
use boathook_tests::env::{Run, built};

use crate::place::Place;
use crate::{snapshot, tests};

tests![nothing_is_left_of_a_cluster_whose_process_is_killed];

fn nothing_is_left_of_a_cluster_whose_process_is_killed(place: &Place) {
    let folder = place.env.path("cluster");
    let serve = || {
        let mut command = Command::new(built("boathook-test-cluster"));
        command.arg("serve").arg(&folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut first = Killed(serve().spawn().unwrap());
    let mut kubeconfig = String::new();
    BufReader::new(first.0.stdout.take().unwrap()).read_line(&mut kubeconfig).unwrap();
    let admin = Path::new(kubeconfig.trim_end());
    let kubectl = |who: &Path, args: &[&str]| {
        let mut command = Command::new(Tool::Kubectl.find().unwrap());
        Run::of(&command.arg("--kubeconfig").arg(who).args(args).output().unwrap())
    };
    kubectl(admin, &["run", "sleeps", "--image=server"]).ok();
    kubectl(admin, &["wait", "pod/sleeps", "--for=condition=Ready", "--timeout=60s"]).ok();
    let run = kubectl(&admin.with_extension("limited"), &["get", "pods"]);
    assert!(run.stderr.contains("User \"limited\" cannot list resource \"pods\""), "{run}");

    let second = Run::of(&serve().output().unwrap());
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("a cluster runs in"), "{second}");

    let running = processes_in(&folder);
    assert!(running.len() > 3, "etcd, API server, controllers, a pod: {running:?}");
    // An install that waits when the API server goes.
    place.env.write(
        "hooks.yaml",
        "{apiVersion: v1, kind: Pod, metadata: {name: waits, annotations: {helm.sh/hook: pre-install}}, spec: {restartPolicy: Never, \
         containers: [{name: main, image: busybox, command: [sh, -c, echo here; sleep 1000]}]}}",
    );
    let mut install = place.env.command(&["install", "web", "hooks.yaml", "--timeout", "5s"]);
    install.arg("--kubeconfig").arg(admin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut install = install.spawn().unwrap();
    let mut lines = BufReader::new(install.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("here")));

    drop(first);
    let said: Vec<String> = lines.collect();
    let output = install.wait_with_output().unwrap();
    snapshot!(format!("{}{}", String::from_utf8(output.stdout).unwrap(), said.join("\n")), @r"
    Release web is failed in default, revision 1 · [duration] (exit code 1)
      1 hook: 0 succeeded, 1 failed
      note the end of the operation could not be recorded: cannot reach the cluster at https://127.0.0.1:[port]: Connection refused (os error 111)
      failed  pre-install   Pod/waits  resource Pod/default/waits not ready. status: InProgress, message: Pod in progress\u{a}context deadline exceeded  [duration]

    failed: Pod/waits (pre-install): resource Pod/default/waits not ready. status: InProgress, message: Pod in progress
    context deadline exceeded

      hook     hooks.yaml:1
      details  cannot reach the cluster at https://127.0.0.1:[port]: Connection refused (os error 111)
      log      here

      raise the hook's timeout, or look at why it hangs; its object was left running
    ");
    assert_eq!(output.status.code(), Some(1), "its time was over");
    for _ in 0..200 {
        if processes_in(&folder).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("left behind: {:?}", processes_in(&folder));
}

/// Killed when it is not wanted any more, also where a test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Processes that work in the folder, by their programs.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let inside =
        |process: &PathBuf| process.join("cwd").read_link().is_ok_and(|cwd| cwd.starts_with(&folder));
    processes.filter(inside).filter_map(|process| process.join("exe").read_link().ok()).collect()
}
