//! Every sentence is true behind real reverse proxies, in front of a real Home Assistant.

use std::thread;
use std::time::Duration;

use crate::support::home_assistant::{HOME, TURN};
use crate::support::proxy::{Proxy, free_port};
use crate::support::tls::{X509_V1, X509_V1_CA};
use crate::support::*;

/// What Alexa says when a request has reached Home Assistant.
const ANSWER: &str = "Paul is at Work. Anne is at home.";

/// A proxy's ports, the CA of its certificate, and the CA of its clients' certificates.
struct Site {
    port: u16,
    /// The port that requires a client certificate.
    mtls: u16,
    /// The port that redirects to HTTPS.
    plain: u16,
    ca: Ca,
    clients: Ca,
}

impl Site {
    fn new() -> Self {
        let [port, mtls, plain] = [(); 3].map(|()| free_port());
        Self { port, mtls, plain, ca: Ca::new(), clients: Ca::new() }
    }

    /// The proxy's files: its configuration, with addresses in place of the words for them, and certificates.
    fn files(&self, name: &'static str, config: &str) -> [(&'static str, String); 4] {
        let ports = [("PORT", self.port), ("MTLS", self.mtls), ("PLAIN", self.plain), ("NOWHERE", free_port())];
        let config = ports.iter().fold(config.to_owned(), |text, (word, port)| text.replace(word, &port.to_string()));
        let config = config.replace("UPSTREAM", HOME.url.strip_prefix("http://").expect("plain HTTP"));
        let server = self.ca.issue(YEARS);
        let clients = self.clients.pem() + X509_V1_CA;
        let (pem, key) = (server.pem().to_owned(), server.key_pem().to_owned());
        [(name, config), ("server.pem", pem), ("server.key", key), ("clients.pem", clients)]
    }

    /// A relay to a path of the proxy, or to a whole URL.
    fn relay(&self, place: &str, client: &str) -> Relay {
        let path = format!("https://localhost:{}/{place}", self.port);
        let (base_url, ca) = (if place.contains("://") { place } else { &path }, self.ca.pem());
        Relay::start(&[("BASE_URL", base_url), ("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", client)])
    }

    /// Checks the beginning of what Alexa says, and a part of the log.
    fn event_says(&self, event: &str, place: &str, client: &str, sentence: &str, log_part: &str) {
        let relay = self.relay(place, client);
        let speech = relay.speech(event);
        let log = relay.end();
        assert!(speech.starts_with(sentence) && log.contains(log_part), "{place}, {log_part:?}: {speech}\n{log}");
    }

    /// The same, also for a request without a token: a fault on the way is the same for both.
    fn client_says(&self, place: &str, client: &str, sentence: &str, log_part: &str) {
        self.event_says(&HOME.event("where-are-we-intent"), place, client, sentence, log_part);
        let (sentence, log_part) = if sentence == ANSWER { (LINK, "is clear") } else { (sentence, log_part) };
        self.event_says(&event("without-token"), place, client, sentence, log_part);
    }

    fn says(&self, place: &str, sentence: &str, log_part: &str) {
        self.client_says(place, "", sentence, log_part);
    }

    /// What both proxies have in common.
    fn says_what_each_says(&self) {
        self.says("not-trusted", PROXY_NOT_TRUSTED, "Settings, System, Network");
        self.says("password", FIREWALL, "wants a login");
        self.says("not-you", FIREWALL, "a firewall in front");
        self.says("down", UNREACHABLE, "got no answer from it");
        self.says(&format!("http://localhost:{}", self.port), WRONG_ADDRESS, "begin with https://");
        self.says(&format!("https://127.0.0.1:{}", self.port), INSECURE, "it has none for the name in BASE_URL");
        let mtls = format!("https://localhost:{}", self.mtls);
        let client = |ca: &Ca, years| ca.issue_for("alexa", years).pem_with_key();
        let refused = "refused the certificate of CLIENT_CERTIFICATE";
        self.client_says(&mtls, &client(&self.clients, YEARS), ANSWER, "status=200");
        self.client_says(&mtls, X509_V1, ANSWER, "status=200");
        self.client_says(&mtls, "", INSECURE, "requires a client certificate");
        self.client_says(&mtls, &client(&Ca::new(), YEARS), INSECURE, refused);
        self.client_says(&mtls, &client(&self.clients, EXPIRED), INSECURE, refused);
    }
}

/// An intent whose script takes 2 s.
fn slow_intent() -> String {
    let slots = r#"SlowIntent", "slots": { "Seconds": { "name": "Seconds", "value": "2" } }"#;
    HOME.intent("SlowIntent").replacen("SlowIntent\"", slots, 1)
}

#[test]
fn caddy() {
    let site = Site::new();
    let files = site.files("Caddyfile", include_str!("proxies/Caddyfile"));
    let _caddy = Proxy::start(&HOME.caddy, &["run"], &files, site.port);

    let relay = site.relay("home", "");
    let _turn = TURN.lock();
    for (name, _) in requests().iter().filter(|(name, _)| name != "without-token") {
        let event = HOME.event(name);
        HOME.stop();
        let (_, straight) = HOME.ask("POST", "/api/alexa", &event);
        HOME.stop();
        assert_eq!(relay.reply(&event), straight, "{name}");
    }

    site.says("forward-auth", FIREWALL, "wants a login");
    site.says("not-routed", WRONG_ADDRESS, "the answer is not Home Assistant's");
    site.says("home/homeassistant", WRONG_ADDRESS, "remove the path");
    site.says_what_each_says();

    HOME.set("input_boolean.slow_finished", false);
    site.event_says(&slow_intent(), "impatient", "", PROXY_TIMEOUT, "script.turn_on");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(HOME.state("input_boolean.slow_finished"), "off", "the proxy has cut the script off");
}

#[cfg(feature = "nginx")]
#[test]
fn nginx() {
    let site = Site::new();
    let files = site.files("nginx.conf", include_str!("proxies/nginx.conf"));
    let _nginx = Proxy::start("nginx", &["-p", ".", "-c", "nginx.conf", "-e", "stderr"], &files, site.port);

    site.says("home", ANSWER, "status=200");
    site.says("forward-auth", FIREWALL, "if the proxy wants a login");
    site.says("not-routed", WRONG_ADDRESS, "status 404");
    site.says(&format!("http://localhost:{}", site.plain), WRONG_ADDRESS, "redirects to another address");
    site.says_what_each_says();
    let _turn = TURN.lock();
    let intent = HOME.event("where-are-we-intent");
    site.event_says(&intent, "replaced", "", FIREWALL, "link the account again");
    site.event_says(&intent, "limited", "", ANSWER, "status=200");
    site.event_says(&intent, "limited", "", UNREACHABLE, "limit_req");
    site.event_says(&slow_intent(), "impatient", "", PROXY_TIMEOUT, "script.turn_on");
}
