//! The relay beside the Python script that it takes the place of: `cargo bench` prints the table of the README.
//!
//! Both run as Lambda runs them, under a Runtime API, before a home that speaks TLS 1.3 and answers at once. Their
//! rounds alternate, for a machine is not equally fast all the time. Linux only, and needs Python 3.

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use support::home::{ANSWER, Home};
use support::http::{Request, response};
use support::relay::millis_from_now;
use support::server::Server;
use support::tls::Identity;

const ROUNDS: usize = 15;
const WARM_ANSWERS: usize = 40;
const FAR_ANSWERS: usize = 5;
const ROUND_TRIP: Duration = Duration::from_millis(40);
const PYTHON_PACKAGES: [&str; 2] = ["awslambdaric==4.2.2", "urllib3==2.8.0"];

/// A program that Lambda can run.
struct Contender {
    command: PathBuf,
    arguments: &'static [&'static str],
    zip_of: PathBuf,
    figures: Figures,
}

/// What was measured, a value for each round or answer. Times in ms.
#[derive(Default)]
struct Figures {
    ready: Vec<f64>,
    first: Vec<f64>,
    warm: Vec<f64>,
    far_first: Vec<f64>,
    far_warm: Vec<f64>,
    connects_each_time: bool,
    memory_mb: Vec<f64>,
}

/// A running function. Ends when it is dropped.
struct Function {
    program: Child,
    started: Instant,
    invoke: Sender<()>,
    moments: Receiver<Moment>,
    _runtime_api: Server,
}

enum Moment {
    AskedForAnEvent(Instant),
    Answered(Instant),
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let relay = PathBuf::from(env!("CARGO_BIN_EXE_alexa-relay"));
    let script = root.join("benches/handler.py");
    let python = python(&root.join("target/bench"));
    let mut contenders = [
        Contender { zip_of: relay.clone(), command: relay, arguments: &[], figures: Figures::default() },
        Contender {
            zip_of: script,
            command: python.clone(),
            arguments: &["-m", "awslambdaric", "handler.lambda_handler"],
            figures: Figures::default(),
        },
    ];
    let answer = response("200 OK", &[("content-type", "application/json")], ANSWER);
    let home = Home::over_tls(Identity::self_signed().server(), move |connection| connection.answer_all(&answer));
    let near = home.url();
    let far_away = far_away(near.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port"));
    let far = format!("https://localhost:{}", far_away.port);
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            contender.measure_near(&near);
            let before = home.connections();
            contender.measure_far(&far);
            contender.figures.connects_each_time = home.connections() - before > 1;
        }
    }
    report(&python, &contenders);
}

impl Contender {
    fn measure_near(&mut self, base_url: &str) {
        let function = self.start(base_url);
        function.invoke.send(()).expect("the Runtime API listens");
        self.figures.ready.push(millis(function.asked() - function.started));
        self.figures.first.push(millis(function.answered() - function.started));
        for _ in 0..WARM_ANSWERS {
            self.figures.warm.push(function.answer_time());
        }
        self.figures.memory_mb.push(function.memory_mb());
    }

    fn measure_far(&mut self, base_url: &str) {
        let function = self.start(base_url);
        function.invoke.send(()).expect("the Runtime API listens");
        function.asked();
        self.figures.far_first.push(millis(function.answered() - function.started));
        for _ in 0..FAR_ANSWERS {
            self.figures.far_warm.push(function.answer_time());
        }
    }

    fn start(&self, base_url: &str) -> Function {
        let (invoke, invocations) = mpsc::channel();
        let (report, moments) = mpsc::channel();
        let (invocations, report) = (Mutex::new(invocations), Mutex::new(report));
        let event = support::event("locate-intent");
        let runtime_api = Server::start(move |stream| serve(stream, &event, &invocations, &report));
        let started = Instant::now();
        let program = Command::new(&self.command)
            .args(self.arguments)
            .env_clear()
            .envs([("AWS_LAMBDA_FUNCTION_NAME", "alexa-relay"), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")])
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{}", runtime_api.port))
            .envs(
                ["LAMBDA_TASK_ROOT", "PYTHONPATH"].map(|name| (name, concat!(env!("CARGO_MANIFEST_DIR"), "/benches"))),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs([("BASE_URL", base_url), ("NOT_VERIFY_SSL", "True")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        Function { program, started, invoke, moments, _runtime_api: runtime_api }
    }
}

impl Function {
    fn asked(&self) -> Instant {
        loop {
            if let Moment::AskedForAnEvent(at) = self.next_moment() {
                return at;
            }
        }
    }

    fn answered(&self) -> Instant {
        loop {
            if let Moment::Answered(at) = self.next_moment() {
                return at;
            }
        }
    }

    /// How long a warm answer takes, from the moment on at which Lambda has the event.
    fn answer_time(&self) -> f64 {
        self.asked();
        let invoked = Instant::now();
        self.invoke.send(()).expect("the Runtime API listens");
        millis(self.answered() - invoked)
    }

    fn next_moment(&self) -> Moment {
        self.moments.recv_timeout(Duration::from_secs(30)).expect("the program goes on")
    }

    /// The most memory that it has taken.
    fn memory_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line for it");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        // Lets go a connection of the Runtime API that waits for an event.
        self.invoke = mpsc::channel().0;
    }
}

/// The Runtime API, which notes when it is asked for an event, and when it gets an answer.
fn serve(mut stream: TcpStream, event: &str, invocations: &Mutex<Receiver<()>>, report: &Mutex<Sender<Moment>>) {
    while let Ok(Some(request)) = Request::read(&mut stream) {
        let now = Instant::now();
        let answer = if request.path.ends_with("/invocation/next") {
            let _ = report.lock().unwrap().send(Moment::AskedForAnEvent(now));
            if invocations.lock().unwrap().recv().is_err() {
                return;
            }
            let deadline = millis_from_now(10_000).to_string();
            let headers = [
                ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
                ("lambda-runtime-deadline-ms", &deadline),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:alexa-relay"),
                ("content-type", "application/json"),
            ];
            response("200 OK", &headers, event)
        } else {
            let text = String::from_utf8_lossy(&request.body);
            assert!(request.path.ends_with("/response") && text.contains("\"OK\""), "{}: {text}", request.path);
            let _ = report.lock().unwrap().send(Moment::Answered(now));
            response("202 Accepted", &[], "")
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// A way to the home on which everything takes half a round trip.
fn far_away(port: u16) -> Server {
    Server::start(move |client| {
        let home = TcpStream::connect(("127.0.0.1", port)).expect("the home listens");
        home.set_nodelay(true).expect("a TCP socket");
        let (client_too, home_too) = (client.try_clone().expect("a handle"), home.try_clone().expect("a handle"));
        let back = thread::spawn(move || delay(home_too, client_too));
        delay(client, home);
        back.join().expect("it does not panic");
    })
}

fn delay(mut from: TcpStream, mut to: TcpStream) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = thread::spawn(move || {
        for (due, bytes) in receive {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let _ = send.send((Instant::now() + ROUND_TRIP / 2, buffer[..n].to_vec()));
    }
    drop(send);
    writer.join().expect("it does not panic");
}

/// A Python of its own, with what the script needs.
fn python(folder: &Path) -> PathBuf {
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES));
        fs::write(ready, "").expect("the folder can be written to");
    }
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("failed to run {command:?}: {error}"));
    assert!(status.success(), "failed to run {command:?}: {status}");
}

/// The size of a file in a zip, as it is uploaded to Lambda, in MB.
fn zipped_mb(python: &Path, file: &Path) -> f64 {
    const ZIP: &str = "import io, sys, zipfile; b = io.BytesIO(); z = zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED); z.write(sys.argv[1]); z.close(); print(b.tell())";
    let output = Command::new(python).args(["-c", ZIP]).arg(file).output().expect("Python runs");
    String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("a size") / 1e6
}

fn report(python: &Path, [relay, script]: &[Contender; 2]) {
    let cpu = fs::read_to_string("/proc/cpuinfo").expect("Linux");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |model| model.trim_matches([' ', '\t', ':']));
    println!("{ROUNDS} rounds, medians; {} processors: {model}\n", thread::available_parallelism().expect("a number"));
    println!("| | alexa-relay | Python script | |");
    println!("|---|---|---|---|");
    let row = |name: &str, unit: &str, digits: usize, figure: &dyn Fn(&Contender) -> f64| {
        let (ours, theirs) = (figure(relay), figure(script));
        println!("| {name} | {ours:.digits$}{unit} | {theirs:.digits$}{unit} | {:.1} × |", theirs / ours);
    };
    let time = |name: &str, figure: fn(&Figures) -> &Vec<f64>| {
        row(name, " ms", 2, &|contender| median(figure(&contender.figures)));
    };
    time("start, until it asks for an event", |figures| &figures.ready);
    time("start and first answer", |figures| &figures.first);
    time("further answers", |figures| &figures.warm);
    time("start and first answer, home 40 ms away", |figures| &figures.far_first);
    time("further answers, home 40 ms away", |figures| &figures.far_warm);
    // The way is longer for bytes, not for the making of a TCP connection, which takes one round trip more.
    row("round trips of a further answer", "", 1, &|contender| {
        let Figures { warm, far_warm, connects_each_time, .. } = &contender.figures;
        (median(far_warm) - median(warm)) / millis(ROUND_TRIP) + f64::from(u8::from(*connects_each_time))
    });
    row("memory", " MB", 1, &|contender| median(&contender.figures.memory_mb));
    println!(
        "| zipped | {:.2} MB | {:.3} MB, and Lambda's Python | |",
        zipped_mb(python, &relay.zip_of),
        zipped_mb(python, &script.zip_of)
    );
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
