//! The `PluginHost`: finds, inspects, compiles and runs plugins. The parts are elsewhere; this is where they meet the
//! port.

use std::any::Any;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use async_trait::async_trait;
use boathook_core::plugin::PluginInfo;
use boathook_engine::plugin_host::{
    PluginCall, PluginError, PluginHost, PluginReference, PluginReport, PluginSignal,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::load::{BuiltInPlugin, Library, PackedCommand};
use crate::runtime::{Ready, Runtime};
use crate::{command, component};

/// What the caller decides.
#[derive(Clone, Debug)]
pub struct WasmHostOptions {
    /// Plugins in the program itself, found last.
    pub built_in: Vec<BuiltInPlugin>,
    /// Commands in the program itself that are no plugins.
    pub packed: Vec<PackedCommand>,
    /// Folders of `NAME.wasm`, in look-up order. They need not exist.
    pub plugin_dirs: Vec<PathBuf>,
    /// Where compiled plugins are kept; made if it is not there, ignored if it is not private to the user. `None`:
    /// compile each time.
    pub cache_dir: Option<PathBuf>,
    /// Take instances from a pool: for a process that runs many hooks. For one that runs a single hook it only costs.
    pub pooling: bool,
}

/// Runs plugins on wasmtime. Cheap to make: the engine starts with the first run.
pub struct WasmHost {
    library: Arc<Library>,
    cache_dir: Option<PathBuf>,
    pooling: bool,
    api_servers: Vec<SocketAddr>,
    runtime: OnceLock<Arc<Runtime>>,
}

impl WasmHost {
    /// A host; reads nothing yet.
    pub fn new(options: WasmHostOptions) -> Self {
        let WasmHostOptions { built_in, packed, plugin_dirs, cache_dir, pooling } = options;
        Self {
            library: Arc::new(Library { built_in, packed, plugin_dirs }),
            cache_dir,
            pooling,
            api_servers: Vec::new(),
            runtime: OnceLock::new(),
        }
    }

    /// The same host, whose plugins never reach these addresses over HTTP whatever is granted: those of the Kubernetes
    /// API, to which the typed interface is the only way.
    #[must_use]
    pub fn with_api_servers(mut self, addresses: Vec<SocketAddr>) -> Self {
        self.api_servers = addresses;
        self
    }

    fn runtime(&self) -> Result<&Arc<Runtime>, PluginError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Runtime::start(self.pooling, self.cache_dir.clone())
            .map_err(|error| PluginError::Internal { message: format!("WebAssembly engine: {error:#}") })?;
        Ok(self.runtime.get_or_init(|| Arc::new(runtime)))
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Library) -> T + Send + 'static,
    ) -> Result<T, PluginError> {
        let library = self.library.clone();
        tokio::task::spawn_blocking(move || work(&library))
            .await
            .map_err(|panic| PluginError::Internal { message: panic.to_string() })
    }
}

#[async_trait]
impl PluginHost for WasmHost {
    async fn list(&self) -> Vec<(String, Result<PluginInfo, PluginError>)> {
        self.read(Library::list).await.unwrap_or_default()
    }

    async fn inspect(&self, reference: &PluginReference) -> Result<PluginInfo, PluginError> {
        let reference = reference.clone();
        self.read(move |library| library.inspect(&reference)).await?
    }

    async fn prepare(&self, plugin: &PluginInfo, signals: &UnboundedSender<PluginSignal>) {
        if let Ok(runtime) = self.runtime() {
            drop(runtime.ready(&self.library, plugin, signals).await);
        }
    }

    async fn run(&self, call: PluginCall) -> Result<PluginReport, PluginError> {
        let runtime = self.runtime()?;
        let ready = runtime.ready(&self.library, &call.plugin, &call.signals).await?;
        let attempt = async {
            match &*ready {
                Ready::Component(hook) => {
                    component::run(runtime.engine(), hook, &call, &self.api_servers).await
                }
                Ready::Command(start) => {
                    command::run(runtime.engine(), start, &call, &self.api_servers).await
                }
            }
        };
        contained(attempt).await
    }
}

/// Turns a panic of the host, in a host function or in wasmtime, into a failed hook: the other hooks go on. What the
/// panic may have left half done is the run's own store, which is thrown away.
async fn contained(
    attempt: impl Future<Output = Result<PluginReport, PluginError>> + Send,
) -> Result<PluginReport, PluginError> {
    let mut attempt = Box::pin(attempt);
    std::future::poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                Poll::Ready(Err(PluginError::Internal { message: format!("panic: {}", words(&*panic)) }))
            }
        }
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
}
