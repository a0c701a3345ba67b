//! A fake Home Assistant: gives the answers of a test and records the requests.

use std::future::ready;
use std::sync::{Arc, Mutex};

use hyper::Method;
use hyper::body::Bytes;
use rustls::{HandshakeKind, ServerConfig};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::http::{self, Answer, Request, answer};
use super::relay::Relay;
use super::server::Server;

/// An answer of Home Assistant to an intent.
pub const ANSWER: &str = r#"{"version":"1.0","sessionAttributes":{},"response":{"shouldEndSession":true,"outputSpeech":{"type":"PlainText","text":"OK"}}}"#;

/// An answer of Home Assistant to a directive.
pub const EVENT: &str =
    r#"{"event":{"header":{"namespace":"Alexa","name":"Response","payloadVersion":"3"},"payload":{}}}"#;

/// The token of a request that [`Home::slow`] answers late.
pub const SLOW: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiI5ZDBiN2M2YTVlNGY0MzIxOGY2ZTVkNGMzYjJhMTkwOCIsImlhdCI6MTc2NDA5NDU5OSwiZXhwIjoyMDc5NDU0NTg4fQ.i-035EjVs_VwJXt5irCDUs_aAzhfivLRiilUx7JoROE";

/// A fake Home Assistant.
pub struct Home {
    pub server: Server,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
}

/// The kind of a TLS handshake, and the protocol on which both sides agreed (ALPN).
pub type Handshake = (HandshakeKind, Option<Vec<u8>>);

impl Home {
    /// Answers requests and directives, each in its way.
    pub fn new() -> Self {
        Self::start(None, |request| ready(answer(200, &[], reply(&request))))
    }

    /// Answers every request with 200 and this body.
    pub fn saying(body: impl Into<Bytes>) -> Self {
        Self::answering(answer(200, &[("content-type", "application/json")], body))
    }

    /// Gives every POST this answer, and every GET the answer of Home Assistant.
    pub fn answering(answer: Answer) -> Self {
        Self::start(None, constant(answer))
    }

    /// The same over TLS. A handshake that fails ends the connection.
    pub fn over_tls(config: ServerConfig, answer: Answer) -> Self {
        Self::start(Some(config), constant(answer))
    }

    /// Calls `decide` for the answer to each request, whatever its method.
    pub fn start<F>(tls: Option<ServerConfig>, decide: impl Fn(Request) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let handshakes = Arc::<Mutex<Vec<Handshake>>>::default();
        let seen = Arc::clone(&handshakes);
        let decide = Arc::new({
            let requests = Arc::clone(&requests);
            move |request: Request| {
                requests.lock().unwrap().push(request.clone());
                decide(request)
            }
        });
        let server = Server::start(move |stream| {
            let (tls, decide, seen) = (tls.clone(), Arc::clone(&decide), Arc::clone(&seen));
            async move {
                let Some(tls) = tls else { return http::serve(stream, &*decide).await };
                let Ok(stream) = tls.accept(stream).await else { return };
                let (_, tls) = stream.get_ref();
                let kind = tls.handshake_kind().expect("the handshake is over");
                seen.lock().unwrap().push((kind, tls.alpn_protocol().map(<[u8]>::to_vec)));
                http::serve(stream, &*decide).await;
            }
        });
        Self { server, scheme, requests, handshakes }
    }

    /// Answers others at once; a request with the token [`SLOW`] waits for a permit and gets this status and its token.
    pub fn slow(status: u16) -> (Self, &'static Semaphore) {
        let permits: &Semaphore = Box::leak(Box::new(Semaphore::new(0)));
        let home = Self::start(None, move |request| async move {
            if request.headers()["authorization"] != format!("Bearer {SLOW}") {
                return answer(200, &[], ANSWER);
            }
            permits.acquire().await.expect("it is never closed").forget();
            answer(status, &[("server", SLOW)], reply(&request).replace("OK", SLOW))
        });
        (home, permits)
    }

    /// Hands each connection to `serve`, for what no HTTP library does.
    pub fn raw<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self {
        Self { server: Server::start(serve), scheme: "http", requests: Arc::default(), handshakes: Arc::default() }
    }

    /// The value for `BASE_URL`.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.server.port)
    }

    /// The program with this home and these other settings.
    pub fn relay(&self, settings: &[(&str, &str)]) -> Relay {
        Relay::start(&[&[("BASE_URL", &*self.url())], settings].concat())
    }

    /// The POSTs so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests_by(&Method::POST)
    }

    /// The GETs so far, by which the relay checks that it can reach Home Assistant.
    pub fn checks(&self) -> Vec<Request> {
        self.requests_by(&Method::GET)
    }

    fn requests_by(&self, method: &Method) -> Vec<Request> {
        self.requests.lock().unwrap().iter().filter(|request| request.method() == method).cloned().collect()
    }

    /// The only POST.
    pub fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().expect("one")
    }

    /// The TLS handshakes so far.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.server.connections()
    }
}

fn reply(request: &Request) -> &'static str {
    if request.uri().path().ends_with("/smart_home") { EVENT } else { ANSWER }
}

fn constant(post: Answer) -> impl Fn(Request) -> std::future::Ready<Answer> {
    let get = answer(405, &[("allow", "POST")], "405: Method Not Allowed");
    move |request| ready(if request.method() == Method::GET { get.clone() } else { post.clone() })
}
