//! Home Assistant over HTTP: one POST and its answer, and the idle connection.
//!
//! Lambda freezes the process between two events. Meanwhile an idle connection may be closed or lost without a sign, and
//! a request that was sent on such a connection must not be sent again: it may have arrived.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, StatusCode};
use serde_json::value::RawValue;
use tokio::time::sleep;

use crate::config::Config;
use crate::connection::{Connector, Progress};
use crate::diagnosis;
use crate::event::{Event, has_object};
use crate::failure::{Failure, RawAnswer};
use crate::fault::Fault;
use crate::reply;
use crate::secret::Token;

/// How long a connection may be idle and still be used again: some servers close it after 5 s.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// How long a proxy is gone while it restarts.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// A person's Home Assistant.
pub struct HomeAssistant {
    pub connector: Connector,
    /// What account linking needs and these settings do not give, which no check can show.
    pub linking_needs: Option<String>,
    /// The last connection that answered in time, and when it became idle.
    idle: Cell<Option<(Connection, SystemTime)>>,
}

/// An event to send.
pub struct Post {
    pub event: Rc<Event>,
    /// The event's token, or `LONG_LIVED_ACCESS_TOKEN`.
    pub token: Token,
    /// The event, byte for byte.
    pub body: Bytes,
    pub progress: Rc<Progress>,
}

/// Home Assistant's answer.
pub struct Answer {
    /// 2xx.
    pub status: StatusCode,
    /// The bytes for Alexa.
    pub body: Box<RawValue>,
}

/// A client with one open connection, which closes when it is dropped.
pub struct Connection(Client);

impl HomeAssistant {
    /// The Home Assistant of these settings.
    pub fn new(config: Config) -> Self {
        let is_public = config.verify_certificates && config.ca_certificates.is_empty();
        let needs: Vec<_> = [
            (config.base_url.scheme() != "https", "https://"),
            (config.base_url.port_or_known_default() != Some(443), "port 443"),
            (!is_public, "a certificate of a public CA, which CA_CERTIFICATE and NOT_VERIFY_SSL do not replace"),
        ]
        .into_iter()
        .filter_map(|(is_missing, need)| is_missing.then_some(need))
        .collect();
        Self {
            linking_needs: (!needs.is_empty()).then(|| needs.join(", ")),
            connector: Connector::new(config),
            idle: Cell::default(),
        }
    }

    /// Sends an event and reads the answer.
    ///
    /// It is sent a second time only if nothing of it was sent: the name, the connection or the handshake failed, or the
    /// connection was closed before the request.
    ///
    /// # Errors
    /// Anything but a 2xx with JSON, or an empty one where that is allowed.
    pub async fn post(&self, post: &Post) -> Result<(Answer, Connection), Failure> {
        // By the wall clock: the monotonic one may stop while the function is frozen.
        let is_fresh = |since: &SystemTime| since.elapsed().is_ok_and(|idle| idle <= MAX_IDLE);
        let idle = self.idle.take().filter(|(_, since)| is_fresh(since)).map(|(connection, _)| connection);
        match self.exchange(idle, post).await {
            Err(failure) if !post.progress.is_sent.load(Relaxed) && failure.fault.is_transient() => {
                post.progress.failure.replace(Some(failure));
                sleep(RETRY_PAUSE).await;
                self.exchange(None, post).await
            }
            outcome => outcome,
        }
    }

    /// Keeps a connection for the next event. Not for that of a late answer: while the function was frozen, the answer
    /// came and the connection may have been idle for minutes.
    pub fn keep(&self, connection: Connection) {
        self.idle.set(Some((connection, SystemTime::now())));
    }

    async fn exchange(&self, idle: Option<Connection>, post: &Post) -> Result<(Answer, Connection), Failure> {
        let is_new = idle.is_none();
        let client = match idle {
            Some(Connection(client)) => client,
            None => self.connector.new_client(&post.progress).await?,
        };
        let request = client
            .post(self.connector.url(post.event.path))
            .header(AUTHORIZATION, post.token.authorization().clone())
            .header(CONTENT_TYPE, "application/json")
            // The wrapped body hides its length. Without this header the request would be chunked.
            .header(CONTENT_LENGTH, post.body.len())
            .body(wrap_body(post));
        let answer = self.connector.send(request, is_new, &post.progress).await?;
        match extract_reply(&answer, post) {
            Ok(body) => Ok((Answer { status: answer.status, body }, Connection(client))),
            Err(failure) => Err(failure.with_answer(answer)),
        }
    }
}

/// Returns the reply for Alexa in an answer.
fn extract_reply(answer: &RawAnswer, post: &Post) -> Result<Box<RawValue>, Failure> {
    let failure = || Failure::from(diagnosis::classify_answer(answer));
    match answer.body.trim_ascii() {
        _ if !answer.status.is_success() => Err(failure()),
        b"" if post.event.allow_empty => Ok(reply::empty()),
        b"" => Err(failure().with_source("it is empty")),
        json => {
            let json = serde_json::from_slice::<Box<RawValue>>(json);
            let json = json.map_err(|error| failure().with_source(format!("it is not JSON: {error}")))?;
            if has_object(&json, post.event.answer_field) { Ok(json) } else { Err(Fault::NotAReply.into()) }
        }
    }
}

/// The body of a request, which notes when it is sent: hyper asks for it once it has a connection, and writes it together
/// with the head.
fn wrap_body(post: &Post) -> Body {
    let is_sent = Arc::clone(&post.progress.is_sent);
    Body::wrap(Full::new(post.body.clone()).map_frame(move |frame| {
        is_sent.store(true, Relaxed);
        frame
    }))
}

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;

    use tempfile::NamedTempFile;
    use tracing::subscriber::with_default;

    use super::*;
    use crate::failure::log_linking;
    use crate::secret::Redactor;

    /// A test on this machine alone has no certificate of a public CA.
    #[test]
    fn public_home_needs_nothing_more_for_account_linking() {
        let config = Config::read(|name| (name == "BASE_URL").then(|| "https://home.example.org".to_owned()));
        let home_assistant = HomeAssistant::new(config.ok().unwrap());
        let file = NamedTempFile::new().unwrap();
        let log = tracing_subscriber::fmt().with_writer(Arc::new(file.reopen().unwrap())).finish();
        with_default(log, || {
            log_linking(Ok(()), home_assistant.linking_needs.as_deref(), &Redactor::default());
        });
        let log = read_to_string(file.path()).unwrap();
        assert!(log.contains("INFO") && log.trim_end().ends_with("account linking can reach Home Assistant"), "{log}");
    }
}
