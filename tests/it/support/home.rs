//! A fake Home Assistant, which behaves as it is told and remembers what it was asked.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::{Request, response};
use super::server::Server;

/// An answer of Home Assistant to an intent.
pub const ANSWER: &str = r#"{"version":"1.0","sessionAttributes":{},"response":{"shouldEndSession":true,"outputSpeech":{"type":"PlainText","text":"OK"}}}"#;

/// A fake Home Assistant.
pub struct Home {
    server: Server,
    scheme: &'static str,
    requests: Requests,
    checks: Requests,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// A connection to the fake Home Assistant.
pub struct Connection {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    requests: Requests,
    checks: Requests,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Home {
    /// Answers every request with the same bytes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::behaving(move |connection| connection.answer_all(&answer))
    }

    /// Answers every request with 200 and this body.
    pub fn saying(body: &str) -> Self {
        Self::answering(response("200 OK", &[("content-type", "application/json")], body))
    }

    /// Does as it is told with every connection.
    pub fn behaving(behave: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let (requests, checks) = (Requests::default(), Requests::default());
        let server = Server::start({
            let (requests, checks) = (Arc::clone(&requests), Arc::clone(&checks));
            move |socket| {
                let stream = Box::new(socket.try_clone().expect("a handle"));
                behave(&mut Connection {
                    stream,
                    socket,
                    requests: Arc::clone(&requests),
                    checks: Arc::clone(&checks),
                });
            }
        });
        Self { server, scheme: "http", requests, checks }
    }

    /// The same over TLS. A handshake that fails ends the connection.
    pub fn over_tls(config: ServerConfig, behave: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let config = Arc::new(config);
        let home = Self::behaving(move |connection| connection.over_tls(&config, &behave));
        Self { scheme: "https", ..home }
    }

    /// What `BASE_URL` is to be.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.server.port)
    }

    /// The GETs that were answered so far: the relay looks so whether Home Assistant can be reached.
    pub fn checks(&self) -> Vec<Request> {
        self.checks.lock().unwrap().clone()
    }

    /// The POSTs that were read so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The one request that was read.
    pub fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().expect("one")
    }

    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    pub fn close_all(&self) {
        self.server.close_all();
    }

    pub fn reset_all(&self) {
        self.server.reset_all();
    }
}

impl Connection {
    /// Goes on over TLS, if the handshake succeeds.
    pub fn over_tls(&mut self, config: &Arc<ServerConfig>, behave: impl Fn(&mut Self)) {
        let mut tls = ServerConnection::new(Arc::clone(config)).expect("a valid configuration");
        while tls.is_handshaking() {
            if tls.complete_io(&mut self.socket).is_err() {
                return;
            }
        }
        self.stream = Box::new(StreamOwned::new(tls, self.socket.try_clone().expect("a handle")));
        behave(self);
    }

    /// The next POST; `None` where the relay closed the connection. A GET is answered as Home Assistant does it.
    pub fn request(&mut self) -> Option<Request> {
        loop {
            let request = Request::read(&mut self.stream).ok().flatten()?;
            if request.method == "POST" {
                self.requests.lock().unwrap().push(request.clone());
                return Some(request);
            }
            self.checks.lock().unwrap().push(request);
            self.send(&response("405 Method Not Allowed", &[("allow", "POST")], "405: Method Not Allowed"));
        }
    }

    /// A request's head; nothing of its body is read.
    pub fn head(&mut self) -> Option<Request> {
        Request::read_head(&mut self.stream).ok().flatten()
    }

    /// Sends these bytes, as long as the relay takes them.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// Answers every request of the connection with these bytes.
    pub fn answer_all(&mut self, answer: &[u8]) {
        while self.request().is_some() {
            self.send(answer);
        }
    }

    /// Whether the relay hangs up within this time.
    pub fn hung_up_within(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).expect("a time");
        let end = !matches!(self.stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        self.socket.set_read_timeout(None).expect("a time");
        end
    }
}
