//! Settings that are wrong are spoken, and the program says what it is where it is started by hand.

use std::process::Command;

use crate::support::event;
use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::Relay;
use crate::support::tls::Identity;

#[test]
fn a_missing_base_url_is_spoken_and_logged_at_start() {
    let relay = Relay::start(&[]);
    let speech = relay.speech(event("launch-request"));
    assert!(speech.starts_with("BASE_URL is not set. "), "{speech}");
    let log = relay.end();
    let start = log.lines().next().unwrap();
    assert!(start.contains("ERROR") && start.contains("BASE_URL is not set"), "{start}");
}

#[test]
fn a_wrong_setting_is_spoken_by_name_and_its_fault_is_logged() {
    const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let (one, other) = (Identity::self_signed(), Identity::self_signed().pem_with_key());
    let other = other.split_inclusive("-----END CERTIFICATE-----\n").nth(1).unwrap().to_owned();
    for (name, value, cause) in [
        ("BASE_URL", "geheim", "BASE_URL is not a URL"),
        ("BASE_URL", "https://gehe im.example.org", "BASE_URL is not a URL"),
        ("BASE_URL", "https://geheim..example.org", "BASE_URL is not a URL"),
        ("BASE_URL", "geheim.local:8123", "BASE_URL does not begin with https:// or http://"),
        ("BASE_URL", "https://home.example.org/?geheim", "BASE_URL has a query"),
        ("BASE_URL", "https://home.example.org/#geheim", "BASE_URL has a query (the part from ? on) or a fragment"),
        ("BASE_URL", "https://me:geheim@home.example.org", "BASE_URL has a user name or a password"),
        ("NOT_VERIFY_SSL", "geheim", "NOT_VERIFY_SSL is neither on nor off"),
        ("DEBUG", "geheim", "DEBUG is neither on nor off"),
        ("LONG_LIVED_ACCESS_TOKEN", "geheim\ngeheim", "LONG_LIVED_ACCESS_TOKEN has characters"),
        ("EXTRA_HEADERS", "X-Key: geheim", "EXTRA_HEADERS is not a JSON object"),
        ("EXTRA_HEADERS", r#"{"X-Key": "geheim\n"}"#, "EXTRA_HEADERS has a name or a text that no header may have"),
        ("EXTRA_HEADERS", r#"{"Authorization": "geheim"}"#, "EXTRA_HEADERS has a header that the relay or HTTP"),
        ("CA_CERTIFICATE", "geheim.pem", "CA_CERTIFICATE has no -----BEGIN, and is not the name of a file"),
        ("CA_CERTIFICATE", "-----BEGIN CERTIFICATE-----geheim", "CA_CERTIFICATE has no certificate"),
        ("CLIENT_CERTIFICATE", "-----BEGIN CERTIFICATE-----geheim", "CLIENT_CERTIFICATE has no certificate"),
        ("CLIENT_CERTIFICATE", one.pem(), "CLIENT_CERTIFICATE has no private key that can be read"),
        ("CLIENT_CERTIFICATE", &(one.pem().to_owned() + ENCRYPTED), "CLIENT_CERTIFICATE has a private key with a"),
        ("CLIENT_CERTIFICATE", &(one.pem().to_owned() + &other), "CLIENT_CERTIFICATE has a private key that does not"),
    ] {
        let home = Home::saying(ANSWER);
        let relay = Relay::start(&[("BASE_URL", &home.url()), (name, value)]);
        let speech = relay.speech(event("launch-request"));
        assert!(speech.starts_with(&format!("{name} is not set to anything I can use. ")), "{speech}");
        assert_eq!(home.connections(), 0);
        let log = relay.end();
        assert_eq!(log.matches(cause).count(), 2, "at start and with the request:\n{log}");
        assert!(!log.contains("geheim"), "no value is shown:\n{log}");
    }
}

#[test]
fn any_certificate_is_accepted_where_not_verify_ssl_is_on() {
    let answer = || {
        Home::over_tls(Identity::self_signed().server(), |connection| {
            connection.answer_all(&response("200 OK", &[], ANSWER));
        })
    };
    for on in ["True", "true", "1", "yes", "y", "on", "YES"] {
        let home = answer();
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", on)]);
        assert_eq!(relay.reply(event("launch-request")), ANSWER, "{on}");
    }
    let home = answer();
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", "True")]);
    let warning = relay.log_with("NOT_VERIFY_SSL is on");
    assert!(warning.contains("WARN") && warning.contains("CA_CERTIFICATE"), "{warning}");
    for off in ["False", "0", "no", "n", "OFF", ""] {
        let home = answer();
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", off)]);
        assert_ne!(relay.reply(event("launch-request")), ANSWER, "{off}");
        assert!(home.requests().is_empty(), "no token goes to a server that is not trusted");
    }
}

#[test]
fn a_long_lived_token_is_warned_of_at_start() {
    let home = Home::saying(ANSWER);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", "geheim")]);
    assert_eq!(relay.reply(event("without-token")), ANSWER);
    assert_eq!(home.request().header("authorization"), Some("Bearer geheim"));
    let log = relay.end();
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.lines().next().unwrap().contains("LONG_LIVED_ACCESS_TOKEN is set"), "{log}");
    assert!(!log.contains("geheim"), "{log}");
}

#[test]
fn outside_lambda_it_says_in_two_lines_what_it_is_and_how_to_try_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_alexa-relay")).env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("AWS Lambda") && said.contains("scripts/try"), "{said}");
    assert!(output.stdout.is_empty());
}
