//! Which `WasmHook`s a revision carries. They are kept in our own record beside Helm's, and Helm knows nothing of it: when
//! Helm rolls a release back, the new revision is a copy without them. So they are looked for where the copy came from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::companion::CompanionRecord;
use super::{HookEntry, Revision};
use crate::Diagnostic;
use crate::wasm_hook::KIND;

/// The label on Helm's Secret that names the revision whose companion record holds the Wasm hooks. Helm keeps labels, and
/// hands them on: to the next upgrade, where it means nothing any more, and to a rollback.
pub const POINTER: &str = "boathook.dev/wasm-hooks";

/// What a revision has besides the hooks in Helm's record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Carried<'a> {
    /// Nothing.
    Nothing,
    /// Its own companion record.
    Own(&'a CompanionRecord),
    /// That of an earlier revision, of which Helm made this one by a rollback.
    Of(u32, &'a CompanionRecord),
    /// It is a copy of a revision that had Wasm hooks, and their record is gone.
    Lost(u32),
}

impl<'a> Carried<'a> {
    /// The record, if there is one.
    pub fn companion(self) -> Option<&'a CompanionRecord> {
        match self {
            Self::Own(companion) | Self::Of(_, companion) => Some(companion),
            Self::Nothing | Self::Lost(_) => None,
        }
    }

    /// What the user must know of it.
    pub fn diagnostic(self, revision: u32) -> Option<Diagnostic> {
        let Self::Lost(of) = self else { return None };
        let message = format!(
            "revision {revision} carries no Wasm hooks: Helm made it from revision {of}, whose record is gone"
        );
        Some(
            Diagnostic::warning("wasm-hooks-lost", message)
                .help("upgrade the release with its chart: then they are stored anew"),
        )
    }
}

/// All hooks of a revision, Helm's and ours, in the release's order, each with whether it is ours.
pub fn all_hooks<'a>(revision: &Revision<'a>, carried: Carried<'a>) -> Vec<(&'a HookEntry, bool)> {
    match carried.companion() {
        Some(companion) => companion.merged_hooks(revision.record),
        None => revision.record.hooks.iter().map(|hook| (hook, false)).collect(),
    }
}

/// Finds what a revision of a history carries.
pub fn carried<'a>(history: &[Revision<'a>], revision: &Revision<'a>) -> Carried<'a> {
    if let Some(own) = revision.companion {
        return Carried::Own(own);
    }
    let pointer = pointer(revision.labels).filter(|pointer| *pointer != revision.number());
    let source = rollback_source(revision);
    let Some(of) = source.or(pointer) else { return Carried::Nothing };
    let earlier =
        |number: u32| history.iter().find(|other| other.number() == number && number < revision.number());
    match earlier(of).map(|of| (of, carried(history, of))) {
        Some((of, found)) if is_copy(revision, of) => match found {
            Carried::Own(companion) => Carried::Of(of.number(), companion),
            further => further,
        },
        // Only a rollback copies; a label alone was handed on by an upgrade, which has the hooks of its own chart.
        Some(_) => Carried::Nothing,
        None if source.is_some() => match pointer.and_then(|pointer| Some((pointer, earlier(pointer)?))) {
            Some((number, of)) if is_copy(revision, of) => {
                of.companion.map_or(Carried::Lost(number), |companion| Carried::Of(number, companion))
            }
            _ => pointer.map_or(Carried::Nothing, Carried::Lost),
        },
        None => Carried::Nothing,
    }
}

/// The revision that the pointer names.
pub fn pointer(labels: &BTreeMap<String, String>) -> Option<u32> {
    labels.get(POINTER)?.parse().ok()
}

/// What a rollback was made from, as far as the record says: Helm 4.3 has a field for it, the others only their text.
fn rollback_source(revision: &Revision<'_>) -> Option<u32> {
    let info = &revision.record.info;
    let told = || info.description.strip_prefix("Rollback to ")?.parse().ok();
    info.rollback_revision.filter(|number| *number > 0).or_else(told)
}

/// Whether a revision is the copy that a rollback makes. A chart that Helm itself rendered has its `WasmHook`s in Helm's record.
fn is_copy(revision: &Revision<'_>, of: &Revision<'_>) -> bool {
    let (copy, of) = (revision.record, of.record);
    let templates = |chart: &Value| chart.get("templates").cloned();
    copy.manifest == of.manifest
        && templates(&copy.chart) == templates(&of.chart)
        && !copy.hooks.iter().any(|hook| hook.kind == KIND)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Record;
    use super::super::companion::CompanionHook;
    use super::*;

    struct Kept {
        record: Record,
        companion: Option<CompanionRecord>,
        labels: BTreeMap<String, String>,
    }

    impl Kept {
        fn new(version: u32, manifest: &str) -> Self {
            let record = Record { version, manifest: manifest.to_owned(), ..Record::default() };
            Self { record, companion: None, labels: BTreeMap::new() }
        }

        fn by_boathook(mut self, hook: &str) -> Self {
            let entry = HookEntry { name: hook.to_owned(), ..HookEntry::default() };
            let hooks = vec![CompanionHook { position: 0, entry }];
            self.companion = Some(CompanionRecord { hooks, ..CompanionRecord::default() });
            let own = self.record.version;
            self.pointing(own)
        }

        fn pointing(mut self, to: u32) -> Self {
            self.labels.insert(POINTER.to_owned(), to.to_string());
            self
        }

        fn rolled_back(mut self, to: u32) -> Self {
            self.record.info.rollback_revision = Some(to);
            self
        }

        fn described(mut self, text: &str) -> Self {
            text.clone_into(&mut self.record.info.description);
            self
        }
    }

    /// What the last revision carries: the revision it comes from, and the name of its hook.
    fn found(kept: &[Kept]) -> String {
        let history: Vec<Revision<'_>> = kept
            .iter()
            .map(|kept| Revision {
                record: &kept.record,
                companion: kept.companion.as_ref(),
                labels: &kept.labels,
            })
            .collect();
        match carried(&history, history.last().unwrap()) {
            Carried::Nothing => "nothing".to_owned(),
            Carried::Own(companion) => format!("own {}", companion.hooks[0].entry.name),
            Carried::Of(number, companion) => format!("{number}: {}", companion.hooks[0].entry.name),
            Carried::Lost(number) => format!("lost {number}"),
        }
    }

    fn one() -> Kept {
        Kept::new(1, "a").by_boathook("h1")
    }

    #[test]
    fn a_revision_of_ours_has_its_own() {
        assert_eq!(found(&[one(), Kept::new(2, "b").by_boathook("h2")]), "own h2");
    }

    #[test]
    fn helms_rollback_is_followed() {
        let two = || Kept::new(2, "b").by_boathook("h2");
        assert_eq!(found(&[one(), two(), Kept::new(3, "a").rolled_back(1)]), "1: h1", "Helm 4.3 has a field");
        let three = || Kept::new(3, "a").described("Rollback to 1").pointing(1);
        assert_eq!(found(&[one(), two(), three()]), "1: h1", "others only a text");
        assert_eq!(found(&[one(), two(), three(), Kept::new(4, "a").rolled_back(3)]), "1: h1", "twice");
        let failed = Kept::new(3, "a").described("Rollback \"web\" failed: x").pointing(1);
        assert_eq!(found(&[one(), two(), failed]), "1: h1", "a failed one has the label only");
    }

    #[test]
    fn helms_upgrade_carries_what_its_own_chart_has() {
        assert_eq!(found(&[one(), Kept::new(2, "b").pointing(1)]), "nothing", "other objects");
        let mut same = Kept::new(2, "a").pointing(1);
        same.record.chart = json!({"templates": [{"name": "other"}]});
        assert_eq!(found(&[one(), same]), "nothing", "another chart");
        let mut native = Kept::new(2, "a").pointing(1);
        native.record.hooks = vec![HookEntry { kind: KIND.to_owned(), ..HookEntry::default() }];
        assert_eq!(found(&[one(), native]), "nothing", "the hooks themselves, with the definition installed");
        assert_eq!(found(&[Kept::new(2, "a").pointing(1)]), "nothing");
    }

    #[test]
    fn what_was_pruned_is_lost_and_said() {
        let copy = Kept::new(5, "a").rolled_back(1).pointing(1);
        assert_eq!(found(&[Kept::new(4, "b").by_boathook("h4"), copy]), "lost 1");
        let told = Carried::Lost(1).diagnostic(5).unwrap();
        assert!(told.message.starts_with("revision 5 carries no Wasm hooks"), "{told:?}");
        let without_label = Kept::new(5, "a").rolled_back(1);
        assert_eq!(found(&[without_label]), "nothing", "nothing says that there were any");
    }

    #[test]
    fn a_rollback_to_a_copy_finds_the_original_by_its_label() {
        // Revision 3 was Helm's copy of 1 and is pruned; 5 is a copy of it.
        assert_eq!(found(&[one(), Kept::new(5, "a").rolled_back(3).pointing(1)]), "1: h1");
    }

    #[test]
    fn a_text_that_only_looks_like_a_rollback_is_checked() {
        assert_eq!(found(&[one(), Kept::new(2, "b").described("Rollback to 1")]), "nothing");
        assert_eq!(found(&[Kept::new(2, "b").described("Rollback to 2")]), "nothing", "not to itself");
    }
}
