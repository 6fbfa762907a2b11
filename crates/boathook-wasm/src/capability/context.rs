//! `boathook:hook/context`: which release, which run, which settings. Needs no grant; the only secrets here are
//! credentials that the hook reveals on purpose.

use super::Capabilities;
use crate::bindings::boathook::hook::context::{Host, ReleaseInfo, RunInfo};

impl Host for Capabilities {
    async fn release(&mut self) -> wasmtime::Result<ReleaseInfo> {
        Ok(ReleaseInfo {
            name: self.release.name.clone(),
            namespace: self.release.namespace.clone(),
            revision: self.release.revision,
            chart: self.chart.name.clone(),
            chart_version: self.chart.version.clone(),
            app_version: self.chart.app_version.clone(),
        })
    }

    async fn run(&mut self) -> wasmtime::Result<RunInfo> {
        Ok(RunInfo {
            id: self.run.id.clone(),
            hook_name: self.run.hook_name.clone(),
            event: self.run.event.clone(),
            attempt: self.run.attempt,
            dry_run: self.run.dry_run,
            deadline_ms: u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn config_json(&mut self) -> wasmtime::Result<String> {
        Ok(self.config.clone())
    }

    async fn credential(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self
            .credentials
            .get(&name)
            .filter(|credential| credential.reveal)
            .map(|credential| credential.value.clone()))
    }
}
