//! Rules of the Kubernetes API, as tests over a `kube::Client`: nothing in them knows which API answers, so that the same
//! suite can run against a real kube-apiserver. What only the embedded API has is in `simulation.rs` and `state.rs`.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

#[path = "contract/apply.rs"]
mod apply;
#[path = "contract/cluster.rs"]
mod cluster;
#[path = "contract/deletion.rs"]
mod deletion;
#[path = "contract/discovery.rs"]
mod discovery;
#[path = "contract/lists.rs"]
mod lists;
#[path = "contract/objects.rs"]
mod objects;
#[path = "contract/patches.rs"]
mod patches;
#[path = "contract/validation.rs"]
mod validation;
#[path = "contract/watches.rs"]
mod watches;
