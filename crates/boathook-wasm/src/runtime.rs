//! From bytes to something that can be instantiated: the engine, the linkers, the compiled plugins in memory and on
//! disk. Made on first use, once a process. It runs nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use boathook_core::plugin::{PluginForm, PluginInfo, PluginOrigin};
use boathook_engine::plugin_host::{PluginError, PluginSignal};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedSender;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, InstancePre, Module};

use crate::bindings::HookPre;
use crate::cache::{Cache, Code, Key};
use crate::capability;
use crate::engine;
use crate::inspect::WORLD_VERSION;
use crate::limits::{COMPILE_TIMEOUT, LONG_COMPILE_BYTES};
use crate::load::Library;
use crate::state::{CommandState, ComponentState};

/// A plugin that can be instantiated in microseconds.
pub(crate) enum Ready {
    /// A component of our world.
    Component(HookPre<ComponentState>),
    /// A WASI command.
    Command(InstancePre<CommandState>),
}

/// Engine, linkers and what was compiled.
pub(crate) struct Runtime {
    engine: Engine,
    component_linker: Linker<ComponentState>,
    command_linker: OnceLock<wasmtime::Linker<CommandState>>,
    cache: Option<Cache>,
    /// By digest. The inner cell makes several runs that start at once compile only once.
    ready: Mutex<HashMap<String, Arc<OnceCell<Arc<Ready>>>>>,
}

impl Runtime {
    /// Starts the engine.
    ///
    /// # Errors
    /// What wasmtime says of this platform.
    pub(crate) fn start(pooling: bool, cache_dir: Option<PathBuf>) -> wasmtime::Result<Self> {
        let engine = engine::start(pooling)?;
        let mut component_linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component_linker)?;
        capability::add_to_linker(&mut component_linker, |state: &mut ComponentState| {
            &mut state.capabilities
        })?;
        Ok(Self {
            engine,
            component_linker,
            command_linker: OnceLock::new(),
            cache: cache_dir.map(Cache::new),
            ready: Mutex::default(),
        })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The plugin, compiled and linked; from memory, from disk, or from its bytes. `signals` is told if that takes long.
    ///
    /// # Errors
    /// [`PluginError::Invalid`] if it does not compile or link, or is not what was inspected.
    pub(crate) async fn ready(
        self: &Arc<Self>,
        library: &Arc<Library>,
        plugin: &PluginInfo,
        signals: &UnboundedSender<PluginSignal>,
    ) -> Result<Arc<Ready>, PluginError> {
        let cell = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.entry(plugin.digest.clone()).or_default().clone()
        };
        cell.get_or_try_init(|| self.make_ready(library, plugin, signals)).await.cloned()
    }

    async fn make_ready(
        self: &Arc<Self>,
        library: &Arc<Library>,
        plugin: &PluginInfo,
        signals: &UnboundedSender<PluginSignal>,
    ) -> Result<Arc<Ready>, PluginError> {
        let (runtime, library, plugin, signals) =
            (self.clone(), library.clone(), plugin.clone(), signals.clone());
        let name = plugin.name.clone();
        let most = match plugin.origin {
            // Ours ends, on however slow a machine.
            PluginOrigin::BuiltIn => Duration::MAX,
            PluginOrigin::Installed(_) | PluginOrigin::File(_) => COMPILE_TIMEOUT,
        };
        // Compiling takes seconds of CPU, and nothing can interrupt it: a hook is given up, the thread goes on.
        let work = tokio::task::spawn_blocking(move || {
            let code = runtime.code(&library, &plugin, &signals)?;
            runtime.link(&code, &plugin)
        });
        match tokio::time::timeout(most, work).await {
            Ok(Ok(ready)) => ready.map(Arc::new),
            Ok(Err(panic)) => Err(PluginError::Internal { message: format!("compiling {name}: {panic}") }),
            Err(_elapsed) => Err(PluginError::Invalid {
                message: format!("{name}: compiling takes longer than {} s", COMPILE_TIMEOUT.as_secs()),
                help: None,
            }),
        }
    }

    fn code(
        &self,
        library: &Library,
        plugin: &PluginInfo,
        signals: &UnboundedSender<PluginSignal>,
    ) -> Result<Code, PluginError> {
        let key = Key::new(&self.engine, &plugin.digest, plugin.form);
        if let Some(cache) = &self.cache
            && let Some(code) = cache.load(&self.engine, &key, plugin.form)
        {
            return Ok(code);
        }
        if plugin.size >= LONG_COMPILE_BYTES {
            let message = format!("compiling {} for this machine, which is done once", plugin.name);
            // Whether somebody listens is their affair.
            drop(signals.send(PluginSignal::Progress { message, percent: None }));
        }
        let bytes = library.reload(plugin)?;
        let started = std::time::Instant::now();
        let code = match plugin.form {
            PluginForm::Component => Component::new(&self.engine, &bytes).map(Code::Component),
            PluginForm::Command => Module::new(&self.engine, &bytes).map(Code::Command),
        }
        .map_err(|error| PluginError::Invalid {
            message: format!("{}: does not compile: {}", plugin.name, error.root_cause()),
            help: None,
        })?;
        tracing::debug!(plugin = plugin.name, elapsed = ?started.elapsed(), "compiled");
        if let Some(cache) = &self.cache {
            cache.store(&key, &code);
        }
        Ok(code)
    }

    fn link(&self, code: &Code, plugin: &PluginInfo) -> Result<Ready, PluginError> {
        let linked = match code {
            Code::Component(component) => {
                self.component_linker.instantiate_pre(component).and_then(HookPre::new).map(Ready::Component)
            }
            Code::Command(module) => {
                self.command_linker().and_then(|linker| linker.instantiate_pre(module)).map(Ready::Command)
            }
        };
        linked.map_err(|error| PluginError::Invalid {
            message: format!(
                "{}: does not fit this host (boathook:hook@{WORLD_VERSION}): {error:#}",
                plugin.name
            ),
            help: Some("build it again with the wit/ files of this version".to_owned()),
        })
    }

    fn command_linker(&self) -> wasmtime::Result<&wasmtime::Linker<CommandState>> {
        if let Some(linker) = self.command_linker.get() {
            return Ok(linker);
        }
        let mut linker = wasmtime::Linker::new(&self.engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut linker, |state: &mut CommandState| &mut state.wasi)?;
        Ok(self.command_linker.get_or_init(|| linker))
    }
}
