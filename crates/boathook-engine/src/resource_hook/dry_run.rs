//! A dry run of a hook that is a Kubernetes object: what would be deleted and made. The API checks it and keeps nothing.

use boathook_core::Object;
use boathook_core::effect::Effect;
use boathook_core::names::{Collection, Target};
use boathook_core::plan::{HookStep, StepId};
use boathook_core::run_event::{ErrorCode, RunError};

use super::{Hands, is_finished};
use crate::hook_runner::{End, Ended};
use crate::locate::{LocateError, Located, locate};
use crate::run::Run;
use crate::{fault, hook_object, ownership};

/// Tells what the hook would do, up to the wait.
pub(super) async fn run(
    run: &mut Run<'_>,
    id: &StepId,
    hook: &HookStep,
    objects: &[Object],
    deletes_before: bool,
) -> Ended {
    let mut hands = Hands::new(run, id, hook);
    if objects.is_empty() {
        let error = RunError::new(ErrorCode::ObjectRefused, hands.warning("no objects visited"));
        return Ended::without_objects(End::NotCreated(error));
    }
    for object in objects {
        run.unborn.made(object, &hook.namespace);
        let located = locate(hands.cluster, object, &hook.namespace).await;
        let target = located.as_ref().map(|located| &located.target);
        if run.unborn.holds(&object.reference().gvk(), target) {
            run.withhold(id, Effect::of_write(object.reference(), None, object));
            continue;
        }
        let checking = hands.check(located, deletes_before);
        match run.context.unless_cancelled(checking).await {
            None => return Ended::without_objects(End::Interrupted),
            Some(Err(error)) => return Ended::without_objects(End::NotCreated(error)),
            Some(Ok(effects)) => effects.into_iter().for_each(|effect| run.withhold(id, effect)),
        }
    }
    hands.facts.attempts = 1;
    "checked, not run".clone_into(&mut hands.facts.message);
    hands.ended(End::Succeeded)
}

impl Hands<'_> {
    async fn check(
        &self,
        located: Result<Located, LocateError>,
        deletes_before: bool,
    ) -> Result<Vec<Effect>, RunError> {
        let Located { target, mut object } =
            located.map_err(|error| self.not_built(error, deletes_before))?;
        let reference = target.reference();
        let before = self.existing(&target).await.map_err(|found| found.into_error(&target))?;
        // That each operation has a name of its own is no difference, nor by which step the object was made.
        let mark = |label| before.as_ref().and_then(|before| before.str(&["metadata", "labels", label]));
        let (operation, step) = (mark(hook_object::OPERATION), mark(hook_object::STEP));
        hook_object::stamp(&mut object, self.release, operation.unwrap_or(&self.operation));
        ownership::set(&mut object, "labels", hook_object::STEP, step.unwrap_or(&self.step));
        let replaced = |before: &&Object| {
            let dying = before.get(&["metadata", "deletionTimestamp"]).is_some();
            deletes_before || dying || is_finished(&target, before)
        };
        if before.as_ref().filter(replaced).is_some() {
            self.check_successor(&target, &object).await?;
            let create = Effect::of_write(reference.clone(), None, &object);
            return Ok(vec![Effect::Delete { object: reference }, create]);
        }
        let made = self.write(&target, object).await?;
        Ok(vec![Effect::of_write(reference, before.as_ref(), &made)])
    }

    /// Has the API check an object whose name is taken still: under a name that the API makes up.
    async fn check_successor(&self, target: &Target, object: &Object) -> Result<(), RunError> {
        let mut object = object.clone();
        object.metadata_mut().shift_remove("name");
        object.metadata_mut().insert("generateName".to_owned(), format!("{}-", target.name).into());
        let collection =
            Collection { resource: target.resource.clone(), namespace: target.namespace.clone() };
        match self.cluster.create(&collection, &object, &self.options).await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault::of_cluster(&error, self.warning(&error.message))),
        }
    }
}
