//! A server on a loopback port, with a thread for each connection.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// Runs until it is dropped, which asserts that none of its threads has panicked.
pub struct Server {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    connections: AtomicUsize,
    open: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl Server {
    /// Hands each connection to `serve`, and closes it when that returns.
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (shared, serve) = (Arc::new(Shared::default()), Arc::new(serve));
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    let stream = stream.expect("a connection");
                    if shared.stopping.load(Ordering::SeqCst) {
                        return;
                    }
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    stream.set_nodelay(true).expect("a TCP socket");
                    let (serve, ours) = (Arc::clone(&serve), stream.try_clone().expect("a handle"));
                    let handle = thread::spawn(move || {
                        let end = stream.try_clone().expect("a handle");
                        serve(stream);
                        let _ = end.shutdown(Shutdown::Both);
                    });
                    shared.open.lock().unwrap().push((ours, handle));
                }
            }
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Closes all connections, as a server does that has waited long enough.
    pub fn close_all(&self) {
        for (stream, _) in self.shared.open.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Closes all connections with a reset, as a router does that has forgotten them.
    pub fn reset_all(&self) {
        for (stream, handle) in self.shared.open.lock().unwrap().drain(..) {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
            let _ = stream.shutdown(Shutdown::Read);
            // The last handle is the one that resets.
            handle.join().expect("the server did not panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.close_all();
        // Wakes `incoming`.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let mut panicked = self.accepting.take().is_some_and(|thread| thread.join().is_err());
        self.close_all();
        for (_, thread) in self.shared.open.lock().unwrap().drain(..) {
            panicked |= thread.join().is_err();
        }
        assert!(!panicked || thread::panicking(), "a thread of the server has panicked");
    }
}
