//! Flags that several life-cycle commands share, with Helm's names and meaning.

use std::collections::BTreeMap;
use std::time::Duration;

use boathook_core::operation::UNFINISHED;
use boathook_core::plan::{PlanOptions, RevisionOptions, WaitStrategy};
use boathook_core::release::ServerSide;
use boathook_core::release::codec::RESERVED_LABELS;
use boathook_core::release::wasm_hooks::POINTER;
use clap::{Args, ValueEnum};

use crate::error::{CliError, USAGE};

/// How objects are written (`--server-side`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServerSideArg {
    /// As the release has it
    Auto,
    /// By server-side apply
    True,
    /// By creation and three-way patches, as Helm 3 does it
    False,
}

impl From<ServerSideArg> for ServerSide {
    fn from(arg: ServerSideArg) -> Self {
        match arg {
            ServerSideArg::Auto => Self::Auto,
            ServerSideArg::True => Self::Yes,
            ServerSideArg::False => Self::No,
        }
    }
}

/// What is waited for besides hooks, by Helm's names (`--wait`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitArg {
    /// Hooks only
    #[value(name = "hookOnly", alias = "false")]
    HookOnly,
    /// Every object, custom ones too, by its status
    #[value(alias = "true")]
    Watcher,
    /// Objects of the kinds that Helm 3 knows
    Legacy,
}

impl From<WaitArg> for WaitStrategy {
    fn from(arg: WaitArg) -> Self {
        match arg {
            WaitArg::HookOnly => Self::HookOnly,
            WaitArg::Watcher => Self::Watcher,
            WaitArg::Legacy => Self::Legacy,
        }
    }
}

/// How far an operation goes that changes nothing (`--dry-run`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRunArg {
    /// No dry run
    #[default]
    #[value(alias = "false")]
    None,
    /// Show the plan, as `boathook plan` does
    #[value(alias = "true")]
    Client,
    /// Run it: the API checks every write and keeps none
    Server,
}

/// Whether something is to change.
#[derive(Args, Clone)]
pub(crate) struct DryRunFlags {
    /// Change nothing. client (bare --dry-run) shows the plan; server runs it, plugins included: the API checks every write and
    /// keeps none, HTTP requests are not sent, and what would change is shown field by field
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = DryRunArg::None,
        default_missing_value = "client",
        hide_default_value = true,
        value_name = "client|server"
    )]
    pub(crate) dry_run: DryRunArg,
}

/// What is waited for after objects were applied.
#[derive(Args, Clone)]
pub(crate) struct WaitFlags {
    /// Wait until the objects are ready, all together at most --timeout: watcher (bare --wait; Helm 4's rules, every kind),
    /// legacy (Helm 3's rules) or hookOnly
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = WaitArg::HookOnly,
        default_missing_value = "watcher",
        value_name = "STRATEGY"
    )]
    wait: WaitArg,
    /// With --wait: wait until Jobs among the objects are complete; else it is enough that they have started
    #[arg(long)]
    wait_for_jobs: bool,
}

impl WaitFlags {
    /// The choices of planning, with these.
    pub(crate) fn with(&self, options: PlanOptions) -> PlanOptions {
        PlanOptions { wait: self.wait.into(), wait_for_jobs: self.wait_for_jobs, ..options }
    }
}

/// What a new revision's record says.
#[derive(Args, Clone)]
pub(crate) struct RecordFlags {
    /// What the release's history says of this revision
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// A label of the release record (repeatable, or separated by commas); an upgrade keeps the others, KEY=null removes one
    #[arg(short, long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

impl RecordFlags {
    /// The labels, without those that are not the user's to give.
    pub(crate) fn labels(&self) -> Result<BTreeMap<String, String>, CliError> {
        let reserved = |key: &str| RESERVED_LABELS.contains(&key) || [POINTER, UNFINISHED].contains(&key);
        if self.labels.iter().any(|(key, _)| reserved(key)) {
            let message = format!(
                "user supplied labels contains system reserved label name. System labels: [{}]",
                RESERVED_LABELS.join(" ")
            );
            return Err(CliError::new(USAGE, message).hint("give the label another name"));
        }
        Ok(self.labels.iter().cloned().collect())
    }
}

/// How many records stay (`--history-max`).
#[derive(Args, Clone)]
pub(crate) struct HistoryFlags {
    /// Keep at most this many revisions on record, the deployed one among them; 0: all
    #[arg(long, value_name = "NUMBER", default_value_t = 10, env = "HELM_MAX_HISTORY")]
    pub(crate) history_max: u32,
}

/// What is done about somebody who is at work on the release.
#[derive(Args, Clone, Default)]
pub(crate) struct LockFlags {
    /// Wait so long for whoever is at work on the release, instead of exit code 5
    #[arg(long, value_name = "DURATION", value_parser = crate::planning::positive_duration)]
    wait_for_lock: Option<Duration>,
}

impl LockFlags {
    /// How long is waited.
    pub(crate) fn patience(&self) -> Duration {
        self.wait_for_lock.unwrap_or_default()
    }
}

/// Nothing chosen.
pub(crate) fn no_revision_options() -> RevisionOptions {
    RevisionOptions {
        labels: BTreeMap::new(),
        server_side: ServerSide::Auto,
        history_max: 0,
        description: None,
        cleanup_on_fail: false,
        rollback_on_failure: false,
        keep_history: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helms_labels_are_not_the_users() {
        let flags =
            |key: &str| RecordFlags { description: None, labels: vec![(key.to_owned(), "x".to_owned())] };
        assert!(flags("team").labels().is_ok());
        for key in ["status", POINTER, UNFINISHED] {
            let error = flags(key).labels().unwrap_err();
            assert_eq!(error.exit_code, USAGE);
            assert!(error.message.ends_with("[name owner status version createdAt modifiedAt]"), "{error:?}");
        }
    }
}
