//! Hooks per second through the real `PluginHost`, on one thread: a hook that does nothing, and what one
//! `kubernetes.get` adds. `cargo bench -p boathook-wasm`.

#![expect(clippy::print_stdout, reason = "what a benchmark found")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use boathook_engine::plugin_host::{PluginCall, PluginHost as _};
use boathook_wasm::WasmHost;

#[path = "../tests/it/fake_cluster.rs"]
#[expect(clippy::unwrap_used, reason = "shared with the tests, where a panic is an answer")]
mod fake_cluster;
#[path = "../tests/it/guests.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use more of it")]
mod guests;

/// Of one measurement; the best of [`ROUNDS`] is shown, since everything else on the machine only slows it down.
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for pooling in [true, false] {
        let nothing = runtime.block_on(measure(pooling, "ok"));
        let get = runtime.block_on(measure(pooling, "get"));
        println!(
            "pooling {pooling}: {:.0} hooks/s ({:.1} us each), one kubernetes.get more takes {:.1} us",
            1e6 / nothing,
            nothing,
            get - nothing
        );
    }
    println!("cached start: {:.2} ms from nothing to the first hook's end", runtime.block_on(cached_start()));
}

/// Microseconds of one run.
async fn measure(pooling: bool, guest: &'static str) -> f64 {
    let host = guests::host_with(vec![(guest, guests::wasm(guest))], None, pooling);
    let (mut call, mut signals) = guests::call(&host, guest).await;
    call.permissions = guests::may_read();
    call.cluster = Arc::new(fake_cluster::FakeCluster::with_app());
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (started, mut runs) = (Instant::now(), 0_u32);
        while started.elapsed() < ROUND {
            run(&host, call.clone()).await;
            runs += 1;
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / f64::from(runs));
        while signals.try_recv().is_ok() {}
    }
    best
}

/// Milliseconds of a new host, inspection, a compiled plugin from disk, one run.
async fn cached_start() -> f64 {
    let cache = tempfile::tempdir().expect("a folder");
    let wasm = guests::wasm("get");
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let plugins = vec![("get", wasm.clone())];
        let started = Instant::now();
        let host = guests::host_with(plugins, Some(cache.path().join("compiled")), false);
        let (mut call, _signals) = guests::call(&host, "get").await;
        call.permissions = guests::may_read();
        call.cluster = Arc::new(fake_cluster::FakeCluster::with_app());
        run(&host, call).await;
        best = best.min(started.elapsed().as_secs_f64() * 1e3);
    }
    best
}

async fn run(host: &WasmHost, call: PluginCall) {
    host.run(call).await.expect("the hook succeeds");
}
