//! The grant: what one hook's plugin may do. Nothing is allowed by default. These are the words a user writes;
//! whether a request is allowed is decided in `authorize`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `permissions:` of a [`crate::wasm_hook::WasmHookSpec`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permissions {
    /// Requests to the Kubernetes API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubernetes: Vec<PolicyRule>,
    /// HTTP requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRule>,
}

/// As RBAC's PolicyRule, plus namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRule {
    /// `""` is the core group.
    pub api_groups: Vec<String>,
    /// Plural names, `pods` or with a subresource `pods/log`. No `*`.
    pub resources: Vec<String>,
    /// `get`, `list`, `watch`, `create`, `patch` (also needed by apply, with `create`), `delete`.
    pub verbs: Vec<String>,
    /// Only these objects; absent or empty: any name. `*` stands for any name only where it is spelled out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Only these namespaces; absent or empty: the release's. Cluster-scoped kinds need `"*"` here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

/// HTTP requests to URLs below a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRule {
    /// Origin and whole path segments: `https://hooks.example.com/services/`.
    pub url: String,
    /// Upper-case methods; absent: GET.
    #[serde(default = "get_only")]
    pub methods: Vec<String>,
    /// Which addresses the host may resolve to.
    #[serde(default)]
    pub network: Network,
}

fn get_only() -> Vec<String> {
    vec!["GET".to_owned()]
}

/// Which addresses a granted host may resolve to. Cloud metadata addresses are in none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Globally reachable addresses only.
    #[default]
    Public,
    /// Also private ranges (a Service of the cluster).
    Cluster,
    /// Only loopback.
    Loopback,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Cluster => "cluster",
            Self::Loopback => "loopback",
        })
    }
}
