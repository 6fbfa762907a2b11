//! What each transition allows. That nothing goes wrong between processes is held by the simulation in
//! `tests/operation.rs`.

use std::time::Duration;

use serde_json::json;
use test_case::test_case;

use super::*;
use crate::plan::StepId;
use crate::{Object, ObjectRef};

fn beginning() -> Beginning {
    Beginning {
        operation: "op-1".to_owned(),
        command: "upgrade".to_owned(),
        from_revision: Some(3),
        to_revision: 4,
        plan_digest: "sha256:a".to_owned(),
        holder: "one".to_owned(),
        phases: vec!["pre-upgrade".to_owned(), "apply".to_owned()],
    }
}

fn phase(name: &str) -> Item {
    Item::Phase(name.to_owned())
}

fn hook(name: &str) -> Item {
    Item::Hook(StepId(name.to_owned()))
}

fn job(uid: &str) -> Touched {
    let object = ObjectRef {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        namespace: Some("ns".to_owned()),
        name: "j".to_owned(),
    };
    Touched { object, uid: uid.to_owned() }
}

/// A record in whose first phase one hook is done and a second one is under way.
fn halfway() -> (OperationRecord, Ticket) {
    let (mut record, ticket) = OperationRecord::begin(beginning());
    record.intent(ticket, &phase("pre-upgrade")).unwrap();
    record.intent(ticket, &hook("pre-upgrade/1")).unwrap();
    record.done(ticket, &hook("pre-upgrade/1"), ItemOutcome::Succeeded, vec![job("u1")]).unwrap();
    record.intent(ticket, &hook("pre-upgrade/2")).unwrap();
    (record, ticket)
}

fn close(record: &mut OperationRecord, ticket: Ticket, item: &Item) -> Result<(), Refused> {
    record.done(ticket, item, ItemOutcome::Succeeded, Vec::new())
}

#[test_case(phase("pre-upgrade") => Err(Refused::UnderWay(phase("pre-upgrade"))); "the open phase")]
#[test_case(phase("apply") => Err(Refused::UnderWay(phase("pre-upgrade"))); "the next phase too early")]
#[test_case(phase("nothing") => Err(Refused::UnderWay(phase("pre-upgrade"))); "a phase of no plan")]
#[test_case(hook("pre-upgrade/1") => Err(Refused::AlreadyDone(hook("pre-upgrade/1"))); "a hook that is done")]
#[test_case(hook("pre-upgrade/2") => Err(Refused::UnderWay(hook("pre-upgrade/2"))); "a hook under way")]
#[test_case(hook("pre-upgrade/3") => Err(Refused::UnderWay(hook("pre-upgrade/2"))); "a second hook at a time")]
fn intents_halfway(item: Item) -> Result<u32, Refused> {
    let (mut record, ticket) = halfway();
    record.intent(ticket, &item)
}

#[test_case(hook("pre-upgrade/1") => Err(Refused::OutOfTurn(hook("pre-upgrade/1"))); "a hook outside a phase")]
#[test_case(phase("apply") => Err(Refused::OutOfTurn(phase("apply"))); "a later phase")]
#[test_case(phase("pre-upgrade") => Ok(1); "the first phase")]
fn intents_at_the_beginning(item: Item) -> Result<u32, Refused> {
    let (mut record, ticket) = OperationRecord::begin(beginning());
    record.intent(ticket, &item)
}

#[test_case(phase("pre-upgrade") => Err(Refused::UnderWay(hook("pre-upgrade/2"))); "a phase with an open hook")]
#[test_case(phase("apply") => Err(Refused::UnderWay(hook("pre-upgrade/2"))); "a phase to come")]
#[test_case(hook("pre-upgrade/1") => Err(Refused::AlreadyDone(hook("pre-upgrade/1"))); "done twice")]
#[test_case(hook("pre-upgrade/3") => Err(Refused::NotBegun(hook("pre-upgrade/3"))); "no intent")]
#[test_case(hook("pre-upgrade/2") => Ok(()); "under way")]
fn ends_halfway(item: Item) -> Result<(), Refused> {
    let (mut record, ticket) = halfway();
    close(&mut record, ticket, &item)
}

#[test]
fn an_operation_from_its_beginning_to_its_end() {
    let (mut record, ticket) = halfway();
    assert_eq!(record.resume_at(), Some(hook("pre-upgrade/2")));
    assert_eq!(record.finish(ticket, End::Failed), Err(Refused::UnderWay(hook("pre-upgrade/2"))));
    close(&mut record, ticket, &hook("pre-upgrade/2")).unwrap();
    assert_eq!(record.resume_at(), Some(phase("pre-upgrade")));
    assert_eq!(record.finish(ticket, End::Succeeded), Err(Refused::UnderWay(phase("pre-upgrade"))));
    close(&mut record, ticket, &phase("pre-upgrade")).unwrap();
    assert_eq!(record.finish(ticket, End::Succeeded), Err(Refused::UnderWay(phase("apply"))));
    record.intent(ticket, &phase("apply")).unwrap();
    close(&mut record, ticket, &phase("apply")).unwrap();
    assert_eq!(record.resume_at(), None);
    record.finish(ticket, End::Succeeded).unwrap();
    assert_eq!(record.end(), Some(End::Succeeded));
    assert_eq!(record.intent(ticket, &phase("apply")), Err(Refused::Ended));
    assert_eq!(record.take_over("two", "upgrade", "sha256:a"), Err(Refused::Ended));
}

#[test]
fn a_failure_may_end_a_phase_halfway() {
    let (mut record, ticket) = halfway();
    let failed = ItemOutcome::Failed("BackoffLimitExceeded".to_owned());
    record.done(ticket, &hook("pre-upgrade/2"), failed.clone(), Vec::new()).unwrap();
    assert_eq!(record.outcome(&hook("pre-upgrade/2")), Some(&failed));
    record.finish(ticket, End::Failed).unwrap();
}

#[test]
fn who_takes_over_repeats_what_was_open_and_nothing_else() {
    let (mut record, old) = halfway();
    let new = record.take_over("two", "upgrade", "sha256:a").unwrap();
    assert_eq!((record.epoch(), record.holder()), (2, "two"));
    for refused in [
        record.clone().intent(old, &hook("pre-upgrade/2")).map(drop),
        close(&mut record.clone(), old, &hook("pre-upgrade/2")),
        record.clone().finish(old, End::Failed),
    ] {
        assert_eq!(refused, Err(Refused::TakenOver { holder: "two".to_owned() }));
    }
    // Without an intent of its own it knows nothing of how the hook ended.
    let open = hook("pre-upgrade/2");
    assert_eq!(close(&mut record, new, &open), Err(Refused::NotBegun(open.clone())));
    let done = hook("pre-upgrade/1");
    assert_eq!(record.intent(new, &done), Err(Refused::AlreadyDone(done)));
    assert_eq!(record.intent(new, &open), Ok(2));
    assert_eq!(record.intent(new, &open), Err(Refused::UnderWay(open.clone())));
    assert_eq!(close(&mut record, new, &open), Ok(()));
}

#[test]
fn another_command_does_not_take_over_but_may_abandon() {
    let (mut record, old) = halfway();
    let other = record.take_over("two", "uninstall", "sha256:a");
    assert_eq!(other, Err(Refused::OtherCommand("upgrade".to_owned())));
    assert_eq!(record.take_over("two", "upgrade", "sha256:b"), Err(Refused::OtherPlan));
    assert_eq!(record.epoch(), 1);
    record.abandon("two").unwrap();
    assert_eq!(record.end(), Some(End::Abandoned));
    assert_eq!(record.open().count(), 2);
    assert_eq!(
        close(&mut record, old, &hook("pre-upgrade/2")),
        Err(Refused::TakenOver { holder: "two".to_owned() })
    );
}

#[test]
fn a_record_comes_back_with_what_it_does_not_know() {
    let (record, _) = halfway();
    let mut stored = serde_json::to_value(&record).unwrap();
    assert_eq!(OperationRecord::read(stored.clone()).unwrap(), record);
    assert_eq!(
        stored["journal"][1],
        json!({"item": {"hook": "pre-upgrade/1"}, "attempt": 1, "epoch": 1, "outcome": "succeeded",
               "objects": [{"object": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "ns", "name": "j"}, "uid": "u1"}]})
    );
    stored["deadline"] = json!("soon");
    let read = OperationRecord::read(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), stored);
}

#[test_case(json!({"formatVersion": 2}) => "the operation record has format 2, and this program reads 1 at most")]
#[test_case(json!({"formatVersion": 1}) => "the operation record is damaged")]
#[test_case(json!({}) => "the operation record is damaged"; "no format")]
#[test_case(json!([]) => "the operation record is damaged"; "a list")]
fn unreadable_records(stored: Value) -> String {
    OperationRecord::read(stored).unwrap_err().to_string()
}

fn lease(holder: &str, version: &str, renewed: &str) -> Object {
    Object::from_value(json!({
        "metadata": {"resourceVersion": version},
        "spec": {"holderIdentity": holder, "acquireTime": "then", "renewTime": renewed, "leaseDurationSeconds": 15},
    }))
    .unwrap()
}

#[test]
fn a_lease_expires_by_what_was_observed_never_by_its_times() {
    let at = Duration::from_secs;
    let mut view = LeaseView::default();
    assert_eq!(view.state(at(0)), LeaseState::Free);
    // Renewed in another century, for all it says.
    view.observe(at(100), Some(&lease("one", "1", "1999-01-01T00:00:00Z")));
    let held = |seconds| LeaseState::Held {
        holder: "one".to_owned(),
        since: Some("then".to_owned()),
        remaining: at(seconds),
    };
    assert_eq!(view.state(at(100)), held(15));
    view.observe(at(114), Some(&lease("one", "1", "1999-01-01T00:00:00Z")));
    assert_eq!(view.state(at(114)), held(1));
    // Renewed, into a future as far away.
    view.observe(at(114), Some(&lease("one", "2", "2999-01-01T00:00:00Z")));
    assert_eq!(view.state(at(128)), held(1));
    assert_eq!(view.resource_version(), Some("2"));
    assert_eq!(view.state(at(129)), LeaseState::Expired { holder: "one".to_owned() });
    view.observe(at(130), Some(&lease("", "3", "2999-01-01T00:00:00Z")));
    assert_eq!(view.state(at(130)), LeaseState::Free);
    view.observe(at(131), None);
    assert_eq!(view.state(at(131)), LeaseState::Free);
}

#[test_case(json!(-1))]
#[test_case(json!(0))]
#[test_case(json!("long"))]
#[test_case(json!(null))]
fn a_lease_without_a_duration_has_ours(seconds: Value) {
    let mut lease = lease("one", "1", "");
    lease.0["spec"]["leaseDurationSeconds"] = seconds;
    let mut view = LeaseView::default();
    view.observe(Duration::ZERO, Some(&lease));
    let state = view.state(Duration::ZERO);
    assert!(matches!(state, LeaseState::Held { remaining, .. } if remaining == Duration::from_secs(15)));
}

#[test]
fn a_tenure_counts_from_when_the_renewal_was_sent() {
    let at = Duration::from_secs;
    let mut tenure = Tenure::new(Timings::default(), at(100));
    assert_eq!((tenure.renew_at(), tenure.write_until()), (at(105), at(110)));
    assert!(tenure.may_write(at(109)) && !tenure.may_write(at(110)));
    tenure.renew(at(105));
    assert!(tenure.may_write(at(114)));
    // An answer that comes late is of an older request.
    tenure.renew(at(101));
    assert_eq!(tenure.write_until(), at(115));
}

fn held() -> LeaseState {
    LeaseState::Held {
        holder: "one".to_owned(),
        since: Some("then".to_owned()),
        remaining: Duration::from_secs(9),
    }
}

fn refused() -> Claim {
    Claim::Refuse { holder: "one".to_owned(), since: Some("then".to_owned()) }
}

#[test_case(LeaseState::Free, None, 0 => Claim::Take)]
#[test_case(LeaseState::Expired { holder: "one".to_owned() }, Some(true), 0 => Claim::Take; "a lease that was not renewed is nobody's, whoever lives")]
#[test_case(held(), None, 0 => Claim::Look; "nobody can tell")]
#[test_case(held(), None, 99 => Claim::Look; "patience is for those who live")]
#[test_case(held(), Some(false), 0 => Claim::Take; "known to be gone")]
#[test_case(held(), Some(true), 9 => Claim::Look; "worth a wait")]
#[test_case(held(), Some(true), 10 => refused())]
fn claims(lease: LeaseState, alive: Option<bool>, waited: u64) -> Claim {
    claim(&lease, alive, Duration::from_secs(waited), Duration::from_secs(10))
}
