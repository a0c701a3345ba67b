//! One event in, one reply out, in time.

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use lambda_runtime::LambdaEvent;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tracing::{Instrument, debug, error, info, warn};

use crate::config::Config;
use crate::connection::Progress;
use crate::event::{Directive, Event, Kind, NotAnEvent, ProgressiveAccess, Request};
use crate::failure::{self, Failure};
use crate::fault::{Fault, SettingError};
use crate::home_assistant::{Answer, Connection, HomeAssistant, Post};
use crate::secret::{Redactor, Token};
use crate::{progressive, reply};

/// Alexa gives up after about 8 s; this leaves 1 s for the network.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(7);

/// The time to hand over the reply before Lambda stops the function.
const SAFETY_MARGIN: Duration = Duration::from_millis(500);

/// How long Amazon's servers wait for Home Assistant when an account is linked.
const LINKING_TIMEOUT: Duration = Duration::from_millis(4_500);

/// How long a late request may take.
const LATE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The longest speech that Alexa accepts, in characters.
const MAX_SPEECH: usize = 8_000;

/// The most devices that Alexa accepts in answer to a discovery.
const MAX_DEVICES: usize = 300;

/// Answers Alexa's events.
pub struct Handler {
    /// `Err`: the missing or invalid setting.
    home_assistant: Result<HomeAssistant, SettingError>,
    long_lived_token: Option<Token>,
    redactor: Redactor,
    /// `CA_CERTIFICATE`, which Amazon's API may need, too.
    ca_certificates: Vec<CertificateDer<'static>>,
}

impl Handler {
    /// A handler with these settings. If one is missing or invalid, every reply says so.
    pub fn new(config: Result<Config, SettingError>) -> Self {
        let parts = |config: &Config| {
            let redactor = Redactor::new(config.extra_headers.values());
            (config.long_lived_token.clone(), redactor, config.ca_certificates.clone())
        };
        let (long_lived_token, redactor, ca_certificates) = config.as_ref().map(parts).unwrap_or_default();
        Self { home_assistant: config.map(HomeAssistant::new), long_lived_token, redactor, ca_certificates }
    }

    /// Answers an event: with Home Assistant's bytes, or with what is wrong.
    ///
    /// # Errors
    /// Not an Alexa event.
    pub async fn handle(&'static self, invocation: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, NotAnEvent> {
        let start = Instant::now();
        let LambdaEvent { payload, context } = invocation;
        let event = Event::read(&payload)
            .map(Rc::new)
            .inspect_err(|error| error!(cause = error.cause, remedy = error.remedy, "not answered"))?;
        let json = Bytes::from(Box::<str>::from(payload).into_boxed_bytes());
        debug!(request = self.redactor(&event, &json).redact_body(&json));
        self.log_verdict(&event, &json);

        let time = time_allowed(context.deadline(), SystemTime::now());
        let outcome = self.answer(&event, &json, time).await;

        let status = outcome.as_ref().map_or_else(Failure::status, |answer| Some(answer.status));
        log_event(&event, status.map(|status| status.as_u16()), millis_since(start));
        match outcome {
            Ok(answer) => {
                debug!(response = self.redactor(&event, &json).redact_json(&answer.body));
                warn_of_excess(&answer.body);
                Ok(answer.body)
            }
            Err(failure) => {
                failure.log(&self.redactor(&event, &json));
                Ok(reply::for_failure(&event, &failure, &context.request_id))
            }
        }
    }

    /// Gets Home Assistant's answer. Without a token, only checks the way there.
    async fn answer(&'static self, event: &Rc<Event>, json: &Bytes, time: Duration) -> Result<Answer, Failure> {
        let home_assistant = self.home_assistant.as_ref().map_err(|error| *error)?;
        let (token, refused) = match (event.token.clone(), self.long_lived_token.clone()) {
            (Ok(Some(token)), _) => (token, Fault::TokenRefused),
            (Ok(None), Some(token)) => (token, Fault::LongLivedTokenRefused),
            (Ok(None), None) => {
                let redactor = self.redactor(event, json);
                return Err(check_connectivity(home_assistant, event.path, time, &redactor).await);
            }
            (Err(fault), _) => return Err(fault.into()),
        };
        let progress = Rc::<Progress>::default();
        let post = Post { event: Rc::clone(event), token, body: json.clone(), progress: Rc::clone(&progress) };
        let exchange = async move {
            home_assistant.post(&post).await.map_err(|failure| match failure.fault {
                Fault::TokenRefused => Failure { fault: refused, ..failure },
                _ => failure,
            })
        };
        let start = Instant::now();
        let mut exchange = Box::pin(exchange);
        let answer = timeout(time, &mut exchange);
        match progressive::accompany(&self.ca_certificates, event, json, answer).await {
            Ok(outcome) => outcome.map(|(answer, connection)| {
                home_assistant.keep(connection);
                answer
            }),
            // Home Assistant cancels what it is doing if its client hangs up, which would leave a slow script half done.
            Err(_) if progress.is_waiting() => {
                spawn_local(finish_late(exchange, start, self.redactor(event, json)).in_current_span());
                Err(Fault::Late.into())
            }
            // Nobody expects the request to be carried out any more.
            Err(_) => Err(home_assistant.connector.unfinished(&progress)),
        }
    }

    /// The redactor for an event and its answer.
    fn redactor(&self, event: &Event, json: &[u8]) -> Redactor {
        let amazons = ProgressiveAccess::read(json).map(|access| access.token);
        let token = event.token.as_ref().ok().and_then(Option::as_ref);
        self.redactor.with([token, self.long_lived_token.as_ref(), amazons.as_ref()].into_iter().flatten())
    }

    /// Logs what Alexa did not like in the previous answer: the only explanation of “There was a problem with the requested
    /// skill's response” that there is.
    fn log_verdict(&self, event: &Event, json: &[u8]) {
        if let Kind::CustomSkill(Request { verdict: Some(verdict), .. }) = &event.kind {
            let cause = self.redactor(event, json).redact_text(verdict);
            let remedy = "look at the previous answer (DEBUG logs it) and at the intent in Home Assistant that gave it; if Alexa names a timeout, look at the ms of the previous request";
            error!(cause, remedy, "Alexa did not accept the previous answer");
        }
    }
}

/// Checks whether Home Assistant can be reached, and then whether account linking can reach it; returns what is wrong,
/// which may be just the missing token.
async fn check_connectivity(
    home_assistant: &HomeAssistant,
    path: &str,
    time: Duration,
    redactor: &Redactor,
) -> Failure {
    let start = Instant::now();
    let connector = &home_assistant.connector;
    if let Err(failure) = connector.check(path, time).await {
        return failure;
    }
    let clear = format!("the way to Home Assistant is clear, it answered in {} ms", millis_since(start));
    let left = time.saturating_sub(start.elapsed());
    let linking = connector.without_credentials();
    if let Ok(linking) = timeout(left, linking.check("/auth/token", LINKING_TIMEOUT)).await {
        failure::log_linking(linking, home_assistant.linking_needs.as_deref(), redactor);
    } else {
        let remedy = "run the test again; if the function's own timeout is less than 10 s, set it to 10 s first";
        warn!(remedy, "account linking was not checked: there was no time left");
    }
    Failure::from(Fault::NoToken).with_source(clear)
}

/// Waits for the end of a late request and logs it. Closes its connection.
async fn finish_late(
    exchange: impl Future<Output = Result<(Answer, Connection), Failure>>,
    start: Instant,
    redactor: Redactor,
) {
    match timeout(LATE_LIMIT, exchange).await.unwrap_or_else(|_| Err(Fault::NeverAnswered.into())) {
        Ok((answer, _)) => {
            let (status, ms) = (answer.status.as_u16(), millis_since(start));
            info!(status, ms, "Home Assistant has finished the late request");
            debug!(response = redactor.redact_json(&answer.body));
        }
        Err(failure) => {
            warn!(ms = millis_since(start), "Home Assistant has not finished the late request");
            failure.log(&redactor);
        }
    }
}

/// Writes the log line that every event has.
fn log_event(event: &Event, status: Option<u16>, ms: u64) {
    match &event.kind {
        Kind::CustomSkill(Request { r#type: request_type, intent, .. }) => {
            info!(request_type, intent, status, ms, "request");
        }
        Kind::SmartHome(Directive { namespace, name, .. }) => {
            info!(namespace, name, status, ms, "directive");
        }
    }
}

/// Warns of what Alexa does not accept: she says at most that there was a problem.
fn warn_of_excess(answer: &RawValue) {
    if answer.get().len() <= MAX_SPEECH {
        return;
    }
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    let speech = &answer["response"]["outputSpeech"];
    let length = speech["text"].as_str().or(speech["ssml"].as_str()).map_or(0, |text| text.chars().count());
    if length > MAX_SPEECH {
        let cause = format!("the speech has {length} characters, and Alexa accepts {MAX_SPEECH}");
        warn!(cause, remedy = "let the intent or the language model answer in fewer words", "too much to say");
    }
    let devices = answer["event"]["payload"]["endpoints"].as_array().map_or(0, Vec::len);
    if devices > MAX_DEVICES {
        let cause = format!("the discovery has {devices} devices, and Alexa accepts {MAX_DEVICES}");
        warn!(cause, remedy = "list fewer in filter: under smart_home: in configuration.yaml", "too many devices");
    }
}

fn millis_since(start: Instant) -> u64 {
    start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

/// How long an invocation may wait for Home Assistant. Ignores a deadline in the past: `cargo lambda watch` sets one in
/// 1970.
fn time_allowed(deadline: SystemTime, now: SystemTime) -> Duration {
    let left = deadline.duration_since(now).unwrap_or(Duration::MAX);
    RESPONSE_DEADLINE.min(left.saturating_sub(SAFETY_MARGIN).max(left / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alexa_and_lambda_limit_the_time() {
        let now = SystemTime::now();
        let allowed = |left| time_allowed(now + Duration::from_millis(left), now).as_millis();
        assert_eq!(allowed(10_000), 7_000);
        assert_eq!(allowed(3_000), 2_500);
        assert_eq!(allowed(600), 300);
        assert_eq!(time_allowed(SystemTime::UNIX_EPOCH, now).as_millis(), 7_000);
    }
}
