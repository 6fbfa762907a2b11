//! What each operation writes into the records of a release, and when: statuses, descriptions, which other revisions are
//! superseded. One table, with Helm's texts. It departs from Helm where Helm leaves a release stuck: a rollback whose hook
//! fails ends as `failed`, an uninstall whose pre-delete hook fails gives the release its former status back.

use super::Status;
use crate::HookEvent;
use crate::plan::{Operation, StepPhase};

/// What an operation is about, as far as records say it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The operation.
    pub operation: Operation,
    /// The release.
    pub name: &'a str,
    /// The revision that a rollback goes back to.
    pub target: Option<u32>,
    /// The user's text for the history.
    pub description: Option<&'a str>,
    /// An uninstall keeps the records.
    pub keep_history: bool,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// Everything was done.
    Succeeded,
    /// Everything was done that could be; only an uninstall goes on after an error.
    Incomplete,
    /// A phase failed; what comes after it was not done.
    Failed(StepPhase, &'a str),
    /// The user stopped it in a phase.
    Interrupted(StepPhase),
}

/// What is written into the record of the revision at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The status.
    pub status: Status,
    /// The sentence of the history.
    pub description: String,
}

/// What becomes of the record of the revision at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Status and description are set.
    Set(Written),
    /// Both are what they were before the operation; results of hooks are kept.
    Former,
    /// It stays as the beginning left it.
    AsBegun,
    /// All records of the release are deleted.
    Purged,
}

/// Which other revisions are marked as superseded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Superseded {
    /// None.
    None,
    /// The one whose objects were on the cluster.
    Base,
    /// Every one that is deployed.
    Deployed,
}

/// What is written at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// For the revision at hand.
    pub own: Own,
    /// For the others.
    pub superseded: Superseded,
}

impl Ending {
    fn alone(own: Own) -> Self {
        Self { own, superseded: Superseded::None }
    }
}

fn written(status: Status, description: impl Into<String>) -> Written {
    Written { status, description: description.into() }
}

/// What is written before the first hook; nothing where the status never changes. An uninstall's is written when its first
/// hook begins, at the latest before the first object is deleted.
pub fn beginning(subject: &Subject<'_>) -> Option<Written> {
    match subject.operation {
        Operation::Install => Some(written(Status::PendingInstall, "Initial install underway")),
        Operation::Upgrade => Some(written(Status::PendingUpgrade, "Preparing upgrade")),
        Operation::Rollback => {
            let default = || format!("Rollback to {}", subject.target.unwrap_or_default());
            Some(written(Status::PendingRollback, subject.description.map_or_else(default, str::to_owned)))
        }
        Operation::Uninstall => {
            Some(written(Status::Uninstalling, "Deletion in progress (or silently failed)"))
        }
        Operation::Test | Operation::Run(_) => None,
    }
}

/// What is written when the operation ended.
pub fn ending(subject: &Subject<'_>, end: End<'_>) -> Ending {
    match subject.operation {
        Operation::Install => install(subject, end),
        Operation::Upgrade => upgrade(subject, end),
        Operation::Rollback => rollback(subject, end),
        Operation::Uninstall => uninstall(subject, end),
        Operation::Test | Operation::Run(_) => Ending::alone(Own::AsBegun),
    }
}

/// What is written into a revision that nobody will finish, because another is made in its place.
pub fn abandoned(name: &str) -> Written {
    written(Status::Failed, format!("Release {name:?} failed: not finished by the command that began it"))
}

const CANCELED: &str = "context canceled";

fn install(subject: &Subject<'_>, end: End<'_>) -> Ending {
    let failed = |cause: &str| written(Status::Failed, format!("Release {:?} failed: {cause}", subject.name));
    Ending::alone(Own::Set(match end {
        End::Succeeded | End::Incomplete => {
            written(Status::Deployed, subject.description.unwrap_or("Install complete"))
        }
        End::Failed(phase, cause) => failed(&format!("{}{cause}", during(subject.operation, phase))),
        End::Interrupted(_) => failed(CANCELED),
    }))
}

fn upgrade(subject: &Subject<'_>, end: End<'_>) -> Ending {
    let failed = |cause: &str| written(Status::Failed, format!("Upgrade {:?} failed: {cause}", subject.name));
    match end {
        End::Succeeded | End::Incomplete => Ending {
            own: Own::Set(written(Status::Deployed, subject.description.unwrap_or("Upgrade complete"))),
            superseded: Superseded::Base,
        },
        End::Failed(phase, cause) => {
            Ending::alone(Own::Set(failed(&format!("{}{cause}", during(subject.operation, phase)))))
        }
        End::Interrupted(_) => Ending::alone(Own::Set(failed(CANCELED))),
    }
}

fn rollback(subject: &Subject<'_>, end: End<'_>) -> Ending {
    let failed = |word: &str, cause: &str| {
        Own::Set(written(Status::Failed, format!("{word} {:?} failed: {cause}", subject.name)))
    };
    match end {
        // The sentence was written at the beginning already.
        End::Succeeded | End::Incomplete => Ending {
            own: Own::Set(Written { status: Status::Deployed, ..rollback_begun(subject) }),
            superseded: Superseded::Deployed,
        },
        // The objects are neither those of the one revision nor of the other.
        End::Failed(StepPhase::Apply | StepPhase::Delete, cause) => {
            Ending { own: failed("Rollback", cause), superseded: Superseded::Base }
        }
        End::Failed(StepPhase::Wait, cause) => Ending::alone(failed("Release", cause)),
        End::Failed(phase, cause) => {
            Ending::alone(failed("Rollback", &format!("{}{cause}", during(subject.operation, phase))))
        }
        End::Interrupted(StepPhase::Apply | StepPhase::Delete) => {
            Ending { own: failed("Rollback", CANCELED), superseded: Superseded::Base }
        }
        End::Interrupted(_) => Ending::alone(failed("Rollback", CANCELED)),
    }
}

fn rollback_begun(subject: &Subject<'_>) -> Written {
    beginning(subject).unwrap_or_else(|| written(Status::Deployed, ""))
}

fn uninstall(subject: &Subject<'_>, end: End<'_>) -> Ending {
    match end {
        End::Succeeded | End::Incomplete if subject.keep_history => {
            let description = subject.description.unwrap_or("Uninstallation complete");
            let own = Own::Set(written(Status::Uninstalled, description));
            Ending { own, superseded: Superseded::Deployed }
        }
        End::Succeeded | End::Incomplete => Ending::alone(Own::Purged),
        End::Failed(StepPhase::Hooks(HookEvent::PreDelete), _)
        | End::Interrupted(StepPhase::Hooks(HookEvent::PreDelete)) => Ending::alone(Own::Former),
        End::Failed(..) | End::Interrupted(_) => Ending::alone(Own::AsBegun),
    }
}

/// Helm's words before the cause of a failed phase, in the description of the release.
pub fn during(operation: Operation, phase: StepPhase) -> String {
    match (operation, phase) {
        (Operation::Install, StepPhase::Hooks(event)) => format!("failed {event}: "),
        (Operation::Upgrade | Operation::Rollback, StepPhase::Hooks(event)) => {
            format!("{event} hooks failed: ")
        }
        _ => String::new(),
    }
}

/// What the user is told of a failed phase, where Helm puts words of its own around the cause.
pub fn told(subject: &Subject<'_>, phase: StepPhase, cause: &str) -> String {
    match (subject.operation, phase) {
        (Operation::Rollback, StepPhase::Wait) => format!("release {} failed: {cause}", subject.name),
        _ => cause.to_owned(),
    }
}

/// Whether an operation goes on after a failed phase: once the objects of an uninstall are deleted, the rest is done as far
/// as it can be, and told at the end.
pub fn goes_on_after(operation: Operation, phase: StepPhase) -> bool {
    operation == Operation::Uninstall
        && matches!(phase, StepPhase::Wait | StepPhase::Hooks(HookEvent::PostDelete))
}

#[cfg(test)]
mod tests {
    use HookEvent::{PostDelete, PostInstall, PostRollback, PostUpgrade, PreDelete, PreInstall};
    use HookEvent::{PreRollback, PreUpgrade};
    use StepPhase::{Apply, Delete, Hooks, Wait};
    use test_case::test_case;

    use super::*;

    fn subject(operation: Operation) -> Subject<'static> {
        Subject { operation, name: "web", target: Some(1), description: None, keep_history: false }
    }

    fn told(subject: &Subject<'_>, end: End<'_>) -> String {
        let Ending { own, superseded } = ending(subject, end);
        let own = match own {
            Own::Set(Written { status, description }) => format!("{status}: {description}"),
            Own::Former => "former".to_owned(),
            Own::AsBegun => "as begun".to_owned(),
            Own::Purged => "purged".to_owned(),
        };
        match superseded {
            Superseded::None => own,
            Superseded::Base => format!("{own}; base superseded"),
            Superseded::Deployed => format!("{own}; deployed superseded"),
        }
    }

    #[test_case(Operation::Install => "pending-install: Initial install underway")]
    #[test_case(Operation::Upgrade => "pending-upgrade: Preparing upgrade")]
    #[test_case(Operation::Rollback => "pending-rollback: Rollback to 1")]
    #[test_case(Operation::Uninstall => "uninstalling: Deletion in progress (or silently failed)")]
    #[test_case(Operation::Test => "")]
    fn begins(operation: Operation) -> String {
        let written = beginning(&subject(operation));
        written.map(|Written { status, description }| format!("{status}: {description}")).unwrap_or_default()
    }

    /// Every row of what a success and a failure leave behind.
    #[test_case(Operation::Install, End::Succeeded => "deployed: Install complete")]
    #[test_case(Operation::Install, End::Failed(Hooks(PreInstall), "x") => "failed: Release \"web\" failed: failed pre-install: x")]
    #[test_case(Operation::Install, End::Failed(Apply, "x") => "failed: Release \"web\" failed: x")]
    #[test_case(Operation::Install, End::Failed(Wait, "x") => "failed: Release \"web\" failed: x"; "install wait")]
    #[test_case(Operation::Install, End::Failed(Hooks(PostInstall), "x") => "failed: Release \"web\" failed: failed post-install: x")]
    #[test_case(Operation::Install, End::Interrupted(Apply) => "failed: Release \"web\" failed: context canceled")]
    #[test_case(Operation::Upgrade, End::Succeeded => "deployed: Upgrade complete; base superseded")]
    #[test_case(Operation::Upgrade, End::Failed(Hooks(PreUpgrade), "x") => "failed: Upgrade \"web\" failed: pre-upgrade hooks failed: x")]
    #[test_case(Operation::Upgrade, End::Failed(Apply, "x") => "failed: Upgrade \"web\" failed: x")]
    #[test_case(Operation::Upgrade, End::Failed(Hooks(PostUpgrade), "x") => "failed: Upgrade \"web\" failed: post-upgrade hooks failed: x")]
    #[test_case(Operation::Upgrade, End::Interrupted(Wait) => "failed: Upgrade \"web\" failed: context canceled")]
    #[test_case(Operation::Rollback, End::Succeeded => "deployed: Rollback to 1; deployed superseded")]
    #[test_case(Operation::Rollback, End::Failed(Hooks(PreRollback), "x") => "failed: Rollback \"web\" failed: pre-rollback hooks failed: x"; "Helm: stuck in pending-rollback")]
    #[test_case(Operation::Rollback, End::Failed(Apply, "x") => "failed: Rollback \"web\" failed: x; base superseded")]
    #[test_case(Operation::Rollback, End::Failed(Delete, "x") => "failed: Rollback \"web\" failed: x; base superseded"; "rollback delete")]
    #[test_case(Operation::Rollback, End::Failed(Wait, "x") => "failed: Release \"web\" failed: x"; "rollback wait")]
    #[test_case(Operation::Rollback, End::Failed(Hooks(PostRollback), "x") => "failed: Rollback \"web\" failed: post-rollback hooks failed: x"; "Helm: stuck here, too")]
    #[test_case(Operation::Rollback, End::Interrupted(Apply) => "failed: Rollback \"web\" failed: context canceled; base superseded")]
    #[test_case(Operation::Rollback, End::Interrupted(Hooks(PreRollback)) => "failed: Rollback \"web\" failed: context canceled")]
    #[test_case(Operation::Uninstall, End::Succeeded => "purged")]
    #[test_case(Operation::Uninstall, End::Incomplete => "purged"; "a post-delete failure purges, too")]
    #[test_case(Operation::Uninstall, End::Failed(Hooks(PreDelete), "x") => "former"; "Helm: uninstalling")]
    #[test_case(Operation::Uninstall, End::Failed(Delete, "x") => "as begun"; "uninstall delete")]
    #[test_case(Operation::Uninstall, End::Interrupted(Hooks(PreDelete)) => "former"; "interrupted pre-delete")]
    #[test_case(Operation::Uninstall, End::Interrupted(Hooks(PostDelete)) => "as begun"; "interrupted post-delete")]
    #[test_case(Operation::Test, End::Failed(Hooks(HookEvent::Test), "x") => "as begun"; "a test changes no status")]
    fn ends(operation: Operation, end: End<'_>) -> String {
        told(&subject(operation), end)
    }

    #[test]
    fn a_kept_history_says_that_the_release_is_gone() {
        let kept = Subject { keep_history: true, ..subject(Operation::Uninstall) };
        let expected = "uninstalled: Uninstallation complete; deployed superseded";
        assert_eq!(told(&kept, End::Succeeded), expected);
        assert_eq!(told(&kept, End::Incomplete), expected);
    }

    #[test]
    fn the_users_text_is_of_a_success() {
        for (operation, expected) in [
            (Operation::Install, "deployed: mine"),
            (Operation::Upgrade, "deployed: mine; base superseded"),
            (Operation::Rollback, "deployed: mine; deployed superseded"),
        ] {
            let subject = Subject { description: Some("mine"), ..subject(operation) };
            assert_eq!(told(&subject, End::Succeeded), expected);
            assert!(!told(&subject, End::Failed(Apply, "x")).contains("mine"));
        }
        let rollback = Subject { description: Some("mine"), ..subject(Operation::Rollback) };
        assert_eq!(beginning(&rollback).unwrap().description, "mine", "a rollback says it from the start");
    }
}
