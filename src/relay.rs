//! One event in, one reply out, in time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::config::SettingError;
use crate::envelope::{Envelope, Event, NotAnEnvelope};
use crate::failure::Failure;
use crate::fault::Fault;
use crate::home::{Answer, Home, Sent};
use crate::kept::Kept;
use crate::log::blanked;
use crate::speech;
use crate::token::Token;

/// Alexa gives up after about 8 s; this leaves 1 s for the way.
const TIME_ALLOWED: Duration = Duration::from_secs(7);

/// What is kept of an invocation's time to hand the reply over before Lambda stops the function.
const MARGIN: Duration = Duration::from_millis(500);

/// The relay between Alexa and one Home Assistant.
pub struct Relay {
    home: Result<Arc<Home>, SettingError>,
    long_lived_token: Option<Arc<Token>>,
    kept: Kept,
}

impl Relay {
    /// A relay to `home`; or one that says which setting keeps it from working.
    pub fn new(home: Result<Home, SettingError>, long_lived_token: Option<Token>) -> Self {
        Self { home: home.map(Arc::new), long_lived_token: long_lived_token.map(Arc::new), kept: Kept::default() }
    }

    /// Answers an invocation: with Home Assistant's bytes, or with a sentence about what is wrong.
    ///
    /// # Errors
    /// Where the payload is nothing that Alexa sends.
    pub async fn answer(&self, event: LambdaEvent<Event>) -> Result<Box<RawValue>, NotAnEnvelope> {
        let start = Instant::now();
        let LambdaEvent { payload, context } = event;
        let Envelope { event, token, request_type, intent, locale } = Envelope::read(payload).inspect_err(|error| {
            let mend = "this function is for an Alexa custom skill alone; to try it by hand, send a file of events/";
            error!(cause = error.to_string(), mend, request_id = context.request_id, "not answered");
        })?;
        let (token, long_lived) = match (token, &self.long_lived_token) {
            (Some(token), _) => (token.map(|token| Some(Arc::new(token))), false),
            (None, long_lived) => (Ok(long_lived.clone()), true),
        };
        let shown = token.as_ref().ok().and_then(Option::as_deref);
        debug!(request = blanked(event.get(), shown), request_id = context.request_id);

        let outcome = match (&self.home, &token) {
            (Err(error), _) => Err(Failure::setting(*error)),
            (_, Err(_)) => Err(Failure::bare(Fault::UnusableToken)),
            (_, Ok(None)) => Err(Failure::bare(Fault::NoToken)),
            (Ok(home), Ok(Some(token))) => self.ask(home, token, event, &context).await,
        };

        let (status, ms) = (status(&outcome), millis(start));
        info!(request_type, intent, status, ms, request_id = context.request_id, "request");
        match outcome {
            Ok(answer) => {
                debug!(answer = blanked(answer.body.get(), shown), request_id = context.request_id);
                Ok(answer.body)
            }
            Err(mut failure) => {
                if long_lived && failure.fault == Fault::TokenRefused {
                    failure.fault = Fault::LongLivedTokenRefused;
                }
                failure.log(&context.request_id);
                Ok(speech::reply(&request_type, &locale, failure.fault.sentence()))
            }
        }
    }

    /// Asks Home Assistant, and waits for as long as Alexa and Lambda do.
    ///
    /// Home Assistant cancels what it is doing when its client hangs up, which would leave a slow script half done.
    /// So a request that has gone out is a task of its own, which outlives the wait. One that has not gone out by then
    /// is dropped: nobody expects it to be carried out any more.
    async fn ask(
        &self,
        home: &Arc<Home>,
        token: &Arc<Token>,
        event: Box<RawValue>,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let (home, token, sent) = (Arc::clone(home), Arc::clone(token), Sent::default());
        let (event, request_id) = (Bytes::from(Box::<str>::from(event).into_string()), context.request_id.clone());
        let (finished, outcome) = oneshot::channel();
        let request = tokio::spawn({
            let sent = sent.clone();
            async move {
                let start = Instant::now();
                let outcome = Kept::bounded(home.post(&token, event, &sent)).await;
                // Fails where nobody waits any more.
                if let Err(outcome) = finished.send(outcome) {
                    log_late(&outcome, millis(start), &request_id);
                }
            }
        });
        match timeout(time_allowed(context.deadline(), SystemTime::now()), outcome).await {
            Ok(outcome) => outcome.expect("a request ends with an outcome"),
            Err(_) if sent.get() => {
                self.kept.add(request.abort_handle());
                Err(Failure::bare(Fault::Late))
            }
            Err(_) => {
                request.abort();
                Err(Failure::bare(Fault::ConnectTimeout))
            }
        }
    }
}

fn log_late(outcome: &Result<Answer, Failure>, ms: u64, request_id: &str) {
    let status = status(outcome);
    match outcome {
        Ok(_) => info!(status, ms, request_id, "Home Assistant has finished what took it too long to be spoken"),
        Err(failure) => {
            warn!(status, ms, request_id, "Home Assistant has not finished what took it too long to be spoken");
            failure.log(request_id);
        }
    }
}

fn status(outcome: &Result<Answer, Failure>) -> Option<u16> {
    match outcome {
        Ok(answer) => Some(answer.status.as_u16()),
        Err(failure) => failure.status.map(|status| status.as_u16()),
    }
}

fn millis(start: Instant) -> u64 {
    start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

/// How long an invocation may wait for Home Assistant. A deadline in the past is none: `cargo lambda watch` gives
/// every invocation one in 1970.
fn time_allowed(deadline: SystemTime, now: SystemTime) -> Duration {
    let left = deadline.duration_since(now).unwrap_or(Duration::MAX);
    TIME_ALLOWED.min(left.saturating_sub(MARGIN).max(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_allowed_is_what_alexa_waits_or_what_lambda_leaves() {
        let now = SystemTime::now();
        let allowed = |left| time_allowed(now + Duration::from_millis(left), now).as_millis();
        assert_eq!(allowed(10_000), 7_000);
        assert_eq!(allowed(3_000), 2_500);
        assert_eq!(allowed(600), 300);
    }

    #[test]
    fn a_deadline_in_the_past_is_ignored() {
        assert_eq!(time_allowed(SystemTime::UNIX_EPOCH + Duration::from_secs(600), SystemTime::now()), TIME_ALLOWED);
    }
}
