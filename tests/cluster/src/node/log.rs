//! What one run of a container wrote, line by line, for those who read it later and those who follow it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

/// As much as a kubelet keeps in one file; older lines go.
const MOST: usize = 10 << 20;

/// One line, without its end.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) time: Timestamp,
    pub(crate) text: Vec<u8>,
}

#[derive(Default)]
struct Lines {
    kept: VecDeque<Line>,
    /// How many went already.
    gone: usize,
    bytes: usize,
    ended: bool,
}

/// The lines.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Lines>,
    changed: Notify,
}

impl Log {
    /// One more line.
    pub(crate) fn push(&self, text: &[u8]) {
        let mut lines = self.lock();
        lines.bytes += text.len();
        lines.kept.push_back(Line { time: Timestamp::now(), text: text.to_vec() });
        while lines.bytes > MOST
            && let Some(oldest) = lines.kept.pop_front()
        {
            lines.bytes -= oldest.text.len();
            lines.gone += 1;
        }
        drop(lines);
        self.changed.notify_waiters();
    }

    /// There will be no more.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_waiters();
    }

    /// The number of the first of the last `count` lines.
    pub(crate) fn tail(&self, count: usize) -> usize {
        let lines = self.lock();
        lines.gone + lines.kept.len().saturating_sub(count)
    }

    /// The first line from number `from` on, with its number, if it is there.
    pub(crate) fn line(&self, from: usize) -> Option<(usize, Line)> {
        let lines = self.lock();
        let number = from.max(lines.gone);
        Some((number, lines.kept.get(number - lines.gone)?.clone()))
    }

    /// The same, waiting for it as long as there may be one.
    pub(crate) async fn next(&self, from: usize) -> Option<(usize, Line)> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before looking: what comes in between is not missed.
            changed.as_mut().enable();
            let ended = self.lock().ended;
            match self.line(from) {
                None if !ended => changed.await,
                line => return line,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_go_and_numbers_stay() {
        let log = Log::default();
        let long = vec![b'x'; MOST / 4];
        for _ in 0..6 {
            log.push(&long);
        }
        assert_eq!(log.line(0).unwrap().0, 2);
        assert_eq!(log.tail(1), 5);
        assert_eq!(log.tail(100), 2);
        assert!(log.line(6).is_none());
    }

    #[tokio::test]
    async fn whoever_follows_hears_the_end() {
        let log = std::sync::Arc::new(Log::default());
        log.push(b"one");
        let follower = log.clone();
        let follower = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some((number, line)) = follower.next(seen.len()).await {
                assert_eq!(number, seen.len());
                seen.push(line.text);
            }
            seen
        });
        tokio::task::yield_now().await;
        log.push(b"two");
        log.end();
        assert_eq!(follower.await.unwrap(), [b"one".to_vec(), b"two".to_vec()]);
    }
}
