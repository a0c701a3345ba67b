//! Home Assistant over HTTP: one POST, and what came of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode, Url, redirect, retry};
use rustls::RootCertStore;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::diagnosis;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::tls;
use crate::token::Token;

/// What Lambda hands on at most, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// How much of an error's page is read to tell who sent it, in bytes, and how long that is waited for.
const MAX_HINT: usize = 16 * 1024;
const HINT_TIME: Duration = Duration::from_millis(500);

/// Three SYNs go out in this time (at 0, 1 and 3 s), and enough of Alexa's 8 s is left to say what is wrong.
const CONNECT_TIME: Duration = Duration::from_secs(4);

/// A slow home acknowledges a request at once and answers later; where there is no acknowledgement in this time, the
/// way there is dead. Less than the time allowed, so that the two are told apart.
const ACKNOWLEDGE_TIME: Duration = Duration::from_secs(5);

/// Less than the least time after which a server closes an idle connection: nginx 60 or 75 s, Home Assistant 75 s.
const IDLE_TIME: Duration = Duration::from_secs(50);

/// The gap that a restarting proxy leaves.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// The smallest reply that Alexa takes. Home Assistant before mid-2022 answers a SessionEndedRequest with nothing.
const EMPTY_REPLY: &str = r#"{"version":"1.0","response":{}}"#;

/// A person's Home Assistant.
pub struct Home {
    client: Client,
    endpoint: Url,
}

/// What Home Assistant answered.
pub struct Answer {
    /// 2xx.
    pub status: StatusCode,
    /// The bytes for Alexa.
    pub body: Box<RawValue>,
}

/// Whether a byte of a request may have reached Home Assistant.
#[derive(Clone, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    /// True from the moment on at which the request is being written.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Home {
    /// The home of these settings; `roots` are the authorities that its certificate may come from.
    pub fn new(config: &Config, roots: RootCertStore) -> Self {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(roots, config.verify_certificates))
            // Cloudflare's Browser Integrity Check stops requests without one.
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIME)
            .pool_idle_timeout(IDLE_TIME)
            // A probe that goes unanswered because the function is frozen would close a connection on which Home
            // Assistant is still working.
            .tcp_keepalive(None)
            .tcp_user_timeout(ACKNOWLEDGE_TIME)
            .build()
            .expect("the client's settings are constant");
        Self { client, endpoint: config.endpoint.clone() }
    }

    /// Sends `event` and reads the answer.
    ///
    /// It is sent a second time only where nothing of it was: the name, the connection or the handshake failed.
    ///
    /// # Errors
    /// Everything that is not a 2xx with JSON, or with nothing.
    pub async fn post(&self, token: &Token, event: Bytes, sent: &Sent) -> Result<Answer, Failure> {
        match self.attempt(token, event.clone(), sent).await {
            Err(failure) if !sent.get() && failure.fault.may_pass() => {
                sleep(RETRY_PAUSE).await;
                self.attempt(token, event, sent).await
            }
            outcome => outcome,
        }
    }

    async fn attempt(&self, token: &Token, event: Bytes, sent: &Sent) -> Result<Answer, Failure> {
        let mut response = self
            .client
            .post(self.endpoint.clone())
            .header(AUTHORIZATION, token.authorization())
            .header(CONTENT_TYPE, "application/json")
            .body(reqwest::Body::wrap(Outgoing { event: Some(event), sent: sent.clone() }))
            .send()
            .await
            .map_err(broken)?;
        let status = response.status();
        let seen = token.blanked_in(&diagnosis::seen(&self.endpoint, status, response.headers()));
        let failure = |fault| Failure { fault, status: Some(status), seen: seen.clone(), source: None };
        if !status.is_success() {
            let hint = hint(&mut response).await;
            return Err(failure(diagnosis::of_answer(&self.endpoint, status, response.headers(), &hint)));
        }
        let body = match read(&mut response, MAX_ANSWER).await {
            Ok(Some(body)) => body,
            Ok(None) => return Err(failure(Fault::TooLarge)),
            Err(error) => return Err(Failure { status: Some(status), seen, ..broken(error) }),
        };
        let json = if body.trim_ascii().is_empty() { EMPTY_REPLY.as_bytes() } else { &body };
        let body = serde_json::from_slice(json).map_err(|error| {
            let fault = if error.is_eof() {
                Fault::CutShort
            } else {
                diagnosis::of_answer(&self.endpoint, status, response.headers(), json)
            };
            Failure { source: Some(error.into()), ..failure(fault) }
        })?;
        Ok(Answer { status, body })
    }
}

fn broken(error: reqwest::Error) -> Failure {
    let fault = diagnosis::of_error(&error);
    Failure { source: Some(error.without_url().into()), ..Failure::bare(fault) }
}

/// The whole body, or `None` where it is larger than `limit`.
async fn read(response: &mut Response, limit: usize) -> reqwest::Result<Option<Vec<u8>>> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The beginning of the body, or as much of it as comes soon.
async fn hint(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    let _ = timeout(HINT_TIME, async {
        while body.len() < MAX_HINT
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
    })
    .await;
    body
}

/// A request's body that notes when it is written: hyper asks for it once a connection stands, and writes the head
/// and the body together.
struct Outgoing {
    event: Option<Bytes>,
    sent: Sent,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.sent.0.store(true, Ordering::Relaxed);
        Poll::Ready(self.event.take().map(|event| Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        self.event.is_none()
    }

    /// Exact, so that the request has a `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.event.as_ref().map_or(0, |event| event.len() as u64))
    }
}
