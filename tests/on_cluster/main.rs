//! The built program against a real API server (or the cluster that `BOATHOOK_TEST_KUBECONFIG` names), each test in a namespace of its
//! own. All tests share one cluster; where none can be had they are skipped, and in CI that is a failure.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no, also in what tests share")]

mod examples;
mod faults;
mod hooks;
mod node;
mod place;
mod recovery;
mod serve;
mod unchanged;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use boathook_test_cluster::Cluster;
use libtest_mimic::{Arguments, Trial};

pub(crate) use boathook_tests::snapshot;

use crate::place::Place;

/// A test and its name, which its namespace gets too.
pub(crate) type Test = (&'static str, fn(&Place));

/// The tests of a module; a function that is not listed is dead code, and that is an error.
#[macro_export]
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[$crate::Test] = &[$((stringify!($test), $test)),*];
    };
}

/// Tests that any cluster can run.
const ANYWHERE: &[(&str, &[Test])] = &[("examples", examples::TESTS), ("faults", faults::TESTS)];

/// Tests whose containers share files and ports with this machine: they need the cluster that is started here.
const HERE: &[(&str, &[Test])] = &[
    ("hooks", hooks::TESTS),
    ("node", node::TESTS),
    ("recovery", recovery::TESTS),
    ("serve", serve::TESTS),
    ("unchanged", unchanged::TESTS),
];

/// Most tests wait for controllers most of the time.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let missing = Cluster::available().err().map(|reason| format!("{reason:#}"));
    let elsewhere =
        Cluster::is_given().then(|| "the given cluster runs no processes of this machine".to_owned());
    let cluster: Arc<OnceLock<Cluster>> = Arc::default();
    let mut trials = Vec::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    for (modules, reason) in [(ANYWHERE, missing.clone()), (HERE, missing.or(elsewhere))] {
        for &(module, tests) in modules {
            for &(name, test) in tests {
                let cluster = cluster.clone();
                let run = move || {
                    // The first test starts it, if any is to run at all.
                    let cluster = cluster.get_or_init(|| Cluster::for_tests().expect("the cluster starts"));
                    test(&Place::new(cluster, name));
                    Ok(())
                };
                trials
                    .push(Trial::test(format!("{module}::{name}"), run).with_ignored_flag(reason.is_some()));
                if let Some(reason) = &reason {
                    *left_out.entry(reason.clone()).or_default() += 1;
                }
            }
        }
    }
    if !arguments.list && !told(&left_out) {
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Says how many tests are left out and why; false if that is a failure.
#[expect(clippy::print_stderr, reason = "tests that are left out are told")]
fn told(left_out: &BTreeMap<String, usize>) -> bool {
    for (reason, count) in left_out {
        eprintln!("skipped: {count} tests on a real cluster: {reason}");
    }
    left_out.is_empty() || std::env::var("CI").as_deref() != Ok("true")
}
