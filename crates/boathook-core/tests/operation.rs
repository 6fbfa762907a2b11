//! A simulation of processes that share one release: their clocks run differently fast, they crash, stall, cannot renew
//! their lease, and what they send lands late. Whatever happens, two of them never both believe that they may write, epochs
//! grow, what is done is not done again, what was only meant is, and somebody ends the operation.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

use std::collections::BTreeMap;
use std::time::Duration;

use boathook_core::Object;
use boathook_core::operation::{
    Beginning, Claim, End, Item, ItemOutcome, LeaseView, OperationRecord, Refused, Tenure, Ticket, Timings,
    claim,
};
use boathook_core::plan::StepId;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

/// What the processes do to the server between two looks at the world, in milliseconds.
const TICK: u64 = 250;
/// The world ends here; by then somebody must have ended the operation.
const HORIZON: u64 = 600_000;
/// How long a request may be under way: less than the lease's margin.
const LATEST: u64 = 2_000;
const PHASES: [(&str, usize); 3] = [("pre-upgrade", 2), ("apply", 0), ("post-upgrade", 2)];

/// Where a conditional write goes: a version that grows with each.
struct Stored<T> {
    value: Option<T>,
    version: u64,
}

impl<T> Stored<T> {
    fn nothing() -> Self {
        Self { value: None, version: 0 }
    }

    fn write(&mut self, expected: u64, value: T) -> bool {
        let fits = self.version == expected;
        if fits {
            self.value = Some(value);
            self.version += 1;
        }
        fits
    }
}

/// A hook that began to run on the server.
#[derive(Clone, Debug)]
struct Effect {
    lands: u64,
    item: Item,
    attempt: u32,
    epoch: u64,
}

struct World {
    lease: Stored<String>,
    record: Stored<OperationRecord>,
    under_way: Vec<Effect>,
    landed: Vec<Effect>,
    /// Attempts of hooks that were open when somebody took over.
    left_open: Vec<(Item, u32)>,
}

#[derive(Clone, Debug)]
enum Fault {
    /// It is gone.
    Crash,
    /// It does nothing for so long, and then goes on as if nothing had been.
    Stall(u64),
    /// Its renewals do not arrive for so long; all else does.
    CannotRenew(u64),
}

#[derive(Clone, Debug)]
struct Process {
    name: String,
    starts: u64,
    /// Its clock: local milliseconds in a thousand real ones.
    rate: u64,
    faults: Vec<(u64, Fault)>,
    crashed: bool,
    idle_until: u64,
    mute_until: u64,
    view: LeaseView,
    tenure: Option<(Tenure, u64)>,
    ticket: Option<Ticket>,
    /// The hook that it is going to start, its intent being stored.
    meant: Option<Effect>,
    /// The hook that it waits for, and until when.
    waits: Option<(Item, u64)>,
    /// How long the requests that start hooks are under way, and how long the hooks run.
    hooks: Vec<(u64, u64)>,
}

impl Process {
    fn clock(&self, now: u64) -> Duration {
        Duration::from_millis(now * self.rate / 1000)
    }

    fn believes(&self, now: u64) -> bool {
        let alive = !self.crashed && now >= self.idle_until;
        alive && self.tenure.as_ref().is_some_and(|(tenure, _)| tenure.may_write(self.clock(now)))
    }

    fn give_up(&mut self) {
        (self.tenure, self.ticket, self.view) = (None, None, LeaseView::default());
        (self.meant, self.waits) = (None, None);
    }

    fn act(&mut self, world: &mut World, now: u64) {
        let clock = self.clock(now);
        let Some((tenure, version)) = self.tenure else { return self.watch(world, now) };
        if !tenure.may_write(clock) {
            return self.give_up();
        }
        if clock >= tenure.renew_at() && now >= self.mute_until {
            if !world.lease.write(version, self.name.clone()) {
                return self.give_up();
            }
            self.tenure = Some((Tenure::new(Timings::default(), clock), version + 1));
            return;
        }
        if let Some(mut effect) = self.meant.take() {
            let (delay, runs) = self.hooks.pop().unwrap_or((LATEST / 2, 1_000));
            effect.lands = now + delay;
            self.waits = Some((effect.item.clone(), effect.lands + runs));
            world.under_way.push(effect);
            return;
        }
        let version = world.record.version;
        let record = world.record.value.clone();
        let written = match (self.ticket, record) {
            (_, Some(record)) if record.end().is_some() => {
                world.lease.write(world.lease.version, String::new());
                return self.give_up();
            }
            (Some(ticket), Some(mut record)) => match self.work(&mut record, ticket, now) {
                Some(true) => world.record.write(version, record),
                Some(false) => false,
                None => return,
            },
            (None, Some(mut record)) => {
                let open = record.journal().iter().filter(|entry| entry.outcome.is_none());
                let open: Vec<(Item, u32)> = open.map(|entry| (entry.item.clone(), entry.attempt)).collect();
                let epoch = record.epoch();
                let ticket = record.take_over(&self.name, "upgrade", "digest").unwrap();
                assert_eq!(record.epoch(), epoch + 1);
                self.ticket = Some(ticket);
                world.left_open.extend(open);
                world.record.write(version, record)
            }
            (_, None) => {
                let (record, ticket) = OperationRecord::begin(Beginning {
                    operation: "op".to_owned(),
                    command: "upgrade".to_owned(),
                    from_revision: None,
                    to_revision: 1,
                    plan_digest: "digest".to_owned(),
                    holder: self.name.clone(),
                    phases: PHASES.iter().map(|(phase, _)| (*phase).to_owned()).collect(),
                });
                self.ticket = Some(ticket);
                world.record.write(version, record)
            }
        };
        if !written {
            self.give_up();
        }
    }

    fn watch(&mut self, world: &mut World, now: u64) {
        let clock = self.clock(now);
        let lease = world.lease.value.as_ref().map(|holder| {
            Object::from_value(json!({
                "metadata": {"resourceVersion": world.lease.version.to_string()},
                "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "1999-01-01T00:00:00Z"},
            }))
            .unwrap()
        });
        self.view.observe(clock, lease.as_ref());
        let ended = world.record.value.as_ref().is_some_and(|record| record.end().is_some());
        match claim(&self.view.state(clock), None, Duration::ZERO, Duration::ZERO) {
            Claim::Take if !ended => {
                let version = world.lease.version;
                if world.lease.write(version, self.name.clone()) {
                    self.tenure = Some((Tenure::new(Timings::default(), clock), version + 1));
                }
            }
            _ => {}
        }
    }

    /// One step of the operation: `Some(true)` to store the record, `None` to wait.
    fn work(&mut self, record: &mut OperationRecord, ticket: Ticket, now: u64) -> Option<bool> {
        if let Some((item, ends)) = self.waits.clone() {
            if now < ends {
                return None;
            }
            self.waits = None;
            return Some(record.done(ticket, &item, ItemOutcome::Succeeded, Vec::new()).is_ok());
        }
        let begun = match record.resume_at() {
            None => return Some(record.finish(ticket, End::Succeeded).is_ok()),
            // A phase that an earlier holder began is begun anew.
            Some(item) => record.intent(ticket, &item).map(|attempt| (item, attempt)),
        };
        let (item, attempt) = match begun {
            Ok(begun) => begun,
            // The phase is open: its hooks in their order, and the record knows which are done.
            Err(Refused::UnderWay(Item::Phase(phase))) => {
                let hooks = PHASES.iter().find(|(name, _)| *name == phase).unwrap().1;
                let mut hooks = (1..=hooks).map(|at| Item::Hook(StepId(format!("{phase}/{at}"))));
                let next = hooks.find_map(|hook| match record.intent(ticket, &hook) {
                    Err(Refused::AlreadyDone(_)) => None,
                    attempt => Some(attempt.map(|attempt| (hook, attempt))),
                });
                match next {
                    Some(Ok(begun)) => begun,
                    Some(Err(_)) => return Some(false),
                    None => {
                        let phase = Item::Phase(phase);
                        return Some(record.done(ticket, &phase, ItemOutcome::Succeeded, Vec::new()).is_ok());
                    }
                }
            }
            Err(_) => return Some(false),
        };
        if matches!(item, Item::Hook(_)) {
            self.meant = Some(Effect { lands: 0, item, attempt, epoch: record.epoch() });
        }
        Some(true)
    }
}

fn land(world: &mut World, now: u64) {
    let (landing, rest): (Vec<Effect>, Vec<Effect>) =
        world.under_way.drain(..).partition(|effect| effect.lands <= now);
    world.under_way = rest;
    for effect in landing {
        let record = world.record.value.as_ref().unwrap();
        assert_eq!(record.outcome(&effect.item), None, "done, and done again: {effect:?}");
        assert!(
            world.landed.iter().all(|other| other.epoch <= effect.epoch),
            "an older epoch acts: {effect:?}"
        );
        world.landed.push(effect);
    }
}

fn run(mut processes: Vec<Process>) {
    let mut world = World {
        lease: Stored::nothing(),
        record: Stored::nothing(),
        under_way: Vec::new(),
        landed: Vec::new(),
        left_open: Vec::new(),
    };
    let mut epoch = 0;
    for now in (0..HORIZON).step_by(TICK as usize) {
        land(&mut world, now);
        for process in &mut processes {
            while let Some((_, fault)) = process.faults.first().filter(|(at, _)| *at <= now).cloned() {
                process.faults.remove(0);
                match fault {
                    Fault::Crash => process.crashed = true,
                    Fault::Stall(time) => process.idle_until = now + time,
                    Fault::CannotRenew(time) => process.mute_until = now + time,
                }
            }
            if now >= process.starts && now >= process.idle_until && !process.crashed {
                process.act(&mut world, now);
            }
        }
        let believers: Vec<&str> =
            processes.iter().filter(|one| one.believes(now)).map(|one| one.name.as_str()).collect();
        assert!(believers.len() < 2, "{believers:?} at {now}");
        let now_epoch = world.record.value.as_ref().map_or(0, OperationRecord::epoch);
        assert!(now_epoch >= epoch, "epoch {epoch}, then {now_epoch}");
        epoch = now_epoch;
        let ended = world.record.value.as_ref().is_some_and(|record| record.end().is_some());
        if ended && believers.is_empty() && world.under_way.is_empty() {
            break;
        }
    }
    let record = world.record.value.unwrap();
    assert_eq!(record.end(), Some(End::Succeeded), "{:?}", record.resume_at());
    let mut attempts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for effect in &world.landed {
        attempts.entry(effect.item.to_string()).or_default().push(effect.attempt);
    }
    assert_eq!(attempts.len(), PHASES.iter().map(|(_, hooks)| hooks).sum::<usize>());
    for (item, attempts) in attempts {
        assert!(attempts.windows(2).all(|pair| pair[0] < pair[1]), "{item}: attempts {attempts:?}");
    }
    for (item, attempt) in world.left_open.iter().filter(|(item, _)| matches!(item, Item::Hook(_))) {
        let entry = record.journal().iter().find(|entry| entry.item == *item).unwrap();
        assert!(entry.attempt > *attempt, "{item} was left open and not begun anew");
    }
}

fn process(name: String, last: bool) -> impl Strategy<Value = Process> {
    let fault = prop_oneof![
        // The last one goes through, so that the operation has an end.
        if last { 0 } else { 2 } => Just(Fault::Crash),
        2 => (1_000..60_000u64).prop_map(Fault::Stall),
        3 => (1_000..60_000u64).prop_map(Fault::CannotRenew),
    ];
    let faults = vec((0..100_000u64, fault), 0..6).prop_map(|mut faults| {
        faults.sort_by_key(|(at, _)| *at);
        faults
    });
    (0..30_000u64, 900..1_100u64, faults, vec((0..LATEST, 0..20_000u64), 0..8)).prop_map(
        move |(starts, rate, faults, hooks)| Process {
            name: name.clone(),
            starts,
            rate,
            faults,
            crashed: false,
            idle_until: 0,
            mute_until: 0,
            view: LeaseView::default(),
            tenure: None,
            ticket: None,
            meant: None,
            waits: None,
            hooks,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn processes_do_not_get_into_each_others_way(
        a in process("a".to_owned(), false),
        b in process("b".to_owned(), false),
        c in process("c".to_owned(), false),
        d in process("d".to_owned(), true),
    ) {
        run(vec![a, b, c, d]);
    }
}
