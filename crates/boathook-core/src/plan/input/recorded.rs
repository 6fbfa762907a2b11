//! Plans of what the records of a release hold: a rollback, an uninstall, the tests.

use serde_json::Value;

use super::{NewRevision, PlanInput, RevisionOptions, TestFilter, numbered};
use crate::dialect::read_stored;
use crate::hook::Hook;
use crate::plan::{ChartInfo, Operation, ReleaseRef};
use crate::release::basis::{self, Basis};
use crate::release::companion::Divided;
use crate::release::{ApplyMethod, HookEntry, Record, Revision, Status, wasm_hooks};
use crate::wasm_hook::KIND;
use crate::{Diagnostic, HookEvent, manifest};

/// Recorded hooks, each with whether it is ours.
type Recorded<'a> = Vec<(&'a HookEntry, bool)>;

impl PlanInput {
    /// A rollback: chart, values, manifest, hooks and labels of the target revision once more.
    pub fn rollback(
        basis: Basis,
        release: &ReleaseRef,
        history: &[Revision<'_>],
        options: &RevisionOptions,
    ) -> Self {
        let mut input = Self::empty(Operation::Rollback, basis.clone(), &release.name, &release.namespace);
        let Some(target) = numbered(history, basis.target) else { return input };
        let base = numbered(history, basis.base);
        input.take_base(base);
        // Here a WasmHook is ours wherever it was recorded before.
        input.take_hooks(history, target, |entry, ours| ours || entry.kind == KIND);
        let record = target.record;
        input.take_resources(record);
        input.chart = ChartInfo::of(record.chart.get("metadata").unwrap_or(&Value::Null));
        input.apply_method = options.server_side.resolve(record.apply_method.as_deref());
        input.migrate = input.apply_method == ApplyMethod::ServerSide;
        input.description.clone_from(&options.description);
        input.cleanup_on_fail = options.cleanup_on_fail;
        input.revision = Some(NewRevision {
            chart: record.chart.clone(),
            config: record.config.clone(),
            notes: record.info.rest.get("notes").cloned(),
            manifest: record.manifest.clone(),
            labels: input.pointed(target.labels.clone()),
            first_deployed: base.and_then(|base| base.record.info.first_deployed),
            prune: basis::to_prune(history, options.history_max),
        });
        input
    }

    /// An uninstall of the last revision. One that is uninstalled already has only records left.
    pub fn uninstall(
        basis: Basis,
        release: &ReleaseRef,
        history: &[Revision<'_>],
        options: &RevisionOptions,
    ) -> Self {
        let mut input = Self::empty(Operation::Uninstall, basis.clone(), &release.name, &release.namespace);
        input.description.clone_from(&options.description);
        input.keep_history = options.keep_history;
        let Some(last) = numbered(history, basis.last) else { return input };
        input.chart = ChartInfo::of(last.record.chart.get("metadata").unwrap_or(&Value::Null));
        if *last.status() == Status::Uninstalled {
            return input;
        }
        input.take_hooks(history, last, |_, ours| ours);
        input.take_resources(last.record);
        input
    }

    /// The tests of the last revision.
    pub fn test(basis: Basis, release: &ReleaseRef, history: &[Revision<'_>], filter: &TestFilter) -> Self {
        let mut input = Self::empty(Operation::Test, basis.clone(), &release.name, &release.namespace);
        let Some(last) = numbered(history, basis.last) else { return input };
        input.chart = ChartInfo::of(last.record.chart.get("metadata").unwrap_or(&Value::Null));
        input.apply_method = ApplyMethod::recorded(last.record.apply_method.as_deref());
        let carried = wasm_hooks::carried(history, last);
        input.diagnostics.extend(carried.diagnostic(last.number()));
        let (skipped, executed) = filter.divide(wasm_hooks::all_hooks(last, carried));
        // Helm stores the hooks that a filter left out first, for good.
        let entries: Vec<&HookEntry> = skipped.iter().chain(&executed).map(|(entry, _)| *entry).collect();
        let (mut hooks, diagnostics) = read_stored(&entries[skipped.len()..], &[HookEvent::Test]);
        let (left_out, _) = read_stored(&entries[..skipped.len()], &[]);
        let silent = left_out.into_iter().map(|hook| Hook { events: Vec::new(), ..hook });
        hooks.splice(0..0, silent);
        input.hooks = hooks;
        input.diagnostics.extend(diagnostics);
        let all = skipped.into_iter().chain(executed);
        input.stored_hooks = Divided::new(all.map(|(entry, ours)| (entry.clone(), ours)));
        input
    }

    /// Takes the hooks of a revision; `ours` says which are kept outside of Helm's record from now on.
    fn take_hooks(
        &mut self,
        history: &[Revision<'_>],
        of: &Revision<'_>,
        ours: impl Fn(&HookEntry, bool) -> bool,
    ) {
        let carried = wasm_hooks::carried(history, of);
        self.diagnostics.extend(carried.diagnostic(of.number()));
        let all = wasm_hooks::all_hooks(of, carried);
        let entries: Vec<&HookEntry> = all.iter().map(|(entry, _)| *entry).collect();
        let events: Vec<HookEvent> = self.operation.events().collect();
        let (hooks, diagnostics) = read_stored(&entries, &events);
        self.hooks = hooks;
        self.diagnostics.extend(diagnostics);
        let divided = all.into_iter().map(|(entry, is_ours)| (entry.clone(), ours(entry, is_ours)));
        self.stored_hooks = Divided::new(divided);
    }

    fn take_resources(&mut self, record: &Record) {
        let parsed = manifest::parse_stored(&record.manifest);
        self.resources = parsed.documents;
        self.diagnostics.extend(in_revision(parsed.diagnostics, record.version));
    }

    pub(super) fn take_base(&mut self, base: Option<&Revision<'_>>) {
        let Some(base) = base else { return };
        let parsed = manifest::parse_stored(&base.record.manifest);
        self.base = parsed.documents;
        self.diagnostics.extend(in_revision(parsed.diagnostics, base.number()));
    }
}

impl TestFilter {
    /// Those left out, and those that run, each in the order they have; excluded ones go before those not included.
    fn divide<'a>(&self, hooks: Recorded<'a>) -> (Recorded<'a>, Recorded<'a>) {
        let (mut skipped, rest): (Vec<_>, Vec<_>) =
            hooks.into_iter().partition(|(hook, _)| self.exclude.contains(&hook.name));
        let (executed, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|(hook, _)| self.include.is_empty() || self.include.contains(&hook.name));
        skipped.extend(others);
        (skipped, executed)
    }
}

/// Findings in the text of a record say of which revision.
fn in_revision(diagnostics: Vec<Diagnostic>, revision: u32) -> impl Iterator<Item = Diagnostic> {
    diagnostics.into_iter().map(move |diagnostic| Diagnostic {
        path: Some(format!("manifest of revision {revision}")),
        ..diagnostic
    })
}
