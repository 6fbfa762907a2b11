//! What a guest can reach, one file per WIT interface. Each function does the same: count the call, read the guest's
//! strings into a typed request, ask `boathook_core::authorize`, send it. Components come here through the generated
//! bindings, WASI commands through their JSON lines; both end in the same functions, so that there is no second copy of
//! a check. Nothing here decides what is allowed.

mod context;
mod fields;
mod http;
mod kubernetes;
mod log;
mod outputs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use boathook_core::authorize::{Denial, Grant};
use boathook_core::plan::{ChartInfo, ReleaseRef};
use boathook_core::run_event::Calls;
use boathook_engine::cluster::Cluster;
use boathook_engine::plugin_host::{CredentialValue, PluginCall, PluginError, RunInfo};
use tokio::time::Instant;
use wasmtime::component::{HasData, Linker};

use crate::bindings::boathook::hook as wit;
use crate::dry_run::DryRunCluster;
use crate::limits::{LimitError, MAX_HTTP_CALLS, MAX_KUBERNETES_CALLS};
use crate::log_lines::LogLines;

/// How long a call may go on after the attempt that makes it should have ended.
const PAST_DEADLINE: Duration = Duration::from_secs(1);

/// The capabilities of one run: the grant, what is behind it, and what was used of it.
pub(crate) struct Capabilities {
    grant: Grant,
    cluster: Arc<dyn Cluster>,
    release: ReleaseRef,
    chart: ChartInfo,
    run: RunInfo,
    timeout: Duration,
    deadline: Instant,
    config: String,
    credentials: BTreeMap<String, CredentialValue>,
    log: Arc<LogLines>,
    calls: Calls,
    outputs: u32,
    denied: Option<Denied>,
}

/// The last call that was denied: the reason if the guest fails.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    action: String,
    call: String,
    hint: String,
}

impl Capabilities {
    /// Sets up one run.
    ///
    /// # Errors
    /// [`PluginError::Internal`] if the release's namespace is none.
    pub(crate) fn new(
        call: &PluginCall,
        log: Arc<LogLines>,
        deadline: Instant,
        api_servers: &[SocketAddr],
    ) -> Result<Self, PluginError> {
        // What inspection found: of a component what it imports, which is at most what it declares; of a command what it
        // declares, if it does.
        let usable = call.plugin.imports.iter().copied();
        let mut grant = Grant::new(usable, call.permissions.clone(), &call.release.namespace)
            .map_err(|error| PluginError::Internal { message: error.to_string() })?
            .with_credentials(call.credentials.keys().cloned());
        grant.api_servers = api_servers.to_vec();
        let cluster: Arc<dyn Cluster> = if call.run.dry_run {
            Arc::new(DryRunCluster::new(call.cluster.clone(), log.clone()))
        } else {
            call.cluster.clone()
        };
        Ok(Self {
            grant,
            cluster,
            release: call.release.clone(),
            chart: call.chart.clone(),
            run: call.run.clone(),
            timeout: call.timeout,
            deadline,
            config: serde_json::Value::Object(call.config.clone()).to_string(),
            credentials: call.credentials.clone(),
            log,
            calls: Calls::default(),
            outputs: 0,
            denied: None,
        })
    }

    /// How many calls were made.
    pub(crate) fn calls(&self) -> Calls {
        self.calls
    }

    /// Where log lines go.
    pub(crate) fn log(&self) -> &Arc<LogLines> {
        &self.log
    }

    /// The error of a run that failed after one of its calls was denied; `said` is what the guest says of it.
    pub(crate) fn denied(&self, said: String) -> Option<PluginError> {
        self.denied.clone().map(|Denied { action, call, hint }| PluginError::Denied {
            action,
            call,
            hint,
            said,
            calls: self.calls,
        })
    }

    fn count_kubernetes(&mut self) -> Result<(), LimitError> {
        if self.calls.kubernetes >= MAX_KUBERNETES_CALLS {
            return Err(LimitError::Calls { capability: "kubernetes", limit: MAX_KUBERNETES_CALLS });
        }
        self.calls.kubernetes += 1;
        Ok(())
    }

    fn count_http(&mut self) -> Result<(), LimitError> {
        if self.calls.http >= MAX_HTTP_CALLS {
            return Err(LimitError::Calls { capability: "http", limit: MAX_HTTP_CALLS });
        }
        self.calls.http += 1;
        Ok(())
    }

    /// Remembers a denial, for the user, and gives what the guest sees of it.
    fn deny(&mut self, denial: &Denial, call: String) -> wit::types::Denial {
        let hint = denial.hint.to_string();
        let seen = wit::types::Denial {
            capability: denial.capability.as_str().to_owned(),
            reason: denial.to_string(),
            grant_hint: hint.clone(),
        };
        // What the guest asked for may hold what it may read: the webhook's own URL, where its rule is missing.
        let scrubber = self.log.scrubber();
        let [action, call, hint] = [denial.action.clone(), call, hint].map(|text| scrubber.text(text));
        tracing::debug!(call, "denied");
        self.denied = Some(Denied { action, call, hint });
        seen
    }

    /// The limit of one call: what the guest wishes, or a little more than is left of the attempt. A little more, so that
    /// at the deadline it is the attempt that ends and not a call that fails.
    fn within_deadline(&self, wish: Duration) -> Duration {
        wish.min(self.deadline.saturating_duration_since(Instant::now()) + PAST_DEADLINE)
    }
}

/// Ties the bindings to [`Capabilities`] inside a store's data.
pub(crate) struct HasCapabilities;

impl HasData for HasCapabilities {
    type Data<'a> = &'a mut Capabilities;
}

/// Adds every interface of the world to a linker.
///
/// # Errors
/// A name that is taken already.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> &mut Capabilities,
) -> wasmtime::Result<()> {
    wit::types::add_to_linker::<T, HasCapabilities>(linker, get)?;
    wit::context::add_to_linker::<T, HasCapabilities>(linker, get)?;
    wit::kubernetes::add_to_linker::<T, HasCapabilities>(linker, get)?;
    wit::http::add_to_linker::<T, HasCapabilities>(linker, get)?;
    wit::log::add_to_linker::<T, HasCapabilities>(linker, get)?;
    wit::outputs::add_to_linker::<T, HasCapabilities>(linker, get)
}

impl wit::types::Host for Capabilities {}
