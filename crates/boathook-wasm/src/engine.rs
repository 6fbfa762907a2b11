//! The wasmtime engine: its settings, and the thread that moves its epoch. It knows nothing of hooks.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::limits::{
    ASYNC_STACK_BYTES, MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES, TICK, WASM_STACK_BYTES,
};

/// Instances that the pool has slots for. Only address space is reserved; a slot costs memory once it was used.
const POOL_SLOTS: u32 = 32;
/// What a slot keeps mapped between two runs, so that the next one finds its pages.
const KEEP_RESIDENT: usize = 1 << 20;

/// Makes the engine and starts its ticker. With `pooling`, instances come from a pool: the right choice for a process
/// that runs many hooks, and too dear for one that runs one.
///
/// # Errors
/// What wasmtime says of this platform.
pub(crate) fn start(pooling: bool) -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config(pooling))?;
    let weak = engine.weak();
    // Its own thread, because a runtime whose workers all run guests would not tick. It ends with the engine.
    std::thread::Builder::new()
        .name("boathook-epoch".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(TICK);
                match weak.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })
        .map_err(wasmtime::Error::from)?;
    Ok(engine)
}

fn config(pooling: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        // A third of the speed, for a feature that no plugin may use yet.
        .concurrency_support(false)
        // Guests with their debug information show file and line; never steered by WASMTIME_BACKTRACE_DETAILS.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        // Each proposal is attack surface; these are what no toolchain of ours needs. Threads, GC, exceptions and
        // stack switching are left out of the build itself.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    if pooling {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    }
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(POOL_SLOTS)
        .total_core_instances(POOL_SLOTS * 4)
        .total_memories(POOL_SLOTS * 2)
        .total_tables(POOL_SLOTS * 4)
        .total_stacks(POOL_SLOTS)
        .max_core_instances_per_component(MAX_INSTANCES as u32)
        .max_memories_per_component(MAX_MEMORIES as u32)
        .max_tables_per_component(MAX_TABLES as u32)
        .table_elements(MAX_TABLE_ELEMENTS);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        // Without the scan, keeping pages means clearing a megabyte after every run.
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .async_stack_keep_resident(64 << 10)
            .decommit_batch_size(16);
    }
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_that_are_off_do_not_compile() {
        let engine = start(false).unwrap();
        for (what, text) in [
            ("memory64", "(module (memory i64 1))"),
            ("multi-memory", "(module (memory 1) (memory 1))"),
            ("tail calls", "(module (func return_call 0))"),
            ("threads", "(module (memory 1 1 shared))"),
            ("exceptions", "(module (tag))"),
            ("gc", "(module (type (struct)))"),
        ] {
            let wasm = wat::parse_str(text).unwrap();
            assert!(wasmtime::Module::new(&engine, &wasm).is_err(), "{what} is off");
        }
        let plain = wat::parse_str("(module (memory 1) (func (result v128) v128.const i64x2 0 0))").unwrap();
        assert!(wasmtime::Module::new(&engine, plain).is_ok(), "SIMD is on");
    }
}
