//! Home Assistant over HTTP: one POST, and what came of it.
//!
//! Lambda freezes the process between two events. A connection that was idle meanwhile may be alive, closed, or dead
//! without a sign, and a request that went out on a dead one cannot be sent again, for it may have arrived.

use std::cell::Cell;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Response, StatusCode, Url, retry};
use rustls::ClientConfig;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::diagnosis;
use crate::fault::{Failure, Fault};
use crate::reply;
use crate::secret::Token;
use crate::tls::{self, ClientCertificate};

/// How long making a connection may take, TLS included. Three SYNs go out in this time (at 0, 1 and 3 s), and enough of
/// Alexa's 8 s is left to say what is wrong.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// A slow home acknowledges a request at once and answers later; without an acknowledgement in this time, the connection
/// is dead. Less than the time that a request may take, so that the two are told apart.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may have been idle to be used again: some servers close one after 5 s.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// The gap that a restarting proxy leaves.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// What Lambda passes on at most, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// How much of an error's page is read to tell who sent it, in bytes, and how long that may take.
const MAX_PAGE: usize = 16 * 1024;
const PAGE_TIMEOUT: Duration = Duration::from_millis(500);

/// The name of the relay: Cloudflare's Browser Integrity Check stops requests without one.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A person's Home Assistant.
pub struct HomeAssistant {
    endpoint: Url,
    extra_headers: HeaderMap,
    tls: ClientConfig,
    client_certificate: Arc<ClientCertificate>,
    /// The client with the connection that was used last, and when.
    idle: Cell<Option<(Client, SystemTime)>>,
}

/// What Home Assistant answered.
pub struct Answer {
    /// 2xx.
    pub status: StatusCode,
    /// The bytes for Alexa.
    pub body: Box<RawValue>,
}

impl HomeAssistant {
    /// The Home Assistant of these settings.
    pub fn new(config: Config) -> Self {
        let client_certificate = Arc::new(ClientCertificate::new(config.client_certificate.clone()));
        Self {
            tls: tls::client_config(&config, Arc::clone(&client_certificate)),
            client_certificate,
            endpoint: config.endpoint,
            extra_headers: config.extra_headers,
            idle: Cell::default(),
        }
    }

    /// Sends an event and reads the answer.
    ///
    /// `sent` becomes true once a byte of it may have reached Home Assistant. It is sent a second time only where none
    /// has: the name, the connection or the handshake failed.
    ///
    /// # Errors
    /// Everything but a 2xx with JSON, or with nothing.
    pub async fn post(&self, token: &Token, event: Bytes, sent: &Arc<AtomicBool>) -> Result<Answer, Failure> {
        // By the wall clock, for the monotonic one may stop while the function is frozen.
        let is_fresh = |since: &SystemTime| since.elapsed().is_ok_and(|idle| idle <= MAX_IDLE);
        let client = self.idle.take().filter(|(_, since)| is_fresh(since)).map(|(client, _)| client);
        let client = client.unwrap_or_else(|| self.client());
        match self.exchange(client, token, event.clone(), sent).await {
            Err(failure) if !sent.load(Relaxed) && failure.fault.is_transient => {
                sleep(RETRY_PAUSE).await;
                self.exchange(self.client(), token, event, sent).await
            }
            outcome => outcome,
        }
    }

    /// A client without a connection, on the TLS sessions of those before it.
    fn client(&self) -> Client {
        Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(self.extra_headers.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(ACKNOWLEDGE_TIMEOUT)
            // TCP's own probes stay off: one that goes unanswered because the function is frozen would close a connection
            // on which Home Assistant is still working.
            .tcp_keepalive(None)
            .tcp_keepalive_interval(None)
            .tcp_keepalive_retries(None)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(None)
            .redirect(Policy::none())
            .referer(false)
            .retry(retry::never())
            .no_proxy()
            .build()
            .expect("reqwest and this program use the same rustls")
    }

    async fn exchange(
        &self,
        client: Client,
        token: &Token,
        event: Bytes,
        sent: &Arc<AtomicBool>,
    ) -> Result<Answer, Failure> {
        let mut response = client
            .post(self.endpoint.clone())
            .header(AUTHORIZATION, token.authorization().clone())
            .header(CONTENT_TYPE, "application/json")
            // The body has lost its length, and would go chunked.
            .header(CONTENT_LENGTH, event.len())
            .body(body(event, Arc::clone(sent)))
            .send()
            .await
            .map_err(|error| self.failure(error))?;
        let (status, headers) = (response.status(), take(response.headers_mut()));
        let outcome = self.read(response, &headers).await;
        if outcome.is_ok() {
            self.client_certificate.set_accepted();
            self.idle.set(Some((client, SystemTime::now())));
        }
        let response = || Some(diagnosis::response(&self.endpoint, status, &headers));
        outcome.map_err(|failure| Failure { status: Some(status), response: response(), ..failure })
    }

    /// What is for Alexa in an answer.
    async fn read(&self, mut response: Response, headers: &HeaderMap) -> Result<Answer, Failure> {
        let (status, mut body) = (response.status(), Vec::new());
        let fault = |body: &[u8]| diagnosis::of_answer(&self.endpoint, status, headers, body);
        if !status.is_success() {
            // As much of it as comes soon.
            let _ = timeout(PAGE_TIMEOUT, self.read_body(&mut response, &mut body, MAX_PAGE)).await;
            return Err(fault(&body).into());
        }
        self.read_body(&mut response, &mut body, MAX_ANSWER).await?;
        if body.trim_ascii().is_empty() {
            // Home Assistant before mid-2022 answers a SessionEndedRequest with nothing.
            return Ok(Answer { status, body: reply::empty() });
        }
        if body.trim_ascii_start().starts_with(b"<") {
            return Err(fault(&body).into());
        }
        // Read as JSON that owns its bytes; anything behind it is an error, too.
        let body = serde_json::from_slice(&body);
        let body = body.map_err(|error| Failure::from(fault(&[])).with_source(format!("it is not JSON: {error}")))?;
        Ok(Answer { status, body })
    }

    async fn read_body(&self, response: &mut Response, body: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error))? {
            if body.len() + chunk.len() > limit {
                let problem = "it is larger than the 6 MB that Lambda passes on";
                return Err(Failure::from(Fault::UNEXPECTED_ANSWER).with_source(problem));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    }

    fn failure(&self, error: reqwest::Error) -> Failure {
        let fault = diagnosis::of_error(&error, &self.endpoint, &self.client_certificate);
        Failure::from(fault).with_source(error.without_url())
    }
}

/// An event as a request's body, which notes when it is written: hyper asks for it once a connection stands, and writes
/// the head and the body together.
fn body(event: Bytes, sent: Arc<AtomicBool>) -> Body {
    Body::wrap(Full::new(event).map_frame(move |frame| {
        sent.store(true, Relaxed);
        frame
    }))
}
