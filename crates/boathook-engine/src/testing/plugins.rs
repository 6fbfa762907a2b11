//! Plugins that say and answer what a test tells them.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use boathook_core::plugin::PluginInfo;

use crate::plugin_host::{PluginCall, PluginError, PluginHost, PluginReference, PluginReport, PluginSignal};

/// One attempt.
pub(crate) enum Attempt {
    /// Says these, then ends.
    Ends(Vec<PluginSignal>, Result<PluginReport, PluginError>),
    /// Never ends.
    Hangs,
}

/// See the module.
#[derive(Default)]
pub(crate) struct FakePlugins {
    attempts: Mutex<VecDeque<Attempt>>,
    calls: Mutex<Vec<PluginCall>>,
}

impl FakePlugins {
    /// What the next attempts do.
    pub(crate) fn script(&self, attempts: impl IntoIterator<Item = Attempt>) {
        self.attempts.lock().unwrap().extend(attempts);
    }

    /// What was called.
    pub(crate) fn calls(&self) -> Vec<PluginCall> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl PluginHost for FakePlugins {
    async fn list(&self) -> Vec<(String, Result<PluginInfo, PluginError>)> {
        Vec::new()
    }

    async fn inspect(&self, reference: &PluginReference) -> Result<PluginInfo, PluginError> {
        Err(PluginError::NotFound { name: reference.text.clone(), help: String::new() })
    }

    async fn run(&self, call: PluginCall) -> Result<PluginReport, PluginError> {
        let signals = call.signals.clone();
        self.calls.lock().unwrap().push(call);
        let attempt = self.attempts.lock().unwrap().pop_front().expect("the test scripts every attempt");
        match attempt {
            Attempt::Hangs => std::future::pending().await,
            Attempt::Ends(says, result) => {
                for signal in says {
                    signals.send(signal).unwrap();
                }
                result
            }
        }
    }
}
