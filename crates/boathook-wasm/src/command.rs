//! One attempt at a WASI command: `_start` runs while its stdout is read line by line, each call is answered on its
//! stdin. The words on the lines are `protocol`'s.

mod answer;
mod protocol;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use boathook_core::run_event::LogLevel;
use boathook_engine::plugin_host::{PluginCall, PluginError, PluginReport};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use wasmtime::{Engine, InstancePre};
use wasmtime_wasi::I32Exit;

use crate::capability::Capabilities;
use crate::component::{because_denied, clean};
use crate::limits::{LimitError, MAX_BODY_BYTES, MAX_LINE_BYTES, MAX_OUTPUT_BYTES};
use crate::log_lines::{GuestOutput, LogLines};
use crate::scrub::Scrubber;
use crate::state::{CommandState, store};
use crate::trap;
use protocol::{Ending, Line};

/// Bytes between guest and host before one waits for the other.
const PIPE: usize = 64 << 10;
/// Bytes of answers that a guest may leave unread.
const MAX_UNREAD: usize = 4 * MAX_BODY_BYTES;
/// What an answer counts at least, so that short ones are not many thousands.
const LEAST: usize = 1 << 10;
/// Runs it.
///
/// # Errors
/// Every way in which it can fail.
pub(crate) async fn run(
    engine: &Engine,
    command: &InstancePre<CommandState>,
    call: &PluginCall,
    api_servers: &[SocketAddr],
) -> Result<PluginReport, PluginError> {
    let deadline = Instant::now() + call.timeout;
    let log = LogLines::new(call.signals.clone(), Scrubber::new(&call.credentials), call.limits.log_bytes);
    let stderr = GuestOutput::new(log.clone());
    let mut capabilities = Capabilities::new(call, log.clone(), deadline, api_servers)?;

    let (guest_stdin, host_stdin) = tokio::io::duplex(PIPE);
    let (host_stdout, guest_stdout) = tokio::io::duplex(PIPE);
    let state = CommandState::new(guest_stdin, guest_stdout, stderr.clone(), call);
    let mut store = store(engine, state, deadline);
    let guest = async move {
        let instance = command.instantiate_async(&mut store).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        // The store ends here and with it the guest's side of the pipes.
        start.call_async(&mut store, ()).await
    };
    let (answers, queue) = Answers::new();
    let first_line = protocol::first_line(call);
    let caps = Caps::of(call);
    let lines = Conversation { capabilities: &mut capabilities, caps, answers, ending: None, ignored: 0 };
    let attempt = async {
        let (mut guest, mut lines, mut writer) = (
            std::pin::pin!(guest),
            std::pin::pin!(lines.read(host_stdout)),
            std::pin::pin!(write(first_line, &call.extras.input, queue, host_stdin)),
        );
        let mut ended = None;
        loop {
            tokio::select! {
                result = &mut guest, if ended.is_none() => ended = Some(result),
                // Ends at the end of stdout, that is after the guest; or before it, because of a cap.
                conversation = &mut lines => return (ended, conversation),
                () = &mut writer => {}
            }
        }
    };
    let outcome = tokio::time::timeout_at(deadline, attempt).await;
    stderr.finish();
    log.finish();
    let Ok((exit, conversation)) = outcome else { return Err(PluginError::Timeout { limit: call.timeout }) };
    let ending = conversation.map_err(|limit| PluginError::LimitReached { what: limit.to_string() })?;
    let exit = exit.unwrap_or_else(|| Err(wasmtime::Error::msg("stdout was closed before the end")));
    verdict(exit, ending, &log, call, &capabilities)
}

/// How much a command may say.
#[derive(Clone, Copy)]
struct Caps {
    /// Bytes of a line.
    line: usize,
    /// Bytes of a report's data.
    data: usize,
    /// Bytes of the message of its end.
    message: usize,
}

impl Caps {
    fn of(call: &PluginCall) -> Self {
        match call.extras.report_bytes {
            Some(bytes) => Self { line: bytes.max(MAX_BODY_BYTES), data: bytes, message: bytes },
            None => Self { line: MAX_BODY_BYTES, data: MAX_OUTPUT_BYTES, message: MAX_LINE_BYTES },
        }
    }
}

/// What a guest's exit and last line come to.
fn verdict(
    exit: wasmtime::Result<()>,
    ending: Option<Ending>,
    log: &LogLines,
    call: &PluginCall,
    capabilities: &Capabilities,
) -> Result<PluginReport, PluginError> {
    let code = match &exit {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => *code,
            None => {
                return Err(because_denied(
                    trap::plugin_error(error, call.timeout, &log.last()),
                    capabilities,
                ));
            }
        },
    };
    let calls = capabilities.calls();
    let cap = Caps::of(call).message;
    let failed = |message: String, retryable| {
        let message = clean(message, cap, capabilities);
        because_denied(PluginError::Failed { message, retryable, retry_after: None, calls }, capabilities)
    };
    match (code, ending) {
        (_, Some(Ending::Failure { retryable, message })) => Err(failed(message, retryable)),
        (0, Some(Ending::Report { message, changed, data })) => Ok(PluginReport {
            message: clean(message, cap, capabilities),
            changed,
            data: data.map(|data| capabilities.log().scrubber().value(data)),
            calls,
        }),
        (0, None) => {
            Ok(PluginReport { message: "exited with code 0".to_owned(), changed: None, data: None, calls })
        }
        (code, _) => {
            let last = log.last().last().map(|line| format!(": {line}")).unwrap_or_default();
            Err(failed(format!("exited with code {code}{last}"), false))
        }
    }
}

/// Lines on their way to the guest's stdin: a queue, so that a guest which writes many calls before it reads an answer
/// does not block itself. Bounded, so that one which never reads cannot fill our memory.
struct Answers {
    queue: UnboundedSender<String>,
    unread: Arc<AtomicUsize>,
}

struct Queue {
    queue: UnboundedReceiver<String>,
    unread: Arc<AtomicUsize>,
}

impl Answers {
    fn new() -> (Self, Queue) {
        let (sender, receiver) = unbounded_channel();
        let unread = Arc::new(AtomicUsize::new(0));
        (Self { queue: sender, unread: unread.clone() }, Queue { queue: receiver, unread })
    }

    /// Queues a line; whether the guest reads it is its own affair.
    fn push(&self, mut line: String) {
        line.push('\n');
        self.unread.fetch_add(line.len().max(LEAST), Ordering::Relaxed);
        drop(self.queue.send(line));
    }

    fn is_full(&self) -> bool {
        self.unread.load(Ordering::Relaxed) > MAX_UNREAD
    }
}

/// Moves what the guest gets at its start into the pipe, and then answers for as long as there may be any.
async fn write(first_line: String, input: &[Arc<Vec<u8>>], mut answers: Queue, mut stdin: DuplexStream) {
    let parts = input.iter().map(|part| part.as_slice());
    for part in [first_line.as_bytes(), b"\n"].into_iter().chain(parts) {
        if stdin.write_all(part).await.is_err() {
            return std::future::pending().await;
        }
    }
    while let Some(line) = answers.queue.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() {
            break;
        }
        answers.unread.fetch_sub(line.len().max(LEAST), Ordering::Relaxed);
    }
    // The guest has closed its side (or ended): nothing is left to do, but the reader decides when it is over.
    std::future::pending::<()>().await;
}

/// The host's half of the lines.
struct Conversation<'a> {
    capabilities: &'a mut Capabilities,
    caps: Caps,
    answers: Answers,
    ending: Option<Ending>,
    ignored: u64,
}

impl Conversation<'_> {
    /// Reads stdout to its end, answering calls.
    async fn read(mut self, stdout: DuplexStream) -> Result<Option<Ending>, LimitError> {
        let mut stdout = BufReader::with_capacity(PIPE, stdout);
        let mut line = Vec::new();
        loop {
            line.clear();
            // One byte more shows that a line is longer.
            let most = self.caps.line as u64 + 1;
            let read = (&mut stdout).take(most).read_until(b'\n', &mut line).await;
            if line.len() as u64 == most && !line.ends_with(b"\n") {
                return Err(LimitError::Line { limit: self.caps.line as u64 });
            }
            if line.is_empty() || read.is_err() {
                break;
            }
            self.take(&line).await?;
            if self.answers.is_full() {
                return Err(LimitError::Unread);
            }
        }
        if self.ignored > 0 {
            let text = format!("{} lines after the report were ignored", self.ignored);
            self.capabilities.log().emit(LogLevel::Warn, &text);
        }
        Ok(self.ending)
    }

    async fn take(&mut self, line: &[u8]) -> Result<(), LimitError> {
        if self.ending.is_some() {
            self.ignored += 1;
            return Ok(());
        }
        match protocol::read(line, self.caps.data) {
            Ok(Line::Call(call)) => {
                if let Some(answer) = answer::answer(self.capabilities, *call).await? {
                    self.answers.push(answer);
                }
            }
            Ok(Line::Ending(ending)) => self.ending = Some(ending),
            Err(reason) => {
                // Most such lines are meant for people.
                let text = String::from_utf8_lossy(line);
                self.capabilities.log().emit(LogLevel::Info, text.trim_end_matches(['\r', '\n']));
                self.answers.push(protocol::error("invalid", &reason, None));
            }
        }
        Ok(())
    }
}
