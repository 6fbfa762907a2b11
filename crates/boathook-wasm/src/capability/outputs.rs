//! `boathook:hook/outputs`: values for the report, and progress. Both become run events, so their number is capped;
//! credentials are taken out of both.

use boathook_engine::plugin_host::PluginSignal;
use serde_json::Value;

use super::Capabilities;
use crate::bindings::boathook::hook::outputs::Host;
use crate::limits::{MAX_LINE_BYTES, MAX_OUTPUT_BYTES, MAX_OUTPUTS};

/// Characters of a key.
const MAX_KEY: usize = 63;

impl Host for Capabilities {
    async fn set(&mut self, key: String, value_json: String) -> wasmtime::Result<Result<(), String>> {
        Ok(self.set_output(&key, &value_json))
    }

    async fn progress(&mut self, message: String, percent: Option<u8>) -> wasmtime::Result<()> {
        // Progress has no answer: what is over the cap is not shown.
        if self.count_output() {
            let mut message = self.log().scrubber().text(message.replace(['\r', '\n'], " "));
            message.truncate(message.floor_char_boundary(MAX_LINE_BYTES));
            self.log()
                .signal(PluginSignal::Progress { message, percent: percent.map(|percent| percent.min(100)) });
        }
        Ok(())
    }
}

impl Capabilities {
    fn set_output(&mut self, key: &str, value_json: &str) -> Result<(), String> {
        let valid = !key.is_empty()
            && key.len() <= MAX_KEY
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !valid {
            return Err(format!("a key is 1 to {MAX_KEY} letters, digits, '-', '_' and '.'"));
        }
        if value_json.len() > MAX_OUTPUT_BYTES {
            return Err(format!("a value has at most {MAX_OUTPUT_BYTES} bytes"));
        }
        let value: Value =
            serde_json::from_str(value_json).map_err(|error| format!("the value is no JSON: {error}"))?;
        if !self.count_output() {
            return Err(format!("a run has at most {MAX_OUTPUTS} outputs and progress messages"));
        }
        let value = self.log().scrubber().value(value);
        self.log().signal(PluginSignal::Output { key: key.to_owned(), value });
        Ok(())
    }

    fn count_output(&mut self) -> bool {
        self.outputs = self.outputs.saturating_add(1);
        self.outputs <= MAX_OUTPUTS
    }
}
