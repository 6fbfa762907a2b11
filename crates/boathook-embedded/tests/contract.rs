//! Rules of the Kubernetes API, as tests over a `kube::Client`: nothing in them knows which API answers, so that the same
//! suite can run against a real kube-apiserver. What only the embedded API has is in `simulation.rs` and `state.rs`.

#[path = "contract/cluster.rs"]
mod cluster;
#[path = "contract/objects.rs"]
mod objects;
