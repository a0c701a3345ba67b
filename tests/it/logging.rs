//! The log has what its reader needs, and no secret.

use std::future::ready;

use serde_json::{Value, json};

use crate::support::*;

#[test]
fn request_and_fault_are_one_line_each() {
    let intent = ("locate-intent", "IntentRequest … LocateIntent");
    let directive = ("smart-home-turn-on", "Alexa.PowerController … TurnOn");
    for ((name, kind), status) in [(intent, 200), (intent, 404), (directive, 404)] {
        let home = Home::answering(answer(status, &[("server", "nginx")], ANSWER));
        let relay = home.relay(&[]);
        relay.reply(event(name));
        let (id, log) = (&*relay.request_id(), relay.end());
        let request = format!("INFO … {kind} … status={status} … ms= … {id}");
        let fault = format!("ERROR … cause= … remedy= … response= … server: nginx … {id}");
        let lines = ["WARN … BASE_URL begins with http://".to_owned(), request, fault];
        assert_eq!(log.lines().count(), if status == 200 { 2 } else { 3 }, "{log}");
        for (line, parts) in log.lines().zip(lines) {
            assert_has(line, &parts);
        }
    }
}

#[test]
fn log_is_json_if_lambda_asks_for_it() {
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let relay = home.relay(&[("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("DEBUG", "1")]);
    relay.reply(event("locate-intent"));
    let (id, log) = (relay.request_id(), relay.end());
    assert_eq!(log.lines().count(), 5, "other crates log errors only: {log}");
    for (n, line) in log.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.starts_with("20") && timestamp.ends_with('Z') && timestamp.contains('T'), "{timestamp}");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert_eq!(line["span"]["requestId"] == id, n > 0, "{line}");
        if line["level"] == "ERROR" {
            let parts = [("cause", "access token"), ("remedy", "link the account again"), ("response", "status 401")];
            for (name, part) in parts {
                assert_has(line[name].as_str().unwrap(), part);
            }
        }
    }
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
}

#[test]
fn debug_logs_requests_and_answers_without_secrets() {
    for (status, body) in [(200, ANSWER), (500, ANSWER), (200, "OK"), (502, "<p>OK</p>")] {
        let body = body.replace("OK", &format!("Paul is at home, {TOKEN}"));
        let home = Home::answering(answer(status, &[], body));
        let relay = home.relay(&[("DEBUG", "True")]);
        relay.reply(event("locate-intent").replacen(
            "\"context\": {",
            &format!("\"context\": {{ \"x\": \"{TOKEN}\","),
            1,
        ));
        let log = relay.end();
        assert_has(&log, "LocateIntent … \\\"Paul\\\" … Paul is at home");
        assert_holds_no_secret(&log);
    }
}

/// Redacting it would take more memory than a function may have.
#[test]
fn too_large_an_answer_is_not_logged() {
    let home = Home::answering(answer(200, &[], format!("\"{}\"", "a".repeat(6 << 20))));
    let relay = home.relay(&[("DEBUG", "True")]);
    relay.reply(event("locate-intent"));
    let log = relay.end();
    assert!(log.contains("6 MB") && !log.contains("aaa"), "{log}");
}

/// The only explanation of “There was a problem with the requested skill's response”.
#[test]
fn verdict_of_alexa_is_logged() {
    let home = Home::saying(ANSWER);
    let relay = home.relay(&[]);
    let error = format!(r#""error": {{ "type": "INVALID_RESPONSE", "message": "Speech too long, {TOKEN}" }}, "type""#);
    let kinds = ["SessionEndedRequest", "System.ExceptionEncountered", "AudioPlayer.PlaybackFailed"];
    for (n, kind) in kinds.into_iter().enumerate() {
        let event = event("launch-request").replacen("\"type\"", &error, 1).replace("LaunchRequest", kind);
        assert_eq!(relay.reply(&event), ANSWER);
        assert_eq!(home.requests()[n].body(), event.trim());
    }
    relay.reply(event("session-ended-request"));
    let log = relay.end();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    let told = "Alexa did not accept the previous answer cause=\"INVALID_RESPONSE: Speech too long, ***\" remedy=";
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(told)), "{log}");
}

/// Tokens and parts of them stand wherever the log shows something, or cuts it.
#[test]
fn no_answer_gets_a_secret_logged() {
    let (header, signed) = TOKEN.split_once('.').expect("three parts");
    let (start, end) = signed.split_at(signed.len() - 20);
    let (encoded, long) = (TOKEN.replace('-', "%2D"), "x".repeat(220));
    let words = [("ENCODED", &*encoded), ("X", &long), ("TOKEN", TOKEN), ("HEADER", header), ("SIGNED", signed)];
    let words = words.into_iter().chain([("START", start), ("END", end), ("KEY", KEY)]);
    let fill = |text: &str| words.clone().fold(text.to_owned(), |text, (word, part)| text.replace(word, part));
    let whole = "server: TOKEN\r\nwww-authenticate: TOKEN\r\nlocation: https://TOKEN@a.org/TOKEN?t=TOKEN#TOKEN\r\n";
    let encoded =
        "location: https://login.example.org/X/KEY/ENCODED\r\nserver: KEY\r\nwww-authenticate: Bearer x=TOKEN\r\n";
    let parts = "location: https://login.example.org/SIGNED\r\nwww-authenticate: END\r\nvia: SIGNED\r\n";
    let pages = [200, 302, 400, 401, 403, 404, 405, 418, 500, 502].map(|status| (status, whole, "<p>TOKEN, KEY</p>"));
    let parts =
        "START<wbr>END | START<WBR/>END | START&shy;END | START... HEADER | <title>Log in</title>X HEADER | X KEY"
            .split(" | ")
            .map(|body| (403, parts, body));
    let json =
        [ANSWER, r#"{"token":"TOKEN","x":["Bearer TOKEN"]}"#, r#"{"x":"TOKEN KEY"#, r#"{"response":{" TOKEN ":1}}"#];
    let json = json.map(|body| (200, "", body));
    let rest = ["ENCODED", "<a href='/?ENCODED'>", "KEY"].map(|body| (302, encoded, body)).into_iter().chain(json);
    let answers = pages.into_iter().chain(parts).chain(rest).map(|(status, head, body)| {
        let (head, body) = (fill(head), fill(body));
        format!("HTTP/1.1 {status} x\r\n{head}content-length: {}\r\n\r\n{body}", body.len())
    });
    let cut_short = ["", "TOKEN", "HTTP/1.1 500 TOKEN\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\nTOKEN"];
    at_once(answers.chain(cut_short.map(fill)), |answer| {
        let home = Home::answering(Answer::Raw(answer.into()));
        assert_no_secret_is_logged(&[("BASE_URL", &home.url())]);
    });
}

/// A proxy's page may hold the whole request.
#[test]
fn echoed_event_gets_no_secret_logged() {
    for status in [200, 502] {
        let home = Home::start(None, move |request| {
            let text = String::from_utf8_lossy(request.body()).into_owned();
            let body = json!({ "response": { "x": text }, "event": { "x": [text] } }).to_string();
            ready(answer(status, &[("server", &text.replace('\n', ""))], body))
        });
        let relay = home.relay(&[("DEBUG", "1")]);
        for (_, event) in events() {
            relay.reply(event);
        }
        assert_holds_no_token(&relay.end());
    }
}

#[test]
fn no_failed_connection_gets_a_secret_logged() {
    let tls = Home::over_tls(Identity::self_signed().server(), Answer::Silence);
    let silent = Home::answering(Answer::Silence);
    let (tls, silent) = (tls.url(), silent.url());
    let settings = [
        ("BASE_URL", &*tls),
        ("BASE_URL", &tls.replace("https:", "http:")),
        ("BASE_URL", &silent),
        ("BASE_URL", &silent.replace("http:", "https:")),
        ("BASE_URL", "http://localhost:1"),
        ("BASE_URL", "https://home.invalid"),
        ("BASE_URL", &format!("https://{TOKEN}@home.example.org/?{TOKEN}")),
        ("BASE_URL", ""),
        ("DEBUG", TOKEN),
        ("NOT_VERIFY_SSL", TOKEN),
        ("LONG_LIVED_ACCESS_TOKEN", TOKEN),
    ];
    at_once(settings, |setting| assert_no_secret_is_logged(&[("BASE_URL", &silent), setting]));
}

/// The value of a header in `EXTRA_HEADERS`.
const KEY: &str = "geheim-und-noch-viel-mehr";

/// Sends every event, whole and cut in half, with both log formats and everything that could make the log say more.
fn assert_no_secret_is_logged(settings: &[(&str, &str)]) {
    at_once(["Text", "JSON"], |format| {
        let modes = [("DEBUG", "True"), ("AWS_LAMBDA_LOG_FORMAT", format), ("RUST_BACKTRACE", "full")];
        let headers = format!(r#"{{"X-Key": " {KEY} "}}"#);
        let levels = [("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("EXTRA_HEADERS", &headers)];
        let relay = Relay::start(&[&modes[..], &levels, settings].concat());
        for (_, event) in events() {
            relay.invoke_by(&event, millis_from_now(200));
            relay.invoke_by(&event[..event.len() / 2], millis_from_now(200));
        }
        let log = relay.end();
        assert!(log.contains("IntentRequest") && !log.contains('\u{1b}'), "{log}");
        assert_holds_no_secret(&log);
    });
}

/// Checks that the log has none of the secrets in the events.
fn assert_holds_no_secret(log: &str) {
    assert_holds_no_token(log);
    for id in ["amzn1.ask.account.", "amzn1.ask.device."] {
        assert!(!log.contains(id), "{id} is in the log:\n{log}");
    }
}

/// Checks that the log has no piece of a token or code of the events.
fn assert_holds_no_token(log: &str) {
    for secret in [TOKEN, AMAZONS_TOKEN, GRANT_CODE, KEY] {
        let mut pieces = (0..secret.len() - 15).step_by(4).map(|start| &secret[start..start + 16]);
        let found = pieces.find(|piece| log.contains(piece));
        assert!(found.is_none(), "{found:?} of {secret} is in the log:\n{log}");
    }
}
