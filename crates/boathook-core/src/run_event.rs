//! What the engine reports while it runs. Everything shown to anyone — live lines, JSON lines, the report — is a fold
//! over these.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::Effect;
use crate::hook::HookEvent;
use crate::plan::{ReleaseRef, StepId};
use crate::{Diagnostic, ObjectRef};

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunEvent {
    /// When, UTC.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Happening {
    /// The first event, with everything that is going to run.
    OperationStarted {
        /// `install`, `run`, …
        operation: String,
        /// For which release.
        release: ReleaseRef,
        /// The hooks, in order.
        hooks: Vec<HookLabel>,
        /// How many ordinary objects.
        resources: usize,
        /// Nothing is kept: the API checks every write.
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        dry_run: bool,
    },
    /// A step begins.
    StepStarted {
        /// Which.
        step: StepId,
        /// The object, for a step that is no hook.
        #[serde(skip_serializing_if = "Option::is_none")]
        resource: Option<ObjectRef>,
    },
    /// A step says how far it is.
    StepProgress {
        /// Which.
        step: StepId,
        /// In a few words.
        message: String,
        /// If the plugin says.
        #[serde(skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
    },
    /// A line of log, of a plugin or a container.
    Log {
        /// Which step.
        step: StepId,
        /// `ensure`, or `pod/container`.
        source: String,
        /// How much it matters.
        level: LogLevel,
        /// The text, without control characters that could drive a terminal left to the printer.
        line: String,
    },
    /// A plugin failed in a way it calls retryable, and will be tried again.
    AttemptFailed {
        /// Which step.
        step: StepId,
        /// From 1.
        attempt: u32,
        /// Why.
        error: RunError,
        /// Until the next attempt.
        retry_in_ms: u64,
    },
    /// A hook's object was deleted by its policy.
    HookDeleted {
        /// Which step.
        step: StepId,
        /// What.
        object: ObjectRef,
        /// Which policy.
        policy: String,
    },
    /// A hook step ended.
    HookFinished {
        /// Which.
        step: StepId,
        /// How.
        result: HookResult,
    },
    /// An ordinary object was dealt with.
    ResourceFinished {
        /// Which.
        step: StepId,
        /// The object.
        resource: ObjectRef,
        /// How.
        result: ResourceResult,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<RunError>,
    },
    /// A dry run left something undone.
    Withheld {
        /// Which step.
        step: StepId,
        /// What it would have done.
        effect: Effect,
    },
    /// Something to be said that belongs to no step, such as a clean-up that failed after success.
    Noted {
        /// What.
        diagnostic: Diagnostic,
    },
    /// The operation failed, and another one undoes it (`--rollback-on-failure`).
    RecoveryStarted {
        /// `rollback`, `uninstall`.
        operation: String,
        /// The revision that it makes, or removes.
        revision: u32,
        /// Its hooks, in order.
        hooks: Vec<HookLabel>,
        /// How many ordinary objects it deals with.
        resources: usize,
    },
    /// It ended.
    RecoveryFinished {
        /// How.
        outcome: Outcome,
        /// The status of its revision afterwards.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// The last event.
    OperationFinished {
        /// How it ended.
        outcome: Outcome,
        /// The exit code of the command.
        exit_code: u8,
        /// The release's status afterwards; absent where nothing is recorded.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<String>,
        /// Of the whole operation.
        duration_ms: u64,
        /// What stopped it.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<RunError>,
    },
}

/// A hook as reports name it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HookLabel {
    /// The step's id.
    pub id: StepId,
    /// When it fires.
    pub event: HookEvent,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: i64,
    /// The plugin that runs, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginLabel>,
}

/// A plugin as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PluginLabel {
    /// Its name.
    pub name: String,
    /// `sha256:…`.
    pub digest: String,
}

/// How one hook ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HookResult {
    /// Helm's word.
    pub phase: Phase,
    /// How often it was tried.
    pub attempts: u32,
    /// From the step's start.
    pub duration_ms: u64,
    /// What it says it did.
    pub message: String,
    /// Whether it changed anything, if it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// The cluster only simulates what runs in it.
    pub simulated: bool,
    /// Calls that a plugin made.
    pub calls: Calls,
    /// What a plugin put out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub outputs: BTreeMap<String, Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// How many calls a plugin made of each capability with effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Calls {
    /// Kubernetes API.
    pub kubernetes: u32,
    /// HTTP.
    pub http: u32,
}

/// Helm's hook phases, and one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Phase {
    /// Its end was not seen (a signal ended the wait).
    Unknown,
    /// Started, not ended.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Never started, because the operation ended before it.
    Skipped,
}

/// What became of an ordinary object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ResourceResult {
    /// It was not there.
    Created,
    /// It was there and changed.
    Configured,
    /// It was there and is the same.
    Unchanged,
    /// It is gone.
    Deleted,
    /// A policy keeps it.
    Kept,
    /// Nobody keeps it, nobody deleted it.
    Orphaned,
    /// It could not be done.
    Failed,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Outcome {
    /// All of it was done.
    Succeeded,
    /// A step failed.
    Failed,
    /// A signal ended it; it can be resumed.
    Interrupted,
    /// It was not begun.
    Refused,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the user.
    Info,
    /// Probably wrong.
    Warn,
    /// Wrong.
    Error,
}

/// Why something failed, for people and scripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunError {
    /// A stable word.
    pub code: ErrorCode,
    /// One sentence, the reason first.
    pub message: String,
    /// The way out; for a denied call the exact YAML lines to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The hook it happened in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<StepId>,
    /// More lines: a trap's frames, an object's Events.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub details: Vec<String>,
}

impl RunError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, hook: None, details: Vec::new() }
    }
}

/// The stable words of [`RunError::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ErrorCode {
    /// The guest trapped.
    PluginTrap,
    /// The guest said that it failed, or exited with a code.
    PluginFailed,
    /// The plugin could not be found, read or linked.
    PluginInvalid,
    /// The command line says something that cannot be done.
    Usage,
    /// The input is wrong: a file, a chart, a plan.
    BadInput,
    /// A call that the grant does not allow.
    PermissionDenied,
    /// A limit of the run was reached (memory, calls, sizes).
    LimitReached,
    /// The time was over.
    Timeout,
    /// A hook Job failed.
    JobFailed,
    /// A hook Pod failed.
    PodFailed,
    /// A credential's source is missing.
    CredentialMissing,
    /// The cluster refused an object.
    ObjectRefused,
    /// An object that was waited for says that it failed.
    NotReady,
    /// The cluster cannot be reached, or does not let us in.
    ClusterUnavailable,
    /// The name is in use, or the release is not there.
    ReleaseConflict,
    /// Somebody else is at it.
    Locked,
    /// The user stopped it.
    Interrupted,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// The exit code of a command that this error stopped (the table of the command line's contract).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::PluginInvalid | Self::BadInput => 3,
            Self::ClusterUnavailable => 4,
            Self::Locked => 5,
            Self::PermissionDenied => 6,
            Self::Interrupted => 130,
            Self::PluginTrap
            | Self::PluginFailed
            | Self::LimitReached
            | Self::Timeout
            | Self::JobFailed
            | Self::PodFailed
            | Self::CredentialMissing
            | Self::ObjectRefused
            | Self::NotReady
            | Self::ReleaseConflict
            | Self::Internal => 1,
        }
    }
}
