//! The cluster of a developer, and that nothing is left of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use boathook_test_cluster::tools::Tool;
use boathook_tests::env::{Run, built};

use crate::place::Place;
use crate::tests;

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
    drop(first);
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
