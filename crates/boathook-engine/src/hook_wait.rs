//! Waiting for one Job or Pod of a hook, its log lines passing through as events meanwhile.

use std::time::Duration;

use boathook_core::Object;
use boathook_core::names::Target;
use boathook_core::plan::{HookWait, StepId};
use boathook_core::readiness::{self, Readiness};
use boathook_core::run_event::{Happening, LogLevel};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::cluster::{ClusterError, Verdict};
use crate::follow::{self, Sign};
use crate::run::Run;

/// How long log lines may trail the end of a Job.
const LOG_GRACE: Duration = Duration::from_secs(2);

/// What a wait saw.
pub(crate) enum Seen {
    /// Done; without an object if it was deleted meanwhile, which counts as done (as in Helm 3).
    Finished(Option<Object>),
    /// The object says that it failed, and why.
    Failed(Object, String),
    TimedOut,
    Refused(ClusterError),
    Interrupted,
}

/// Helm's verdict on a hook object: conditions of a Job, phase of a Pod.
pub(crate) fn judge(wait: HookWait, object: &Object) -> Readiness {
    match wait {
        HookWait::Job => readiness::hook_job(object),
        HookWait::Pod => readiness::hook_pod(object),
        HookWait::None => Readiness::Current,
    }
}

/// Waits for one Job or Pod while its log lines pass through as events.
pub(crate) async fn wait_for(
    run: &mut Run<'_>,
    id: &StepId,
    target: &Target,
    applied: &Object,
    wait: HookWait,
    deadline: Instant,
) -> Seen {
    let cluster = run.context.cluster.clone();
    let cancel = run.context.cancel.clone();
    let (changed, changes) = unbounded_channel();
    let (sender, mut signs) = unbounded_channel();
    let mut followers = JoinSet::new();
    followers.spawn(follow::follow(
        cluster.clone(),
        target.clone(),
        follow::containers(applied),
        changes,
        sender,
    ));
    let answer = {
        let mut until = |object: Option<&Object>| {
            // The follower may have ended; then nobody wants to know.
            let _ = changed.send(());
            match object {
                Some(object) if matches!(judge(wait, object), Readiness::InProgress(_)) => Verdict::Waiting,
                Some(_) | None => Verdict::Done,
            }
        };
        let waiting = timeout_at(deadline, cluster.wait(target, &mut until));
        tokio::pin!(waiting);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Seen::Interrupted,
                answer = &mut waiting => break answer,
                Some(sign) = signs.recv() => pass_on(run, id, sign),
            }
        }
    };
    drop(changed);
    let trailing = tokio::time::sleep(LOG_GRACE);
    tokio::pin!(trailing);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            sign = signs.recv() => match sign {
                Some(sign) => pass_on(run, id, sign),
                None => break,
            },
            () = &mut trailing => break,
        }
    }
    match answer {
        Err(_) => Seen::TimedOut,
        Ok(Err(error)) if error.is_not_found() => Seen::Finished(None),
        Ok(Err(error)) => Seen::Refused(error),
        Ok(Ok(None)) => Seen::Finished(None),
        Ok(Ok(Some(object))) => match judge(wait, &object) {
            Readiness::Failed(reason) => Seen::Failed(object, reason),
            Readiness::Current | Readiness::InProgress(_) | Readiness::Terminating | Readiness::NotFound => {
                Seen::Finished(Some(object))
            }
        },
    }
}

fn pass_on(run: &mut Run<'_>, id: &StepId, sign: Sign) {
    let step = id.clone();
    run.emit(match sign {
        Sign::Line { source, text } => Happening::Log { step, source, level: LogLevel::Info, line: text },
        Sign::Trouble(message) => Happening::StepProgress { step, message, percent: None },
    });
}
