//! A node, so far without pods.

use std::path::Path;

use anyhow::Result;

/// The running node.
pub(crate) struct Node;

/// Starts it.
pub(crate) async fn start(_kube: &Path, _folder: &Path) -> Result<Node> {
    Ok(Node)
}
