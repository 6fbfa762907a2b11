//! Watches: the history of the store from a revision on, as a stream of JSON lines. A watch holds a cursor, not a queue:
//! a slow reader costs nothing until its revision is forgotten, and then it is told 410.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::options::ListOptions;
use crate::resource::ResourceType;
use crate::selectors::Selector;
use crate::shared::Shared;
use crate::status::Refusal;
use crate::store::{Change, ChangeKind};
use crate::table;
use crate::write::in_version;

/// How often an idle watch that allows bookmarks gets one; the real server does so about once a minute.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a watch lasts that names no timeout; the real server draws 30 to 60 minutes.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What objects look like on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As they are.
    Object,
    /// Rows of a Table.
    Table,
    /// Metadata only.
    Metadata,
}

struct Watch {
    shared: Arc<Shared>,
    clock: Clock,
    kind: Arc<ResourceType>,
    namespace: Option<String>,
    selector: Selector,
    shape: Shape,
    bookmarks: bool,
    cursor: u64,
    ready: VecDeque<Bytes>,
    changed: tokio::sync::watch::Receiver<u64>,
    ends: Instant,
    next_bookmark: Instant,
    headed: bool,
    over: bool,
}

/// Opens a watch. The stream ends at its timeout.
///
/// # Errors
/// 504 for a revision of the future.
pub(crate) fn open(
    shared: &Arc<Shared>,
    cluster: &Cluster,
    kind: &Arc<ResourceType>,
    namespace: Option<&str>,
    options: ListOptions,
    shape: Shape,
) -> Result<impl Stream<Item = Bytes> + Send + 'static + use<>, Refusal> {
    let asked = options.revision;
    let current = cluster.store.revision();
    if let Some(asked) = asked.filter(|asked| *asked > current) {
        return Err(crate::read::too_large(asked, current));
    }
    let now = Instant::now();
    let mut watch = Watch {
        shared: shared.clone(),
        clock: cluster.clock,
        kind: kind.clone(),
        namespace: namespace.map(str::to_owned),
        selector: options.selector,
        shape,
        bookmarks: options.bookmarks,
        cursor: asked.filter(|asked| *asked > 0).unwrap_or(current),
        ready: VecDeque::new(),
        changed: shared.subscribe(),
        ends: now + options.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
        next_bookmark: now + BOOKMARK_EVERY,
        headed: false,
        over: false,
    };
    if options.initial_events || asked.unwrap_or(0) == 0 {
        watch.cursor = current;
        for (_, entry) in cluster.store.iter(&kind.key, namespace) {
            if watch.selector.matches(&entry.value) {
                watch.push("ADDED", &entry.value, None);
            }
        }
        if options.initial_events && watch.bookmarks {
            watch.push_bookmark(true);
        }
    }
    watch.read(cluster);
    Ok(futures::stream::unfold(
        watch,
        |mut watch| async move { watch.next().await.map(|line| (line, watch)) },
    ))
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            tokio::select! {
                biased;
                changed = self.changed.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                    let shared = self.shared.clone();
                    self.read(&shared.lock());
                }
                () = tokio::time::sleep_until(self.ends) => {
                    if self.bookmarks {
                        self.push_bookmark(false);
                    }
                    self.over = true;
                }
                () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.push_bookmark(false);
                    self.next_bookmark += BOOKMARK_EVERY;
                }
            }
        }
    }

    /// Takes over the changes since the cursor.
    fn read(&mut self, cluster: &Cluster) {
        if self.over {
            return;
        }
        let Some(changes) = cluster.store.since(self.cursor) else {
            let message =
                format!("too old resource version: {} ({})", self.cursor, cluster.store.compacted());
            let status = Refusal::expired(message).to_value();
            self.ready.push_back(line("ERROR", &status));
            self.over = true;
            return;
        };
        for change in changes {
            self.cursor = change.entry.revision;
            let elsewhere = self.namespace.as_ref().is_some_and(|namespace| *namespace != change.key.0);
            if *change.resource == *self.kind.key && !elsewhere {
                self.push_change(change);
            }
        }
        self.cursor = cluster.store.revision();
    }

    /// What a change looks like through the selector.
    fn push_change(&mut self, change: &Change) {
        let after = change.kind != ChangeKind::Deleted && self.selector.matches(&change.entry.value);
        let before =
            change.previous.as_ref().filter(|previous| self.selector.matches(&previous.value)).cloned();
        match (before, after) {
            (None, true) => self.push("ADDED", &change.entry.value, None),
            (Some(_), true) => self.push("MODIFIED", &change.entry.value, None),
            (Some(_), false) if change.kind == ChangeKind::Deleted => {
                self.push("DELETED", &change.entry.value, None);
            }
            // It fell out of the selector: what is told is its last state inside, at the new revision.
            (Some(previous), false) => self.push("DELETED", &previous.value, Some(change.entry.revision)),
            (None, false) => {}
        }
    }

    fn push(&mut self, event: &str, value: &Value, revision: Option<u64>) {
        let mut value = value.clone();
        in_version(&self.kind, &mut value);
        if let Some(revision) = revision {
            value["metadata"]["resourceVersion"] = json!(revision.to_string());
        }
        let object = match self.shape {
            Shape::Object => value,
            Shape::Metadata => table::partial_metadata(&value),
            Shape::Table => {
                // Never the shared clock: the cluster's lock is held here.
                let now = self.clock.now();
                let head = !std::mem::replace(&mut self.headed, true);
                table::of_one(&self.kind, &value, now, head)
            }
        };
        self.ready.push_back(line(event, &object));
    }

    fn push_bookmark(&mut self, initial_events_end: bool) {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string(), "creationTimestamp": null});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object =
            json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata});
        self.ready.push_back(line("BOOKMARK", &object));
    }
}

fn line(event: &str, object: &Value) -> Bytes {
    let mut text = json!({"type": event, "object": object}).to_string();
    text.push('\n');
    Bytes::from(text)
}
