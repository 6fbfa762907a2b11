//! What a plugin knows of its run. The same at every call, so it is handed over once.

use serde::{Deserialize, Serialize};

/// The release and the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// Of which release the hook is.
    pub release: ReleaseInfo,
    /// Which run of the hook this is.
    pub run: RunInfo,
}

/// A release, at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReleaseInfo {
    /// Its name.
    pub name: String,
    /// The namespace it lives in.
    pub namespace: String,
    /// Counts from 1.
    pub revision: u32,
    /// Name of its chart.
    pub chart: String,
    /// Version of its chart.
    pub chart_version: String,
    /// Version of what the chart installs.
    pub app_version: Option<String>,
}

impl Default for ReleaseInfo {
    /// A release to test with: `web` in `default`, revision 1 of chart `web` 0.1.0.
    fn default() -> Self {
        Self {
            name: "web".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            chart: "web".to_owned(),
            chart_version: "0.1.0".to_owned(),
            app_version: None,
        }
    }
}

/// One run of one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunInfo {
    /// The same for all attempts of one hook of one operation: an idempotency key.
    pub id: String,
    /// The hook's name.
    pub hook_name: String,
    /// Helm's word, `pre-install`; empty where the plugin is run by hand.
    pub event: String,
    /// Counts from 1.
    pub attempt: u32,
    /// Nothing that is written is kept and nothing is sent. The host sees to it: this is for messages only.
    pub dry_run: bool,
    /// Milliseconds that this attempt has, from its start.
    pub deadline_ms: u64,
}

impl Default for RunInfo {
    /// A run to test with: the first attempt of hook `hook` at `post-install`, with 30 seconds.
    fn default() -> Self {
        Self {
            id: "test".to_owned(),
            hook_name: "hook".to_owned(),
            event: "post-install".to_owned(),
            attempt: 1,
            dry_run: false,
            deadline_ms: 30_000,
        }
    }
}
