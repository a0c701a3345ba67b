//! Makes connections to Home Assistant, sends one request on one of them, and reads its answer.

use std::cell::{Cell, RefCell};
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::config::Config;
use crate::diagnosis::{self, Attempt};
use crate::dns;
use crate::failure::{Failure, RawAnswer};
use crate::fault::Fault;
use crate::tls::{self, ClientCertificate};

/// How long connecting may take, TLS included. Three SYNs are sent in this time (at 0, 1 and 3 s), and enough of Alexa's
/// 8 s is left to say what is wrong.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The same for a name with several addresses: hyper gives each an equal part, in which two addresses still get three SYNs.
const CONNECT_TIMEOUT_OF_SEVERAL: Duration = Duration::from_millis(6_500);

/// A slow home acknowledges a request at once and answers later. If it does not acknowledge in this time, the connection
/// is dead. Shorter than a request may take, so that the two can be told apart.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that Lambda passes on, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// How long to wait for the rest of an error page, which shows who sent it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Cloudflare's Browser Integrity Check stops requests without a user agent.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Makes connections to `BASE_URL`.
pub struct Connector {
    base_url: Url,
    tls: ClientConfig,
    client_certificate: Arc<ClientCertificate>,
    extra_headers: HeaderMap,
}

/// What is known of a request that is under way, for when its time is up.
#[derive(Default)]
pub struct Progress {
    /// Whether a byte of it may have arrived. A check has nothing that must not be sent twice, and sets it at once.
    pub is_sent: Arc<AtomicBool>,
    is_looking_up: Cell<bool>,
    /// The fault that is certain already: of the first try, or of an answer that is still being read.
    pub failure: RefCell<Option<Failure>>,
}

impl Progress {
    /// Whether the request has been sent and may still succeed: no error page has begun.
    pub fn is_waiting(&self) -> bool {
        self.is_sent.load(Relaxed) && self.failure.borrow().as_ref().is_none_or(|failure| failure.answer.is_none())
    }
}

impl Connector {
    /// Connects as these settings say.
    pub fn new(config: Config) -> Self {
        let client_certificate = Arc::new(ClientCertificate::new(config.client_certificate));
        let own_cas = config.verify_certificates.then_some(&*config.ca_certificates);
        Self {
            tls: tls::client_config(own_cas, Arc::clone(&client_certificate)),
            client_certificate,
            base_url: config.base_url,
            extra_headers: config.extra_headers,
        }
    }

    /// Connects as Amazon's servers do when an account is linked: without the extra headers and the client certificate.
    pub fn without_credentials(&self) -> Self {
        let client_certificate = Arc::<ClientCertificate>::default();
        let mut tls = self.tls.clone();
        tls.client_auth_cert_resolver = Arc::clone(&client_certificate) as _;
        Self { base_url: self.base_url.clone(), tls, client_certificate, extra_headers: HeaderMap::new() }
    }

    /// A client without a connection. All clients of a connector share their TLS sessions.
    pub async fn new_client(&self, progress: &Progress) -> Result<Client, Failure> {
        progress.is_looking_up.set(true);
        let addresses = dns::lookup(&self.base_url).await?;
        progress.is_looking_up.set(false);
        let connect_timeout = if addresses.len() == 1 { CONNECT_TIMEOUT } else { CONNECT_TIMEOUT_OF_SEVERAL };
        let client = Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(self.extra_headers.clone())
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

    /// The address of a path under `BASE_URL`.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        // Home Assistant answers 404 to `//api/alexa`.
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// Sends a request and reads the answer: all of a 2xx, and of an error page as much as comes soon.
    ///
    /// # Errors
    /// There is no whole answer.
    pub async fn send(&self, request: RequestBuilder, is_new: bool, progress: &Progress) -> Result<RawAnswer, Failure> {
        let start = Instant::now();
        // Not only for a new client: it also replaces a connection that was closed.
        self.client_certificate.expect_connection();
        let failure = |error: reqwest::Error| {
            let attempt = Attempt {
                is_https: self.base_url.scheme() == "https",
                is_new,
                is_sent: progress.is_sent.load(Relaxed),
                client_certificate: &self.client_certificate,
            };
            Failure::from(diagnosis::classify_error(&error, &attempt)).with_source(error.without_url())
        };
        let mut response = request.send().await.map_err(failure)?;
        self.client_certificate.note_answer();
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

    /// Checks whether requests can reach this path, by a GET without a token: Home Assistant answers 405 before it looks
    /// for one, so it counts no failed login.
    ///
    /// # Errors
    /// What would keep a request from Home Assistant.
    pub async fn check(&self, path: &str, time: Duration) -> Result<(), Failure> {
        let progress = Progress::default();
        let get = async {
            let client = self.new_client(&progress).await?;
            // Not to be told as unsent if the connection is closed.
            progress.is_sent.store(true, Relaxed);
            self.send(client.get(self.url(path)), true, &progress).await
        };
        let answer = timeout(time, get).await.unwrap_or_else(|_| Err(self.unfinished(&progress)))?;
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

    /// The fault of a request whose time is up.
    pub fn unfinished(&self, progress: &Progress) -> Failure {
        progress.failure.take().unwrap_or_else(|| match () {
            () if progress.is_sent.load(Relaxed) => Fault::NoAnswer.into(),
            () if progress.is_looking_up.get() => Fault::NameServerFailed.into(),
            () if self.client_certificate.is_handshaking() => Fault::HandshakeSilent.into(),
            () => Fault::NoConnection.into(),
        })
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::{Context, Waker};

    use tokio::runtime::Builder;
    use tokio::task::spawn_blocking;

    use super::*;

    #[test]
    fn lookup_that_does_not_end_is_named() {
        let config = Config::read(|name| (name == "BASE_URL").then(|| "http://localhost".to_owned()));
        let (connector, progress) = (Connector::new(config.ok().unwrap()), Progress::default());
        // The lookup waits for the only thread that it may use.
        let (end, is_over) = channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            spawn_blocking(move || is_over.recv());
            let client = pin!(connector.new_client(&progress));
            assert!(client.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert_eq!(connector.unfinished(&progress).fault, Fault::NameServerFailed);
            drop(end);
        });
    }
}
