//! Where one test runs: a namespace of the cluster and a folder of this machine.

use std::process::Command;

use boathook_test_cluster::Cluster;
use boathook_test_cluster::tools::Tool;
use boathook_tests::env::{Run, TestEnv};
use serde_json::Value;

/// What the namespace of a test is called in what is compared. It is as long as the real name: tables stay as they are.
const NAMESPACE: &str = "NAMESPACE";

pub(crate) struct Place<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) env: TestEnv,
    pub(crate) namespace: String,
}

impl<'a> Place<'a> {
    pub(crate) fn new(cluster: &'a Cluster, name: &str) -> Self {
        let env = TestEnv::new();
        std::fs::copy(cluster.kubeconfig(), env.path("kubeconfig")).unwrap();
        Self { cluster, env, namespace: cluster.namespace(name).unwrap() }
    }

    /// The program in the test's namespace, as somebody who may do everything.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.env.command(args);
        command.args(["--namespace", &self.namespace, "--kubeconfig", "kubeconfig"]);
        command
    }

    /// Runs it to its end. The namespace's name is replaced in what it wrote.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.finish(self.command(args))
    }

    /// The same for any command.
    pub(crate) fn finish(&self, mut command: Command) -> Run {
        let run = Run::of(&command.output().unwrap());
        let shown = |text: String| text.replace(&self.namespace, NAMESPACE);
        Run { code: run.code, stdout: shown(run.stdout), stderr: shown(run.stderr) }
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Run {
        self.tool(Tool::Kubectl, args)
    }

    /// Runs a helm in the namespace.
    pub(crate) fn helm(&self, helm: Tool, args: &[&str]) -> Run {
        self.tool(helm, args)
    }

    fn tool(&self, tool: Tool, args: &[&str]) -> Run {
        let mut command = self.env.prepare(Command::new(tool.find().unwrap()), args);
        command.args(["--namespace", &self.namespace, "--kubeconfig", "kubeconfig"]);
        self.finish(command)
    }

    /// Applies manifests.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        self.env.write("applied.yaml", yaml);
        self.kubectl(&["apply", "-f", "applied.yaml"]).ok();
    }

    /// An object of the namespace, if it is there: `configmaps/a`, or `apps/v1/deployments/a`.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        let (group, rest) = match path.split('/').collect::<Vec<_>>().as_slice() {
            [kind, name] => ("api/v1".to_owned(), format!("{kind}/{name}")),
            [group, version, kind, name] => (format!("apis/{group}/{version}"), format!("{kind}/{name}")),
            other => panic!("no path of an object: {other:?}"),
        };
        self.cluster.get(&format!("/{group}/namespaces/{}/{rest}", self.namespace)).unwrap()
    }
}
