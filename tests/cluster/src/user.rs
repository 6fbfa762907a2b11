//! Who may talk to the cluster: users with a token each, and their kubeconfigs.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Whoever starts a cluster, and its tests.
pub(crate) const ADMIN: &str = "admin";
/// May do nothing until somebody binds a role to it.
pub(crate) const LIMITED: &str = "limited";
/// The controllers' own name, so that the audit log can tell them apart.
pub(crate) const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
/// The node's.
pub(crate) const NODE: &str = "system:node:host";

/// A user with a token.
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) token: String,
    masters: bool,
}

impl User {
    fn new(name: &'static str, masters: bool) -> Result<Self> {
        Ok(Self { name, token: random()?, masters })
    }
}

/// The users of a new cluster.
pub(crate) fn users() -> Result<[User; 4]> {
    Ok([
        User::new(ADMIN, true)?,
        User::new(LIMITED, false)?,
        User::new(CONTROLLER_MANAGER, true)?,
        User::new(NODE, true)?,
    ])
}

/// The file of `--token-auth-file`.
pub(crate) fn token_file(users: &[User]) -> String {
    users.iter().fold(String::new(), |mut text, user| {
        let groups = if user.masters { ",system:masters" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{},{},{}{groups}", user.token, user.name, user.name);
        text
    })
}

/// A kubeconfig, as JSON.
pub(crate) fn kubeconfig(server: &str, authority: &[u8], user: &str, token: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test-cluster",
        "clusters": [{"name": "test-cluster", "cluster": {
            "server": server, "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "test-cluster", "context": {
            "cluster": "test-cluster", "user": user, "namespace": namespace,
        }}],
    })
}

/// Where a user's kubeconfig lies in the cluster's folder.
pub(crate) fn kubeconfig_path(folder: &Path, user: &str) -> PathBuf {
    match user {
        ADMIN => folder.join("kubeconfig"),
        other => folder.join(format!("kubeconfig.{}", other.rsplit(':').next().unwrap_or(other))),
    }
}

/// 128 bits of the kernel's, in hex.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
