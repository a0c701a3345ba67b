//! Alexa names an invalid setting, and the log warns about unsafe ones.

use crate::support::*;

/// config.rs tests what is invalid.
#[test]
fn invalid_settings_are_spoken_and_logged_by_name() {
    for (name, value, problem) in [
        ("BASE_URL", "geheim.local:8123", "does not begin with https:// or http://"),
        ("NOT_VERIFY_SSL", "geheim", "is neither on nor off"),
        ("DEBUG", "geheim", "is neither on nor off"),
        ("LONG_LIVED_ACCESS_TOKEN", "geheim.geheim", "is not a token that Home Assistant makes"),
        ("EXTRA_HEADERS", "X-Key: geheim", "is not a JSON object"),
        ("CA_CERTIFICATE", "geheim.pem", "has no -----BEGIN, and is not the name of a file"),
        ("CLIENT_CERTIFICATE", "-----BEGIN CERTIFICATE-----geheim", "has no certificate"),
    ] {
        let home = Home::saying(ANSWER);
        let relay = home.relay(&[(name, value)]);
        for event in ["launch-request", "smart-home-turn-on"].map(event) {
            relay.assert_fails(&event, &format!("{name} is not set to anything I can use. "), problem);
        }
        let log = relay.end();
        assert_eq!(log.matches(&format!("{name} {problem}")).count(), 3, "at start and with each event:\n{log}");
        assert!(log.lines().next().unwrap().contains("ERROR"), "{log}");
        assert!(home.connections() == 0 && !log.contains("geheim"), "the log has the value:\n{log}");
    }
}

#[test]
fn not_verify_ssl_accepts_any_certificate() {
    let home = Home::over_tls(Identity::self_signed().server(), answer(200, &[], ANSWER));
    let relay = |flag| home.relay(&[("NOT_VERIFY_SSL", flag)]);
    relay("False").assert_fails(&event("launch-request"), INSECURE, "self-signed");
    assert!(home.requests().is_empty(), "an untrusted server gets no token");
    let relay = relay("True");
    assert_eq!(relay.reply(event("launch-request")), ANSWER);
    let log = relay.end();
    assert_has(log.lines().next().unwrap(), "WARN … CA_CERTIFICATE");
    assert!(!log.contains("begins with http://"), "{log}");
}

#[test]
fn long_lived_token_is_warned_about_at_start() {
    let echo = ANSWER.replace("OK", LONG_LIVED_TOKEN);
    let home = Home::saying(echo.clone());
    let relay = home.relay(&[("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN), ("DEBUG", "1")]);
    assert_eq!(relay.reply(event("without-token")), echo);
    assert_eq!(home.request().headers()["authorization"], format!("Bearer {LONG_LIVED_TOKEN}"));
    let log = relay.end();
    assert_eq!(log.matches("WARN").count(), 2, "{log}");
    assert_has(log.lines().next().unwrap(), "LONG_LIVED_ACCESS_TOKEN is set");
    assert_has(log.lines().nth(1).unwrap(), "BASE_URL begins with http://");
    assert!(!log.contains(LONG_LIVED_TOKEN) && log.contains("PlainText"), "{log}");
}

#[test]
fn started_by_hand_it_explains_itself() {
    let output = program().env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.lines().count() == 2 && output.stdout.is_empty(), "{said}");
    assert_has(&said, "AWS Lambda … scripts/try");
}
