//! A real Kubernetes API server for tests: etcd, kube-apiserver and kube-controller-manager 1.36 on loopback, and a node that runs
//! containers' commands as processes of this machine. Beside it Helm 3, Helm 4 and kubectl. Nothing of the product is in here.
//!
//! ```text
//! tools --programs--> control_plane --kubeconfig--> node (pods as processes)
//! made once, cached        `-------- folder ------------'   all of it: Cluster
//! ```

pub mod tools;

mod audit;
mod cluster;
mod control_plane;
mod folder;
mod leash;
mod node;
mod user;

pub use audit::Change;
pub use cluster::Cluster;
