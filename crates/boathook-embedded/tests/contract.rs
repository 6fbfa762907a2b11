//! Rules of the Kubernetes API. Each is a function over a `Cluster`, and nothing in it knows which API answers: every
//! rule is asked of the embedded API and, where `BOATHOOK_TEST_KUBECONFIG` names a kubeconfig, of that real one. What
//! only the embedded API has is in `simulation.rs` and `state.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests: shared functions of a test binary are not #[test] themselves"
)]

#[path = "contract/apply.rs"]
mod apply;
#[path = "contract/cluster.rs"]
mod cluster;
#[path = "contract/custom.rs"]
mod custom;
#[path = "contract/deletion.rs"]
mod deletion;
#[path = "contract/discovery.rs"]
mod discovery;
#[path = "contract/jobs.rs"]
mod jobs;
#[path = "contract/lists.rs"]
mod lists;
#[path = "contract/objects.rs"]
mod objects;
#[path = "contract/patches.rs"]
mod patches;
#[path = "contract/rules.rs"]
mod rules;
#[path = "contract/validation.rs"]
mod validation;
#[path = "contract/watches.rs"]
mod watches;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use cluster::Api;
use rules::Rule;

/// The rules, by what they are about.
const RULES: &[(&str, &[Rule])] = &[
    ("apply", apply::RULES),
    ("custom", custom::RULES),
    ("deletion", deletion::RULES),
    ("discovery", discovery::RULES),
    ("jobs", jobs::RULES),
    ("lists", lists::RULES),
    ("objects", objects::RULES),
    ("patches", patches::RULES),
    ("validation", validation::RULES),
    ("watches", watches::RULES),
];

fn main() -> ExitCode {
    let real = std::env::var_os("BOATHOOK_TEST_KUBECONFIG").map(Api::Real);
    let rules = || RULES.iter().flat_map(|(area, rules)| rules.iter().map(move |rule| (*area, *rule)));
    if real.is_none() {
        let count = rules().count();
        println!("skipped: {count} rules on a real API server: BOATHOOK_TEST_KUBECONFIG names none");
    }
    let mut trials = Vec::new();
    for (name, api) in [("embedded", Some(Api::Embedded)), ("real", real)] {
        trials.extend(rules().map(|(area, rule)| {
            let asked = api.clone();
            let trial = Trial::test(format!("{name}::{area}::{}", rule.name), move || {
                asked.iter().for_each(|api| rule.ask(api));
                Ok(())
            });
            trial.with_ignored_flag(api.is_none())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
