//! Two holders and one release, on paused time.

use std::sync::Arc;
use std::time::Duration;

use boathook_core::run_event::{ErrorCode, Outcome};
use serde_json::json;
use tokio::time::Instant;

use crate::cluster::ClusterErrorKind;
use crate::context::Context;
use crate::testing::Bench;
use crate::testing::cluster::Change;
use crate::testing::plans::{config_map, hook, install};

const LEASE: &str = "Lease prod/boathook.web";

/// Somebody's lease, renewed once in `every` seconds for as long as the test goes.
fn somebody(bench: &Bench, every: Option<u64>) {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "boathook.web", "namespace": "prod"},
        "spec": {"holderIdentity": "two", "leaseDurationSeconds": 15, "acquireTime": "2023-11-14T22:13:20.000000Z", "renewTime": "2999-01-01T00:00:00.000000Z"},
    });
    bench.cluster.put(lease.clone());
    let Some(every) = every else { return };
    let cluster = bench.cluster.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(every)).await;
            cluster.put(lease.clone());
        }
    });
}

fn slow_job(bench: &Bench, seconds: u64) {
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let sleep = Change::Sleep(Duration::from_secs(seconds));
    bench.cluster.script("Job prod/j", [sleep, Change::Status(complete)]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_first_renewed_and_given_back() {
    let bench = Bench::new();
    slow_job(&bench, 21);
    let story = bench.execute(&install(&[hook("Job", "j", &[])], &[config_map("c")])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    let writes: Vec<String> = bench.cluster.calls();
    let first = writes.iter().position(|call| *call == format!("create {LEASE}")).unwrap();
    assert!(!writes[..first].iter().any(|call| call.starts_with("create") || call.starts_with("apply")));
    assert_eq!(writes.iter().filter(|call| **call == format!("replace {LEASE}")).count(), 4);
    assert_eq!(bench.cluster.object(LEASE), None);
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_renews_is_named_and_nothing_is_written() {
    let bench = Bench::new();
    somebody(&bench, Some(5));
    let story = bench.execute(&install(&[], &[config_map("c")])).await;
    assert_eq!((story.outcome, story.error().code), (Outcome::Refused, ErrorCode::Locked));
    assert_eq!(
        story.error().message,
        "release web is locked: two is at work on it, since 2023-11-14T22:13:20.000000Z"
    );
    assert_eq!(bench.cluster.effects(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_is_gone_is_waited_for_no_longer_than_the_lease() {
    let bench = Bench::new();
    somebody(&bench, None);
    let began = Instant::now();
    let story = bench.execute(&install(&[], &[config_map("c")])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert_eq!(began.elapsed(), Duration::from_secs(15));
}

/// The same without a renewal in sight, but for what this machine knows of its own processes.
#[tokio::test(start_paused = true)]
async fn of_a_holder_on_this_machine_it_is_known_at_once_whether_it_lives() {
    for (alive, expected) in [(true, Outcome::Refused), (false, Outcome::Succeeded)] {
        let bench = Bench::new();
        somebody(&bench, None);
        let began = Instant::now();
        let context =
            Context { alive: Arc::new(move |holder| (holder == "two").then_some(alive)), ..bench.context() };
        let outcome = crate::execute(&install(&[], &[config_map("c")]), &context, &mut |_| {}).await;
        assert_eq!((outcome, began.elapsed()), (expected, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn who_plans_later_waits_first() {
    let bench = Bench::new();
    somebody(&bench, Some(5));
    let release = install(&[], &[]).release;
    let wait = async |seconds| {
        let patience = Duration::from_secs(seconds);
        crate::wait_for_lock(bench.cluster.as_ref(), &|_| None, &release, patience).await
    };
    let began = Instant::now();
    assert_eq!(wait(30).await.unwrap_err().code, ErrorCode::Locked);
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    bench.cluster.fail(&format!("get {LEASE}"), ClusterErrorKind::Forbidden, "leases is forbidden");
    assert_eq!(wait(30).await.map_err(|error| error.message), Ok(()), "the command says it");
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_lease_when_it_is_given_back() {
    let mut bench = Bench::new();
    bench.options.wait_for_lock = Duration::from_secs(60);
    let other = Bench { cluster: bench.cluster.clone(), ..Bench::new() };
    slow_job(&bench, 30);
    let plan = install(&[hook("Job", "j", &[])], &[]);
    let (one, two) = tokio::join!(other.execute(&plan), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.execute(&plan).await
    });
    assert_eq!(one.outcome, Outcome::Succeeded);
    // It had its turn, and the release is there by then.
    assert_eq!(two.error().message, "release name check failed: cannot reuse a name that is still in use");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_renewed_stops_every_write() {
    let bench = Bench::new();
    slow_job(&bench, 60);
    for _ in 0..20 {
        bench.cluster.fail(&format!("replace {LEASE}"), ClusterErrorKind::Unreachable, "no route");
    }
    let began = Instant::now();
    let story = bench.execute(&install(&[hook("Job", "j", &[])], &[config_map("c")])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Interrupted, 130));
    assert_eq!(began.elapsed(), Duration::from_secs(10), "not a write later than that");
    assert!(story.error().message.contains("lease"), "{}", story.error().message);
    assert_eq!(bench.cluster.object("ConfigMap prod/c"), None);
    let record = bench.cluster.object("Secret prod/sh.helm.release.v1.web.v1").unwrap();
    assert_eq!(record.str(&["metadata", "labels", "status"]), Some("pending-install"));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_use_leases_goes_on_and_is_told() {
    let bench = Bench::new();
    bench.cluster.fail(&format!("create {LEASE}"), ClusterErrorKind::Forbidden, "leases is forbidden");
    let story = bench.execute(&install(&[], &[config_map("c")])).await;
    assert_eq!((story.outcome, story.notes()), (Outcome::Succeeded, vec!["not-locked"]));
}
