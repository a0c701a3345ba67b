//! The connection to a home: how one is made, and when a kept one may be used again.
//!
//! Lambda freezes the process between two events. A connection that was kept meanwhile may be alive, closed, or dead
//! without a sign, and a request that went out on a dead one cannot be sent again, for it may have arrived.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use hyper::http::request::Builder;
use hyper::http::uri::{Authority, Scheme};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::select;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::config::{Config, Endpoint};
use crate::diagnosis;
use crate::extra_headers::ExtraHeaders;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::tls::{self, Caller};

/// Three SYNs go out in this time (at 0, 1 and 3 s), and enough of Alexa's 8 s is left to say what is wrong.
const CONNECT_TIME: Duration = Duration::from_secs(4);

/// A slow home acknowledges a request at once and answers later; where there is no acknowledgement in this time, the
/// way there is dead. Less than the time allowed, so that the two are told apart.
const ACKNOWLEDGE_TIME: Duration = Duration::from_secs(5);

/// After this a kept connection is used only once it has answered: some servers close one that is idle for 5 s.
const TRUSTED_FOR: Duration = Duration::from_secs(4);

/// After this a kept connection is most likely dead, for nginx closes it after 60 or 75 s and routers forget it after
/// some minutes: asking it first would only take time.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// How long a kept connection that is asked has for itself. Then a fresh one is begun beside it, and the one that is
/// ready first is used: a dead one costs no more than this, and one to the other side of the world is waited for.
const HEAD_START: Duration = Duration::from_millis(100);

/// The name that the relay goes by: Cloudflare's Browser Integrity Check stops requests without one.
const AGENT: HeaderValue = HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));

/// Makes connections to one home, and keeps the one that was used last.
pub struct Connections {
    uri: Uri,
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    caller: Arc<Caller>,
    extra_headers: ExtraHeaders,
    kept: RefCell<Option<(Connection, SystemTime)>>,
}

/// A connection on which the next request can go out.
pub struct Connection(SendRequest<Outgoing>);

/// Whether a byte of a request may have reached Home Assistant.
#[derive(Clone, Default)]
pub struct Sent(Rc<Cell<bool>>);

impl Sent {
    /// True from the moment on at which the request is being written.
    pub fn get(&self) -> bool {
        self.0.get()
    }
}

impl Connections {
    /// Connections to the home of these settings.
    pub fn new(config: &Config) -> Self {
        let Endpoint { uri, server_name, .. } = config.endpoint.clone();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIME));
        // TCP's own probes stay off: one that goes unanswered because the function is frozen would close a connection
        // on which Home Assistant is still working.
        tcp.set_tcp_user_timeout(Some(ACKNOWLEDGE_TIME));
        let caller = Arc::new(Caller::new(config.client_certificate.clone()));
        let tls = (uri.scheme() == Some(&Scheme::HTTPS)).then(|| {
            let tls = tls::client_config(config, Arc::clone(&caller));
            (TlsConnector::from(Arc::new(tls)), server_name)
        });
        Self { uri, tcp, tls, caller, extra_headers: config.extra_headers.clone(), kept: RefCell::default() }
    }

    /// The kept connection where it is alive, or a fresh one that was quicker to show that; `None` where there is
    /// neither.
    pub async fn kept(&self) -> Option<Connection> {
        let (connection, since) = self.kept.take().filter(|(connection, _)| !connection.0.is_closed())?;
        // By the wall clock, for the monotonic one may stop while the function is frozen.
        match Standing::after(since.elapsed().unwrap_or(Duration::MAX)) {
            Standing::Trusted => return Some(connection),
            Standing::Doubtful => {}
            Standing::Forgotten => return None,
        }
        let mut asked = pin!(self.asked(connection));
        if let Ok(outcome) = timeout(HEAD_START, &mut asked).await {
            return outcome;
        }
        select! {
            biased;
            Some(connection) = asked => Some(connection),
            fresh = self.fresh() => fresh.ok(),
        }
    }

    /// This connection, once it has shown to be alive: any answer is a sign of that. (Home Assistant's is 405.)
    async fn asked(&self, mut connection: Connection) -> Option<Connection> {
        connection.send(self.request(Method::HEAD).body(Outgoing::default()).expect("a valid request")).await.ok()?;
        connection.0.ready().await.ok()?;
        Some(connection)
    }

    /// Makes a connection.
    ///
    /// # Errors
    /// Where there is none after 4 s, or no secure one.
    pub async fn fresh(&self) -> Result<Connection, Failure> {
        let connected = timeout(CONNECT_TIME, async {
            let tcp = self.tcp.clone().call(self.uri.clone()).await;
            let tcp = tcp.map_err(|error| Failure::caused(diagnosis::of_connect(&error), error))?;
            let Some((connector, name)) = &self.tls else { return Ok(Connection::over(tcp).await) };
            let tls = connector.connect(name.clone(), tcp.into_inner()).await;
            let tls = tls.map_err(|error| Failure::caused(diagnosis::of_handshake(&error), error))?;
            Ok(Connection::over(TokioIo::new(tls)).await)
        });
        connected.await.unwrap_or_else(|_| Err(Failure::bare(Fault::ConnectTimeout)))
    }

    /// What it means that a fresh connection was closed without a word, where that is known.
    pub fn fault_of_silence(&self) -> Option<Fault> {
        self.caller.fault_of_silence()
    }

    /// Keeps a connection whose last answer has been read.
    pub fn keep(&self, connection: Connection) {
        self.caller.note_let_in();
        self.kept.replace(Some((connection, SystemTime::now())));
    }

    /// The beginning of a request.
    pub fn request(&self, method: Method) -> Builder {
        let request = Request::builder()
            .method(method)
            .uri(self.uri.path())
            .header(HOST, self.uri.authority().map_or("", Authority::as_str))
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, HeaderValue::from_static("*/*"));
        self.extra_headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// What is to be thought of a connection that has been idle.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Trusted,
    Doubtful,
    Forgotten,
}

impl Standing {
    fn after(idle: Duration) -> Self {
        if idle <= TRUSTED_FOR {
            Self::Trusted
        } else if idle <= KEPT_FOR {
            Self::Doubtful
        } else {
            Self::Forgotten
        }
    }
}

impl Connection {
    async fn over(io: impl Read + Write + Unpin + 'static) -> Self {
        let (requests, connection) = handshake(io).await.expect("HTTP/1.1 begins without a word");
        // How it ends is told to whoever waits for an answer on it.
        spawn_local(async { drop(connection.await) });
        Self(requests)
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// Where the connection is closed before that.
    pub async fn send(&mut self, request: Request<Outgoing>) -> hyper::Result<Response<Incoming>> {
        self.0.ready().await?;
        self.0.send_request(request).await
    }
}

/// A request's body that notes when it is written: hyper asks for it once it takes the request, and writes the head
/// and the body together.
#[derive(Default)]
pub struct Outgoing {
    event: Bytes,
    sent: Sent,
}

impl Outgoing {
    /// A body that is to be sent.
    pub fn new(event: Bytes, sent: &Sent) -> Self {
        Self { event, sent: sent.clone() }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.0.set(true);
        let event = std::mem::take(&mut self.event);
        Poll::Ready((!event.is_empty()).then(|| Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        self.event.is_empty()
    }

    /// Exact, so that the request has a `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.event.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_trusted_for_seconds_and_doubtful_for_minutes() {
        for (seconds, standing) in [
            (0, Standing::Trusted),
            (4, Standing::Trusted),
            (5, Standing::Doubtful),
            (300, Standing::Doubtful),
            (301, Standing::Forgotten),
        ] {
            assert_eq!(Standing::after(Duration::from_secs(seconds)), standing, "{seconds} s");
        }
        assert_eq!(Standing::after(Duration::MAX), Standing::Forgotten, "a clock that was set back");
    }
}
