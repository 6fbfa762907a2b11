//! What requests, watches and timers share: the cluster behind its lock, the signal that something changed, and the
//! steps that wait for a delay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::controller::{self, Delayed};
use crate::state::StateFile;

/// The cluster and its signals.
#[derive(Debug)]
pub(crate) struct Shared {
    cluster: Mutex<Cluster>,
    changed: watch::Sender<u64>,
    /// Whether the steps that an earlier run left waiting were taken up.
    resumed: AtomicBool,
    /// Where the state is kept between runs.
    pub(crate) file: Option<StateFile>,
}

impl Shared {
    /// Shares a cluster.
    pub(crate) fn new(cluster: Cluster, file: Option<StateFile>) -> Arc<Self> {
        let (changed, _) = watch::channel(cluster.store.revision());
        Arc::new(Self { cluster: Mutex::new(cluster), changed, resumed: AtomicBool::new(false), file })
    }

    /// The cluster. Nothing waits while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Cluster> {
        // A panic in a request leaves whole objects behind: each write is one insert.
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cluster's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.lock().clock.now()
    }

    /// Hears of every change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes up the steps that an earlier run left waiting; only the first call does anything. Must be called in a tokio
    /// runtime, which is why opening a cluster cannot do it.
    pub(crate) fn wake(self: &Arc<Self>) {
        if self.resumed.load(Ordering::Relaxed) || self.resumed.swap(true, Ordering::Relaxed) {
            return;
        }
        let waiting = controller::waiting(&self.lock());
        for step in waiting {
            spawn(Arc::downgrade(self), step);
        }
    }

    /// Works on the cluster, lets the controllers react and tells watches. Must be called in a tokio runtime.
    pub(crate) fn change<T>(self: &Arc<Self>, work: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut cluster = self.lock();
        let before = cluster.store.revision();
        let answer = work(&mut cluster);
        let delayed = controller::settle(&mut cluster);
        let after = cluster.store.revision();
        drop(cluster);
        if after != before {
            self.changed.send_replace(after);
            if let Some(file) = &self.file {
                file.save_soon(self);
            }
        }
        for step in delayed {
            spawn(Arc::downgrade(self), step);
        }
        answer
    }
}

/// Takes a delayed step when its time has come, if the cluster is still there.
fn spawn(shared: Weak<Shared>, step: Delayed) {
    drop(tokio::spawn(async move {
        tokio::time::sleep(step.delay).await;
        if let Some(shared) = shared.upgrade() {
            shared.change(|cluster| controller::resume(cluster, &step));
        }
    }));
}
