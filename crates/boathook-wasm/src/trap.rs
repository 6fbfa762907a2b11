//! What went wrong in a guest, as a [`PluginError`]: a trap with the guest's function names, a cap that was reached, the
//! end of its time. It looks at errors only; it runs nothing.

use std::time::Duration;

use boathook_engine::plugin_host::PluginError;
use wasmtime::{Trap, WasmBacktrace};

use crate::limits::{DeadlineExceeded, HOSTCALL_FUEL, LimitError, bytes};

/// Frames shown of a trap.
const MAX_FRAMES: usize = 16;
/// Characters shown of a function's name.
const MAX_NAME: usize = 200;

/// The error of a guest that did not return. `last_lines` are the run's last log lines, in which languages say why
/// they gave up.
pub(crate) fn plugin_error(error: &wasmtime::Error, timeout: Duration, last_lines: &[String]) -> PluginError {
    if error.downcast_ref::<DeadlineExceeded>().is_some() {
        return PluginError::Timeout { limit: timeout };
    }
    if let Some(limit) = error.downcast_ref::<LimitError>() {
        return PluginError::LimitReached { what: limit.to_string() };
    }
    let cause = error.root_cause().to_string();
    // wasmtime has no types for these two.
    if cause.contains("fuel allocated for hostcalls") {
        let what = format!("a host call with more than {}", bytes(HOSTCALL_FUEL as u64));
        return PluginError::LimitReached { what };
    }
    if cause.contains("resource limit exceeded") || cause.contains("count too high") {
        return PluginError::LimitReached { what: cause };
    }
    let reason = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => match panic_text(last_lines) {
            Some(text) => format!("the plugin panicked: {text}"),
            None => "the plugin gave up (wasm `unreachable`: a panic, an abort or an uncaught exception)"
                .to_owned(),
        },
        Some(Trap::StackOverflow) => "the plugin's stack overflowed (endless recursion?)".to_owned(),
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => cause,
    };
    PluginError::Trap { reason, frames: frames(error) }
}

/// The guest's functions, innermost first.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let mut frames: Vec<String> = backtrace.frames().iter().take(MAX_FRAMES).map(frame).collect();
    let more = backtrace.frames().len().saturating_sub(MAX_FRAMES);
    if more > 0 {
        frames.push(format!("… and {more} more"));
    }
    frames
}

fn frame(frame: &wasmtime::FrameInfo) -> String {
    // Debug information knows inlined functions and lines; without it there is the name section, or a number.
    let symbol = frame.symbols().first();
    let raw = symbol.and_then(wasmtime::FrameSymbol::name).or_else(|| frame.func_name());
    let mut name = match raw {
        Some(raw) => format!("{:#}", rustc_demangle::demangle(raw)),
        None => format!("function {}", frame.func_index()),
    };
    name.truncate(name.floor_char_boundary(MAX_NAME));
    match symbol.and_then(|symbol| symbol.file().zip(symbol.line())) {
        Some((file, line)) => format!("{name} ({file}:{line})"),
        None => name,
    }
}

/// The text of a Rust panic among the last log lines: the line after `thread '…' panicked at …:`.
fn panic_text(last_lines: &[String]) -> Option<&str> {
    let at = last_lines.iter().rposition(|line| line.contains(" panicked at "))?;
    let next = last_lines.get(at + 1).map(String::as_str).filter(|line| !line.starts_with("note: "));
    next.or_else(|| last_lines[at].split_once(" panicked at ").map(|(_, text)| text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_panic_is_the_line_after_its_place() {
        let log =
            lines(&["x", "thread 'main' (1) panicked at src/lib.rs:3:5:", "no such thing", "note: run with"]);
        assert_eq!(panic_text(&log), Some("no such thing"));
        assert_eq!(
            panic_text(&lines(&["thread '<unnamed>' panicked at src/lib.rs:3:5:"])),
            Some("src/lib.rs:3:5:")
        );
        assert_eq!(panic_text(&lines(&["quiet"])), None);
    }

    #[test]
    fn limits_and_deadlines_are_found_below_context() {
        let error =
            wasmtime::Error::from(LimitError::Calls { capability: "http", limit: 100 }).context("outer");
        let found = plugin_error(&error, Duration::from_secs(1), &[]);
        assert!(
            matches!(found, PluginError::LimitReached { what } if what == "limit of 100 http calls in one run reached")
        );
        let error = wasmtime::Error::from(DeadlineExceeded).context("outer");
        assert!(
            matches!(plugin_error(&error, Duration::from_secs(3), &[]), PluginError::Timeout { limit } if limit.as_secs() == 3)
        );
    }
}
