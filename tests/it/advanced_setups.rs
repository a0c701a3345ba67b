//! Homes behind an access proxy, with a CA of their own, or that request a client certificate.

use std::fs;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, version};

use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::Relay;
use crate::support::tls::{Ca, Identity, YEARS};
use crate::support::{event, event_with_token, scratch};

const EXPIRED: std::ops::Range<i32> = 2020..2021;

fn home(server: ServerConfig) -> Home {
    Home::over_tls(server, |connection| connection.answer_all(&response("200 OK", &[], ANSWER)))
}

fn assert_trusted(home: &Home, settings: &[(&str, &str)]) {
    let relay = Relay::start(&[&[("BASE_URL", home.url().as_str())], settings].concat());
    assert_eq!(relay.reply(event("locate-intent")), ANSWER, "{}", relay.log());
}

fn assert_refused(home: &Home, settings: &[(&str, &str)], cause: &str) {
    let relay = Relay::start(&[&[("BASE_URL", home.url().as_str())], settings].concat());
    let speech = relay.speech(event("locate-intent"));
    assert!(speech.starts_with("I cannot connect to Home Assistant securely."), "{speech}");
    relay.log_with(cause);
    assert!(home.requests().is_empty(), "no token goes to a server that is not trusted");
}

#[test]
fn extra_headers_are_sent_with_every_call() {
    let home = Home::saying(ANSWER);
    let headers = r#"{"CF-Access-Client-Id": "id.access", "CF-Access-Client-Secret": "secret"}"#;
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("EXTRA_HEADERS", headers)]);
    relay.reply(event("launch-request"));
    thread::sleep(Duration::from_millis(4_200));
    relay.reply(event("launch-request"));
    let calls = home.requests();
    assert_eq!((calls.len(), home.connections()), (2, 2));
    for call in calls {
        assert_eq!(call.header("cf-access-client-id"), Some("id.access"), "{}", call.method);
        assert_eq!(call.header("cf-access-client-secret"), Some("secret"), "{}", call.method);
    }
}

#[test]
fn the_values_of_extra_headers_are_not_logged_even_where_the_home_echoes_them() {
    for status in ["200 OK", "403 Forbidden"] {
        let home = Home::answering(response(status, &[("server", "geheim")], ANSWER.replace("OK", "ein geheim")));
        let relay = Relay::start(&[
            ("BASE_URL", &home.url()),
            ("EXTRA_HEADERS", r#"{"X-Key": "geheim"}"#),
            ("DEBUG", "True"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ]);
        relay.reply(event("locate-intent").replace("EXAMPLE", "geheim"));
        let log = relay.end();
        assert!(log.contains("LocateIntent") && log.contains("***"), "{log}");
        assert!(!log.contains("geheim"), "{log}");
    }
}

#[test]
fn a_ca_of_its_owner_is_trusted() {
    let root = Ca::new();
    let intermediate = root.intermediate();
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        assert_trusted(&home(root.issue(YEARS).server_of(versions)), &[("CA_CERTIFICATE", &root.pem())]);
        let chain = intermediate.issue(YEARS).with(intermediate.certificate());
        assert_trusted(&home(chain.server_of(versions)), &[("CA_CERTIFICATE", &root.pem())]);
    }
    let two = [Ca::new().pem(), root.pem()].concat();
    for pasted in [two.clone(), two.replace('\n', "\\n"), two.replace('\n', " ")] {
        assert_trusted(&home(root.issue(YEARS).server()), &[("CA_CERTIFICATE", &pasted)]);
    }
}

#[test]
fn a_certificate_may_be_a_file_beside_the_program() {
    let (root, folder) = (Ca::new(), scratch());
    fs::write(folder.path().join("home.pem"), root.pem()).unwrap();
    let settings = [("CA_CERTIFICATE", "home.pem"), ("LAMBDA_TASK_ROOT", folder.path().to_str().unwrap())];
    assert_trusted(&home(root.issue(YEARS).server()), &settings);
}

#[test]
fn a_self_signed_certificate_of_its_owner_is_trusted() {
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        for identity in [Identity::self_signed(), Identity::ca_for("localhost", YEARS)] {
            let pem = identity.pem().to_owned();
            assert_trusted(&home(identity.server_of(versions)), &[("CA_CERTIFICATE", &pem)]);
        }
    }
}

#[test]
fn what_its_owner_does_not_trust_is_refused_unless_not_verify_ssl_is_on() {
    let root = Ca::new();
    let client = Ca::new().issue_for("alexa", YEARS);
    let trusted = [
        ("CA_CERTIFICATE", root.pem()),
        ("CLIENT_CERTIFICATE", client.pem_with_key()),
        ("EXTRA_HEADERS", r#"{"X-Key": "x"}"#.to_owned()),
    ];
    let trusted = trusted.each_ref().map(|(name, pem)| (*name, pem.as_str()));
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        for (identity, cause) in [
            (Ca::new().issue(YEARS), "does not send the certificate of the CA"),
            (Identity::self_signed(), "it is self-signed"),
            (Identity::ca_for("localhost", YEARS), "it is self-signed"),
            (root.issue(EXPIRED), "certificate has expired"),
            (root.issue_for("other.example.org", YEARS), "certificate is for another name"),
        ] {
            let server = identity.server_of(versions);
            assert_refused(&home(server.clone()), &trusted, cause);
            assert_trusted(&home(server), &[&trusted[..], &[("NOT_VERIFY_SSL", "True")]].concat());
        }
    }
}

#[test]
fn a_self_signed_certificate_of_its_owner_is_refused_for_another_name_and_out_of_its_time() {
    for make in [Identity::self_signed_for, Identity::ca_for] {
        for (name, years, cause) in [
            ("localhost", EXPIRED, "certificate has expired"),
            ("localhost", 2080..2090, "certificate is not valid yet"),
            ("other.example.org", YEARS, "certificate is for another name"),
        ] {
            let identity = make(name, years);
            let pem = identity.pem().to_owned();
            assert_refused(&home(identity.server()), &[("CA_CERTIFICATE", &pem)], cause);
        }
    }
}

#[test]
fn a_home_that_accepted_the_client_certificate_before_is_not_said_to_refuse_it() {
    let (root, clients) = (Ca::new(), Ca::new());
    let home = Home::over_tls(root.issue(YEARS).server_for(&clients), |connection| {
        let request = connection.request().expect("a request");
        if request.header("authorization") == Some("Bearer good") {
            connection.send(&response("200 OK", &[("connection", "close")], ANSWER));
        }
    });
    let client = clients.issue_for("alexa", YEARS).pem_with_key();
    let settings = [("BASE_URL", home.url()), ("CA_CERTIFICATE", root.pem()), ("CLIENT_CERTIFICATE", client)];
    let relay = Relay::start(&settings.each_ref().map(|(name, value)| (*name, value.as_str())));
    assert_eq!(relay.reply(event_with_token("good")), ANSWER);
    let speech = relay.speech(event_with_token("bad"));
    assert!(speech.starts_with("Home Assistant gave no answer"), "{speech}");
}

#[test]
fn a_home_that_requests_a_client_certificate_is_shown_it() {
    let (root, clients) = (Ca::new(), Ca::new());
    let intermediate = clients.intermediate();
    let (direct, below) = (clients.issue_for("alexa", YEARS), intermediate.issue_for("alexa", YEARS));
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        let server = || root.issue(YEARS).server_of_for(versions, &clients);
        for client in [direct.pem_with_key(), below.pem_with_key() + &intermediate.pem()] {
            assert_trusted(&home(server()), &[("CA_CERTIFICATE", &root.pem()), ("CLIENT_CERTIFICATE", &client)]);
        }
        assert_refused(&home(server()), &[("CA_CERTIFICATE", &root.pem())], "requires a client certificate");
        for other in [Ca::new().issue_for("alexa", YEARS), clients.issue_for("alexa", EXPIRED)] {
            let settings = [("CA_CERTIFICATE", root.pem()), ("CLIENT_CERTIFICATE", other.pem_with_key())];
            let settings = settings.each_ref().map(|(name, pem)| (*name, pem.as_str()));
            assert_refused(&home(server()), &settings, "the server refused the certificate of CLIENT_CERTIFICATE");
        }
    }
}
