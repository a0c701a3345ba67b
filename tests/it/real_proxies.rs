//! Behind real reverse proxies, in front of a real Home Assistant, every sentence is true.

use std::thread;
use std::time::Duration;

use crate::support::home_assistant::{HOME, TURN, X509_V1_CA, X509_V1_CLIENT};
use crate::support::proxy::{Proxy, free_port};
use crate::support::relay::Relay;
use crate::support::tls::{Ca, YEARS};
use crate::support::{event, events};

/// What is expected of the relay with these settings: the beginning of what Alexa says, and a part of the log. Where there
/// is a fault, a request without a token hears it, too.
fn assert_says(settings: &[(&str, &str)], sentence: &str, log_part: &str) {
    assert_event_says(settings, &HOME.event("where-are-we-intent"), sentence, log_part);
    let (sentence, log_part) = if sentence == ANSWER { (LINK, "is clear") } else { (sentence, log_part) };
    assert_event_says(settings, &event("without-token"), sentence, log_part);
}

fn assert_event_says(settings: &[(&str, &str)], event: &str, sentence: &str, log_part: &str) {
    let relay = Relay::start(settings);
    let speech = relay.speech(event);
    let log = relay.end();
    assert!(speech.starts_with(sentence), "{settings:?}: {speech}\n{log}");
    assert!(log.contains(log_part), "{settings:?}: {log_part:?} is not in\n{log}");
}

/// Where Home Assistant itself is.
fn upstream() -> &'static str {
    HOME.url.strip_prefix("http://").expect("plain HTTP")
}

/// The address and the certificate of a proxy, which a CA of the tests has issued.
struct Site {
    port: u16,
    ca: Ca,
    clients: Ca,
}

impl Site {
    fn new() -> Self {
        Self { port: free_port(), ca: Ca::new(), clients: Ca::new() }
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        let server = self.ca.issue(YEARS);
        vec![
            ("server.pem", server.pem().to_owned()),
            ("server.key", server.key_pem().to_owned()),
            ("clients.pem", self.clients.pem() + X509_V1_CA),
        ]
    }

    fn says(&self, path: &str, sentence: &str, log_part: &str) {
        let (base_url, ca) = (format!("https://localhost:{}/{path}", self.port), self.ca.pem());
        assert_says(&[("BASE_URL", &base_url), ("CA_CERTIFICATE", &ca)], sentence, log_part);
    }

    #[cfg(feature = "nginx")]
    fn says_with_a_token(&self, path: &str, sentence: &str, log_part: &str) {
        let (base_url, ca) = (format!("https://localhost:{}/{path}", self.port), self.ca.pem());
        let settings = [("BASE_URL", &*base_url), ("CA_CERTIFICATE", &ca)];
        assert_event_says(&settings, &HOME.event("where-are-we-intent"), sentence, log_part);
    }
}

const FIREWALL: &str = "A firewall in front of Home Assistant stopped me.";
const INSECURE: &str = "I cannot connect to Home Assistant securely.";
const WRONG_ADDRESS: &str = "BASE_URL does not lead to Home Assistant.";
const UNREACHABLE: &str = "I cannot reach Home Assistant.";
const PROXY_NOT_TRUSTED: &str = "Home Assistant does not trust its reverse proxy.";
const PROXY_TIMEOUT: &str = "Home Assistant did not answer the proxy in front of it in time.";
const LINK: &str = "Home Assistant does not know who you are.";
const ANSWER: &str = "Paul is at Work. Anne is at home.";

#[test]
fn caddy() {
    let site = Site::new();
    let (port, upstream, nowhere) = (site.port, upstream(), free_port());
    // Each path is a way to set it up. The password is "password"; Home Assistant trusts no proxy here.
    let caddyfile = format!(
        "https://localhost:{port} {{
            tls server.pem server.key
            handle_path /home/* {{
                reverse_proxy {upstream} {{
                    header_up -X-Forwarded-For
                }}
            }}
            handle_path /not-trusted/* {{
                reverse_proxy {upstream}
            }}
            handle_path /password/* {{
                basic_auth {{
                    paul $2a$14$KLgiR2SVVhifh4uBbKWN8.RS3Eo/UezBiT6/oZAXn2Fvvfi9zXX7u
                }}
            }}
            handle_path /forward-auth/* {{
                respond 401
            }}
            handle_path /not-you/* {{
                respond \"not you\" 403
            }}
            handle_path /down/* {{
                reverse_proxy 127.0.0.1:{nowhere}
            }}
            handle_path /impatient/* {{
                reverse_proxy {upstream} {{
                    header_up -X-Forwarded-For
                    transport http {{
                        response_header_timeout 500ms
                    }}
                }}
            }}
        }}"
    );
    let _caddy = Proxy::caddy(&HOME.caddy, &caddyfile, &site.files(), port);

    let base_url = format!("https://localhost:{port}/home");
    let relay = Relay::start(&[("BASE_URL", &base_url), ("CA_CERTIFICATE", &site.ca.pem())]);
    let turn = TURN.lock();
    for (name, _) in events().iter().filter(|(name, _)| name != "without-token") {
        let event = HOME.event(name);
        let (_, straight) = HOME.ask("POST", "/api/alexa", &event);
        assert_eq!(relay.reply(&event), straight, "{name}");
    }

    site.says("not-trusted", PROXY_NOT_TRUSTED, "Settings, System, Network");
    site.says("password", FIREWALL, "wants a login");
    site.says("forward-auth", FIREWALL, "wants a login");
    site.says("not-you", FIREWALL, "a firewall in front");
    site.says("not-routed", WRONG_ADDRESS, "the answer is not Home Assistant's");
    site.says("down", UNREACHABLE, "got no answer from it");
    site.says("home/homeassistant", "Home Assistant does not listen to Alexa yet.", "if BASE_URL has a path");
    assert_says(&[("BASE_URL", &format!("http://localhost:{port}"))], WRONG_ADDRESS, "begin with https://");
    assert_says(
        &[("BASE_URL", &format!("https://127.0.0.1:{port}")), ("CA_CERTIFICATE", &site.ca.pem())],
        INSECURE,
        "it has none for the name in BASE_URL",
    );

    HOME.set("input_boolean.slow_finished", false);
    let base_url = format!("https://localhost:{port}/impatient");
    let relay = Relay::start(&[("BASE_URL", &base_url), ("CA_CERTIFICATE", &site.ca.pem())]);
    let speech = relay.speech(slow_intent());
    assert!(speech.starts_with(PROXY_TIMEOUT), "{speech}");
    assert!(relay.end().contains("async_action: true"));
    thread::sleep(Duration::from_secs(3));
    assert_eq!(HOME.state("input_boolean.slow_finished"), "off", "the proxy has cut the script off");
    drop(turn);
}

/// An intent whose script takes 2 s.
fn slow_intent() -> String {
    let slots = r#"SlowIntent", "slots": { "Seconds": { "name": "Seconds", "value": "2" } }"#;
    HOME.intent("SlowIntent").replacen("SlowIntent\"", slots, 1)
}

#[test]
fn caddy_that_requires_a_client_certificate() {
    let site = Site::new();
    let (port, upstream) = (site.port, upstream());
    let caddyfile = format!(
        "https://localhost:{port} {{
            tls server.pem server.key {{
                client_auth {{
                    mode require_and_verify
                    trust_pool file clients.pem
                }}
            }}
            reverse_proxy {upstream} {{
                header_up -X-Forwarded-For
            }}
        }}"
    );
    let _caddy = Proxy::caddy(&HOME.caddy, &caddyfile, &site.files(), port);
    client_certificates(
        &site,
        ANSWER,
        "requires a client certificate",
        "refused the certificate of CLIENT_CERTIFICATE",
    );
}

fn client_certificates(site: &Site, accepted: &str, missing: &str, refused: &str) {
    let (base_url, ca) = (format!("https://localhost:{}", site.port), site.ca.pem());
    let says = |client: &str, sentence: &str, log_part: &str| {
        let settings = [("BASE_URL", &*base_url), ("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", client)];
        assert_says(&settings, sentence, log_part);
    };
    says(&site.clients.issue_for("alexa", YEARS).pem_with_key(), accepted, "status=200");
    says(X509_V1_CLIENT, accepted, "status=200");
    says("", INSECURE, missing);
    says(&Ca::new().issue_for("alexa", YEARS).pem_with_key(), INSECURE, refused);
    says(&site.clients.issue_for("alexa", 2020..2021).pem_with_key(), INSECURE, refused);
}

#[cfg(feature = "nginx")]
#[test]
fn nginx() {
    let site = Site::new();
    let (port, plain, upstream, nowhere) = (site.port, free_port(), upstream(), free_port());
    let servers = format!(
        "limit_req_zone $server_name zone=one:1m rate=1r/m;
        server {{
            listen 127.0.0.1:{port} ssl; server_name localhost;
            ssl_certificate server.pem; ssl_certificate_key server.key;
            location /home/ {{ proxy_pass http://{upstream}/; }}
            location /not-trusted/ {{ proxy_pass http://{upstream}/; proxy_set_header X-Forwarded-For $remote_addr; }}
            location /replaced/ {{
                proxy_pass http://{upstream}/; proxy_set_header Authorization none;
                proxy_intercept_errors on; error_page 401 @page;
            }}
            location @page {{ default_type text/html; return 401 \"<html>401</html>\"; }}
            location /password/ {{ auth_basic home; auth_basic_user_file clients.pem; proxy_pass http://{upstream}/; }}
            location /forward-auth/ {{ auth_request /no; proxy_pass http://{upstream}/; }}
            location = /no {{ return 401; }}
            location /not-you/ {{ deny all; }}
            location /down/ {{ proxy_pass http://127.0.0.1:{nowhere}/; }}
            location /impatient/ {{ proxy_pass http://{upstream}/; proxy_read_timeout 500ms; }}
            location /limited/ {{ limit_req zone=one; proxy_pass http://{upstream}/; }}
        }}
        server {{ listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on; }}
        server {{ listen 127.0.0.1:{plain}; return 301 https://localhost:{port}$request_uri; }}"
    );
    let _nginx = Proxy::nginx(&servers, &site.files(), port);

    site.says("home", ANSWER, "status=200");
    site.says("not-trusted", PROXY_NOT_TRUSTED, "Settings, System, Network");
    site.says_with_a_token("replaced", FIREWALL, "link the account again");
    site.says("password", FIREWALL, "wants a login");
    site.says("forward-auth", FIREWALL, "if the proxy wants a login");
    site.says("not-you", FIREWALL, "a firewall in front");
    site.says("not-routed", WRONG_ADDRESS, "status 404");
    site.says("down", UNREACHABLE, "got no answer from it");
    site.says_with_a_token("limited", ANSWER, "status=200");
    site.says_with_a_token("limited", UNREACHABLE, "limit_req");
    assert_says(&[("BASE_URL", &format!("http://localhost:{port}"))], WRONG_ADDRESS, "begin with https://");
    assert_says(&[("BASE_URL", &format!("http://localhost:{plain}"))], WRONG_ADDRESS, "redirects to another address");
    assert_says(
        &[("BASE_URL", &format!("https://127.0.0.1:{port}")), ("CA_CERTIFICATE", &site.ca.pem())],
        INSECURE,
        "it has none for the name in BASE_URL",
    );
    let _turn = TURN.lock();
    let base_url = format!("https://localhost:{port}/impatient");
    let relay = Relay::start(&[("BASE_URL", &base_url), ("CA_CERTIFICATE", &site.ca.pem())]);
    let speech = relay.speech(slow_intent());
    assert!(speech.starts_with(PROXY_TIMEOUT), "{speech}");
}

#[cfg(feature = "nginx")]
#[test]
fn nginx_that_requires_a_client_certificate() {
    let site = Site::new();
    let (port, upstream) = (site.port, upstream());
    let servers = format!(
        "server {{
            listen 127.0.0.1:{port} ssl; ssl_certificate server.pem; ssl_certificate_key server.key;
            ssl_verify_client on; ssl_client_certificate clients.pem;
            location / {{ proxy_pass http://{upstream}; }}
        }}"
    );
    let _nginx = Proxy::nginx(&servers, &site.files(), port);
    client_certificates(
        &site,
        ANSWER,
        "requires a client certificate",
        "refused the certificate of CLIENT_CERTIFICATE",
    );
}
