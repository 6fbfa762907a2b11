//! The `Cluster` port on kube-rs.
//!
//! ```text
//! Target | Collection --request--> Request --transport--> bytes --cluster--> Object | Page | ClusterError
//! typed                 checked URL          retries, limits       port
//! ```
//!
//! kube gives the connection, TLS and credentials; paths, retries, limits and errors are ours. Nothing here decides
//! what may be asked, or what an answer means for a hook.

mod body;
mod capabilities;
mod cluster;
mod connect;
mod discovery;
mod error;
mod logs;
mod request;
mod retry;
mod transport;
mod watch;

pub use capabilities::Capabilities;
pub use cluster::KubeCluster;
pub use connect::{ConnectError, ConnectOptions};
