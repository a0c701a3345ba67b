//! The log has what its reader needs, and no secret.

use serde_json::Value;

use crate::support::*;

#[test]
fn request_and_fault_are_one_line_each() {
    for (status, count) in [(200, 1), (404, 2)] {
        let home = Home::answering(answer(status, &[("server", "nginx")], ANSWER));
        let relay = Relay::to(&home.url());
        relay.reply(event("locate-intent"));
        let (id, log) = (&*relay.request_id(), relay.end());
        let (start, log) = log.split_once('\n').expect("a line about http://");
        assert!(start.contains("WARN") && log.lines().count() == count, "{start}\n{log}");
        let request = ["INFO", "IntentRequest", "LocateIntent", &format!("status={status}"), "ms=", id];
        let fault = ["ERROR", "cause=", "remedy=", "response=", "server: nginx", id];
        for (line, parts) in log.lines().zip([request, fault]) {
            assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
        }
    }
}

#[test]
fn log_is_json_if_lambda_asks_for_it() {
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("DEBUG", "1")]);
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
            let has = |(name, part)| line[name].as_str().is_some_and(|text| text.contains(part));
            assert!(parts.into_iter().all(has), "{line}");
        }
    }
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
}

#[test]
fn debug_logs_requests_and_answers_without_secrets() {
    for (status, body) in [(200, ANSWER), (500, ANSWER), (200, "OK"), (502, "<p>OK</p>")] {
        let body = body.replace("OK", &format!("Paul is at home, {TOKEN}"));
        let home = Home::answering(answer(status, &[], body));
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "True")]);
        let who_and_where = r#""context": { "Geolocation": { "coordinate": { "latitudeInDegrees": 47.11 }, "altitude": { "altitudeInMeters": 47.11 } },
            "Advertising": { "advertisingId": "PRIVATE" }, "x": { "note": "TOKEN", "unitId": "PRIVATE", "persistentUnitId": "PRIVATE", "persistentEndpointId": "PRIVATE", "gadgetId": "PRIVATE" },"#;
        relay.reply(event("locate-intent").replacen("\"context\": {", &who_and_where.replace("TOKEN", TOKEN), 1));
        let log = relay.end();
        assert!(!log.contains("PRIVATE") && !log.contains("47.11") && log.contains("gadgetId"), "{log}");
        assert!(log.contains("LocateIntent") && log.contains("\\\"Paul\\\""), "the request:\n{log}");
        assert!(log.contains("Paul is at home"), "the answer:\n{log}");
        assert_holds_no_secret(&log);
    }
}

/// Redacting it would take more memory than a function may have.
#[test]
fn too_large_an_answer_is_not_logged() {
    let home = Home::answering(answer(200, &[], format!("\"{}\"", "a".repeat(6 << 20))));
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "True")]);
    relay.reply(event("locate-intent"));
    let log = relay.end();
    assert!(log.contains("6 MB") && !log.contains("aaa"), "{log}");
}

/// The only explanation of “There was a problem with the requested skill's response”.
#[test]
fn verdict_of_alexa_is_logged() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    let error = r#""error": { "type": "INVALID_RESPONSE", "message": "Speech too long, TOKEN" }, "type""#
        .replace("TOKEN", TOKEN);
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
    let is_told = |line: &&str| line.contains(told);
    assert!(lines.len() == 2 && lines.iter().all(is_told), "{log}");
}

#[test]
fn no_answer_gets_a_secret_logged() {
    let token = &*long_token();
    let location = format!("https://{token}@login.example.org/{token}?t={token}#{token}");
    let encoded = &*token.replace('-', "%2D");
    let at_the_end = format!("https://login.example.org/{}/{encoded}", "x".repeat(220));
    let with_token = [("server", token), ("www-authenticate", token), ("location", &location)];
    let page = format!("<p>{token}</p>");
    let statuses = [200, 302, 400, 401, 403, 404, 405, 418, 500, 502];
    let pages = statuses.map(|status| answer(status, &with_token, page.clone()));
    let encoded = [encoded, &format!("<a href='/?{encoded}'>")].map(|body| {
        answer(302, &[("location", &at_the_end), ("www-authenticate", &format!("Bearer x={token}"))], body.to_owned())
    });
    let json = [ANSWER, r#"{"token":"TOKEN","x":["Bearer TOKEN"]}"#, r#"{"x":"TOKEN"#, r#"{"response":{" TOKEN ":1}}"#]
        .map(|body| answer(200, &[], body.replace("TOKEN", token)));
    let cut_short = ["", "TOKEN", "HTTP/1.1 500 TOKEN\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nTOKEN"]
        .map(|bytes| Answer::Raw(bytes.replace("TOKEN", token).into()));
    at_once(pages.into_iter().chain(encoded).chain(json).chain(cut_short), |answer| {
        let home = Home::answering(answer);
        assert_no_secret_is_logged(&[("BASE_URL", &home.url())]);
    });
}

#[test]
fn no_failed_connection_gets_a_secret_logged() {
    let tls = Home::over_tls(Identity::self_signed().server(), Answer::Silence);
    let silent = Home::answering(Answer::Silence);
    let (tls, silent, token) = (tls.url(), silent.url(), &*long_token());
    let settings = [
        ("BASE_URL", &*tls),
        ("BASE_URL", &tls.replace("https:", "http:")),
        ("BASE_URL", &silent),
        ("BASE_URL", &silent.replace("http:", "https:")),
        ("BASE_URL", "http://localhost:1"),
        ("BASE_URL", "https://home.invalid"),
        ("BASE_URL", &format!("https://{token}@home.example.org/?{token}")),
        ("BASE_URL", ""),
        ("DEBUG", token),
        ("NOT_VERIFY_SSL", token),
        ("LONG_LIVED_ACCESS_TOKEN", token),
    ];
    at_once(settings, |setting| assert_no_secret_is_logged(&[("BASE_URL", &silent), setting]));
}

/// As long as Home Assistant's tokens, so that cutting it leaves a part.
fn long_token() -> String {
    let parts = ('a'..='h').map(|part| format!("-{part}-access-token"));
    TOKEN.to_owned() + &parts.collect::<String>()
}

/// Sends every event, whole and cut in half, with both log formats and everything that could make the log say more.
fn assert_no_secret_is_logged(settings: &[(&str, &str)]) {
    at_once(["Text", "JSON"], |format| {
        let modes = [("DEBUG", "True"), ("AWS_LAMBDA_LOG_FORMAT", format), ("RUST_BACKTRACE", "full")];
        let levels = [("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")];
        let relay = Relay::start(&[&modes[..], &levels, settings].concat());
        for (_, event) in events() {
            let event = event.replace(TOKEN, &long_token());
            relay.invoke_by(&event, millis_from_now(200));
            relay.invoke_by(&event[..event.len() / 2], millis_from_now(200));
        }
        let log = relay.end();
        assert!(log.contains("IntentRequest") && !log.contains('\u{1b}'), "{log}");
        assert_holds_no_secret(&log);
    });
}

/// Checks that the log has none of the secrets in events/.
fn assert_holds_no_secret(log: &str) {
    let log = &log.replace("%2D", "-");
    for secret in ["-access-token", "example-grant-code", "amzn1.ask.account.", "amzn1.ask.device."] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
