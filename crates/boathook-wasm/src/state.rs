//! What a store holds, and the one way to make a store: limiter, deadline and caps are set here for both forms of
//! plugin, so that none can be forgotten.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boathook_engine::plugin_host::PluginCall;
use tokio::io::DuplexStream;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::capability::Capabilities;
use crate::limits::{DeadlineExceeded, HOSTCALL_FUEL, MAX_RANDOM_BYTES, MAX_RESOURCES, RunLimiter};
use crate::log_lines::{GuestOutput, LogLines};

/// The only argument that a guest sees: its own name, which languages expect to be there.
const ARGUMENT_ZERO: &str = "hook";
/// What a command may write to stdout before the host reads it.
const STDOUT_BUDGET: usize = 64 << 10;

/// Store data with a limiter.
pub(crate) trait Limited: Send + 'static {
    fn limiter(&mut self) -> &mut RunLimiter;
}

/// The store data of a component.
pub(crate) struct ComponentState {
    pub(crate) capabilities: Capabilities,
    pub(crate) limiter: RunLimiter,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl ComponentState {
    pub(crate) fn new(capabilities: Capabilities, memory: u64, output: &GuestStreams) -> Self {
        let wasi = wasi().stdout(output.stdout.clone()).stderr(output.stderr.clone()).build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self { capabilities, limiter: RunLimiter::new(memory), wasi, table }
    }
}

impl Limited for ComponentState {
    fn limiter(&mut self) -> &mut RunLimiter {
        &mut self.limiter
    }
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The store data of a WASI command. Its capabilities are beside the store, where its lines are read.
pub(crate) struct CommandState {
    pub(crate) wasi: WasiP1Ctx,
    limiter: RunLimiter,
}

impl CommandState {
    pub(crate) fn new(
        stdin: DuplexStream,
        stdout: DuplexStream,
        stderr: GuestOutput,
        call: &PluginCall,
    ) -> Self {
        let wasi = wasi()
            .envs(&call.extras.environment)
            .wall_clock(Clock { ahead: call.extras.ahead })
            .stdin(AsyncStdinStream::new(stdin))
            .stdout(AsyncStdoutStream::new(STDOUT_BUDGET, stdout))
            .stderr(stderr)
            .build_p1();
        Self { wasi, limiter: RunLimiter::new(call.limits.memory) }
    }
}

impl Limited for CommandState {
    fn limiter(&mut self) -> &mut RunLimiter {
        &mut self.limiter
    }
}

/// The time, or a later one.
struct Clock {
    ahead: Duration,
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.ahead
    }
}

/// stdout and stderr of a component, both log lines.
pub(crate) struct GuestStreams {
    stdout: GuestOutput,
    stderr: GuestOutput,
}

impl GuestStreams {
    pub(crate) fn new(log: &Arc<LogLines>) -> Self {
        Self { stdout: GuestOutput::new(log.clone()), stderr: GuestOutput::new(log.clone()) }
    }

    /// Ends unfinished lines.
    pub(crate) fn finish(&self) {
        self.stdout.finish();
        self.stderr.finish();
    }
}

/// WASI with nothing behind it: no files, no environment, no sockets, no name lookups (all off by default), empty
/// stdin.
fn wasi() -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder.arg(ARGUMENT_ZERO).max_random_size(MAX_RANDOM_BYTES);
    builder
}

/// Makes the store of one run.
pub(crate) fn store<T: Limited>(engine: &Engine, data: T, deadline: Instant) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.limiter(|data| data.limiter());
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_max_component_handles(MAX_RESOURCES);
    store.set_epoch_deadline(1);
    let deadline = deadline.into_std();
    // At each tick a spinning guest looks at the clock and lets the runtime breathe. Only tokio's own yield gives its
    // timers a turn; wasmtime's plain yield starves them for hundreds of milliseconds.
    store.epoch_deadline_callback(move |_| {
        if std::time::Instant::now() >= deadline {
            return Err(DeadlineExceeded.into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    store
}
