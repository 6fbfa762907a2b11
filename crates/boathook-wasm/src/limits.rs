//! The caps of one run, and the limiter that enforces those of memory and tables. Numbers only: what a cap protects
//! is enforced where it is used, what reaching one means for a hook is decided in `trap`.

use std::time::Duration;

/// Bytes of a plugin file, checked before it is read or parsed.
pub const MAX_PLUGIN_BYTES: u64 = 16 << 20;
/// Calls of `kubernetes` in one run.
pub const MAX_KUBERNETES_CALLS: u32 = 1_000;
/// Calls of `http` in one run.
pub const MAX_HTTP_CALLS: u32 = 100;
/// Bytes of an object, a list page or an HTTP body, in either direction.
pub const MAX_BODY_BYTES: usize = 4 << 20;
/// Header fields of an HTTP answer.
pub const MAX_HEADERS: usize = 64;
/// Bytes of all header fields of an HTTP answer together.
pub const MAX_HEADER_BYTES: usize = 16 << 10;
/// Objects of one list page.
pub const MAX_PAGE: u32 = 500;
/// Bytes of one log line; what is longer is cut.
pub const MAX_LINE_BYTES: usize = 8 << 10;
/// Calls of `outputs` in one run; each becomes a run event.
pub const MAX_OUTPUTS: u32 = 100;
/// Bytes of one output value, or of a report's data.
pub const MAX_OUTPUT_BYTES: usize = 64 << 10;
/// What a guest may hand over in one host call, in wasmtime's units (about a byte each): room for a 4 MiB body
/// with its strings, not for two.
pub(crate) const HOSTCALL_FUEL: usize = MAX_BODY_BYTES + (1 << 20);
/// Host resources (streams, pollables, …) that a guest may hold at once.
pub(crate) const MAX_RESOURCES: usize = 1_024;
/// Elements of all tables of a store together: a `table.grow` is one instruction that nothing interrupts.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Core instances of a store.
pub(crate) const MAX_INSTANCES: usize = 32;
/// Tables of a store.
pub(crate) const MAX_TABLES: usize = 16;
/// Linear memories of a store.
pub(crate) const MAX_MEMORIES: usize = 8;
/// Bytes of random data in one call.
pub(crate) const MAX_RANDOM_BYTES: u64 = 64 << 10;
/// Native stack of compiled guest code, bytes: Go reports recursion of its own templates after a thousand levels, for
/// which it needs more than one MiB.
pub(crate) const WASM_STACK_BYTES: usize = 2 << 20;
/// Stack of the fiber on which guest and host functions run, bytes.
pub(crate) const ASYNC_STACK_BYTES: usize = 4 << 20;
/// How often a spinning guest is interrupted to look at the clock.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// How long a plugin may take to compile, if it is not one of the program's own.
pub(crate) const COMPILE_TIMEOUT: Duration = Duration::from_secs(60);
/// From this size on a plugin takes seconds to compile, and it is said.
pub(crate) const LONG_COMPILE_BYTES: u64 = 2 << 20;

/// A cap that was reached. Travels through wasmtime as the cause of a trap and is found there again by type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitError {
    /// Linear memory of the whole store.
    #[error("memory limit of {} reached (the plugin asked for {})", bytes(*.limit), bytes(*.wanted))]
    Memory { limit: u64, wanted: u64 },
    /// Elements of all tables.
    #[error("table limit of {MAX_TABLE_ELEMENTS} elements reached (the plugin asked for {wanted})")]
    Table { wanted: usize },
    /// Number of calls of a capability.
    #[error("limit of {limit} {capability} calls in one run reached")]
    Calls { capability: &'static str, limit: u32 },
    /// A line of the command protocol.
    #[error("a line on stdout is longer than {}", bytes(*.limit))]
    Line { limit: u64 },
    /// Answers of the command protocol that the guest does not read.
    #[error("too many answers are left unread on stdin")]
    Unread,
    /// A host function that failed in another way than with a cap.
    #[error("{message}")]
    Host { message: String },
}

/// The guest's time is over; raised from the epoch callback of a spinning guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deadline exceeded")]
pub(crate) struct DeadlineExceeded;

/// A number of bytes as people write limits: `64 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    match number {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{} MiB", n >> 20),
        n if n >= 1 << 20 => format!("{:.1} MiB", n as f64 / f64::from(1 << 20)),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// Counts memory and table elements over the whole store (wasmtime's own limiter counts each memory apart) and
/// answers growth over the cap with a typed error, so that a hook fails with the reason and not with the
/// `unreachable` of an allocator that got -1.
#[derive(Debug)]
pub(crate) struct RunLimiter {
    memory_limit: u64,
    memory: u64,
    tables: usize,
}

impl RunLimiter {
    pub(crate) fn new(memory_limit: u64) -> Self {
        Self { memory_limit, memory: 0, tables: 0 }
    }

    /// Bytes of linear memory in use; memories never shrink, so this is also the peak.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory
    }
}

impl wasmtime::ResourceLimiter for RunLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        if wanted > self.memory_limit {
            return Err(LimitError::Memory { limit: self.memory_limit, wanted }.into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.tables.saturating_add(desired.saturating_sub(current));
        if wanted > MAX_TABLE_ELEMENTS {
            return Err(LimitError::Table { wanted }.into());
        }
        self.tables = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::ResourceLimiter as _;

    use super::*;

    #[test]
    fn memories_of_a_store_are_counted_together() {
        let mut limiter = RunLimiter::new(3 << 20);
        assert!(limiter.memory_growing(0, 2 << 20, None).unwrap());
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        let error = limiter.memory_growing(1 << 20, (1 << 20) + 65_536, None).unwrap_err();
        assert_eq!(
            error.downcast_ref::<LimitError>(),
            Some(&LimitError::Memory { limit: 3 << 20, wanted: (3 << 20) + 65_536 })
        );
        assert_eq!(limiter.peak_memory(), 3 << 20);
    }

    #[test]
    fn tables_are_counted_together() {
        let mut limiter = RunLimiter::new(0);
        assert!(limiter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap());
        assert!(limiter.table_growing(0, 1, None).is_err());
    }

    #[test]
    fn bytes_read_as_limits_are_written() {
        assert_eq!(bytes(64 << 20), "64 MiB");
        assert_eq!(bytes((17 << 20) + (1 << 19)), "17.5 MiB");
        assert_eq!(bytes(8 << 10), "8 KiB");
        assert_eq!(bytes(12), "12 bytes");
    }
}
