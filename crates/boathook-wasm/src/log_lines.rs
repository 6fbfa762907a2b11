//! Log lines of one run: bounded, scrubbed of credentials, made valid UTF-8, and sent on as they come. Also the
//! guest's stdout and stderr, which are log lines like any other. Terminal escapes are left in: whoever prints
//! knows what it prints to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use boathook_core::effect::Effect;
use boathook_core::run_event::LogLevel;
use boathook_engine::plugin_host::PluginSignal;
use hyper::body::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::UnboundedSender;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::limits::{MAX_LINE_BYTES, bytes};
use crate::scrub::Scrubber;

/// Lines remembered for the reason of a failure.
const REMEMBERED: usize = 8;
/// Bytes that a line counts at least: each is a run event, however short.
const LEAST: u64 = 64;
/// What a guest may write to a stream at once.
const WRITE_PERMIT: usize = 64 << 10;

/// Where all log lines of a run go.
#[derive(Debug)]
pub(crate) struct LogLines {
    signals: UnboundedSender<PluginSignal>,
    scrubber: Scrubber,
    cap: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept_bytes: u64,
    dropped_bytes: u64,
    last: VecDeque<String>,
}

impl LogLines {
    /// Keeps `cap` bytes of text.
    pub(crate) fn new(signals: UnboundedSender<PluginSignal>, scrubber: Scrubber, cap: u64) -> Arc<Self> {
        Arc::new(Self { signals, scrubber, cap, state: Mutex::default() })
    }

    /// What keeps credentials out of texts.
    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// Adds a message, a line for each of its lines.
    pub(crate) fn emit(&self, level: LogLevel, message: &str) {
        for line in message.split('\n') {
            self.line(level, line.strip_suffix('\r').unwrap_or(line).as_bytes(), 0);
        }
    }

    /// Sends something that is no log line.
    pub(crate) fn signal(&self, signal: PluginSignal) {
        // Nobody listens any more once the run was given up; the run itself ends at its own pace.
        drop(self.signals.send(signal));
    }

    /// Sends what a dry run left undone. Credentials are taken out of it as out of any text; its fields count as log,
    /// and are left out where the run has written enough of that.
    pub(crate) fn withhold(&self, effect: Effect) {
        let size = (effect.size() as u64).max(LEAST);
        let mut state = self.state();
        let effect = if state.kept_bytes + size > self.cap { effect.without_fields() } else { effect };
        state.kept_bytes += size;
        drop(state);
        self.signal(PluginSignal::Withheld(effect.map_values(|value| self.scrubber.value(value))));
    }

    /// The last lines, oldest first.
    pub(crate) fn last(&self) -> Vec<String> {
        self.state().last.iter().cloned().collect()
    }

    /// Says once how much was dropped.
    pub(crate) fn finish(&self) {
        let state = self.state();
        if state.dropped_bytes > 0 {
            let line = format!(
                "{} of log were dropped (a line is cut at {}, a run keeps {})",
                bytes(state.dropped_bytes),
                bytes(MAX_LINE_BYTES as u64),
                bytes(self.cap)
            );
            self.signal(PluginSignal::Log { level: LogLevel::Warn, line });
        }
    }

    /// One line. `cut` bytes of it were thrown away by the caller already.
    fn line(&self, level: LogLevel, line: &[u8], cut: u64) {
        let mut state = self.state();
        if state.kept_bytes >= self.cap {
            state.dropped_bytes += line.len() as u64 + cut;
            return;
        }
        let mut text = self.scrubber.text(String::from_utf8_lossy(line).into_owned());
        let mut cut = cut;
        if text.len() > MAX_LINE_BYTES {
            let end = text.floor_char_boundary(MAX_LINE_BYTES);
            cut += (text.len() - end) as u64;
            text.truncate(end);
        }
        state.kept_bytes += (text.len() as u64 + 1).max(LEAST);
        state.dropped_bytes += cut;
        if cut > 0 {
            text.push_str(" … (cut)");
        }
        if state.last.len() == REMEMBERED {
            state.last.pop_front();
        }
        state.last.push_back(text.clone());
        drop(state);
        self.signal(PluginSignal::Log { level, line: text });
    }

    /// Counts text instead of looking at it, if no more of it is kept.
    fn is_over(&self, size: usize) -> bool {
        let mut state = self.state();
        let full = state.kept_bytes >= self.cap;
        if full {
            state.dropped_bytes += size as u64;
        }
        full
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guest's stdout or stderr as log lines of level `info`. Each stream has its own unfinished line.
#[derive(Clone, Debug)]
pub(crate) struct GuestOutput {
    log: Arc<LogLines>,
    pending: Arc<Mutex<Pending>>,
}

/// The line that has no end yet.
#[derive(Debug, Default)]
struct Pending {
    line: Vec<u8>,
    cut: u64,
}

impl GuestOutput {
    pub(crate) fn new(log: Arc<LogLines>) -> Self {
        Self { log, pending: Arc::default() }
    }

    /// Ends the unfinished line, at the end of the run.
    pub(crate) fn finish(&self) {
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        if !pending.line.is_empty() {
            self.log.line(LogLevel::Info, &pending.line, pending.cut);
        }
    }

    fn take(&self, text: &[u8]) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.line.is_empty() && self.log.is_over(text.len()) {
            return;
        }
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let (body, ended) = match piece.split_last() {
                Some((b'\n', body)) => (body.strip_suffix(b"\r").unwrap_or(body), true),
                _ => (piece, false),
            };
            // One byte more than is shown, so that `line` knows that it has to cut.
            let room = (MAX_LINE_BYTES + 1).saturating_sub(pending.line.len()).min(body.len());
            pending.line.extend_from_slice(&body[..room]);
            pending.cut += (body.len() - room) as u64;
            if ended {
                let Pending { line, cut } = std::mem::take(&mut *pending);
                self.log.line(LogLevel::Info, &line, cut);
            }
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for GuestOutput {
    fn write(&mut self, text: Bytes) -> StreamResult<()> {
        self.take(&text);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
        text: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.take(text);
        std::task::Poll::Ready(Ok(text.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn log(cap: u64) -> (Arc<LogLines>, UnboundedReceiver<PluginSignal>) {
        let (sender, receiver) = unbounded_channel();
        (LogLines::new(sender, Scrubber::default(), cap), receiver)
    }

    fn lines(receiver: &mut UnboundedReceiver<PluginSignal>) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(signal) = receiver.try_recv() {
            match signal {
                PluginSignal::Log { line, .. } => lines.push(line),
                other => panic!("no log line: {other:?}"),
            }
        }
        lines
    }

    #[test]
    fn lines_are_put_together_from_pieces_and_the_last_needs_no_end() {
        let (log, mut receiver) = log(1_000);
        let output = GuestOutput::new(log);
        for piece in ["one\ntw", "o\r\n", "\nthr", "ee"] {
            output.take(piece.as_bytes());
        }
        output.finish();
        assert_eq!(lines(&mut receiver), ["one", "two", "", "three"]);
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let (log, mut receiver) = log(1_000);
        GuestOutput::new(log).take(b"a\xff\xfeb\n");
        assert_eq!(lines(&mut receiver), ["a\u{fffd}\u{fffd}b"]);
    }

    #[test]
    fn a_long_line_is_cut_and_counted() {
        let (log, mut receiver) = log(1 << 20);
        let output = GuestOutput::new(log.clone());
        for _ in 0..10 {
            output.take(&[b'x'; 1_000]);
        }
        output.take(b"\nnext\n");
        log.finish();
        let lines = lines(&mut receiver);
        assert_eq!(lines[0].len(), MAX_LINE_BYTES + " … (cut)".len());
        assert_eq!(lines[1], "next");
        assert_eq!(lines[2], "1 KiB of log were dropped (a line is cut at 8 KiB, a run keeps 1 MiB)");
    }

    #[test]
    fn what_is_over_the_cap_is_dropped_and_said_once() {
        let (log, mut receiver) = log(10);
        let output = GuestOutput::new(log.clone());
        output.take(b"123456789\n");
        for _ in 0..100 {
            output.take(b"more\n");
        }
        log.emit(LogLevel::Info, "also over");
        output.finish();
        log.finish();
        assert_eq!(
            lines(&mut receiver),
            ["123456789", "509 bytes of log were dropped (a line is cut at 8 KiB, a run keeps 10 bytes)"]
        );
    }
}
