//! Plans of what a release has on record: a rollback, an uninstall, its tests. Plugins that a hook names by a path are looked
//! for from the folder in which the command runs: records know no other.

use std::path::PathBuf;

use boathook_core::plan::{Operation, PlanInput, RevisionOptions, TestFilter};
use boathook_core::release::basis::Wish;
use boathook_engine::release_store::{Listing, revisions};

use super::{NotPlanned, Planned, Planner, Texts, is_another, unreadable};

/// A rollback to a revision, or to the one before the last.
pub(crate) async fn rollback(
    planner: &Planner<'_>,
    history: &Listing,
    to: Option<u32>,
    options: &RevisionOptions,
) -> Result<Planned, NotPlanned> {
    let past = revisions(&history.releases);
    let make = async |anew| {
        let basis = planner.basis(Operation::Rollback, Wish { to, anew, ..Wish::default() }, &past)?;
        let input = PlanInput::rollback(basis.clone(), &planner.release(&basis), &past, options);
        finish(planner, history, input).await
    };
    let planned = make(false).await?;
    if is_another(&planned, &past) { make(true).await } else { Ok(planned) }
}

/// An uninstall of the last revision.
pub(crate) async fn uninstall(
    planner: &Planner<'_>,
    history: &Listing,
    options: &RevisionOptions,
) -> Result<Planned, NotPlanned> {
    let past = revisions(&history.releases);
    let wish = Wish { keep_history: options.keep_history, ..Wish::default() };
    let basis = planner.basis(Operation::Uninstall, wish, &past)?;
    let input = PlanInput::uninstall(basis.clone(), &planner.release(&basis), &past, options);
    finish(planner, history, input).await
}

/// The tests of the last revision.
pub(crate) async fn test(
    planner: &Planner<'_>,
    history: &Listing,
    filter: &TestFilter,
) -> Result<Planned, NotPlanned> {
    let past = revisions(&history.releases);
    let basis = planner.basis(Operation::Test, Wish::default(), &past)?;
    let input = PlanInput::test(basis.clone(), &planner.release(&basis), &past, filter);
    finish(planner, history, input).await
}

async fn finish(
    planner: &Planner<'_>,
    history: &Listing,
    mut input: PlanInput,
) -> Result<Planned, NotPlanned> {
    input.diagnostics.extend(unreadable(history));
    Ok(planner.finish(input, Texts { base: PathBuf::from("."), ..Texts::default() }).await)
}
