//! The real program under a fake Lambda Runtime API.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::http::{self, Answer, Request, answer};
use super::server::Server;
use super::{BAD_ANSWER, LATE, LINK, assert_has, event};

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

    /// Checks that an event fails: Alexa says this sentence and nothing else, or for a directive gets its type of error, and
    /// the last line of the log has a cause, a remedy and these parts.
    pub fn assert_fails(&self, event: &str, sentence: &str, log_parts: &str) {
        self.assert_fails_in(10_000, event, sentence, log_parts);
    }

    /// The same for an invocation that may take this time, in ms.
    pub fn assert_fails_in(&self, ms: u64, event: &str, sentence: &str, log_parts: &str) {
        let reply = self.invoke_by(event, millis_from_now(ms)).reply();
        let [event, reply]: [Value; 2] = [event, &reply].map(|text| serde_json::from_str(text).expect("JSON"));
        let log = self.log();
        let directive = event.get("directive").filter(|directive| directive.is_object());
        let expected = if let Some(directive) = directive {
            let message = reply["event"]["payload"]["message"].as_str().unwrap_or_default();
            assert!(message.len() > 20, "{reply}\n{log}");
            error_response(directive, sentence, message, &self.request_id())
        } else {
            let text = reply["response"]["outputSpeech"]["text"].as_str().unwrap_or_default();
            assert!(text.starts_with(sentence), "{reply}\n{log}");
            speaking(text, sentence == LINK)
        };
        assert_eq!(reply, expected, "{log}");
        assert_has(log.lines().last().expect("a line"), &format!("cause= … remedy= … {log_parts}"));
    }

    /// The same for these events of events/.
    pub fn assert_all_fail(&self, names: &[&str], sentence: &str, log_parts: &str) {
        for name in names {
            self.assert_fails(&event(name), sentence, log_parts);
        }
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
        self.wait("answer", || self.reports.recv_timeout(Duration::from_millis(500)).ok().and_then(&pick))
    }

    /// Calls `poll` until it returns something. Panics if the program has ended, or after 20 s.
    fn wait<T>(&self, what: &str, poll: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = poll() {
                return found;
            }
            self.proc("stat");
            assert!(start.elapsed() < Duration::from_secs(20), "no {what:?}; the log:\n{}", self.log());
            thread::sleep(Duration::from_millis(1));
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
        self.wait(text, || Some(self.log()).filter(|log| log.contains(text)))
    }

    /// Ends the program; returns all its output.
    pub fn end(mut self) -> String {
        self.program.kill().and_then(|()| self.program.wait()).expect("its state is known");
        self.log()
    }

    /// Freezes the program, as Lambda does between two events.
    pub fn freeze(&self) {
        self.signal("STOP");
        self.wait("freeze", || self.proc("stat").contains(") T ").then_some(()));
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
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The reply to a request that says this text, and shows a card to link the account.
fn speaking(text: &str, has_card: bool) -> Value {
    let mut response = json!({ "outputSpeech": { "type": "PlainText", "text": text }, "shouldEndSession": true });
    if has_card {
        response["card"] = json!({ "type": "LinkAccount" });
    }
    json!({ "version": "1.0", "response": response })
}

/// The reply to a directive where a request gets this sentence.
fn error_response(directive: &Value, sentence: &str, message: &str, id: &str) -> Value {
    let (namespace, error_type) = match (directive["header"]["name"].as_str(), sentence) {
        (Some("AcceptGrant"), _) => ("Alexa.Authorization", "ACCEPT_GRANT_FAILED"),
        (_, LINK) => ("Alexa", "INVALID_AUTHORIZATION_CREDENTIAL"),
        (Some(name), LATE) if name != "Discover" => ("Alexa", "ENDPOINT_UNREACHABLE"),
        _ if sentence == BAD_ANSWER || sentence.contains(" is not set") => ("Alexa", "INTERNAL_ERROR"),
        _ => ("Alexa", "BRIDGE_UNREACHABLE"),
    };
    let mut event = json!({
        "header": { "namespace": namespace, "name": "ErrorResponse", "payloadVersion": "3", "messageId": id },
        "payload": { "type": error_type, "message": message },
    });
    for (place, field) in [("header", "correlationToken"), ("endpoint", "endpointId")] {
        if let Some(value) = directive[place].get(field) {
            event[place][field] = value.clone();
        }
    }
    json!({ "event": event })
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
