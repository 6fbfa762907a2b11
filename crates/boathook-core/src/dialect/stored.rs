//! Hooks of a release record. Helm goes by what is recorded (events, weight, policies) and reads the text again only when the
//! hook runs; so it is here, for the events that an operation runs.

use super::wasm;
use crate::hook::{Action, DeletePolicy, Hook, HookEvent, OutputLogPolicy};
use crate::release::HookEntry;
use crate::source::Origin;
use crate::{Diagnostic, check, manifest};

/// Reads recorded hooks, one for each entry. Those that fire at none of the events stay unread: they are inert, whatever
/// their kind. A text that cannot be read is an error, because the hook would fail in the middle of the operation.
pub fn read_stored(entries: &[&HookEntry], events: &[HookEvent]) -> (Vec<Hook>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let hooks = entries.iter().map(|entry| hook(entry, events, &mut diagnostics)).collect();
    (hooks, diagnostics)
}

fn hook(entry: &HookEntry, events: &[HookEvent], diagnostics: &mut Vec<Diagnostic>) -> Hook {
    let event = |word: &String| HookEvent::ALL.into_iter().find(|event| event.as_str() == word);
    let mut hook = Hook {
        api_version: String::new(),
        kind: entry.kind.clone(),
        name: entry.name.clone(),
        origin: Origin { path: entry.path.clone(), document: 0, line: 1 },
        events: entry.events.iter().filter_map(event).collect(),
        weight: entry.weight,
        delete_policies: entry.delete_policies.iter().cloned().map(DeletePolicy::from).collect(),
        output_log_policies: entry.output_log_policies.iter().cloned().map(OutputLogPolicy::from).collect(),
        manifest: entry.manifest.clone(),
        objects: Vec::new(),
        action: Action::ApplyResource,
        spec_places: Default::default(),
    };
    if !hook.events.iter().any(|event| events.contains(event)) {
        return hook;
    }
    let parsed = manifest::parse_stored_hook(&entry.path, &entry.manifest);
    diagnostics.extend(parsed.diagnostics);
    let Some(document) = parsed.documents.into_iter().next() else { return hook };
    check::document(&document, diagnostics);
    hook.api_version.clone_from(&document.head.api_version);
    hook.origin.line = document.origin.line;
    if let Some((action, places)) = wasm::action(&document, diagnostics) {
        (hook.action, hook.spec_places) = (action, places);
    }
    hook.objects = document.objects;
    hook
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manifest: &str, events: &[&str]) -> HookEntry {
        HookEntry {
            name: "recorded".to_owned(),
            kind: "Job".to_owned(),
            path: "c/templates/h.yaml".to_owned(),
            manifest: manifest.to_owned(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            weight: 7,
            delete_policies: vec!["never".to_owned()],
            ..HookEntry::default()
        }
    }

    const JOB: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: written\n  annotations:\n    \
                       helm.sh/hook: pre-install\n    helm.sh/hook-weight: \"1\"\n";

    #[test]
    fn what_is_recorded_counts_and_not_the_annotations() {
        let entry = entry(JOB, &["test", "example.com/other"]);
        let (hooks, diagnostics) = read_stored(&[&entry], &[HookEvent::Test]);
        assert_eq!(diagnostics, []);
        let hook = &hooks[0];
        assert_eq!((hook.name.as_str(), hook.weight), ("recorded", 7));
        assert_eq!(hook.events, [HookEvent::Test]);
        assert_eq!(hook.delete_policies, [DeletePolicy::Other("never".to_owned())]);
        assert_eq!((hook.objects[0].name(), hook.api_version.as_str()), ("written", "batch/v1"));
    }

    #[test]
    fn a_hook_that_does_not_fire_is_not_read() {
        for events in [&["pre-delete"][..], &["example.com/other"], &[]] {
            let (hooks, diagnostics) = read_stored(&[&entry("{no yaml", events)], &[HookEvent::Test]);
            assert_eq!((hooks[0].objects.len(), diagnostics.len()), (0, 0));
        }
        let (_, diagnostics) = read_stored(&[&entry("{no yaml", &["test"])], &[HookEvent::Test]);
        assert_eq!(diagnostics[0].code, "invalid-yaml");
    }

    #[test]
    fn a_plugin_is_found_again() {
        let text =
            JOB.replace("    helm.sh/hook-weight: \"1\"\n", "    boathook.dev/wasm-hook: \"plugin: p\"\n");
        let (hooks, _) = read_stored(&[&entry(&text, &["test"])], &[HookEvent::Test]);
        let Action::CallPlugin(spec) = &hooks[0].action else { panic!("{:?}", hooks[0]) };
        assert_eq!(spec.plugin, "p");
    }
}
