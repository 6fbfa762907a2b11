//! Rules of the Kubernetes API. Each is a function over a `Cluster`, and nothing in it knows which API answers: every
//! rule is asked of the embedded API and of a real API server, which is started for it (or is the one that
//! `BOATHOOK_TEST_KUBECONFIG` names). Where none can be had those are skipped, and in CI that is a failure. What only the
//! embedded API has is in `simulation.rs` and `state.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: shared functions of a test binary are not #[test] themselves"
)]

#[path = "contract/apply.rs"]
mod apply;
#[path = "contract/authorization.rs"]
mod authorization;
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
#[path = "contract/workloads.rs"]
mod workloads;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use boathook_test_cluster::Cluster as RealCluster;
use libtest_mimic::{Arguments, Trial};

use cluster::Api;
use rules::Rule;

/// The rules, by what they are about.
const RULES: &[(&str, &[Rule])] = &[
    ("apply", apply::RULES),
    ("authorization", authorization::RULES),
    ("custom", custom::RULES),
    ("deletion", deletion::RULES),
    ("discovery", discovery::RULES),
    ("jobs", jobs::RULES),
    ("lists", lists::RULES),
    ("objects", objects::RULES),
    ("patches", patches::RULES),
    ("validation", validation::RULES),
    ("watches", watches::RULES),
    ("workloads", workloads::RULES),
];

/// On a real API server most rules wait most of the time.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let missing = RealCluster::available().err();
    let real: Arc<OnceLock<RealCluster>> = Arc::default();
    let rules = || RULES.iter().flat_map(|(area, rules)| rules.iter().map(move |rule| (*area, *rule)));
    let mut trials = Vec::new();
    for (area, rule) in rules() {
        let asked = move || {
            rule.ask(Api::Embedded);
            Ok(())
        };
        trials.push(Trial::test(format!("embedded::{area}::{}", rule.name), asked));
        let real = real.clone();
        let asked = move || {
            // The first rule starts it, if any is to be asked at all.
            let cluster = real.get_or_init(|| RealCluster::for_tests().expect("the cluster starts"));
            rule.ask(Api::Real(cluster.kubeconfig()));
            Ok(())
        };
        let trial = Trial::test(format!("real::{area}::{}", rule.name), asked);
        trials.push(trial.with_ignored_flag(missing.is_some()));
    }
    if let Some(reason) = missing.filter(|_| !arguments.list) {
        eprintln!("skipped: {} rules on a real API server: {reason:#}", rules().count());
        if std::env::var("CI").as_deref() == Ok("true") {
            return ExitCode::FAILURE;
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
