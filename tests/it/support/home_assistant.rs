//! A real Home Assistant, with an access token that it gave in account linking.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::relay::Relay;
use super::{TOKEN, event};

/// One Home Assistant for all tests. It stops when this process ends, because that closes its standard input.
pub static HOME: LazyLock<HomeAssistant> = LazyLock::new(HomeAssistant::start);

/// Lets one test at a time change the home.
pub static TURN: Mutex<()> = Mutex::new(());

/// The same event from the Echo in the bedroom. Those of events/ come from the kitchen.
pub fn in_bedroom(event: &str) -> String {
    event.replace("amzn1.ask.device.EXAMPLE", "amzn1.ask.device.BEDROOM")
}

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
    fn start() -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
        let mut process = Command::new(scripts.join("python"))
            .arg(scripts.join("home_assistant.py"))
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
        let action = if on { "turn_on" } else { "turn_off" };
        self.act(&format!("{domain}/{action}"), &json!({"entity_id": entity}));
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

    /// An event in which a person says these words.
    pub fn sentence(&self, words: &str) -> String {
        self.event("ask-intent").replace("turn on the hall", words)
    }

    /// Calls an action.
    pub fn act(&self, name: &str, data: &Value) {
        let (status, answer) = self.ask("POST", &format!("/api/services/{name}"), &data.to_string());
        assert_eq!(status, 200, "{answer}");
    }

    /// Ends whatever is open at the Echo in the kitchen.
    pub fn stop(&self) {
        let (status, answer) = self.ask("POST", "/api/alexa", &self.intent("AMAZON.StopIntent"));
        assert_eq!(status, 200, "{answer}");
    }
}
