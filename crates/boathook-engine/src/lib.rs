//! Executes a plan over two ports: [`cluster::Cluster`] and [`plugin_host::PluginHost`]. It decides nothing that the plan
//! could have decided; what it did it says in run events.

pub mod cluster;
pub mod plugin_host;
