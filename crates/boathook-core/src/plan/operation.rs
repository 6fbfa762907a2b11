//! The operations, each a row of phases. The rest of planning does not know which one it serves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::HookEvent;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `boathook install`.
    Install,
    /// `boathook upgrade`.
    Upgrade,
    /// `boathook rollback`.
    Rollback,
    /// `boathook uninstall`.
    Uninstall,
    /// `boathook test`: the test hooks of a revision that is there.
    Test,
    /// `boathook run EVENT`: the hooks of one event, nothing recorded.
    Run(HookEvent),
}

impl Operation {
    /// The phases of the operation, in order.
    pub fn phases(self) -> Vec<StepPhase> {
        use HookEvent::{
            PostDelete, PostInstall, PostRollback, PostUpgrade, PreDelete, PreInstall, PreRollback,
            PreUpgrade,
        };
        use StepPhase::{Apply, Crds, Delete, Hooks, Wait};
        match self {
            Self::Install => vec![Crds, Hooks(PreInstall), Apply, Wait, Hooks(PostInstall)],
            Self::Upgrade => vec![Hooks(PreUpgrade), Apply, Delete, Wait, Hooks(PostUpgrade)],
            Self::Rollback => vec![Hooks(PreRollback), Apply, Delete, Wait, Hooks(PostRollback)],
            Self::Uninstall => vec![Hooks(PreDelete), Delete, Wait, Hooks(PostDelete)],
            Self::Test => vec![Hooks(HookEvent::Test)],
            Self::Run(event) => vec![Hooks(event)],
        }
    }

    /// The events whose hooks the operation runs.
    pub fn events(self) -> impl Iterator<Item = HookEvent> {
        self.phases().into_iter().filter_map(|phase| match phase {
            StepPhase::Hooks(event) => Some(event),
            StepPhase::Crds | StepPhase::Apply | StepPhase::Delete | StepPhase::Wait => None,
        })
    }

    /// The command's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Uninstall => "uninstall",
            Self::Test => "test",
            Self::Run(_) => "run",
        }
    }
}

/// A part of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepPhase {
    /// The definitions in `crds/`, before anything else and before anything is recorded.
    Crds,
    /// The hooks of one event.
    Hooks(HookEvent),
    /// The ordinary objects are created or changed.
    Apply,
    /// The ordinary objects that the release no longer has are deleted; in an uninstall all of them.
    Delete,
    /// What was done is waited for, if that was asked for: objects to be ready, or to be gone.
    Wait,
}

impl fmt::Display for StepPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crds => f.write_str("crds"),
            Self::Hooks(event) => event.fmt(f),
            Self::Apply => f.write_str("apply"),
            Self::Delete => f.write_str("delete"),
            Self::Wait => f.write_str("wait"),
        }
    }
}

/// What is waited for besides hooks (`--wait`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WaitStrategy {
    /// Nothing: hooks alone are waited for. Helm 4's default.
    #[default]
    HookOnly,
    /// Objects, as Helm 4's watcher does it.
    Watcher,
    /// Objects, as Helm 3 did it.
    Legacy,
}
