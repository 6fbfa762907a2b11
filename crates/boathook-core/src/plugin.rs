//! What is known of a plugin before it runs: where it came from and what it says of itself.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a plugin may import of the world `boathook:hook`; one case per WIT interface. `context` and `log` are
/// harmless and always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Release, run and config.
    Context,
    /// The Kubernetes API.
    Kubernetes,
    /// Outgoing HTTP.
    Http,
    /// Log lines.
    Log,
    /// Outputs and progress.
    Outputs,
}

impl Capability {
    /// All of them, by WIT interface name.
    pub const ALL: [Self; 5] = [Self::Context, Self::Kubernetes, Self::Http, Self::Log, Self::Outputs];

    /// The name of the WIT interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Kubernetes => "kubernetes",
            Self::Http => "http",
            Self::Log => "log",
            Self::Outputs => "outputs",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a plugin was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginOrigin {
    /// In the program itself.
    BuiltIn,
    /// In a plugin folder (`--plugin-dir`, `BOATHOOK_PLUGIN_PATH`, the user's data folder); the file.
    Installed(String),
    /// A file named by path.
    File(String),
}

impl fmt::Display for PluginOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Installed(path) | Self::File(path) => f.write_str(path),
        }
    }
}

/// What kind of WebAssembly it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginForm {
    /// A component of the world `boathook:hook`.
    Component,
    /// A WASI preview 1 command that speaks JSON lines.
    Command,
}

/// What a plugin says of itself: custom section `boathook:plugin`, JSON. A component without one is usable; then
/// `name` is its file's, and `capabilities` what it imports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Declaration {
    /// `ensure`.
    pub name: String,
    /// Of the plugin, not of the world.
    pub version: String,
    /// One line.
    pub description: String,
    /// The package version it was built against, `0.1.0`.
    pub world: String,
    /// JSON Schema of `config`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Value>,
    /// What it may use and why.
    pub capabilities: Vec<DeclaredCapability>,
}

/// One line of a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredCapability {
    /// Which.
    pub capability: Capability,
    /// Why, for the user who grants it.
    #[serde(default)]
    pub why: String,
    /// The RBAC verbs or HTTP methods that it may need: they stand in the lines that a hook without a grant is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<String>,
}

/// A plugin that was found, read and checked, but not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginInfo {
    /// The declaration's name, else the file's.
    pub name: String,
    /// Where it was found.
    pub origin: PluginOrigin,
    /// `sha256:` and 64 hexadecimal digits, of the file.
    pub digest: String,
    /// Size of the file, bytes.
    pub size: u64,
    /// Component or command.
    pub form: PluginForm,
    /// What it says of itself.
    pub declaration: Declaration,
    /// What it imports of our world; for a command, everything it could call.
    pub imports: BTreeSet<Capability>,
}
