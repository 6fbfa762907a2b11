//! How long it takes to read 1,000 documents, 200 of them hooks: `cargo bench -p boathook-core --bench reading`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use boathook_core::{Source, dialect, manifest};

const DOCUMENTS: usize = 1_000;
const HOOKS: usize = 200;
const ROUNDS: usize = 50;

fn main() {
    let mut text = String::new();
    for index in 0..DOCUMENTS {
        let _infallible = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config-{index}\n  labels: {{app: web, tier: \"{index}\"}}\n"
        );
        if index < HOOKS {
            let weight = index % 7;
            let _infallible = write!(
                text,
                "  annotations:\n    helm.sh/hook: pre-install,post-upgrade\n    helm.sh/hook-weight: \"{weight}\"\n"
            );
        }
        text.push_str("data:\n  setting: initial_value\n  other: |\n    two\n    lines\n");
    }
    let sources = [Source { path: "hooks.yaml".to_owned(), text }];
    let mut parse = Vec::new();
    let mut read = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let parsed = manifest::parse(&sources);
        parse.push(start.elapsed());
        let start = Instant::now();
        let sorted = dialect::read(parsed.documents);
        read.push(start.elapsed());
        assert_eq!((sorted.hooks.len(), sorted.resources.len()), (HOOKS, DOCUMENTS - HOOKS));
        assert!(sorted.diagnostics.is_empty(), "{:?}", sorted.diagnostics.first());
    }
    for (name, times) in [("parse", parse), ("read", read)] {
        let (best, median) = best_and_median(times);
        println!(
            "{name} of {DOCUMENTS} documents ({} kB): best {best:?}, median {median:?}",
            sources[0].text.len() / 1000
        );
    }
}

/// The best is what the machine can do, the median what it did beside everything else.
fn best_and_median(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[0], times[times.len() / 2])
}
