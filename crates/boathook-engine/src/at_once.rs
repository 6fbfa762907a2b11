//! Many requests at once, and their answers in the order in which they were asked.

use tokio::task::JoinSet;

/// Enough to hide the latency of an API server, few enough not to be throttled by one.
pub(crate) const AT_ONCE: usize = 32;

/// Runs futures, at most [`AT_ONCE`] at a time; answers in their order.
pub(crate) async fn in_order<F, T>(futures: Vec<F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut waiting = futures.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut answers: Vec<Option<T>> = Vec::new();
    loop {
        while running.len() < AT_ONCE {
            let Some((index, future)) = waiting.next() else { break };
            answers.push(None);
            running.spawn(async move { (index, future.await) });
        }
        match running.join_next().await {
            None => return answers.into_iter().flatten().collect(),
            Some(Ok((index, answer))) => answers[index] = Some(answer),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
