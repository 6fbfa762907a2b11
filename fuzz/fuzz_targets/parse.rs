//! Any text is read without a panic, an overflow or a value in a message: `cargo +nightly fuzz run parse`, seeded with
//! the inputs of `crates/boathook-core/tests/vectors/` if wanted.
#![no_main]

use boathook_core::{Source, dialect, manifest, order};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let sources = [Source { path: "a.yaml".to_owned(), text: text.to_owned() }];
    let parsed = manifest::parse(&sources);
    for document in &parsed.documents {
        let (line, column) = document.place("/metadata/annotations/helm.sh~1hook");
        assert!(line >= 1 && column >= 1);
    }
    let read = dialect::read(parsed.documents);
    for event in boathook_core::HookEvent::ALL {
        let order = order::run_order(&read.hooks, event);
        assert!(order.iter().all(|at| *at < read.hooks.len()));
    }
});
