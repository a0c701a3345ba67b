//! One event in, one reply out, in time.

use std::pin::pin;
use std::time::Duration;

use hyper::body::Bytes;
use lambda_runtime::LambdaEvent;
use rustls::pki_types::CertificateDer;
use serde_json::value::RawValue;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, debug, error, info, warn};

use crate::check::{self, LinkingNeeds};
use crate::config::Config;
use crate::connection::{Deadline, Sent};
use crate::event::{Directive, Event, Kind, NotAnEvent, Object, Request};
use crate::failure::Failure;
use crate::fault::{Fault, SettingError};
use crate::home_assistant::{Connection, HomeAssistant, Post, Reply};
use crate::secret::{Redactor, Token};
use crate::{progressive, reply};

/// How long a late request may take.
const LATE_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long an answer that came during a freeze may take to be read.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest speech that Alexa accepts, in characters.
const MAX_SPEECH: usize = 8_000;

/// The most devices that Alexa accepts in answer to a discovery.
const MAX_DEVICES: usize = 300;

/// Answers Alexa's events.
pub struct Handler {
    /// `Err`: the missing or invalid setting.
    relay: Result<Relay, SettingError>,
}

/// What the settings tell.
struct Relay {
    home_assistant: HomeAssistant,
    linking_needs: LinkingNeeds,
    long_lived_token: Option<Token>,
    /// `CA_CERTIFICATE`, which Amazon's API may need, too.
    ca_certificates: Vec<CertificateDer<'static>>,
    redactor: Redactor,
}

impl Handler {
    /// A handler with these settings. If one is missing or invalid, every reply says so.
    pub fn new(config: Result<Config, SettingError>) -> Self {
        let relay = config.map(|config| Relay {
            linking_needs: LinkingNeeds::of(&config),
            long_lived_token: config.long_lived_token.clone(),
            ca_certificates: config.ca_certificates.clone(),
            redactor: Redactor::new(config.extra_headers.values()).with(config.long_lived_token.as_ref()),
            home_assistant: HomeAssistant::new(config),
        });
        Self { relay }
    }

    /// Answers an event: with Home Assistant's bytes, or with what is wrong.
    ///
    /// # Errors
    /// Not an Alexa event.
    pub async fn handle(&'static self, invocation: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, NotAnEvent> {
        let start = Instant::now();
        let LambdaEvent { payload, context } = invocation;
        let event = Event::read(&payload)
            .inspect_err(|_| error!(cause = NotAnEvent::CAUSE, remedy = NotAnEvent::REMEDY, "not answered"))?;
        let json = Bytes::from(Box::<str>::from(payload).into_boxed_bytes());
        let redactor =
            self.relay.as_ref().map(|relay| relay.redactor.clone()).unwrap_or_default().with(event.secrets());
        debug!(request = redactor.redact_body(&json));
        log_verdict(&event, &redactor);

        let outcome = match &self.relay {
            Ok(relay) => relay.answer(&event, json, Deadline::new(start, context.deadline()), &redactor).await,
            Err(error) => Err(Failure::from(*error)),
        };

        let status = outcome.as_ref().map_or_else(Failure::status, |reply| Some(reply.status));
        log_event(&event, status.map(|status| status.as_u16()), millis_since(start));
        match outcome {
            Ok(reply) => {
                debug!(response = redactor.redact_json(&reply.json));
                warn_of_excess(&reply.json);
                Ok(reply.json)
            }
            Err(failure) => {
                failure.log(&redactor);
                Ok(reply::for_failure(&event, &failure, &context.request_id))
            }
        }
    }
}

impl Relay {
    /// Gets Home Assistant's reply. Without a token, only checks the way there.
    async fn answer(
        &'static self,
        event: &Event,
        body: Bytes,
        deadline: Deadline,
        redactor: &Redactor,
    ) -> Result<Reply, Failure> {
        let api = event.kind.api();
        let (token, refusal) = match (event.token.clone()?, self.long_lived_token.clone()) {
            (Some(token), _) => (token, Fault::TokenRefused),
            (None, Some(token)) => (token, Fault::LongLivedTokenRefused),
            (None, None) => {
                let connector = &self.home_assistant.connector;
                return Err(check::run(connector, api.path(), &self.linking_needs, deadline, redactor).await);
            }
        };
        let (start, sent) = (Instant::now(), Sent::default());
        let post = Post { api, token, refusal, body, sent: sent.clone(), deadline };
        let mut exchange = Box::pin(async move { self.home_assistant.post(&post).await });
        let answer = timeout_at(deadline.0, &mut exchange);
        match progressive::accompany(&self.ca_certificates, event, answer).await {
            Ok(outcome) => outcome.map(|(reply, connection)| {
                self.home_assistant.keep(connection);
                reply
            }),
            // Home Assistant cancels what it is doing if its client hangs up, which would leave a slow script half
            // done.
            Err(_) if sent.get() => {
                spawn_local(finish_late(exchange, start, redactor.clone()).in_current_span());
                Err(Fault::Late.into())
            }
            Err(_) => Err(Fault::NoConnection.into()),
        }
    }
}

/// Waits for the end of a late request and logs it. Closes its connection.
async fn finish_late(
    exchange: impl Future<Output = Result<(Reply, Connection), Failure>>,
    start: Instant,
    redactor: Redactor,
) {
    let mut exchange = pin!(exchange);
    let outcome = match timeout(LATE_LIMIT, &mut exchange).await {
        Ok(outcome) => outcome,
        // After a freeze, the time is up before the answer is read that lies in the socket.
        Err(_) => timeout(READ_TIMEOUT, exchange).await.unwrap_or_else(|_| Err(Fault::NeverAnswered.into())),
    };
    let ms = millis_since(start);
    match outcome {
        Ok((reply, _)) => {
            info!(status = reply.status.as_u16(), ms, "Home Assistant has finished the late request");
            debug!(response = redactor.redact_json(&reply.json));
        }
        Err(failure) => {
            warn!(ms, "Home Assistant has not finished the late request");
            failure.log(&redactor);
        }
    }
}

/// Logs why Alexa rejected the previous answer. Nothing else explains her “There was a problem with the requested
/// skill's response”.
fn log_verdict(event: &Event, redactor: &Redactor) {
    if let Kind::CustomSkill(Request { verdict: Some(verdict), .. }) = &event.kind {
        let cause = redactor.redact_text(verdict);
        let remedy = "look at the previous answer (DEBUG logs it) and at the intent in Home Assistant that gave it; if \
            Alexa names a timeout, look at the ms of the previous request";
        error!(cause, remedy, "Alexa did not accept the previous answer");
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
fn warn_of_excess(reply: &RawValue) {
    if reply.get().len() <= MAX_SPEECH {
        return;
    }
    let field = |names: [&str; 2]| Object::read(reply)?.object(names[0])?.object(names[1]);
    let speech = field(["response", "outputSpeech"]).and_then(|speech| speech.text("text").or(speech.text("ssml")));
    let length = speech.map_or(0, |text| text.chars().count());
    if length > MAX_SPEECH {
        let cause = format!("the speech has {length} characters, and Alexa accepts {MAX_SPEECH}");
        warn!(cause, remedy = "let the intent or the language model answer in fewer words", "too much to say");
    }
    let devices = field(["event", "payload"]).map_or(0, |payload| payload.count("endpoints"));
    if devices > MAX_DEVICES {
        let cause = format!("the discovery has {devices} devices, and Alexa accepts {MAX_DEVICES}");
        warn!(cause, remedy = "list fewer in filter: under smart_home: in configuration.yaml", "too many devices");
    }
}

fn millis_since(start: Instant) -> u64 {
    start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;
    use std::future::pending;
    use std::sync::Arc;

    use tempfile::NamedTempFile;
    use tokio::time::sleep;
    use tracing::subscriber::set_default;

    use super::*;

    /// Waits for a late request; returns the log and how long that took.
    async fn finish(exchange: impl Future<Output = Result<(Reply, Connection), Failure>>) -> (String, Duration) {
        let file = NamedTempFile::new().unwrap();
        let _guard = set_default(tracing_subscriber::fmt().with_writer(Arc::new(file.reopen().unwrap())).finish());
        let start = Instant::now();
        finish_late(exchange, start, Redactor::default()).await;
        (read_to_string(file.path()).unwrap(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn late_request_may_take_fifteen_minutes() {
        let (log, time) = finish(pending()).await;
        assert!(log.contains("has not answered for 15 minutes") && time.as_secs() == 15 * 60 + 1, "{time:?}: {log}");
    }

    /// The time is up before it is read.
    #[tokio::test(start_paused = true)]
    async fn answer_that_came_during_a_freeze_is_read() {
        let read_late = async {
            sleep(LATE_LIMIT + READ_TIMEOUT / 2).await;
            Err(Fault::ServerError.into())
        };
        let (log, _) = finish(read_late).await;
        assert!(log.contains("Home Assistant had an internal error"), "{log}");
    }
}
