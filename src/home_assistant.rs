//! Home Assistant over HTTP: one POST, and what came of it.
//!
//! Lambda freezes the process between two events. A connection that was idle meanwhile may be alive, closed, or dead
//! without a sign, and a request that went out on a dead one cannot be sent again, for it may have arrived.

use std::cell::Cell;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url, retry};
use rustls::ClientConfig;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::diagnosis::{self, RawAnswer};
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

/// How long an error's page is read to tell who sent it.
const PAGE_TIMEOUT: Duration = Duration::from_millis(500);

/// The name of the relay: Cloudflare's Browser Integrity Check stops requests without one.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A person's Home Assistant.
pub struct HomeAssistant {
    base_url: Url,
    extra_headers: HeaderMap,
    tls: ClientConfig,
    client_certificate: Arc<ClientCertificate>,
    /// The client with the connection that was used last, and when.
    idle: Cell<Option<(Client, SystemTime)>>,
}

/// One request.
pub struct Request {
    /// Where to, under `BASE_URL`.
    pub path: &'static str,
    pub token: Token,
    /// The event, byte for byte.
    pub body: Bytes,
    /// Whether an empty answer is one.
    pub accepts_nothing: bool,
    /// The fault where Home Assistant refuses the token.
    pub refused: Fault,
    /// True once a byte of it may have reached Home Assistant.
    pub is_sent: Arc<AtomicBool>,
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
            base_url: config.base_url,
            extra_headers: config.extra_headers,
            idle: Cell::default(),
        }
    }

    /// Sends an event and reads the answer.
    ///
    /// It is sent a second time only where nothing of it was: the name, the connection or the handshake failed.
    ///
    /// # Errors
    /// Everything but a 2xx with JSON, or with nothing where that is accepted.
    pub async fn post(&self, request: &Request) -> Result<Answer, Failure> {
        // By the wall clock, for the monotonic one may stop while the function is frozen.
        let is_fresh = |since: &SystemTime| since.elapsed().is_ok_and(|idle| idle <= MAX_IDLE);
        let client = self.idle.take().filter(|(_, since)| is_fresh(since)).map(|(client, _)| client);
        let client = client.unwrap_or_else(|| self.client());
        match self.exchange(client, request).await {
            Err(failure) if !request.is_sent.load(Relaxed) && failure.fault.is_transient => {
                sleep(RETRY_PAUSE).await;
                self.exchange(self.client(), request).await
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

    /// The address of a path at Home Assistant.
    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        // Home Assistant answers 404 to `//api/alexa`.
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// Looks whether Home Assistant can be reached at this path, by a GET without a token: it answers 405 before it looks
    /// for one, so that no login fails.
    ///
    /// # Errors
    /// What would keep a POST from Home Assistant.
    pub async fn check(&self, path: &str) -> Result<(), Failure> {
        let answer = self.send(self.client().get(self.url(path))).await?;
        if diagnosis::is_home_assistant(StatusCode::METHOD_NOT_ALLOWED, &answer.body) {
            return Ok(());
        }
        let fault = if answer.status.is_success() { Fault::NOT_HOME_ASSISTANT } else { diagnosis::of_answer(&answer) };
        Err(refusal(&answer, fault.into()))
    }

    async fn exchange(&self, client: Client, request: &Request) -> Result<Answer, Failure> {
        let post = client
            .post(self.url(request.path))
            .header(AUTHORIZATION, request.token.authorization().clone())
            .header(CONTENT_TYPE, "application/json")
            // The body has lost its length, and would go chunked.
            .header(CONTENT_LENGTH, request.body.len())
            .body(body(request));
        let answer = self.send(post).await?;
        let body = reply_in(&answer, request.accepts_nothing).map_err(|problem| {
            let fault = diagnosis::of_answer(&answer);
            let fault = if fault == Fault::TOKEN_REFUSED { request.refused } else { fault };
            Failure { source: problem.map(Into::into), ..refusal(&answer, fault.into()) }
        })?;
        self.client_certificate.set_accepted();
        self.idle.set(Some((client, SystemTime::now())));
        Ok(Answer { status: answer.status, body })
    }

    /// Sends a request and reads the answer: its whole body; of an error's page, as much as comes soon.
    async fn send(&self, request: RequestBuilder) -> Result<RawAnswer, Failure> {
        let start = Instant::now();
        let mut response = request.send().await.map_err(|error| self.failure(error))?;
        let (url, status, headers) = (response.url().clone(), response.status(), take(response.headers_mut()));
        let mut answer = RawAnswer { url, status, headers, body: Vec::new(), waited: start.elapsed() };
        let read = self.read_body(&mut response, &mut answer.body);
        if !status.is_success() {
            let _ = timeout(PAGE_TIMEOUT, read).await;
        } else if let Err(failure) = read.await {
            return Err(refusal(&answer, failure));
        }
        Ok(answer)
    }

    async fn read_body(&self, response: &mut Response, body: &mut Vec<u8>) -> Result<(), Failure> {
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                let problem = "it is larger than the 6 MB that Lambda passes on";
                return Err(Failure::from(Fault::UNUSABLE_ANSWER).with_source(problem));
            }
        }
        Ok(())
    }

    fn failure(&self, error: reqwest::Error) -> Failure {
        let fault = diagnosis::of_error(&error, &self.base_url, &self.client_certificate);
        Failure::from(fault).with_source(error.without_url())
    }
}

/// A failure, and the answer that tells of it.
fn refusal(answer: &RawAnswer, failure: Failure) -> Failure {
    Failure { status: Some(answer.status), response: Some(diagnosis::response(answer)), ..failure }
}

/// What is for Alexa in an answer; or what is wrong with its JSON.
fn reply_in(answer: &RawAnswer, accepts_nothing: bool) -> Result<Box<RawValue>, Option<String>> {
    match answer.body.trim_ascii() {
        _ if !answer.status.is_success() => Err(None),
        b"" if accepts_nothing => Ok(reply::empty()),
        b"" => Err(Some("it is empty".to_owned())),
        json => serde_json::from_slice(json).map_err(|error| Some(format!("it is not JSON: {error}"))),
    }
}

/// An event as a request's body, which notes when it is written: hyper asks for it once a connection stands, and writes
/// the head and the body together.
fn body(request: &Request) -> Body {
    let is_sent = Arc::clone(&request.is_sent);
    Body::wrap(Full::new(request.body.clone()).map_frame(move |frame| {
        is_sent.store(true, Relaxed);
        frame
    }))
}
