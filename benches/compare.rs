//! Compares the relay with the Python script that it replaces: `cargo bench` prints the table of docs/performance.md.
//!
//! Both run as on Lambda, under a fake Runtime API, with a fake Home Assistant that speaks TLS 1.3 and answers at once.
//! Their rounds alternate because the speed of a machine varies. Needs Linux and Python 3.

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::spawn_blocking;

use support::server::Server;
use support::{ANSWER, Home, Identity, Relay, answer, millis_from_now};

const ROUNDS: usize = 15;
const NEAR_ANSWERS: usize = 40;
const FAR_ANSWERS: usize = 5;
const ROUND_TRIP: Duration = Duration::from_millis(40);
const PYTHON_PACKAGES: [&str; 2] = ["awslambdaric==4.2.2", "urllib3==2.8.0"];

/// A program for Lambda, and its measurements.
struct Contender {
    command: Vec<PathBuf>,
    zip_of: PathBuf,
    near: Vec<Run>,
    far: Vec<Run>,
}

/// The measurements of one start. Times in ms.
struct Run {
    ready: f64,
    first: f64,
    further: Vec<f64>,
    connections: usize,
    memory_mb: f64,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = python(&root.join("target/bench"));
    let contender = |command, zip_of| Contender { command, zip_of, near: Vec::new(), far: Vec::new() };
    let relay = PathBuf::from(env!("CARGO_BIN_EXE_alexa-relay"));
    let script = [python.clone(), "-m".into(), "awslambdaric".into(), "handler.lambda_handler".into()];
    let mut contenders =
        [contender(vec![relay.clone()], relay), contender(script.into(), root.join("benches/handler.py"))];
    let answer = answer(200, &[("content-type", "application/json")], ANSWER);
    let home = Home::over_tls(Identity::self_signed().server(), answer);
    let far_away = far_away(home.server.port);
    for _ in 0..ROUNDS {
        for Contender { command, near, far, .. } in &mut contenders {
            near.push(run(command, &home.server, NEAR_ANSWERS));
            far.push(run(command, &far_away, FAR_ANSWERS));
        }
    }
    report(&python, &contenders);
}

fn run(command: &[PathBuf], home: &Server, further: usize) -> Run {
    let (folder, base_url) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/benches"), format!("https://localhost:{}", home.port));
    let mut program = Command::new(&command[0]);
    program.args(&command[1..]);
    let settings = [("BASE_URL", &*base_url), ("NOT_VERIFY_SSL", "True")];
    let for_python = [("LAMBDA_TASK_ROOT", folder), ("PYTHONPATH", folder), ("PYTHONDONTWRITEBYTECODE", "1")];
    let before = home.connections();
    let (function, started) = Relay::run(program, &[&settings[..], &for_python].concat());
    let event = support::event("locate-intent");
    let invoke = || function.send(&event, millis_from_now(10_000));
    let asked = || function.wait_for(|(at, outcome)| outcome.is_none().then_some(at));
    let answered = || {
        let (at, outcome) = function.wait_for(|(at, outcome)| outcome.map(|outcome| (at, outcome)));
        assert!(outcome.reply().contains("\"OK\""), "{}", function.log());
        at
    };
    invoke();
    let (ready, first) = (millis(asked() - started), millis(answered() - started));
    let answer_time = |_| {
        asked();
        let invoked = Instant::now();
        invoke();
        millis(answered() - invoked)
    };
    let further = (0..further).map(answer_time).collect();
    let memory_mb = f64::from(u32::try_from(function.memory_kb("VmHWM")).expect("less than 4 TB")) / 1024.0;
    Run { ready, first, further, connections: home.connections() - before, memory_mb }
}

/// A server in front of the fake Home Assistant that delays everything by half a round trip.
fn far_away(port: u16) -> Server {
    Server::start(move |client| async move {
        let home = TcpStream::connect(("127.0.0.1", port)).await.expect("the home listens");
        home.set_nodelay(true).expect("a TCP socket");
        let ((from_client, to_client), (from_home, to_home)) = (client.into_split(), home.into_split());
        tokio::join!(delay(from_client, to_home), delay(from_home, to_client));
    })
}

async fn delay(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let (send, mut receive) = unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            let _ = send.send((Instant::now() + ROUND_TRIP / 2, buffer[..n].to_vec()));
        }
    };
    let write = async {
        while let Some((due, bytes)) = receive.recv().await {
            // tokio's sleep is up to a millisecond too long.
            let _ = spawn_blocking(move || thread::sleep(due.saturating_duration_since(Instant::now()))).await;
            let _ = to.write_all(&bytes).await;
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}

/// A Python environment with what the script needs.
fn python(folder: &Path) -> PathBuf {
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    if !ready.exists() {
        let mut venv = Command::new("python3");
        let mut pip = Command::new(&python);
        for command in
            [venv.args(["-m", "venv"]).arg(folder), pip.args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES)]
        {
            let status = command.status().unwrap_or_else(|error| panic!("failed to run {command:?}: {error}"));
            assert!(status.success(), "failed to run {command:?}: {status}");
        }
        fs::write(ready, "").expect("the folder can be written to");
    }
    python
}

/// The size of a file in a zip for Lambda, in MB.
fn zipped_mb(python: &Path, file: &Path) -> f64 {
    const ZIP: &str = "import io, sys, zipfile; b = io.BytesIO(); z = zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED); z.write(sys.argv[1]); z.close(); print(b.tell())";
    let output = Command::new(python).args(["-c", ZIP]).arg(file).output().expect("Python runs");
    String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("a size") / 1e6
}

fn report(python: &Path, [relay, script]: &[Contender; 2]) {
    let cpu = fs::read_to_string("/proc/cpuinfo").expect("Linux");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let processors = thread::available_parallelism().expect("a number");
    println!("{ROUNDS} rounds, medians; {processors} processors: {}\n", model.trim_matches([' ', '\t', ':']));
    println!("| | alexa-relay | Python script | |");
    println!("|---|---|---|---|");
    let row = |name: &str, unit: &str, digits: usize, figure: &dyn Fn(&Contender) -> f64| {
        let (ours, theirs) = (figure(relay), figure(script));
        println!("| {name} | {ours:.digits$}{unit} | {theirs:.digits$}{unit} | {:.1} × |", theirs / ours);
    };
    let further = |runs: &[Run]| median(runs.iter().flat_map(|run| run.further.clone()));
    row("start, until it asks for an event", " ms", 2, &|it| median(it.near.iter().map(|run| run.ready)));
    row("start and first answer", " ms", 2, &|it| median(it.near.iter().map(|run| run.first)));
    row("further answers", " ms", 2, &|it| further(&it.near));
    row("start and first answer, home 40 ms away", " ms", 2, &|it| median(it.far.iter().map(|run| run.first)));
    row("further answers, home 40 ms away", " ms", 2, &|it| further(&it.far));
    // Only bytes are delayed, not the TCP handshake, which takes one more round trip.
    row("round trips of a further answer", "", 1, &|it| {
        let connects_each_time = it.far.iter().all(|run| run.connections > 1);
        (further(&it.far) - further(&it.near)) / millis(ROUND_TRIP) + f64::from(u8::from(connects_each_time))
    });
    row("memory", " MB", 1, &|it| median(it.near.iter().map(|run| run.memory_mb)));
    let [ours, theirs] = [relay, script].map(|it| zipped_mb(python, &it.zip_of));
    println!("| zipped | {ours:.2} MB | {theirs:.3} MB, and Lambda's Python | |");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
