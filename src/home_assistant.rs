//! Home Assistant over HTTP: one POST and its answer.
//!
//! Lambda freezes the process between two events. Meanwhile an idle connection may be closed or lost without a sign, and
//! a request that was sent on such a connection must not be sent again: it may have arrived.

use std::cell::{Cell, RefCell};
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::diagnosis::{self, Attempt};
use crate::dns;
use crate::event::has_object;
use crate::failure::{Failure, RawAnswer};
use crate::fault::Fault;
use crate::reply;
use crate::secret::Token;
use crate::tls::{self, ClientCertificate};

/// How long connecting may take, TLS included. Three SYNs are sent in this time (at 0, 1 and 3 s), and enough of Alexa's
/// 8 s is left to say what is wrong.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The same for a name with several addresses: hyper gives each an equal part, in which two addresses still get three SYNs.
const CONNECT_TIMEOUT_OF_SEVERAL: Duration = Duration::from_millis(6_500);

/// A slow home acknowledges a request at once and answers later. If it does not acknowledge in this time, the connection
/// is dead. Shorter than a request may take, so that the two can be told apart.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be idle and still be used again: some servers close it after 5 s.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// How long a proxy is gone while it restarts.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// The largest answer that Lambda passes on, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// How long to wait for the rest of an error page, which shows who sent it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Cloudflare's Browser Integrity Check stops requests without a user agent.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A person's Home Assistant.
pub struct HomeAssistant {
    base_url: Url,
    relay: Identity,
    /// What account linking needs and these settings do not give, which no check can show.
    pub linking_needs: Option<String>,
    /// The last connection that answered in time, and when it became idle.
    idle: Cell<Option<(Connection, SystemTime)>>,
}

/// What a client shows of itself.
struct Identity {
    tls: ClientConfig,
    client_certificate: Arc<ClientCertificate>,
    headers: HeaderMap,
}

/// An event to send.
pub struct Post {
    /// The path under `BASE_URL`.
    pub path: &'static str,
    pub token: Token,
    /// The event, byte for byte.
    pub body: Bytes,
    /// The object that the answer must have.
    pub answer_field: &'static str,
    /// Whether an empty answer is valid.
    pub allow_empty: bool,
    pub progress: Rc<Progress>,
}

/// What is known of a request that is under way, for when its time is up.
#[derive(Default)]
pub struct Progress {
    /// Whether a byte of it may have arrived.
    pub is_sent: Arc<AtomicBool>,
    is_looking_up: Cell<bool>,
    /// The fault that is certain already: of the first try, or of an answer that is still being read.
    pub failure: RefCell<Option<Failure>>,
}

impl Progress {
    /// Whether the request has been sent, and its answer has not begun.
    pub fn is_waiting(&self) -> bool {
        self.is_sent.load(Relaxed) && self.failure.borrow().as_ref().is_none_or(|failure| failure.answer.is_none())
    }
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
        let client_certificate = Arc::new(ClientCertificate::new(config.client_certificate));
        let own_cas = config.verify_certificates.then_some(&*config.ca_certificates);
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
            relay: Identity {
                tls: tls::client_config(own_cas, Arc::clone(&client_certificate)),
                client_certificate,
                headers: config.extra_headers,
            },
            base_url: config.base_url,
            idle: Cell::default(),
        }
    }

    /// Sends an event and reads the answer.
    ///
    /// It is sent a second time only if nothing of it was sent: the name, the connection or the handshake failed.
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

    /// The fault of a request whose time is up.
    pub fn unfinished(&self, progress: &Progress) -> Failure {
        let is_handshaking = self.relay.client_certificate.is_handshaking();
        progress.failure.take().unwrap_or_else(|| match () {
            () if progress.is_sent.load(Relaxed) => Fault::NoAnswer.into(),
            () if progress.is_looking_up.get() => Fault::NameServerFailed.into(),
            () if is_handshaking => Fault::HandshakeSilent.into(),
            () => Fault::NoConnection.into(),
        })
    }

    /// Keeps a connection for the next event. Not for that of a late answer: while the function was frozen, the answer
    /// came and the connection may have been idle for minutes.
    pub fn keep(&self, connection: Connection) {
        self.idle.set(Some((connection, SystemTime::now())));
    }

    /// Checks whether events can reach this path.
    ///
    /// # Errors
    /// What would keep a POST from Home Assistant.
    pub async fn check(&self, path: &str, progress: &Progress) -> Result<(), Failure> {
        self.look(&self.relay, path, progress).await
    }

    /// Checks whether account linking can reach Home Assistant: as Amazon's servers, which have neither the extra headers
    /// nor the client certificate.
    ///
    /// # Errors
    /// What would keep Amazon's servers from Home Assistant.
    pub async fn check_linking(&self, progress: &Progress) -> Result<(), Failure> {
        let client_certificate = Arc::<ClientCertificate>::default();
        let mut tls = self.relay.tls.clone();
        tls.client_auth_cert_resolver = Arc::clone(&client_certificate) as _;
        let amazon = Identity { tls, client_certificate, headers: HeaderMap::new() };
        self.look(&amazon, "/auth/token", progress).await
    }

    /// A GET without a token: Home Assistant answers 405 before it looks for one, so that it counts no failed login.
    async fn look(&self, identity: &Identity, path: &str, progress: &Progress) -> Result<(), Failure> {
        let client = self.new_client(identity, progress).await?;
        // Not to be told as unsent if the connection is closed.
        progress.is_sent.store(true, Relaxed);
        let answer = self.send(identity, client.get(self.url(path)), true, progress).await?;
        if diagnosis::is_home_assistant(StatusCode::METHOD_NOT_ALLOWED, &answer.body) {
            return Ok(());
        }
        let fault = match diagnosis::classify_answer(&answer) {
            // Whoever answers a GET with JSON is not Home Assistant.
            Fault::UnusableAnswer | Fault::EmptyAnswer => Fault::NotHomeAssistant,
            fault => fault,
        };
        Err(Failure::from(fault).with_answer(answer))
    }

    /// A client without a connection. All clients of an identity share their TLS sessions.
    async fn new_client(&self, identity: &Identity, progress: &Progress) -> Result<Client, Failure> {
        progress.is_looking_up.set(true);
        let addresses = dns::lookup(&self.base_url).await?;
        progress.is_looking_up.set(false);
        identity.client_certificate.expect_connection();
        let connect_timeout = if addresses.len() == 1 { CONNECT_TIMEOUT } else { CONNECT_TIMEOUT_OF_SEVERAL };
        let client = Client::builder()
            .tls_backend_preconfigured(identity.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(identity.headers.clone())
            .resolve_to_addrs(self.base_url.host_str().unwrap_or_default(), &addresses)
            .connect_timeout(connect_timeout)
            .tcp_user_timeout(ACKNOWLEDGE_TIMEOUT)
            // No TCP keep-alive: a probe that a frozen function cannot answer would close a connection on which Home
            // Assistant is still working.
            .tcp_keepalive(None)
            .tcp_keepalive_interval(None)
            .tcp_keepalive_retries(None)
            // Other HTTP clients read such headers too, so proxies are full of them.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .redirect(Policy::none())
            .no_proxy()
            .build();
        Ok(client.expect("reqwest and this program use the same rustls"))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        // Home Assistant answers 404 to `//api/alexa`.
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    async fn exchange(&self, idle: Option<Connection>, post: &Post) -> Result<(Answer, Connection), Failure> {
        let is_new = idle.is_none();
        let client = match idle {
            Some(Connection(client)) => client,
            None => self.new_client(&self.relay, &post.progress).await?,
        };
        let request = client
            .post(self.url(post.path))
            .header(AUTHORIZATION, post.token.authorization().clone())
            .header(CONTENT_TYPE, "application/json")
            // The wrapped body hides its length. Without this header the request would be chunked.
            .header(CONTENT_LENGTH, post.body.len())
            .body(wrap_body(post));
        let answer = self.send(&self.relay, request, is_new, &post.progress).await?;
        match extract_reply(&answer, post) {
            Ok(body) => Ok((Answer { status: answer.status, body }, Connection(client))),
            Err(failure) => Err(failure.with_answer(answer)),
        }
    }

    /// Sends a request and reads the answer: all of a 2xx, and of an error page as much as comes soon.
    async fn send(
        &self,
        identity: &Identity,
        request: RequestBuilder,
        is_new: bool,
        progress: &Progress,
    ) -> Result<RawAnswer, Failure> {
        let start = Instant::now();
        let failure = |error: reqwest::Error| {
            let attempt = Attempt {
                is_https: self.base_url.scheme() == "https",
                is_new,
                is_sent: progress.is_sent.load(Relaxed),
                client_certificate: &identity.client_certificate,
            };
            Failure::from(diagnosis::classify_error(&error, &attempt)).with_source(error.without_url())
        };
        let mut response = request.send().await.map_err(failure)?;
        identity.client_certificate.note_answer();
        let (url, status, headers) = (response.url().clone(), response.status(), take(response.headers_mut()));
        let mut answer = RawAnswer { url, status, headers, body: Vec::new(), waited: start.elapsed() };
        if !status.is_success() {
            let failure = Failure::from(diagnosis::classify_answer(&answer)).with_answer(answer.clone());
            progress.failure.replace(Some(failure));
            let _ = timeout(PAGE_TIMEOUT, read_body(&mut response, &mut answer.body)).await;
            return Ok(answer);
        }
        match read_body(&mut response, &mut answer.body).await {
            Ok(true) => Ok(answer),
            Ok(false) => {
                Err(Failure::from(Fault::AnswerTooLarge).with_answer(RawAnswer { body: Vec::new(), ..answer }))
            }
            Err(error) => Err(failure(error).with_answer(answer)),
        }
    }
}

/// Reads a body to its end; false if it is too large.
async fn read_body(response: &mut Response, body: &mut Vec<u8>) -> reqwest::Result<bool> {
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the reply for Alexa in an answer.
fn extract_reply(answer: &RawAnswer, post: &Post) -> Result<Box<RawValue>, Failure> {
    let failure = || Failure::from(diagnosis::classify_answer(answer));
    match answer.body.trim_ascii() {
        _ if !answer.status.is_success() => Err(failure()),
        b"" if post.allow_empty => Ok(reply::empty()),
        b"" => Err(failure().with_source("it is empty")),
        json => {
            let json = serde_json::from_slice::<Box<RawValue>>(json);
            let json = json.map_err(|error| failure().with_source(format!("it is not JSON: {error}")))?;
            if has_object(&json, post.answer_field) { Ok(json) } else { Err(Fault::NotAReply.into()) }
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
