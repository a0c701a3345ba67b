//! Connections to Home Assistant: look up, connect, send, read. Each stage ends by itself, and reports its own fault.

use std::mem::take;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use rustls::ClientConfig;
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout};

use crate::answer::Answer;
use crate::config::Config;
use crate::diagnosis::{self, Attempt};
use crate::failure::Failure;
use crate::fault::Fault;
use crate::tls::{self, ClientCertificate, Handshake};

/// Alexa gives up after about 8 s; this leaves 1 s for the network.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(7);

/// The time to hand over the reply before Lambda stops the function.
const SAFETY_MARGIN: Duration = Duration::from_millis(500);

/// How much earlier than the event a stage ends, to report its own fault.
const STAGE_MARGIN: Duration = Duration::from_millis(50);

/// How long a name server may take. The system's own limit is 10 s and more.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(4);

/// How long connecting may take, TLS included. Three SYNs are sent in this time (at 0, 1 and 3 s), and enough of
/// Alexa's 8 s is left to say what is wrong.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The same for a name with several addresses. hyper divides it equally: with two, each still gets three SYNs.
const CONNECT_TIMEOUT_OF_SEVERAL: Duration = Duration::from_millis(6_500);

/// A slow home acknowledges a request at once and answers later. If it does not acknowledge in this time, the
/// connection is dead. Shorter than a request may take, so that the two can be told apart.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for the rest of an error page, which shows who sent it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// The largest answer that Lambda passes on, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// Cloudflare's Browser Integrity Check stops requests without a user agent.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// How long connecting may take to a name with this many addresses.
fn connect_timeout(addresses: usize) -> Duration {
    if addresses == 1 { CONNECT_TIMEOUT } else { CONNECT_TIMEOUT_OF_SEVERAL }
}

/// When Alexa must have her reply.
#[derive(Clone, Copy)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// That of an invocation which began at `start`, and which Lambda ends at `lambdas`.
    pub fn new(start: Instant, lambdas: SystemTime) -> Self {
        Self(start + time_allowed(lambdas, SystemTime::now()))
    }

    /// This one, or an earlier one after `time` from now.
    pub fn within(self, time: Duration) -> Self {
        Self(self.0.min(Instant::now() + time))
    }

    /// Whether this time, and then some for a stage, is left.
    pub fn allows(self, time: Duration) -> bool {
        Instant::now() + time + STAGE_MARGIN < self.0
    }

    /// The time for a stage that may take up to `limit`. The stages of a late request have all of it.
    fn stage(self, limit: Duration) -> Duration {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { limit } else { limit.min(left.saturating_sub(STAGE_MARGIN)) }
    }
}

/// How long an invocation may wait for Home Assistant. Ignores a deadline in the past: `cargo lambda watch` sets one in
/// 1970.
fn time_allowed(deadline: SystemTime, now: SystemTime) -> Duration {
    let left = deadline.duration_since(now).unwrap_or(Duration::MAX);
    RESPONSE_DEADLINE.min(left.saturating_sub(SAFETY_MARGIN).max(left / 2))
}

/// Whether a byte of an event may have left: the one thing that the stages share. Such an event must not be sent again.
#[derive(Clone, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    pub fn set(&self) {
        self.0.store(true, Relaxed);
    }

    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Makes connections to `BASE_URL`.
pub struct Connector {
    base_url: Url,
    tls: ClientConfig,
    client_certificate: Arc<ClientCertificate>,
    extra_headers: HeaderMap,
}

impl Connector {
    /// Connects as these settings say.
    pub fn new(config: Config) -> Self {
        let client_certificate =
            Arc::new(ClientCertificate { certificate: config.client_certificate, ..Default::default() });
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

    /// A client without a connection.
    ///
    /// # Errors
    /// The name has no address that can be reached from here.
    pub async fn new_client(&self, deadline: Deadline) -> Result<Client, Failure> {
        let addresses = lookup(&self.base_url, deadline).await?;
        let client = Client::builder()
            // The same verifier and resolver for all clients: rustls resumes a session only with these.
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(USER_AGENT)
            .default_headers(self.extra_headers.clone())
            .resolve_to_addrs(self.base_url.host_str().unwrap_or_default(), &addresses)
            .connect_timeout(deadline.stage(connect_timeout(addresses.len())))
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
    /// `sent` is that of an event; a check has none, as it may be sent twice. An event that was sent is waited for as
    /// long as the caller likes.
    ///
    /// # Errors
    /// There is no whole answer.
    pub async fn send(
        &self,
        request: RequestBuilder,
        is_new: bool,
        sent: Option<&Sent>,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let start = Instant::now();
        let (response, handshake) = Handshake::watch(request.send()).await;
        let failure = |error: reqwest::Error| {
            let refusal = handshake.is_certificate_requested.get().then(|| self.client_certificate.refusal());
            // TLS 1.2 ends its handshake with the verdict, TLS 1.3 before it.
            let may_refuse = error.is_connect() || handshake.is_tls13.get();
            let is_accepted = self.client_certificate.is_accepted.load(Relaxed);
            let attempt = Attempt {
                is_https: self.base_url.scheme() == "https",
                is_new,
                is_sent: sent.is_none_or(Sent::get),
                silence: if handshake.has_begun.get() { Fault::HandshakeSilent } else { Fault::NoConnection },
                refusal_by_alert: refusal,
                refusal_by_closing: refusal.filter(|_| may_refuse && !is_accepted),
            };
            Failure::from(diagnosis::classify_error(&error, &attempt))
                .with_source(error.without_url())
                .with_arrival(sent.is_some_and(Sent::get))
        };
        let mut response = response.map_err(&failure)?;
        if handshake.is_certificate_requested.get() {
            self.client_certificate.is_accepted.store(true, Relaxed);
        }
        let (url, status, headers) = (response.url().clone(), response.status(), take(response.headers_mut()));
        let mut answer = Answer { url, status, headers, body: Vec::new(), waited: start.elapsed() };
        if !status.is_success() {
            let _ = timeout(deadline.stage(PAGE_TIMEOUT), read_body(&mut response, &mut answer.body)).await;
            return Ok(answer);
        }
        match read_body(&mut response, &mut answer.body).await {
            Ok(true) => Ok(answer),
            Ok(false) => Err(Failure::from(Fault::AnswerTooLarge).with_answer(Answer { body: Vec::new(), ..answer })),
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

/// Looks up the addresses of a URL's host that can be reached from here.
///
/// Those of IPv6 only if there are no others: Lambda seldom has a route for them, and hyper would report their error.
async fn lookup(url: &Url, deadline: Deadline) -> Result<Vec<SocketAddr>, Failure> {
    let limit = deadline.stage(LOOKUP_TIMEOUT);
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let lookup = lookup_host((host, url.port_or_known_default().unwrap_or_default()));
    let mut addresses: Vec<_> = match timeout(limit, lookup).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            // glibc's texts for EAI_AGAIN and EAI_FAIL, which std passes on without the codes.
            let text = error.to_string();
            let has_failed = ["Temporary failure", "Non-recoverable failure"].iter().any(|words| text.contains(words));
            let fault = if has_failed { Fault::NameServerFailed } else { Fault::NameNotFound };
            return Err(Failure::from(fault).with_source(error));
        }
        Err(_) => {
            let text = format!("no answer in {} ms", limit.as_millis());
            return Err(Failure::from(Fault::NameServerFailed).with_source(text));
        }
    };
    prefer_ipv4(&mut addresses);
    match addresses.first() {
        None => Err(Fault::NameNotFound.into()),
        Some(first) if first.is_ipv6() && !has_route(*first).await => Err(Fault::OnlyIpv6.into()),
        Some(_) => Ok(addresses),
    }
}

fn prefer_ipv4(addresses: &mut Vec<SocketAddr>) {
    if addresses.iter().any(SocketAddr::is_ipv4) {
        addresses.retain(SocketAddr::is_ipv4);
    }
}

/// Whether there is a route to this IPv6 address. Sends nothing.
async fn has_route(address: SocketAddr) -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await else { return false };
    socket.connect(address).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    use tokio::runtime::Builder;
    use tokio::task::spawn_blocking;

    use super::*;

    async fn found(url: &str, deadline: Deadline) -> Result<Vec<SocketAddr>, Fault> {
        lookup(&Url::parse(url).unwrap(), deadline).await.map_err(|failure| failure.fault)
    }

    /// A fourth SYN, at 7 s, would come too late for Alexa.
    #[test]
    fn each_address_gets_three_syns() {
        for (each, addresses) in [(connect_timeout(1), 1), (connect_timeout(2) / 2, 2)] {
            assert!((3_200..=4_000).contains(&each.as_millis()), "{addresses}: {each:?}");
        }
    }

    #[test]
    fn second_try_needs_time() {
        let soon = Deadline(Instant::now() + PAGE_TIMEOUT);
        assert!(soon.allows(PAGE_TIMEOUT / 2) && !soon.allows(PAGE_TIMEOUT));
    }

    #[test]
    fn alexa_and_lambda_limit_the_time() {
        let now = SystemTime::now();
        let allowed = |left| time_allowed(now + Duration::from_millis(left), now).as_millis();
        assert_eq!(allowed(10_000), 7_000);
        assert_eq!(allowed(3_000), 2_500);
        assert_eq!(allowed(600), 300);
        assert_eq!(time_allowed(SystemTime::UNIX_EPOCH, now).as_millis(), 7_000);
    }

    #[test]
    fn template_allows_more_time_than_the_relay() {
        let mut lines = include_str!("../template.yaml").lines();
        let timeout = lines.find_map(|line| line.trim().strip_prefix("Timeout: ")).expect("a timeout");
        assert!(timeout.parse::<u64>().unwrap() > RESPONSE_DEADLINE.as_secs() + 1, "Alexa waits 8 s");
    }

    #[test]
    fn late_request_has_a_stages_whole_time() {
        assert_eq!(Deadline(Instant::now()).stage(PAGE_TIMEOUT), PAGE_TIMEOUT);
        assert!(Deadline(Instant::now() + PAGE_TIMEOUT).stage(PAGE_TIMEOUT) <= PAGE_TIMEOUT.mul_f32(0.99));
    }

    /// A machine without IPv6 has no route to its own IPv6 address either.
    #[tokio::test]
    async fn ipv6_addresses_need_a_route() {
        let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
        let soon = Deadline(Instant::now() + LOOKUP_TIMEOUT);
        let expected = if has_ipv6 { Ok(vec!["[::1]:8123".parse().unwrap()]) } else { Err(Fault::OnlyIpv6) };
        assert_eq!(found("http://[::1]:8123", soon).await, expected);
        assert_eq!(found("https://127.0.0.1", soon).await, Ok(vec!["127.0.0.1:443".parse().unwrap()]));
    }

    #[test]
    fn ipv6_is_only_for_names_without_ipv4() {
        for (found, kept) in [
            ("[::1]:1 127.0.0.1:1 [::2]:1 127.0.0.2:1", "127.0.0.1:1 127.0.0.2:1"),
            ("[::1]:1 [::2]:1", "[::1]:1 [::2]:1"),
            ("127.0.0.1:1", "127.0.0.1:1"),
        ] {
            let parse = |text: &str| text.split(' ').map(|address| address.parse().unwrap()).collect::<Vec<_>>();
            let mut addresses = parse(found);
            prefer_ipv4(&mut addresses);
            assert_eq!(addresses, parse(kept));
        }
    }

    #[test]
    fn lookup_that_does_not_end_is_named() {
        // The lookup waits for the only thread that it may use.
        let (end, is_over) = channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            spawn_blocking(move || is_over.recv());
            let soon = Deadline(Instant::now() + Duration::from_millis(200));
            assert_eq!(found("http://localhost", soon).await, Err(Fault::NameServerFailed));
            drop(end);
        });
    }
}
