//! What the engine's tests share: a scripted cluster, scripted plugins, plans, and an operation run over them.

pub(crate) mod cluster;
pub(crate) mod plans;
pub(crate) mod plugins;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use boathook_core::names::{Name, Namespace, Target};
use boathook_core::operation::Timings;
use boathook_core::plan::Plan;
use boathook_core::run_event::{Happening, HookResult, Outcome, RunError, RunEvent};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub(crate) use cluster::FakeCluster;
pub(crate) use plugins::FakePlugins;

use crate::context::{Context, Options};

/// The place of an object, its kind known to [`FakeCluster`].
pub(crate) fn target(kind: &str, namespace: &str, name: &str) -> Target {
    let api_version = if kind == "Job" { "batch/v1" } else { "v1" };
    let resource = cluster::resource(&boathook_core::Gvk::new(api_version, kind)).unwrap();
    Target { resource, namespace: Some(Namespace::new(namespace).unwrap()), name: Name::new(name).unwrap() }
}

/// An operation over fakes, and what came of it.
pub(crate) struct Bench {
    pub(crate) cluster: Arc<FakeCluster>,
    pub(crate) plugins: Arc<FakePlugins>,
    pub(crate) cancel: CancellationToken,
    pub(crate) options: Options,
}

/// What came of an operation.
pub(crate) struct Story {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<RunEvent>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            cluster: Arc::new(FakeCluster::new()),
            plugins: Arc::new(FakePlugins::default()),
            cancel: CancellationToken::new(),
            options: Options {
                operation_id: "op-1".to_owned(),
                holder: "one".to_owned(),
                lock: Timings::default(),
                wait_for_lock: Duration::ZERO,
                create_namespace: false,
                take_ownership: false,
                dry_run: false,
                force_conflicts: false,
                propagation: Default::default(),
            },
        }
    }

    /// A context whose clock goes on by a second at each look.
    pub(crate) fn context(&self) -> Context {
        let seconds = AtomicI64::new(1_700_000_000);
        Context {
            cluster: self.cluster.clone(),
            plugins: self.plugins.clone(),
            cancel: self.cancel.clone(),
            environment: Arc::new(|name| (name == "TOKEN").then(|| "from-env".to_owned())),
            clock: Arc::new(move || Timestamp::from_second(seconds.fetch_add(1, Ordering::Relaxed)).unwrap()),
            jitter: Arc::new(|| 1.0),
            alive: Arc::new(|_| None),
            options: self.options.clone(),
        }
    }

    pub(crate) async fn execute(&self, plan: &Plan) -> Story {
        let mut events = Vec::new();
        let outcome = crate::execute(plan, &self.context(), &mut |event: RunEvent| events.push(event)).await;
        Story { outcome, events }
    }
}

impl Story {
    /// How a hook ended.
    pub(crate) fn hook(&self, id: &str) -> &HookResult {
        self.events
            .iter()
            .find_map(|event| match &event.what {
                Happening::HookFinished { step, result } if step.0 == id => Some(result),
                _ => None,
            })
            .unwrap_or_else(|| panic!("hook {id} did not end: {:#?}", self.events))
    }

    /// What stopped the operation.
    pub(crate) fn error(&self) -> &RunError {
        self.end().1.unwrap_or_else(|| panic!("no error: {:#?}", self.events))
    }

    /// Exit code and error of the last event.
    pub(crate) fn end(&self) -> (u8, Option<&RunError>) {
        match &self.events.last().unwrap().what {
            Happening::OperationFinished { exit_code, error, .. } => (*exit_code, error.as_ref()),
            other => panic!("the last event is {other:?}"),
        }
    }

    /// Codes of what was noted.
    pub(crate) fn notes(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                Happening::Noted { diagnostic } => Some(diagnostic.code.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Log lines as `source: text`.
    pub(crate) fn logs(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                Happening::Log { source, line, .. } => Some(format!("{source}: {line}")),
                _ => None,
            })
            .collect()
    }

    /// What steps said of their progress.
    pub(crate) fn progress(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                Happening::StepProgress { message, .. } => Some(message.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Deleted hook objects as `policy Kind ns/name`.
    pub(crate) fn deleted(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                Happening::HookDeleted { object, policy, .. } => Some(format!("{policy} {object}")),
                _ => None,
            })
            .collect()
    }
}
