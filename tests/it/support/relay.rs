//! The real program under a fake Lambda Runtime API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::http::{Request, response};
use super::server::Server;

/// The program, started as Lambda starts it. Ends when it is dropped.
pub struct Relay {
    program: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<thread::JoinHandle<()>>,
    events: Sender<Invocation>,
    outcomes: Receiver<Outcome>,
    _runtime_api: Server,
}

struct Invocation {
    event: Vec<u8>,
    deadline_ms: u128,
}

/// What the program reported of an invocation.
#[derive(Debug)]
pub enum Outcome {
    /// A reply for Alexa.
    Reply(String),
    /// A Lambda error.
    Error(Value),
}

impl Outcome {
    /// The reply, which must be one.
    pub fn reply(self) -> String {
        match self {
            Self::Reply(reply) => reply,
            Self::Error(error) => panic!("a Lambda error: {error}"),
        }
    }
}

/// The request id of every invocation.
pub const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

impl Relay {
    /// Starts the program with these settings and nothing else of this process's environment.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let (events, next_event) = mpsc::channel();
        let (report, outcomes) = mpsc::channel();
        let (next_event, report) = (Mutex::new(next_event), Mutex::new(report));
        let runtime_api = Server::start(move |stream| serve(stream, &next_event, &report));
        let mut program = Command::new(env!("CARGO_BIN_EXE_alexa-relay"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", runtime_api.port))
            .envs([("AWS_LAMBDA_FUNCTION_NAME", "alexa-relay"), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")])
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = Arc::<Mutex<Vec<u8>>>::default();
        let readers = vec![
            keep(program.stdout.take().expect("a pipe"), Arc::clone(&output)),
            keep(program.stderr.take().expect("a pipe"), Arc::clone(&output)),
        ];
        Self { program, output, readers, events, outcomes, _runtime_api: runtime_api }
    }

    /// The program with `BASE_URL` alone.
    pub fn to(base_url: &str) -> Self {
        Self::start(&[("BASE_URL", base_url)])
    }

    /// Invokes the function as Lambda does, with 10 s to answer.
    pub fn invoke(&self, event: impl AsRef<[u8]>) -> Outcome {
        self.invoke_by(event, millis_from_now(10_000))
    }

    /// Invokes the function with a deadline of its own, in ms since 1970.
    pub fn invoke_by(&self, event: impl AsRef<[u8]>, deadline_ms: u128) -> Outcome {
        self.send(event, deadline_ms);
        self.outcome()
    }

    /// The reply to an event that is answered.
    pub fn reply(&self, event: impl AsRef<[u8]>) -> String {
        self.invoke(event).reply()
    }

    /// What Alexa says in reply to an event.
    pub fn speech(&self, event: impl AsRef<[u8]>) -> String {
        speech(&self.reply(event))
    }

    /// All that the program has written so far.
    pub fn log(&self) -> String {
        String::from_utf8(self.output.lock().unwrap().clone()).expect("the log is text")
    }

    /// The log, once it holds this text.
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

    /// Ends the program and gives all that it wrote.
    pub fn end(mut self) -> String {
        self.kill();
        self.log()
    }

    /// Hands the program an event without waiting for what comes of it.
    pub fn send(&self, event: impl AsRef<[u8]>, deadline_ms: u128) {
        self.events.send(Invocation { event: event.as_ref().to_vec(), deadline_ms }).expect("the Runtime API listens");
    }

    /// What came of the event that was handed over before.
    pub fn outcome(&self) -> Outcome {
        let outcome = self.outcomes.recv_timeout(Duration::from_secs(20));
        outcome.unwrap_or_else(|_| panic!("the program gave no answer; its log:\n{}", self.log()))
    }

    /// Stops the program where it is, as Lambda does between two events.
    pub fn freeze(&self) {
        self.signal("STOP");
        let status = format!("/proc/{}/stat", self.program.id());
        while !std::fs::read_to_string(&status).expect("the program is there").contains(") T ") {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets the program go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// The memory that the program takes, in KB.
    pub fn memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id())).expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line for it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.program.id().to_string()]).status();
        assert!(kill.expect("kill is there").success());
    }

    fn kill(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        for reader in self.readers.drain(..) {
            reader.join().expect("the log can be read");
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
        // Lets go a connection of the Runtime API that waits for an event.
        self.events = mpsc::channel().0;
    }
}

/// What Alexa says in a reply.
pub fn speech(reply: &str) -> String {
    let reply: Value = serde_json::from_str(reply).expect("a reply is JSON");
    reply["response"]["outputSpeech"]["text"].as_str().unwrap_or_else(|| panic!("no speech in {reply}")).to_owned()
}

/// A deadline, as Lambda writes it.
pub fn millis_from_now(millis: u64) -> u128 {
    (SystemTime::now() + Duration::from_millis(millis)).duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

fn keep(mut pipe: impl Read + Send + 'static, output: Arc<Mutex<Vec<u8>>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            output.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
    })
}

/// The Runtime API: `/next` waits for an event as Lambda does, `/response` and `/error` take what came of it.
fn serve(mut stream: TcpStream, events: &Mutex<Receiver<Invocation>>, report: &Mutex<Sender<Outcome>>) {
    while let Ok(Some(request)) = Request::read(&mut stream) {
        let answer = if request.path.ends_with("/invocation/next") {
            let Ok(Invocation { event, deadline_ms }) = events.lock().unwrap().recv() else { return };
            let headers = [
                ("lambda-runtime-aws-request-id", REQUEST_ID),
                ("lambda-runtime-deadline-ms", &deadline_ms.to_string()),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:alexa-relay"),
            ];
            response("200 OK", &headers, event)
        } else {
            let outcome = if request.path.ends_with("/response") {
                Outcome::Reply(String::from_utf8(request.body).expect("a reply is text"))
            } else {
                Outcome::Error(serde_json::from_slice(&request.body).expect("an error is JSON"))
            };
            // Nobody may be left who waits for it.
            let _ = report.lock().unwrap().send(outcome);
            response("202 Accepted", &[], "")
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}
