//! Requests that Home Assistant still works on after Alexa has had her reply.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use tokio::task::{AbortHandle, spawn_local};
use tokio::time::timeout;
use tracing::warn;

use crate::failure::Failure;
use crate::fault::Fault;

/// How long a request is kept. A script that takes longer had better be started than waited for.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

/// After a freeze, time is up at the moment at which an answer that came meanwhile is still to be read.
const GRACE: Duration = Duration::from_secs(1);

/// How many are kept. Each holds a connection.
const KEPT_AT_MOST: usize = 16;

/// The requests that are kept, oldest first.
#[derive(Default)]
pub struct Kept(RefCell<VecDeque<AbortHandle>>);

impl Kept {
    /// Keeps one more, and tells `finished` how it ends. Where there are too many, the oldest is dropped: it is the one
    /// that most likely hangs.
    pub fn add<T: 'static>(
        &self,
        request: impl Future<Output = Result<T, Failure>> + 'static,
        finished: impl FnOnce(Result<T, Failure>) + 'static,
    ) {
        let task = spawn_local(async { finished(bounded(request).await) });
        let mut kept = self.0.borrow_mut();
        kept.retain(|request| !request.is_finished());
        kept.push_back(task.abort_handle());
        if kept.len() > KEPT_AT_MOST
            && let Some(oldest) = kept.pop_front()
        {
            oldest.abort();
            let cause = format!("more than {KEPT_AT_MOST} requests wait for Home Assistant");
            let mend = "look for what hangs in Home Assistant, and give slow intents async_action: true";
            warn!(cause, mend, "the oldest request was dropped");
        }
    }
}

async fn bounded<T>(request: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut request = pin!(request);
    if let Ok(outcome) = timeout(KEPT_FOR, &mut request).await {
        return outcome;
    }
    timeout(GRACE, request).await.unwrap_or_else(|_| Err(Failure::bare(Fault::NeverAnswered)))
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::yield_now;
    use tokio::time::sleep;

    use super::*;

    #[test]
    fn a_request_is_kept_for_15_minutes_and_no_longer() {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let takes = |seconds| {
            runtime.block_on(bounded(async move {
                sleep(Duration::from_secs(seconds)).await;
                yield_now().await;
                Ok(())
            }))
        };
        assert!(takes(15 * 60).is_ok(), "an answer that comes together with the end of the time is taken");
        assert_eq!(takes(16 * 60).unwrap_err().fault, Fault::NeverAnswered);
    }
}
