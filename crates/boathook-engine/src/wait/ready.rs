//! Waits until every object of a revision is ready. They are looked at in few requests first; what is not ready then is watched,
//! within a bound, by turns where there are more. All have one deadline. As Helm's watcher has it, an object that failed is told of
//! when the others are ready or time is up, and counts as ready if it is by then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use boathook_core::Object;
use boathook_core::names::Target;
use boathook_core::plan::{StepId, WaitStep};
use boathook_core::readiness::Readiness;
use boathook_core::run_event::{ErrorCode, Happening, RunError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::judging::Judge;
use crate::at_once::{AT_ONCE, in_order};
use crate::cluster::{ClusterError, Verdict};
use crate::context::Context;
use crate::look::look;
use crate::run::{Run, Stop};
use crate::{deletion, diagnose, fault};

/// How long a verdict holds that depends on more than the object.
const HOLDS: Duration = Duration::from_secs(15);
/// How long an object is watched while others wait for a watch.
const TURN: Duration = Duration::from_secs(10);
/// How long the last look may take.
const LAST_LOOK: Duration = Duration::from_secs(5);
/// Objects that are named in a line of progress, and explained when they are not ready.
const NAMED: usize = 3;

/// Waits for what was applied.
pub(super) async fn ready(run: &mut Run<'_>, id: &StepId, wait: WaitStep) -> Result<(), Stop> {
    let deadline = Instant::now() + wait.timeout;
    let judge = Judge::new(run.context, wait);
    let targets = std::mem::take(&mut run.applied);
    let first = timeout_at(deadline, first_look(&judge, &targets));
    let mut states = match run.context.unless_cancelled(first).await.ok_or(Stop::Interrupted)? {
        Ok(states) => states.map_err(Stop::failed)?,
        Err(_) => vec![unknown(); targets.len()],
    };
    let in_time = watched(run, id, &judge, &targets, &mut states, deadline).await?;
    // Who failed, or was still in the queue, may be ready by now.
    let last = last_look(&judge, &targets, &mut states);
    run.context.unless_cancelled(last).await.ok_or(Stop::Interrupted)?;
    let unready: Vec<(&Target, &Readiness)> =
        targets.iter().zip(&states).filter(|(_, state)| **state != Readiness::Current).collect();
    if unready.is_empty() {
        return Ok(());
    }
    let explained = explained(run.context, &unready, in_time);
    Err(Stop::failed(run.context.unless_cancelled(explained).await.ok_or(Stop::Interrupted)?))
}

/// What is known of an object that was not looked at.
fn unknown() -> Readiness {
    Readiness::InProgress("not looked at yet".to_owned())
}

async fn first_look(judge: &Judge, targets: &[Target]) -> Result<Vec<Readiness>, RunError> {
    let alone = judge.clone();
    let keep = move |_, object: Option<Object>| alone.alone(object.as_ref()).unwrap_or_else(unknown);
    let answers = look(&judge.cluster, targets, Arc::new(keep)).await;
    let seen = targets.iter().zip(answers);
    seen.map(|(target, answer)| answer.map_err(|error| refused(target, &error))).collect()
}

/// Watches what is not ready, until nothing is left to wait for, or time is up (false).
async fn watched(
    run: &mut Run<'_>,
    id: &StepId,
    judge: &Judge,
    targets: &[Target],
    states: &mut [Readiness],
    deadline: Instant,
) -> Result<bool, Stop> {
    let mut queue: VecDeque<usize> = (0..targets.len()).filter(|index| is_open(&states[*index])).collect();
    let (sender, mut changes) = unbounded_channel();
    let mut watches = JoinSet::new();
    let mut told = String::new();
    loop {
        if judge.gives_up() && states.iter().any(|state| matches!(state, Readiness::Failed(_))) {
            return Ok(true);
        }
        while watches.len() < AT_ONCE {
            let turn = if queue.len() + watches.len() > AT_ONCE { TURN } else { Duration::MAX };
            let Some(index) = queue.pop_front() else { break };
            watches.spawn(watch(index, judge.clone(), targets[index].clone(), sender.clone(), turn));
        }
        let message = progress(targets, states);
        if watches.is_empty() {
            return Ok(true);
        }
        if message != told {
            told.clone_from(&message);
            run.emit(Happening::StepProgress { step: id.clone(), message, percent: None });
        }
        tokio::select! {
            biased;
            () = run.context.cancel.cancelled() => return Err(Stop::Interrupted),
            () = tokio::time::sleep_until(deadline) => return Ok(false),
            // A change may come in behind the end of its watch.
            Some((index, state)) = changes.recv() => if is_open(&states[index]) {
                states[index] = state;
            },
            Some(ended) = watches.join_next() => match ended {
                Ok((index, Ok(Some(state)))) => states[index] = state,
                Ok((index, Ok(None))) => queue.push_back(index),
                Ok((index, Err(error))) => return Err(Stop::failed(refused(&targets[index], &error))),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
    }
}

/// Whether an object is still waited for.
fn is_open(state: &Readiness) -> bool {
    !matches!(state, Readiness::Current | Readiness::Failed(_))
}

/// Watches one object until it is ready or failed; nothing if its turn ended before.
async fn watch(
    index: usize,
    judge: Judge,
    target: Target,
    changes: UnboundedSender<(usize, Readiness)>,
    turn: Duration,
) -> (usize, Result<Option<Readiness>, ClusterError>) {
    let watching = until_closed(index, &judge, &target, &changes);
    (index, timeout(turn, watching).await.map_or(Ok(None), |answer| answer.map(Some)))
}

/// Watches one object until it is ready or failed, and tells how far it is meanwhile.
async fn until_closed(
    index: usize,
    judge: &Judge,
    target: &Target,
    changes: &UnboundedSender<(usize, Readiness)>,
) -> Result<Readiness, ClusterError> {
    let mut judged: Option<Object> = None;
    let mut is_first = true;
    loop {
        let mut until = |object: Option<&Object>| {
            let state = judge.alone(object);
            let is_news = is_first || object != judged.as_ref();
            match state {
                Some(state) if !is_open(&state) => Verdict::Done,
                // What the object alone tells is told from here.
                Some(state) => {
                    drop(changes.send((index, state)));
                    if is_news && judge.depends_on_more(object) { Verdict::Done } else { Verdict::Waiting }
                }
                None if is_news => Verdict::Done,
                None => Verdict::Waiting,
            }
        };
        let waiting = judge.cluster.wait(target, &mut until);
        let seen = if judge.depends_on_more(judged.as_ref()) {
            timeout(HOLDS, waiting).await.unwrap_or_else(|_| Ok(judged.clone()))
        } else {
            waiting.await
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        match judge.assess(target, seen.as_ref()).await {
            Ok(state) if is_open(&state) => drop(changes.send((index, state))),
            answer => return answer,
        }
        judged = seen;
        is_first = false;
    }
}

/// Looks once more at everything that is not ready.
async fn last_look(judge: &Judge, targets: &[Target], states: &mut [Readiness]) {
    let unready: Vec<usize> =
        (0..targets.len()).filter(|index| states[*index] != Readiness::Current).collect();
    let looks = unready.iter().map(|index| {
        let (judge, target) = (judge.clone(), targets[*index].clone());
        async move {
            let object = match judge.cluster.get(&target).await {
                Ok(object) => Some(object),
                Err(error) if error.is_not_found() => None,
                Err(_) => return None,
            };
            judge.assess(&target, object.as_ref()).await.ok()
        }
    });
    let Ok(seen) = timeout(LAST_LOOK, in_order(looks.collect())).await else { return };
    for (index, state) in unready.into_iter().zip(seen) {
        states[index] = state.unwrap_or_else(|| states[index].clone());
    }
}

/// What is still waited for.
fn progress(targets: &[Target], states: &[Readiness]) -> String {
    let open: Vec<String> = targets
        .iter()
        .zip(states)
        .filter(|(_, state)| **state != Readiness::Current)
        .map(|(target, state)| format!("{} ({})", target.reference().slug(), state.message()))
        .collect();
    let more = if open.len() > NAMED { ", …" } else { "" };
    let named = open[..open.len().min(NAMED)].join(", ");
    format!("{} of {} objects not ready: {named}{more}", open.len(), targets.len())
}

fn refused(target: &Target, error: &ClusterError) -> RunError {
    fault::of_cluster(error, format!("cannot wait for {target}: {error}"))
}

/// Helm's lines, one for each object, and what the cluster says of the first ones.
async fn explained(context: &Context, unready: &[(&Target, &Readiness)], in_time: bool) -> RunError {
    let mut lines: Vec<String> =
        unready.iter().map(|(target, state)| state.not_ready(&target.reference())).collect();
    if !in_time {
        lines.push(deletion::DEADLINE.to_owned());
    }
    let reasons = unready.iter().take(NAMED).map(|(target, _)| {
        let (cluster, target) = (context.cluster.clone(), (*target).clone());
        async move { diagnose::unready(cluster.as_ref(), &target).await }
    });
    let details = in_order(reasons.collect()).await.into_iter().flatten().collect();
    let (code, hint) = if in_time {
        (ErrorCode::NotReady, None)
    } else {
        (ErrorCode::Timeout, Some("raise --timeout, or look at why it is not ready".to_owned()))
    };
    RunError { details, hint, ..RunError::new(code, lines.join("\n")) }
}

#[cfg(test)]
mod tests;
