//! What the operator reads, and what nobody may read.

use serde_json::Value;

use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::{REQUEST_ID, Relay, millis_from_now};
use crate::support::tls::Identity;
use crate::support::{TOKEN, event, events};

#[test]
fn a_request_is_one_line_with_type_intent_status_time_and_id() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    relay.reply(event("locate-intent"));
    let log = relay.end();
    let [line] = log.lines().collect::<Vec<_>>()[..] else { panic!("one line:\n{log}") };
    for part in ["INFO", "IntentRequest", "LocateIntent", "status=200", "ms=", REQUEST_ID] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn a_fault_is_one_line_more_with_cause_remedy_and_response() {
    let home = Home::answering(response("404 Not Found", &[("server", "nginx")], "<html>"));
    let relay = Relay::to(&home.url());
    relay.reply(event("locate-intent"));
    let log = relay.end();
    let [request, fault] = log.lines().collect::<Vec<_>>()[..] else { panic!("two lines:\n{log}") };
    assert!(request.contains("INFO") && request.contains("status=404"), "{request}");
    for part in ["ERROR", "cause=", "remedy=", "response=", "server: nginx", REQUEST_ID] {
        assert!(fault.contains(part), "{part} in {fault}");
    }
}

#[test]
fn lines_are_json_where_lambda_asks_for_it() {
    let home = Home::answering(response("401 Unauthorized", &[], "401: Unauthorized"));
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("DEBUG", "1")]);
    relay.reply(event("locate-intent"));
    let log = relay.end();
    assert!(log.lines().count() >= 3, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.starts_with("20") && timestamp.ends_with('Z') && timestamp.contains('T'), "{timestamp}");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn debug_shows_request_and_answer_less_their_secrets() {
    let home = Home::saying(&ANSWER.replace("OK", "Paul is at home"));
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "True")]);
    relay.reply(event("locate-intent"));
    let log = relay.end();
    assert!(log.contains("LocateIntent") && log.contains("\\\"Paul\\\""), "the request:\n{log}");
    assert!(log.contains("Paul is at home"), "the answer:\n{log}");
    assert_holds_no_secret(&log);
}

#[test]
fn no_secret_is_in_the_log_whatever_the_home_answers() {
    let location = format!("https://{TOKEN}@login.example.org/{TOKEN}?t={TOKEN}#{TOKEN}");
    let with_token = [("server", TOKEN), ("www-authenticate", TOKEN), ("location", &location)];
    let mut answers: Vec<_> = [200, 302, 400, 401, 403, 404, 405, 418, 500, 502]
        .map(|status| response(&format!("{status} {TOKEN}"), &with_token, format!("<p>{TOKEN}</p>")))
        .into();
    answers.push(response("200 OK", &[], ANSWER));
    answers.push(response("200 OK", &[], format!(r#"{{"token":"{TOKEN}","x":["Bearer {TOKEN}"]}}"#)));
    answers.push(response("200 OK", &[], format!(r#"{{"x":"{TOKEN}"#)));
    answers.push(response("200 OK", &[], ANSWER)[..60].to_vec());
    answers.push(TOKEN.into());
    answers.push(Vec::new());
    for answer in answers {
        let home = Home::behaving(move |connection| {
            connection.request();
            connection.send(&answer);
        });
        assert_no_secret_is_logged(&[("BASE_URL", &home.url())]);
    }
}

#[test]
fn no_secret_is_in_the_log_where_the_home_is_not_reached() {
    let tls = Home::over_tls(Identity::self_signed().server(), |_| {});
    let plain = Home::behaving(|connection| connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let silent = Home::behaving(|connection| while connection.request().is_some() {});
    for base_url in [
        tls.url(),
        tls.url().replace("https:", "http:"),
        plain.url().replace("http:", "https:"),
        silent.url(),
        silent.url().replace("http:", "https:"),
        "http://localhost:1".to_owned(),
        "https://home.invalid".to_owned(),
        format!("https://{TOKEN}@home.example.org/?{TOKEN}"),
        String::new(),
    ] {
        assert_no_secret_is_logged(&[("BASE_URL", &base_url)]);
    }
    for setting in ["DEBUG", "NOT_VERIFY_SSL", "LONG_LIVED_ACCESS_TOKEN"] {
        assert_no_secret_is_logged(&[("BASE_URL", &silent.url()), (setting, &format!("{TOKEN}\n"))]);
    }
}

/// Sends every event, whole and cut in half, in every mode of the log.
fn assert_no_secret_is_logged(settings: &[(&str, &str)]) {
    for debug in ["False", "True"] {
        for format in ["Text", "JSON"] {
            let modes = [("DEBUG", debug), ("AWS_LAMBDA_LOG_FORMAT", format), ("RUST_BACKTRACE", "full")];
            let levels = [("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")];
            let relay = Relay::start(&[&modes[..], &levels, settings].concat());
            for (_, event) in events() {
                relay.invoke_by(&event, millis_from_now(200));
                relay.invoke_by(&event[..event.len() / 2], millis_from_now(200));
            }
            let log = relay.end();
            assert!(log.contains("IntentRequest") && !log.contains('\u{1b}'), "{log}");
            assert_holds_no_secret(&log);
        }
    }
}

/// None of the secrets that stand in events/.
fn assert_holds_no_secret(log: &str) {
    for secret in [TOKEN, "example-api-access-token", "amzn1.ask.account.", "amzn1.ask.device."] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
