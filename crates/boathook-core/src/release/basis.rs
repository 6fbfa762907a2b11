//! From which revisions an operation starts, and whether it may start at all: Helm's rules over the history of a release,
//! with Helm's words for a refusal. Asked twice: when the plan is made, and again by the executor before it writes.

use super::{Revision, Status};
use crate::operation::Unfinished;
use crate::plan::Operation;
use crate::run_event::{ErrorCode, RunError};

/// What the user said about revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The revision to roll back to; absent: the one before the last.
    pub to: Option<u32>,
    /// Install although the name has a history that ended with an uninstall or a failure (`--replace`, and `upgrade
    /// --install` after an uninstall).
    pub replace: bool,
    /// Uninstall, but keep the records.
    pub keep_history: bool,
    /// Begin anew, even if the same command left a revision unfinished.
    pub anew: bool,
}

/// The revisions that an operation starts from and makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// The newest one there is.
    pub last: Option<u32>,
    /// The one whose objects are on the cluster, as far as the records know.
    pub base: Option<u32>,
    /// The one that a rollback goes back to.
    pub target: Option<u32>,
    /// The one that is made, or that is worked on.
    pub revision: u32,
    /// It was begun before by the same command, which did not finish it.
    pub resumes: bool,
}

/// Finds the basis in a history, oldest revision first.
///
/// # Errors
/// A refusal, in Helm's words.
pub fn find(
    operation: Operation,
    wish: Wish,
    name: &str,
    history: &[Revision<'_>],
) -> Result<Basis, Box<RunError>> {
    let last = history.last();
    let left = last.and_then(Unfinished::left);
    let target = last.and_then(|last| last.record.info.rollback_revision);
    match (operation, &left) {
        (_, Some(left)) if !wish.anew && left.is_of(operation, wish.to, target) => {
            Ok(resumed(left, history, target))
        }
        (Operation::Install, _) => install(name, last, left.is_some(), wish.replace),
        (Operation::Upgrade, _) => upgrade(name, last, left.is_some(), history),
        (Operation::Rollback, Some(left)) if left.is_of(operation, wish.to, target) => {
            // The one before the last is the one that the unfinished rollback was to leave.
            rollback(name, last, history, target)
        }
        (Operation::Rollback, _) => rollback(name, last, history, wish.to),
        (Operation::Uninstall, _) => uninstall(name, last, wish.keep_history),
        (Operation::Test, _) => {
            let last = last.ok_or_else(|| missing(name, "release: not found"))?;
            Ok(on(last, None))
        }
        (Operation::Run(_), _) => Ok(Basis { revision: 1, ..Basis::default() }),
    }
}

/// What the operation began with.
fn resumed(left: &Unfinished, history: &[Revision<'_>], target: Option<u32>) -> Basis {
    let before = history.iter().rev().nth(1).map(Revision::number);
    Basis { last: before, base: left.base, target, revision: left.revision, resumes: true }
}

fn install(
    name: &str,
    last: Option<&Revision<'_>>,
    is_unfinished: bool,
    replace: bool,
) -> Result<Basis, Box<RunError>> {
    let Some(last) = last else { return Ok(Basis { revision: 1, ..Basis::default() }) };
    let replaceable = is_unfinished || matches!(last.status(), Status::Uninstalled | Status::Failed);
    if replace && replaceable {
        return Ok(Basis { last: Some(last.number()), revision: after(last), ..Basis::default() });
    }
    if is_unfinished {
        let hint = format!(
            "revision {} was begun with other objects, hooks or values and not finished: the same command as then finishes it, `boathook upgrade --install {name}` goes on with these",
            last.number()
        );
        return Err(Box::new(RunError { hint: Some(hint), ..*name_in_use() }));
    }
    if last.status().is_pending() {
        return Err(pending(name, last, &name_in_use().message));
    }
    Err(name_in_use())
}

/// A second install of a name.
pub fn name_in_use() -> Box<RunError> {
    let message = "release name check failed: cannot reuse a name that is still in use";
    refusal(message, "choose another name, or uninstall the release first")
}

/// A revision that Helm left pending: nobody can tell whether it is still at it.
fn pending(name: &str, last: &Revision<'_>, message: &str) -> Box<RunError> {
    let hint = format!(
        "revision {} is {}. If nobody is at it any more: `boathook rollback {name}`, or `boathook uninstall {name}`",
        last.number(),
        last.status()
    );
    Box::new(RunError { hint: Some(hint), ..RunError::new(ErrorCode::Locked, message) })
}

fn upgrade(
    name: &str,
    last: Option<&Revision<'_>>,
    is_unfinished: bool,
    history: &[Revision<'_>],
) -> Result<Basis, Box<RunError>> {
    let none = || {
        let message = format!("{name:?} has no deployed releases");
        refusal(message, format!("install it first, or let `boathook upgrade --install {name}` do it"))
    };
    let last = last.ok_or_else(none)?;
    if last.status().is_pending() && !is_unfinished {
        return Err(pending(name, last, "another operation (install/upgrade/rollback) is in progress"));
    }
    let base = match newest(history, |status| *status == Status::Deployed) {
        Some(deployed) => deployed,
        None if is_unfinished || matches!(last.status(), Status::Failed | Status::Superseded) => {
            last.number()
        }
        None => return Err(none()),
    };
    Ok(on(last, Some(base)).next(last))
}

fn rollback(
    name: &str,
    last: Option<&Revision<'_>>,
    history: &[Revision<'_>],
    to: Option<u32>,
) -> Result<Basis, Box<RunError>> {
    let last = last.ok_or_else(|| missing(name, "release: not found"))?;
    let target = to.unwrap_or(last.number() - 1);
    if !history.iter().any(|revision| revision.number() == target) {
        let message = format!("release has no {target} version");
        return Err(refusal(message, format!("`boathook history {name}` lists its revisions")));
    }
    Ok(Basis { target: Some(target), ..on(last, Some(last.number())).next(last) })
}

fn uninstall(name: &str, last: Option<&Revision<'_>>, keep_history: bool) -> Result<Basis, Box<RunError>> {
    let not_loaded = || missing(name, &format!("uninstall: Release not loaded: {name}: release: not found"));
    let last = last.ok_or_else(not_loaded)?;
    if keep_history && *last.status() == Status::Uninstalled {
        let message = format!("the release named {name:?} is already deleted");
        return Err(refusal(message, "without --keep-history its records are removed, too"));
    }
    Ok(on(last, Some(last.number())))
}

fn on(last: &Revision<'_>, base: Option<u32>) -> Basis {
    Basis { last: Some(last.number()), base, revision: last.number(), ..Basis::default() }
}

impl Basis {
    fn next(self, last: &Revision<'_>) -> Self {
        Self { revision: after(last), ..self }
    }
}

fn after(last: &Revision<'_>) -> u32 {
    last.number().saturating_add(1)
}

fn missing(name: &str, message: &str) -> Box<RunError> {
    refusal(message, format!("there is no release {name} in this namespace; `boathook list -A` lists all"))
}

fn refusal(message: impl Into<String>, hint: impl Into<String>) -> Box<RunError> {
    let error = RunError::new(ErrorCode::ReleaseConflict, message);
    Box::new(RunError { hint: Some(hint.into()), ..error })
}

fn newest(history: &[Revision<'_>], is: impl Fn(&Status) -> bool) -> Option<u32> {
    history.iter().rev().find(|revision| is(revision.status())).map(Revision::number)
}

/// The revision that `--rollback-on-failure` goes back to when an upgrade fails: the newest that was a success. That it was
/// superseded tells, because a failed revision is superseded by a later success only.
pub fn recovery_target(history: &[Revision<'_>]) -> Option<u32> {
    newest(history, |status| matches!(status, Status::Superseded | Status::Deployed))
}

/// The revisions whose records make room, oldest first, so that at most `max` remain once one more is made. The newest
/// deployed one is never among them. 0: no limit.
pub fn to_prune(history: &[Revision<'_>], max: u32) -> Vec<u32> {
    if max == 0 {
        return Vec::new();
    }
    let deployed = newest(history, |status| *status == Status::Deployed);
    let surplus = history.len().saturating_sub(usize::try_from(max - 1).unwrap_or(usize::MAX));
    let others = history.iter().map(Revision::number).filter(|number| Some(*number) != deployed);
    others.take(surplus).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use test_case::test_case;

    use super::super::Record;
    use super::*;
    use crate::operation::UNFINISHED;

    fn records(statuses: &[(u32, &str)]) -> Vec<Record> {
        let record = |(version, status): &(u32, &str)| {
            let mut record = Record { version: *version, ..Record::default() };
            record.info.status = Status::from((*status).to_owned());
            record
        };
        statuses.iter().map(record).collect()
    }

    fn find_in(operation: Operation, wish: Wish, statuses: &[(u32, &str)]) -> Result<Basis, RunError> {
        let records = records(statuses);
        let history: Vec<Revision<'_>> = records.iter().map(Revision::of).collect();
        find(operation, wish, "web", &history).map_err(|error| *error)
    }

    fn told(operation: Operation, wish: Wish, statuses: &[(u32, &str)]) -> String {
        match find_in(operation, wish, statuses) {
            Ok(Basis { base, target, revision, .. }) => match (base, target) {
                (Some(base), Some(target)) => format!("{base} to {target} as {revision}"),
                (Some(base), None) => format!("{base} as {revision}"),
                (None, _) => format!("new as {revision}"),
            },
            Err(error) => format!("{}: {}", error.code.exit_code(), error.message),
        }
    }

    const NO_RELEASE: &[(u32, &str)] = &[];

    #[test_case(NO_RELEASE, false => "new as 1")]
    #[test_case(&[(1, "deployed")], false => "1: release name check failed: cannot reuse a name that is still in use")]
    #[test_case(&[(1, "uninstalled")], false => "1: release name check failed: cannot reuse a name that is still in use"; "any history occupies the name")]
    #[test_case(&[(1, "superseded"), (2, "uninstalled")], true => "new as 3"; "uninstalled may be replaced")]
    #[test_case(&[(1, "failed")], true => "new as 2"; "failed may be replaced")]
    #[test_case(&[(1, "pending-install")], true => "5: release name check failed: cannot reuse a name that is still in use"; "pending may not")]
    #[test_case(&[(1, "uninstalling")], true => "1: release name check failed: cannot reuse a name that is still in use"; "uninstalling may not")]
    fn installs(history: &[(u32, &str)], replace: bool) -> String {
        told(Operation::Install, Wish { replace, ..Wish::default() }, history)
    }

    #[test_case(NO_RELEASE => "1: \"web\" has no deployed releases")]
    #[test_case(&[(1, "deployed")] => "1 as 2")]
    #[test_case(&[(1, "superseded"), (2, "deployed"), (3, "failed")] => "2 as 4"; "the newest deployed one is the base")]
    #[test_case(&[(1, "deployed"), (2, "deployed"), (3, "failed")] => "2 as 4"; "of two deployed ones the newest")]
    #[test_case(&[(1, "failed")] => "1 as 2"; "a failed first install is a base (D18)")]
    #[test_case(&[(1, "superseded"), (2, "failed")] => "2 as 3"; "nothing is deployed after a failed rollback")]
    #[test_case(&[(1, "superseded")] => "1 as 2")]
    #[test_case(&[(1, "uninstalled")] => "1: \"web\" has no deployed releases")]
    #[test_case(&[(1, "uninstalling")] => "1: \"web\" has no deployed releases")]
    #[test_case(&[(1, "paused")] => "1: \"web\" has no deployed releases"; "a word of another tool")]
    #[test_case(&[(1, "deployed"), (2, "pending-upgrade")] => "5: another operation (install/upgrade/rollback) is in progress"; "C36")]
    #[test_case(&[(1, "pending-install")] => "5: another operation (install/upgrade/rollback) is in progress"; "D23")]
    fn upgrades(history: &[(u32, &str)]) -> String {
        told(Operation::Upgrade, Wish::default(), history)
    }

    #[test_case(NO_RELEASE, None => "1: release: not found")]
    #[test_case(&[(1, "superseded"), (2, "deployed")], None => "2 to 1 as 3")]
    #[test_case(&[(1, "superseded"), (2, "superseded"), (3, "deployed")], Some(1) => "3 to 1 as 4")]
    #[test_case(&[(1, "deployed")], None => "1: release has no 0 version")]
    #[test_case(&[(3, "superseded"), (5, "deployed")], None => "1: release has no 4 version"; "the one before was pruned")]
    #[test_case(&[(1, "deployed"), (2, "pending-rollback")], Some(1) => "2 to 1 as 3"; "a way out of a stuck release (D23, D34)")]
    #[test_case(&[(1, "uninstalling")], Some(1) => "1 to 1 as 2"; "D43")]
    fn rollbacks(history: &[(u32, &str)], to: Option<u32>) -> String {
        told(Operation::Rollback, Wish { to, ..Wish::default() }, history)
    }

    #[test_case(NO_RELEASE, false => "1: uninstall: Release not loaded: web: release: not found")]
    #[test_case(&[(1, "superseded"), (2, "deployed")], true => "2 as 2")]
    #[test_case(&[(1, "pending-upgrade")], false => "1 as 1"; "uninstall ignores what is pending (D23)")]
    #[test_case(&[(1, "uninstalled")], false => "1 as 1"; "only the records are left to go")]
    #[test_case(&[(1, "uninstalled")], true => "1: the release named \"web\" is already deleted")]
    fn uninstalls(history: &[(u32, &str)], keep_history: bool) -> String {
        told(Operation::Uninstall, Wish { keep_history, ..Wish::default() }, history)
    }

    #[test_case(NO_RELEASE => "1: release: not found")]
    #[test_case(&[(1, "deployed"), (2, "failed")] => "new as 2"; "the last revision, whatever its status")]
    #[test_case(&[(1, "uninstalled")] => "new as 1"; "D39")]
    fn tests(history: &[(u32, &str)]) -> String {
        told(Operation::Test, Wish::default(), history)
    }

    #[test_case(&[(1, "superseded"), (2, "superseded"), (3, "deployed")], 10 => Vec::<u32>::new())]
    #[test_case(&[(1, "superseded"), (2, "superseded"), (3, "deployed")], 3 => vec![1]; "room for one more")]
    #[test_case(&[(1, "superseded"), (2, "superseded"), (3, "deployed")], 0 => Vec::<u32>::new(); "no limit")]
    #[test_case(&[(1, "deployed"), (2, "failed"), (3, "failed")], 2 => vec![2, 3]; "C65: the deployed one stays")]
    #[test_case(&[(1, "deployed"), (2, "failed")], 1 => vec![2]; "one is left although none should")]
    #[test_case(&[(1, "failed"), (2, "failed")], 1 => vec![1, 2]; "nothing deployed, nothing kept")]
    #[test_case(&[(1, "deployed"), (2, "deployed"), (3, "failed")], 2 => vec![1, 3]; "the newest deployed one")]
    fn prunes(history: &[(u32, &str)], max: u32) -> Vec<u32> {
        let records = records(history);
        to_prune(&records.iter().map(Revision::of).collect::<Vec<_>>(), max)
    }

    /// The basis of a command that finds the last revision marked, or the refusal's hint.
    fn marked(operation: Operation, wish: Wish, statuses: &[(u32, &str)], mark: &str) -> String {
        let mut records = records(statuses);
        records.last_mut().unwrap().info.rollback_revision = Some(1);
        let labels = BTreeMap::from([(UNFINISHED.to_owned(), mark.to_owned())]);
        let mut history: Vec<Revision<'_>> = records.iter().map(Revision::of).collect();
        history.last_mut().unwrap().labels = &labels;
        match find(operation, wish, "web", &history) {
            Ok(Basis { last, base, target, revision, resumes }) => {
                format!(
                    "{} {last:?} {base:?} {target:?} {revision}",
                    if resumes { "resumes" } else { "begins" }
                )
            }
            Err(error) => format!("{}: {}", error.code.exit_code(), error.hint.unwrap_or_default()),
        }
    }

    const DEAD: &[(u32, &str)] = &[(1, "superseded"), (2, "deployed"), (3, "failed"), (4, "pending-upgrade")];
    const ALONE: &[(u32, &str)] = &[(1, "pending-install")];
    const BACK: &[(u32, &str)] = &[(1, "superseded"), (2, "deployed"), (3, "pending-rollback")];
    const STOPPED: &[(u32, &str)] = &[(1, "deployed"), (2, "failed")];

    #[test_case(Operation::Install, ALONE, "install.v1.v0.ab" => "resumes None None Some(1) 1")]
    #[test_case(Operation::Upgrade, DEAD, "upgrade.v4.v2.ab" => "resumes Some(3) Some(2) Some(1) 4"; "the base is what the mark says")]
    #[test_case(Operation::Rollback, BACK, "rollback.v3.v2.ab" => "resumes Some(2) Some(2) Some(1) 3")]
    #[test_case(Operation::Upgrade, STOPPED, "upgrade.v2.v1.ab" => "resumes Some(1) Some(1) Some(1) 2"; "interrupted, so failed for Helm")]
    #[test_case(Operation::Upgrade, ALONE, "install.v1.v0.ab" => "begins Some(1) Some(1) None 2"; "another command goes on from there")]
    #[test_case(Operation::Upgrade, BACK, "rollback.v3.v2.ab" => "begins Some(3) Some(2) None 4"; "over a rollback")]
    #[test_case(Operation::Upgrade, DEAD, "upgrade.v3.v2.ab" => "5: revision 4 is pending-upgrade. If nobody is at it any more: `boathook rollback web`, or `boathook uninstall web`"; "a mark that Helm handed on")]
    #[test_case(Operation::Install, ALONE, "" => "5: revision 1 is pending-install. If nobody is at it any more: `boathook rollback web`, or `boathook uninstall web`"; "an install of Helm")]
    #[test_case(Operation::Upgrade, DEAD, "upgrade.v4" => "5: revision 4 is pending-upgrade. If nobody is at it any more: `boathook rollback web`, or `boathook uninstall web`"; "no mark of ours")]
    fn what_was_not_finished_is_resumed(
        operation: Operation,
        statuses: &[(u32, &str)],
        mark: &str,
    ) -> String {
        marked(operation, Wish::default(), statuses, mark)
    }

    #[test_case(Operation::Upgrade, DEAD, "upgrade.v4.v2.ab" => "begins Some(4) Some(2) None 5")]
    #[test_case(Operation::Rollback, BACK, "rollback.v3.v2.ab" => "begins Some(3) Some(3) Some(1) 4"; "to where it was to go")]
    #[test_case(Operation::Install, ALONE, "install.v1.v0.ab" => "1: revision 1 was begun with other objects, hooks or values and not finished: the same command as then finishes it, `boathook upgrade --install web` goes on with these")]
    fn or_begun_anew(operation: Operation, statuses: &[(u32, &str)], mark: &str) -> String {
        marked(operation, Wish { anew: true, ..Wish::default() }, statuses, mark)
    }

    #[test]
    fn a_rollback_to_elsewhere_is_another_one() {
        let wish = Wish { to: Some(2), ..Wish::default() };
        assert_eq!(
            marked(Operation::Rollback, wish, BACK, "rollback.v3.v2.ab"),
            "begins Some(3) Some(3) Some(2) 4"
        );
    }

    #[test]
    fn a_failed_upgrade_goes_back_to_the_newest_success() {
        let records = records(&[(1, "superseded"), (2, "superseded"), (3, "failed"), (4, "pending-upgrade")]);
        let history: Vec<Revision<'_>> = records.iter().map(Revision::of).collect();
        assert_eq!(recovery_target(&history), Some(2));
        assert_eq!(recovery_target(&history[2..]), None);
    }
}
