//! Laws that hold for any input.

use boathook_core::hook::Action;
use boathook_core::manifest::{parse, read_yaml};
use boathook_core::source::Origin;
use boathook_core::{Hook, HookEvent, Source, dialect, order};
use proptest::prelude::*;

use super::vectors::source;

fn hook(weight: i64, name: &str, kind: &str, path: &str, document: usize, events: Vec<HookEvent>) -> Hook {
    Hook {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        origin: Origin { path: path.to_owned(), document, line: 1 },
        events,
        weight,
        delete_policies: Vec::new(),
        output_log_policies: Vec::new(),
        manifest: String::new(),
        objects: Vec::new(),
        action: Action::ApplyResource,
        spec_places: std::collections::BTreeMap::new(),
    }
}

fn any_event() -> impl Strategy<Value = HookEvent> {
    prop::sample::select(&HookEvent::ALL[..3])
}

/// Few values of each key, so that ties of every length occur.
fn any_hooks() -> impl Strategy<Value = Vec<Hook>> {
    let one = (
        -1..=1i64,
        "[ab]?",
        "(Job|Secret|Pod|X|W)",
        "(a|charts/b|b)\\.yaml",
        prop::collection::vec(any_event(), 1..3),
    );
    prop::collection::vec(one, 0..12).prop_map(|hooks| {
        let numbered = hooks.into_iter().enumerate();
        numbered
            .map(|(at, (weight, name, kind, path, events))| hook(weight, &name, &kind, &path, at, events))
            .collect()
    })
}

/// As Helm stores hooks: by path and place in the file, then stably by kind.
fn stored(mut hooks: Vec<Hook>) -> Vec<Hook> {
    hooks.sort_by(|a, b| (&a.origin.path, a.origin.document).cmp(&(&b.origin.path, b.origin.document)));
    hooks.sort_by(|a, b| order::by_install_kind(&a.kind, &b.kind));
    hooks
}

fn names(hooks: &[Hook], event: HookEvent) -> Vec<(&str, usize)> {
    let order = order::run_order(hooks, event);
    order.into_iter().map(|at| (hooks[at].origin.path.as_str(), hooks[at].origin.document)).collect()
}

proptest! {
    /// The order is total: whatever order files are given in, the same hooks run in the same order.
    #[test]
    fn run_order_does_not_depend_on_the_order_of_input(
        (hooks, shuffled) in any_hooks().prop_flat_map(|hooks| (Just(hooks.clone()), Just(hooks).prop_shuffle())),
    ) {
        let (hooks, shuffled) = (stored(hooks), stored(shuffled));
        for event in HookEvent::ALL {
            prop_assert_eq!(names(&hooks, event), names(&shuffled, event));
        }
    }

    /// Each hook runs as often as it names the event, and no key is smaller than the one before it.
    #[test]
    fn run_order_is_sorted_by_weight_name_kind_path_and_place(hooks in any_hooks()) {
        let hooks = stored(hooks);
        for event in HookEvent::ALL {
            let order = order::run_order(&hooks, event);
            let times: usize = hooks.iter().map(|hook| hook.events.iter().filter(|named| **named == event).count()).sum();
            prop_assert_eq!(order.len(), times);
            for pair in order.windows(2) {
                let (a, b) = (&hooks[pair[0]], &hooks[pair[1]]);
                let ordering = a.weight.cmp(&b.weight)
                    .then_with(|| a.name.cmp(&b.name))
                    .then_with(|| order::by_install_kind(&a.kind, &b.kind))
                    .then_with(|| (&a.origin.path, a.origin.document).cmp(&(&b.origin.path, b.origin.document)));
                prop_assert!(ordering.is_le());
            }
        }
    }

    /// The same over text: files in any order, and documents of one file in theirs.
    #[test]
    fn documents_do_not_depend_on_the_order_of_files(
        sources in prop::collection::btree_map("[a-c]{1,2}\\.yaml", "(kind: [A-C]\nmetadata: \\{name: [ab]\\}\n---\n){0,3}", 0..5)
            .prop_flat_map(|files| {
                let files: Vec<Source> = files.into_iter().map(|(path, text)| Source { path, text }).collect();
                (Just(files.clone()), Just(files).prop_shuffle())
            }),
    ) {
        let (given, shuffled) = sources;
        prop_assert_eq!(dialect::read(parse(&given).documents), dialect::read(parse(&shuffled).documents));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let parsed = parse(&[source(&text)]);
        dialect::read(parsed.documents);
    }

    /// Text made of what means something to YAML and to hooks.
    #[test]
    fn text_like_yaml_is_read_without_a_panic(
        text in prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.concat()),
    ) {
        let parsed = parse(&[source(&text)]);
        for document in &parsed.documents {
            // Any pointer has a place inside the file.
            let (line, column) = document.place("/metadata/annotations/helm.sh~1hook");
            prop_assert!(line >= 1 && column >= 1 && line <= text.split('\n').count());
        }
        dialect::read(parsed.documents);
    }

    #[test]
    fn nesting_is_read_without_an_overflow(depth in 0..3_000usize, open in "(\\[|\\{a: |- |\\? |a:\n )") {
        let text = open.repeat(depth);
        let _answer = read_yaml("a.yaml", &text);
    }

    /// Integers that Go and we print the same are read back as they were written.
    #[test]
    fn integers_are_read_back(number in any::<i64>()) {
        let value = read_yaml("a.yaml", &format!("v: {number}\n"));
        prop_assert_eq!(value.ok().and_then(|value| value["v"].as_i64()), Some(number));
    }

    /// A float reaches the API server as the same float.
    #[test]
    fn floats_are_read_back(number in prop::num::f64::NORMAL) {
        let value = read_yaml("a.yaml", &format!("v: {number:?}\n"));
        prop_assert_eq!(value.ok().and_then(|value| value["v"].as_f64()), Some(number));
    }

    /// Quoted text is text, whatever it looks like.
    #[test]
    fn quoted_text_is_read_back(text in "[ -~]{0,20}") {
        let value = read_yaml("a.yaml", &format!("v: '{}'\n", text.replace('\'', "''")));
        prop_assert_eq!(value.ok().and_then(|value| value["v"].as_str().map(str::to_owned)), Some(text));
    }
}

const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    "\n---\n",
    "---",
    " ",
    "\t",
    "\r\n",
    ": ",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!!binary ",
    "! ",
    "|",
    ">+",
    "'",
    "\"",
    "\\",
    "#",
    "%",
    "a",
    "0x1",
    "1e3",
    ".inf",
    "~",
    "yes",
    "\u{feff}",
    "\u{2028}",
    "kind",
    "Kind: Job",
    "kind: WasmHook",
    "apiVersion: boathook.dev/v1alpha1",
    "metadata:",
    "name: a",
    "annotations:",
    "helm.sh/hook: pre-install",
    "helm.sh/hook-weight: 5",
    "boathook.dev/wasm-hook: |",
    "items:",
    "spec:",
    "plugin: a",
    "...",
];
