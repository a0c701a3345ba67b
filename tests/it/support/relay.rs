//! The real program under a fake Lambda Runtime API.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::http::{self, Answer, Request, answer};
use super::server::Server;

/// The program, started as Lambda starts it, and ended on drop.
pub struct Relay {
    program: Child,
    output: NamedTempFile,
    events: UnboundedSender<Invocation>,
    reports: Receiver<Report>,
    invocations: AtomicUsize,
    _runtime_api: Server,
}

/// An event, its request id, and its deadline in ms since 1970.
type Invocation = (Bytes, String, u128);

/// A call of the Runtime API: when it came, and the outcome that it reported. `None`: it asked for the next event.
type Report = (Instant, Option<Outcome>);

/// The outcome of an invocation.
#[derive(Debug)]
pub enum Outcome {
    /// A reply for Alexa.
    Reply(String),
    /// A Lambda error.
    Error(Value),
}

impl Outcome {
    /// The reply. Panics if it is an error.
    pub fn reply(self) -> String {
        match self {
            Self::Reply(reply) => reply,
            Self::Error(error) => panic!("a Lambda error: {error}"),
        }
    }
}

/// The program of this build, or that in the environment variable `RELAY_PROGRAM`, such as a script that runs the one for
/// another processor in an emulator.
pub fn program() -> Command {
    Command::new(std::env::var_os("RELAY_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_alexa-relay").into()))
}

impl Relay {
    /// Starts the program with these settings; it inherits no environment variable.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::run(program(), settings).0
    }

    /// Starts the program with this `BASE_URL` as its only setting.
    pub fn to(base_url: &str) -> Self {
        Self::start(&[("BASE_URL", base_url)])
    }

    /// Starts any program like this; returns when it started.
    pub fn run(mut command: Command, settings: &[(&str, &str)]) -> (Self, Instant) {
        let (events, next) = unbounded_channel();
        let (report, reports) = mpsc::channel();
        let next = Arc::new(Mutex::new(next));
        let runtime_api = Server::start(move |stream| {
            let (next, report) = (Arc::clone(&next), report.clone());
            async move { http::serve(stream, &|request| runtime_api(request, &next, &report)).await }
        });
        let output = NamedTempFile::new().expect("a file");
        let handle = || output.as_file().try_clone().expect("a handle");
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", runtime_api.port))
            .envs([("AWS_LAMBDA_FUNCTION_NAME", "alexa-relay"), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")])
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(handle())
            .stderr(handle());
        let started = Instant::now();
        let program = command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        let invocations = AtomicUsize::new(0);
        (Self { program, output, events, reports, invocations, _runtime_api: runtime_api }, started)
    }

    /// Invokes the function with a deadline in ms since 1970, and waits for the outcome.
    pub fn invoke_by(&self, event: impl AsRef<[u8]>, deadline_ms: u128) -> Outcome {
        self.send(event, deadline_ms);
        self.outcome()
    }

    /// The reply to an event.
    pub fn reply(&self, event: impl AsRef<[u8]>) -> String {
        self.invoke_by(event, millis_from_now(10_000)).reply()
    }

    /// What Alexa says in reply to an event.
    pub fn speech(&self, event: impl AsRef<[u8]>) -> String {
        speech(&self.reply(event))
    }

    /// Sends an event, and does not wait for the outcome.
    pub fn send(&self, event: impl AsRef<[u8]>, deadline_ms: u128) {
        self.invocations.fetch_add(1, SeqCst);
        let invocation = (Bytes::copy_from_slice(event.as_ref()), self.request_id(), deadline_ms);
        self.events.send(invocation).expect("the Runtime API listens");
    }

    /// Lambda's request id of the last event sent: a new UUID for each.
    pub fn request_id(&self) -> String {
        format!("8476a536-e9f4-41e8-9739-{:012x}", self.invocations.load(SeqCst))
    }

    /// Waits for the outcome of the last event sent.
    pub fn outcome(&self) -> Outcome {
        self.wait_for(|(_, outcome)| outcome)
    }

    /// Waits for the first call of the Runtime API for which `pick` returns something.
    pub fn wait_for<T>(&self, pick: impl Fn(Report) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Ok(report) = self.reports.recv_timeout(Duration::from_millis(500)) {
                if let Some(picked) = pick(report) {
                    return picked;
                }
            } else {
                self.proc("stat");
                let is_over = start.elapsed() > Duration::from_secs(20);
                assert!(!is_over, "the program gave no answer; its log:\n{}", self.log());
            }
        }
    }

    /// All output of the program so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.output.path()).expect("the log is text")
    }

    /// The last `ms` in the log.
    pub fn ms(&self) -> u64 {
        let log = self.log();
        let (_, ms) = log.rsplit_once("ms=").expect("a request");
        ms.lines().next().and_then(|ms| ms.parse().ok()).expect("a number at the end of its line")
    }

    /// Waits until the log has this text.
    pub fn log_with(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{text:?} is not in the log:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the program; returns all its output.
    pub fn end(mut self) -> String {
        self.kill();
        self.log()
    }

    /// Freezes the program, as Lambda does between two events.
    pub fn freeze(&self) {
        self.signal("STOP");
        while !self.proc("stat").contains(") T ") {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets the program continue.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// An entry of /proc/PID/status, such as `VmRSS`, in KB.
    pub fn memory_kb(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line for it");
        line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().expect("a number")
    }

    /// The time until its next timer expires, from the arguments of the `epoll_wait` in which it sleeps.
    pub fn next_timer(&self) -> Duration {
        loop {
            let syscall = self.proc("syscall");
            let arguments: Vec<_> = syscall.split_whitespace().collect();
            // epoll_wait and epoll_pwait of x86_64, epoll_pwait of arm64.
            if let ["232" | "281" | "22", _, _, _, timeout, ..] = arguments[..] {
                let timeout = timeout.trim_start_matches("0x");
                return Duration::from_millis(u64::from_str_radix(timeout, 16).expect("a hexadecimal number"));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A file of /proc/PID. Panics if the program has ended.
    fn proc(&self, file: &str) -> String {
        let read = |file| fs::read_to_string(format!("/proc/{}/{file}", self.program.id())).expect("Linux");
        assert!(!read("stat").contains(") Z "), "the program has ended; its log:\n{}", self.log());
        read(file)
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.program.id().to_string()]).status();
        assert!(kill.expect("kill is there").success());
    }

    fn kill(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What Alexa says in a reply.
pub fn speech(reply: &str) -> String {
    let reply: Value = serde_json::from_str(reply).expect("a reply is JSON");
    reply["response"]["outputSpeech"]["text"].as_str().unwrap_or_else(|| panic!("no speech in {reply}")).to_owned()
}

/// A deadline in ms since 1970, as Lambda writes it.
pub fn millis_from_now(millis: u64) -> u128 {
    (SystemTime::now() + Duration::from_millis(millis)).duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

/// The Runtime API: `/next` waits for an event, `/response` and `/error` take its outcome.
async fn runtime_api(request: Request, next: &Mutex<UnboundedReceiver<Invocation>>, report: &Sender<Report>) -> Answer {
    let (now, path, body) = (Instant::now(), request.uri().path(), request.body());
    // Fails if the test has ended.
    let report = |outcome| drop(report.send((now, outcome)));
    if path.ends_with("/next") {
        report(None);
        let Some((event, request_id, deadline_ms)) = next.lock().await.recv().await else { return Answer::Silence };
        let headers = [
            ("lambda-runtime-aws-request-id", &*request_id),
            ("lambda-runtime-deadline-ms", &deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:alexa-relay"),
            ("content-type", "application/json"),
        ];
        return answer(200, &headers, event);
    }
    report(Some(if path.ends_with("/response") {
        Outcome::Reply(String::from_utf8(body.to_vec()).expect("a reply is text"))
    } else {
        Outcome::Error(serde_json::from_slice(body).expect("an error is JSON"))
    }));
    answer(202, &[], "")
}
