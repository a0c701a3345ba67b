//! One event in, one reply out, in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tracing::{Instrument, debug, error, info, warn};

use crate::config::{Config, SettingError};
use crate::event::{Directive, Event, Header, Kind, NotAnEvent, Request};
use crate::fault::{Failure, Fault};
use crate::home_assistant::{self, Answer, HomeAssistant};
use crate::reply;
use crate::secret::{Redactor, Token};

/// Alexa gives up after about 8 s; this leaves 1 s for the network.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(7);

/// What is left of an invocation's time to hand the reply over before Lambda stops the function.
const SAFETY_MARGIN: Duration = Duration::from_millis(500);

/// How long a late request goes on. A script that takes longer is one to be started, and not waited for.
const LATE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Answers the events of Alexa.
pub struct Handler {
    /// Or the setting that keeps the relay from working.
    home_assistant: Result<HomeAssistant, SettingError>,
    long_lived_token: Option<Token>,
    redactor: Redactor,
}

impl Handler {
    /// A handler with these settings. Where one is wrong, it says so in reply to every event.
    pub fn new(config: Result<Config, SettingError>) -> Self {
        let secrets = |config: &Config| (config.long_lived_token.clone(), Redactor::new(config.extra_headers.values()));
        let (long_lived_token, redactor) = config.as_ref().map(secrets).unwrap_or_default();
        Self { home_assistant: config.map(HomeAssistant::new), long_lived_token, redactor }
    }

    /// Answers an invocation: with Home Assistant's bytes, or with a sentence about what is wrong.
    ///
    /// # Errors
    /// Where the event is not one of Alexa's.
    pub async fn handle(&'static self, invocation: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, NotAnEvent> {
        let start = Instant::now();
        let LambdaEvent { payload, context } = invocation;
        let event = Event::read(&payload).inspect_err(|error| {
            let remedy = "only Alexa's custom skills and smart home skills send what this function reads; to try it by hand, send a file of events/";
            error!(cause = error.to_string(), remedy, "not answered");
        })?;
        let tokens = [event.token.as_ref().ok().and_then(Option::as_ref), self.long_lived_token.as_ref()];
        let redactor = self.redactor.with(tokens.into_iter().flatten().map(Token::authorization));
        debug!(request = redactor.json(&payload));

        let time = time_allowed(context.deadline(), SystemTime::now());
        let outcome = self.ask(&event, payload, time, &redactor).await;

        let status = outcome.as_ref().map_or_else(|failure| failure.status, |answer| Some(answer.status));
        let (status, ms) = (status.map(|status| status.as_u16()), millis(start));
        match &event.kind {
            Kind::CustomSkill(Request { r#type: request_type, intent, .. }) => {
                let intent = intent.as_ref().and_then(|intent| intent.name.as_ref());
                info!(request_type, intent, status, ms, "request");
            }
            Kind::SmartHome(Directive { header: Header { namespace, name, .. }, .. }) => {
                info!(namespace, name, status, ms, "directive");
            }
        }
        match outcome {
            Ok(answer) => {
                debug!(response = redactor.json(&answer.body));
                Ok(answer.body)
            }
            Err(failure) => {
                failure.log(&redactor);
                Ok(reply::of_failure(&event, &failure))
            }
        }
    }

    /// Asks Home Assistant, and waits for as long as Alexa and Lambda do.
    ///
    /// Home Assistant cancels what it is doing when its client hangs up, which would leave a slow script half done. So a
    /// request that has gone out goes on when the time is up. One that has not gone out by then is dropped: nobody
    /// expects it to be carried out any more.
    async fn ask(
        &'static self,
        event: &Event,
        payload: Box<RawValue>,
        time: Duration,
        redactor: &Redactor,
    ) -> Result<Answer, Failure> {
        let home_assistant = self.home_assistant.as_ref()?;
        let (token, refused) = match (event.token.clone(), self.long_lived_token.clone()) {
            (Ok(Some(token)), _) => (token, Fault::TOKEN_REFUSED),
            (Ok(None), Some(token)) => (token, Fault::LONG_LIVED_TOKEN_REFUSED),
            (Ok(None), None) => return Err(without_token(home_assistant, event.path(), time).await),
            (Err(_), _) => return Err(Fault::UNUSABLE_TOKEN.into()),
        };
        let start = Instant::now();
        let is_sent = Arc::new(AtomicBool::new(false));
        let request = home_assistant::Request {
            path: event.path(),
            token,
            body: Bytes::from(Box::<str>::from(payload).into_boxed_bytes()),
            accepts_nothing: event.accepts_nothing(),
            refused,
            is_sent: Arc::clone(&is_sent),
        };
        let mut request = Box::pin(async move { home_assistant.post(&request).await });
        match timeout(time, &mut request).await {
            Ok(outcome) => outcome,
            Err(_) if is_sent.load(Relaxed) => {
                spawn_local(finish(request, start, redactor.clone()).in_current_span());
                Err(Fault::LATE.into())
            }
            Err(_) => Err(Fault::NO_CONNECTION.into()),
        }
    }
}

/// What keeps a request without a token from its answer: a fault on the way to Home Assistant, or else the token.
async fn without_token(home_assistant: &HomeAssistant, path: &str, time: Duration) -> Failure {
    let start = Instant::now();
    match timeout(time, home_assistant.check(path)).await {
        Ok(Ok(())) => {
            let clear = format!("the way to Home Assistant is clear, it answered in {} ms", millis(start));
            Failure::from(Fault::NO_TOKEN).with_source(clear)
        }
        Ok(Err(failure)) => failure,
        Err(_) => Fault::NO_ANSWER.into(),
    }
}

/// Waits for the end of a late request, and logs it.
async fn finish(request: impl Future<Output = Result<Answer, Failure>>, start: Instant, redactor: Redactor) {
    match timeout(LATE_LIMIT, request).await.unwrap_or_else(|_| Err(Fault::NEVER_ANSWERED.into())) {
        Ok(answer) => {
            let (status, ms) = (answer.status.as_u16(), millis(start));
            info!(status, ms, "Home Assistant has finished the late request");
        }
        Err(failure) => {
            warn!(ms = millis(start), "Home Assistant has not finished the late request");
            failure.log(&redactor);
        }
    }
}

fn millis(start: Instant) -> u64 {
    start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

/// How long an invocation may wait for Home Assistant. A deadline in the past is none: `cargo lambda watch` gives
/// every invocation one in 1970.
fn time_allowed(deadline: SystemTime, now: SystemTime) -> Duration {
    let left = deadline.duration_since(now).unwrap_or(Duration::MAX);
    RESPONSE_DEADLINE.min(left.saturating_sub(SAFETY_MARGIN).max(left / 2))
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
}
