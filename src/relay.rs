//! One event in, one reply out, in time.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use lambda_runtime::{Context, LambdaEvent, LambdaInvocation};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::connection::Sent;
use crate::envelope::{Envelope, NotAnEnvelope};
use crate::failure::Failure;
use crate::fault::Fault;
use crate::home::{Answer, Home};
use crate::kept::Kept;
use crate::log::blanked;
use crate::setting::SettingError;
use crate::speech;
use crate::token::Token;

/// Alexa gives up after about 8 s; this leaves 1 s for the way.
const TIME_ALLOWED: Duration = Duration::from_secs(7);

/// What is kept of an invocation's time to hand the reply over before Lambda stops the function.
const MARGIN: Duration = Duration::from_millis(500);

/// What `lambda_runtime` is to read of an event: nothing.
pub struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

/// The relay between Alexa and one Home Assistant.
pub struct Relay {
    home: Result<Home, SettingError>,
    long_lived_token: Option<Token>,
    event: Cell<Bytes>,
    kept: Kept,
}

impl Relay {
    /// A relay to `home`; or one that says which setting keeps it from working.
    pub fn new(home: Result<Home, SettingError>, long_lived_token: Option<Token>) -> Self {
        Self { home, long_lived_token, event: Cell::default(), kept: Kept::default() }
    }

    /// Takes note of an event's bytes. `lambda_runtime` would give [`Self::answer`] what it reads from them, and not
    /// them: a whole further reading, and a copy.
    pub fn note(&self, invocation: LambdaInvocation) -> LambdaInvocation {
        self.event.set(invocation.body.clone());
        invocation
    }

    /// Answers an invocation: with Home Assistant's bytes, or with a sentence about what is wrong.
    ///
    /// # Errors
    /// Where the payload is nothing that Alexa sends.
    pub async fn answer(&'static self, invocation: LambdaEvent<Unread>) -> Result<Box<RawValue>, NotAnEnvelope> {
        let start = Instant::now();
        let LambdaEvent { payload: Unread, context } = invocation;
        let event = self.event.take();
        let Envelope { token, request_type, intent, locale } = Envelope::read(&event).inspect_err(|error| {
            let mend = "this function is for an Alexa custom skill alone; to try it by hand, send a file of events/";
            error!(cause = error.to_string(), mend, request_id = context.request_id, "not answered");
        })?;
        let long_lived = token.is_none();
        let token = token.or_else(|| self.long_lived_token.clone().map(Ok));
        let in_use = token.as_ref().and_then(|token| token.as_ref().ok()).cloned();
        let hide = |text: &str| match (&self.home, &in_use) {
            (Ok(home), Some(token)) => home.blanked_in(text, token),
            // Without a home or a token nothing is sent that could come back.
            _ => text.to_owned(),
        };
        debug!(request = blanked(&event, hide), request_id = context.request_id);

        let outcome = match (&self.home, token) {
            (Err(error), _) => Err(Failure::setting(*error)),
            (_, Some(Err(_))) => Err(Failure::bare(Fault::UnusableToken)),
            (_, None) => Err(Failure::bare(Fault::NoToken)),
            (Ok(home), Some(Ok(token))) => self.ask(home, token, event, &context).await,
        };

        let (status, ms) = (status(&outcome), millis(start));
        info!(request_type, intent, status, ms, request_id = context.request_id, "request");
        match outcome {
            Ok(answer) => {
                debug!(answer = blanked(answer.body.get().as_bytes(), hide), request_id = context.request_id);
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
    /// So a request that has gone out is kept when the time is up. One that has not gone out by then is dropped:
    /// nobody expects it to be carried out any more.
    async fn ask(
        &'static self,
        home: &'static Home,
        token: Token,
        event: Bytes,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let (start, sent) = (Instant::now(), Sent::default());
        let mut request = Box::pin({
            let sent = sent.clone();
            async move { home.post(&token, event, &sent).await }
        });
        match timeout(time_allowed(context.deadline(), SystemTime::now()), &mut request).await {
            Ok(outcome) => outcome,
            Err(_) if sent.get() => {
                let request_id = context.request_id.clone();
                self.kept.add(request, move |outcome| log_late(&outcome, millis(start), &request_id));
                Err(Failure::bare(Fault::Late))
            }
            Err(_) => Err(Failure::bare(Fault::ConnectTimeout)),
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
