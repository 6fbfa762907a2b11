//! The three tools: where each is, how it is called, what it says when it fails.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::Result;
use boathook_test_cluster::tools;
use boathook_tests::env::{TestEnv, boathook};
use serde::Deserialize;
use serde_json::Value;

/// What runs a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tool {
    /// 3.22.0.
    Helm3,
    /// 4.3.1: what the others are held against.
    Helm4,
    /// The program of this workspace.
    Boathook,
}

/// Commands that change a release, and have a report.
const OPERATIONS: [&str; 5] = ["install", "upgrade", "rollback", "uninstall", "test"];
/// Where Boathook writes it.
const REPORT: &str = "report.json";
/// Where both Helms keep what the API server said of its kinds.
const DISCOVERY: &str = "discovery";

/// What Helm puts before the text of an error, in this order. Which hook failed Boathook says beside the text, not in it.
const PREFIXES: [&str; 7] = [
    "Error: ",
    "INSTALLATION FAILED: ",
    "UPGRADE FAILED: ",
    "failed pre-install: ",
    "failed post-install: ",
    "pre-upgrade hooks failed: ",
    "post-upgrade hooks failed: ",
];

impl Tool {
    /// Helm 4, with which the others are compared, is the first.
    pub(crate) const ALL: [Self; 3] = [Self::Helm4, Self::Helm3, Self::Boathook];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Helm3 => "helm3",
            Self::Helm4 => "helm4",
            Self::Boathook => "boathook",
        }
    }

    /// The command of these words in a folder and a namespace.
    pub(crate) fn command(self, env: &TestEnv, words: &[&str], namespace: &str) -> Result<Command> {
        let program: PathBuf = match self {
            Self::Helm3 => tools::Tool::Helm3.find()?,
            Self::Helm4 => tools::Tool::Helm4.find()?,
            Self::Boathook => boathook(),
        };
        let mut command = env.prepare(Command::new(program), words);
        command.args(["--kubeconfig", "kubeconfig"]);
        if !words.contains(&"--namespace") {
            command.args(["--namespace", namespace]);
        }
        // Both Helms remember for hours which kinds there are.
        drop(std::fs::remove_dir_all(env.path(DISCOVERY)));
        command.env("KUBECACHEDIR", DISCOVERY);
        let is_operation = words.first().is_some_and(|word| OPERATIONS.contains(word));
        if self == Self::Boathook && is_operation {
            drop(std::fs::remove_file(env.path(REPORT)));
            command.args(["--report", REPORT]);
        }
        Ok(command)
    }

    /// The text of the error that ended a command.
    pub(crate) fn error(self, env: &TestEnv, output: &Output) -> String {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if self == Self::Boathook {
            let report = std::fs::read(env.path(REPORT)).unwrap_or_default();
            let report: Value = serde_json::from_slice(&report).unwrap_or_default();
            if let Some(message) = report["error"]["message"].as_str() {
                return message.to_owned();
            }
            let refused = |diagnostic: &&Value| diagnostic["severity"] == "error";
            if let Some(error) = report["diagnostics"].as_array().into_iter().flatten().find(refused) {
                return format!(
                    "{}: {}",
                    error["code"].as_str().unwrap_or_default(),
                    error["message"].as_str().unwrap_or_default()
                );
            }
            let line = stderr.lines().find_map(|line| line.strip_prefix("error: "));
            return line.unwrap_or_default().to_owned();
        }
        let Some(mut text) = stderr
            .find("\nError: ")
            .map(|at| &stderr[at + 1..])
            .or(stderr.starts_with("Error: ").then_some(&*stderr))
        else {
            return String::new();
        };
        for prefix in PREFIXES {
            text = text.strip_prefix(prefix).unwrap_or(text);
        }
        let text = text.trim_end();
        if self == Self::Helm3 { one_error(text) } else { text.to_owned() }
    }
}

/// Helm 3 wraps what went wrong in a list with one entry; here it is that entry.
pub(crate) fn one_error(text: &str) -> String {
    text.replace("1 error occurred:\n\t* ", "").trim_end().to_owned()
}
