//! A real Home Assistant, with an access token that it gave in account linking.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::relay::Relay;
use super::{TOKEN, event};

/// One Home Assistant for all tests. It stops when this process ends, because that closes its standard input.
pub static HOME: LazyLock<HomeAssistant> = LazyLock::new(|| HomeAssistant::start(&[]));

/// Lets one test at a time change the home.
pub static TURN: Mutex<()> = Mutex::new(());

pub struct HomeAssistant {
    _process: Child,
    pub url: String,
    pub token: String,
    pub tokens: serde_json::Map<String, Value>,
    /// A Python with Home Assistant and Amazon's model.
    pub python: String,
    pub config: String,
    /// The program of a reverse proxy.
    pub caddy: String,
}

impl HomeAssistant {
    pub fn start(arguments: &[&OsStr]) -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let mut process = Command::new(scripts.join("python"))
            .args([scripts.join("home_assistant.py").as_os_str(), "serve".as_ref()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("failed to start scripts/python");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("failed to read its output");
        let served: Value = serde_json::from_str(&line).expect("Home Assistant could not be set up; see above");
        let text = |name: &str| served[name].as_str().unwrap_or_else(|| panic!("{name} in {served}")).to_owned();
        Self {
            url: text("url"),
            token: text("token"),
            tokens: served["tokens"].as_object().expect("tokens").clone(),
            python: text("python"),
            config: text("config"),
            caddy: text("caddy"),
            _process: process,
        }
    }

    /// Sends a request to Home Assistant without the relay; returns status and body.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let address = self.url.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(address).expect("Home Assistant listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("Home Assistant reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("Home Assistant answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head[9..12].parse().expect("a status"), body.to_owned())
    }

    pub fn state(&self, entity: &str) -> String {
        let (_, state) = self.ask("GET", &format!("/api/states/{entity}"), "");
        let state: Value = serde_json::from_str(&state).expect("a state");
        state["state"].as_str().unwrap_or_else(|| panic!("no {entity}: {state}")).to_owned()
    }

    /// Waits for a state: a script or an automation may end after Alexa has her answer.
    pub fn wait_for(&self, entity: &str, state: &str) {
        let start = Instant::now();
        while self.state(entity) != state {
            assert!(start.elapsed() < Duration::from_secs(10), "{entity} does not become {state}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn set(&self, entity: &str, on: bool) {
        let (domain, _) = entity.split_once('.').expect("a domain");
        let service = if on { "turn_on" } else { "turn_off" };
        let (status, _) =
            self.ask("POST", &format!("/api/services/{domain}/{service}"), &format!(r#"{{"entity_id":"{entity}"}}"#));
        assert_eq!(status, 200);
    }

    pub fn relay(&self) -> Relay {
        Relay::to(&self.url)
    }

    /// An event of events/ with the token of the linked account.
    pub fn event(&self, name: &str) -> String {
        event(name).replace(TOKEN, &self.token)
    }

    pub fn intent(&self, name: &str) -> String {
        self.event("where-are-we-intent").replace("WhereAreWeIntent", name)
    }
}
