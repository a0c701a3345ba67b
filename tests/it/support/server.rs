//! A server on a loopback port, with a task for each connection.

use std::fs;
use std::future::pending;
use std::iter::from_fn;
use std::mem::take;
use std::net;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

/// Runs every server of this process. Single-threaded: tokio's feature for more threads would be built into the tested
/// program too, which does not have it in a release.
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    thread::spawn(move || runtime.block_on(pending::<()>()));
    handle
});

/// A server, stopped on drop. Drop asserts that no task has panicked.
pub struct Server {
    pub port: u16,
    listener: Arc<TcpListener>,
    accepting: JoinHandle<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    accepted: AtomicUsize,
    is_resetting: AtomicBool,
    to_close: AtomicUsize,
    open: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// Passes each connection to `serve`, and closes it when that returns.
    pub fn start<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self {
        let listener = Arc::new(RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port"));
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::<Shared>::default();
        let accepting = RUNTIME.spawn({
            let (listener, shared) = (Arc::clone(&listener), Arc::clone(&shared));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    stream.set_nodelay(true).expect("a TCP socket");
                    if shared.is_resetting.load(SeqCst) {
                        stream.set_zero_linger().expect("a TCP socket");
                    }
                    shared.accepted.fetch_add(1, SeqCst);
                    let left = |left: usize| left.checked_sub(1);
                    if shared.to_close.fetch_update(SeqCst, SeqCst, left).is_ok() {
                        continue;
                    }
                    shared.open.lock().unwrap().push(tokio::spawn(serve(stream)));
                }
            }
        });
        Self { port, listener, accepting, shared }
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(SeqCst)
    }

    /// The timer that TCP runs in the client's end of each connection, as /proc/net/tcp has it.
    pub fn tcp_timers(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let port = format!(":{:04X}", self.port);
        let is_open = |row: &Vec<&str>| row[2].ends_with(&port) && row[3] == "01";
        rows.filter(is_open).map(|row| row[5][..2].to_owned()).collect()
    }

    /// Ends each new connection with a reset, as a router does that has forgotten it.
    pub fn reset_connections(&self) {
        self.shared.is_resetting.store(true, SeqCst);
    }

    /// Closes the next connections at once.
    pub fn close_next(&self, count: usize) {
        self.shared.to_close.store(count, SeqCst);
    }

    /// Answers no SYN from now on, as a machine that is off: fills the queue of new connections, and accepts none.
    pub fn drop_syns(&self) -> Vec<net::TcpStream> {
        self.accepting.abort();
        let address = self.listener.local_addr().expect("an address");
        let connect = || net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
        from_fn(|| connect().ok()).take(10_000).collect()
    }

    /// Closes all connections, as a server does after its idle timeout.
    pub fn close_all(&self) {
        for connection in take(&mut *self.shared.open.lock().unwrap()) {
            connection.abort();
            let has_panicked = RUNTIME.block_on(connection).is_err_and(|error| error.is_panic());
            assert!(!has_panicked || thread::panicking(), "a task of the server has panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = RUNTIME.block_on(&mut self.accepting);
        self.close_all();
    }
}
