//! `boathook:hook/log`: log lines with a level. What is over the run's cap is dropped and counted, never an error: a
//! hook does not fail because it talks too much.

use boathook_core::run_event::LogLevel;

use super::Capabilities;
use crate::bindings::boathook::hook::log::{Host, Level};

impl Host for Capabilities {
    async fn emit(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let mut text = message;
        for (key, value) in fields {
            text.push(' ');
            text.push_str(&key);
            text.push('=');
            // A value with a line break would look like a line of its own.
            if value.contains(|c: char| c.is_whitespace() || c == '"') {
                text.push_str(&serde_json::Value::from(value).to_string());
            } else {
                text.push_str(&value);
            }
        }
        self.log.emit(level.into(), &text);
        Ok(())
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
