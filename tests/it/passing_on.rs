//! Requests and answers are passed on unchanged.

use std::future::ready;

use serde_json::json;

use crate::support::*;

#[test]
fn every_event_and_answer_keeps_its_bytes() {
    let home = Home::new();
    let relay = Relay::to(&format!(" {}/ha// ", home.url()));
    for (n, (name, event)) in events().iter().filter(|(name, _)| name != "without-token").enumerate() {
        let is_directive = name.starts_with("smart-home");
        let (answer, path) = if is_directive { (EVENT, "/ha/api/alexa/smart_home") } else { (ANSWER, "/ha/api/alexa") };
        assert_eq!(relay.reply(event), answer, "{name}");
        let requests = home.requests();
        assert_eq!(requests[n].uri(), path, "{name}");
        assert_eq!((requests.len(), requests[n].body().as_ref()), (n + 1, event.trim().as_bytes()), "{name}");
    }
    assert_eq!(home.connections(), 1);
}

#[test]
fn unusual_json_keeps_its_bytes() {
    let odd =
        r#"{"z":1.50,"a":1e400,"a":12345678901234567890123,  "s":"\u00e9\/é\ud800","t":{"x":1,"x":2}}"#.to_owned();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    // Exactly what Lambda passes on.
    let large = format!("\"{}\"", "a".repeat((6 << 20) - r#"{"response": {"x":"" }}"#.len()));
    // Debug builds take seconds to redact the large one.
    for (json, debug) in [(odd, "1"), (deep, "1"), (large, "")] {
        let event = event("locate-intent").replace("\"1.0\"", &json);
        let answer = format!(r#"{{"response": {{"x":{json} }}}}"#);
        let home = Home::saying(answer.clone());
        let relay = home.relay(&[("DEBUG", debug)]);
        assert!(relay.reply(&event) == answer);
        assert!(home.request().body() == event.trim());
    }
}

#[test]
fn only_necessary_headers_are_sent() {
    let home = Home::answering(answer(200, &[("set-cookie", "a=b; Path=/")], ANSWER));
    let relay = home.relay(&[]);
    // Home Assistant decides how long a token may be.
    for token in ["t", &"t".repeat(100_000)] {
        relay.reply(event_with_token(token));
        let request = home.requests().pop().unwrap();
        assert_eq!(request.uri(), "/api/alexa");
        assert_eq!(request.headers()["authorization"], format!("Bearer {token}"));
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(header_names(&request), "accept authorization content-length content-type host user-agent");
    }
}

#[test]
fn token_goes_only_to_base_url() {
    let elsewhere = Home::saying(ANSWER);
    let location = format!("{}/api/alexa", elsewhere.url());
    let home = Home::answering(answer(302, &[("location", &location)], ""));
    let proxies = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|name| (name, location.as_str()));
    home.relay(&proxies).reply(event("launch-request"));
    assert_eq!((home.requests().len(), elsewhere.connections()), (1, 0));
}

/// An empty one at the end of a session becomes the smallest valid reply.
#[test]
fn any_2xx_is_passed_on() {
    const EMPTY: &str = r#"{"version":"1.0","response":{}}"#;
    for (status, body, expected) in [(200, "", EMPTY), (200, " \r\n", EMPTY), (204, "", EMPTY), (201, ANSWER, ANSWER)] {
        let home = Home::answering(answer(status, &[], body));
        let relay = home.relay(&[]);
        assert_eq!(relay.reply(event("session-ended-request")), expected, "{status} {body:?}");
        assert!(!relay.end().contains("ERROR"), "{status} {body:?}");
    }
}

/// Proxies send them, and other HTTP clients read them.
#[test]
fn odd_header_lines_lose_no_answer() {
    for head in [
        "content-security-policy: default-src 'self';\r\n    img-src *;\r\n\tframe-src *\r\ncontent-length: LENGTH",
        "content-length:\r\n  LENGTH",
        "content-length : LENGTH",
        "no colon here\r\ncontent-length: LENGTH",
        "x y: z\r\ncontent-length: LENGTH",
    ] {
        let home = Home::start(None, move |request| {
            let (status, body) =
                if request.method() == "GET" { ("405 x", "405: Method Not Allowed") } else { ("200 OK", ANSWER) };
            let head = head.replace("LENGTH", &body.len().to_string());
            // What follows shows whether the length is read.
            ready(Answer::Raw(format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body} and more").into()))
        });
        let relay = home.relay(&[]);
        assert_eq!(relay.reply(event("launch-request")), ANSWER, "{head:?}: {}", relay.log());
        relay.reply(event("without-token"));
        relay.log_with("the way to Home Assistant is clear");
    }
}

/// Alexa accepts 8,000 characters, and 300 devices. They are counted in a function of 128 MB.
#[test]
fn excess_is_passed_on_with_a_warning() {
    let saying = |speech: &str, length| {
        let speech = speech.replace("SPEECH", &"\u{e9}".repeat(length));
        ("launch-request", format!(r#"{{"response":{{"outputSpeech":{{{speech}}}}}}}"#))
    };
    let finding = |count| {
        let device =
            json!({ "endpointId": "x".repeat(30), "capabilities": vec![json!({ "type": "AlexaInterface" }); 9] });
        ("smart-home-discovery", json!({ "event": { "payload": { "endpoints": vec![device; count] } } }).to_string())
    };
    for ((name, answer), warning) in [
        (saying(r#""text":"SPEECH","x":"SPEECH""#, 8_000), None),
        (saying(r#""text":"SPEECH""#, 8_001), Some("the speech has 8001 characters, and Alexa accepts 8000")),
        (saying(r#""type":"SSML","ssml":"SPEECH""#, 8_001), Some("the speech has 8001 characters")),
        (finding(300), None),
        (finding(301), Some("the discovery has 301 devices, and Alexa accepts 300")),
        (finding(20_000), Some("the discovery has 20000 devices")),
    ] {
        let home = Home::saying(answer.clone());
        let relay = home.relay(&[]);
        assert!(relay.reply(event(name)) == answer);
        let memory = relay.memory_kb("VmHWM");
        assert!(memory < 60_000, "{memory} KB for {} bytes", answer.len());
        let log = relay.end();
        assert_eq!(log.matches("and Alexa accepts").count(), usize::from(warning.is_some()), "{log}");
        assert_has(&log, warning.unwrap_or_default());
    }
}

/// The last one is of payload version 2, as the SAM CLI makes it.
#[test]
fn other_events_are_a_typed_lambda_error() {
    let others = r#"{} | [] | 7 | null | "text" | {"request":null} | {"request":"x"} | {"directive":7} | {"request":["LaunchRequest",
        "amzn1.echo-api.request.1","en-US"]} | {"directive":[{"header":{}}]} | {"headers":{},"requestContext":{},"body":"{}"} |
        {"header":{"payloadVersion":"1","namespace":"Control","name":"SwitchOnOffRequest"},"payload":{"accessToken":"[OAuth Token here]"}}"#;
    let home = Home::saying(ANSWER);
    let relay = home.relay(&[]);
    for payload in others.split(" |") {
        let outcome = relay.invoke_by(payload, millis_from_now(10_000));
        let Outcome::Error(error) = outcome else { panic!("{payload:?} is answered") };
        assert_eq!(error["errorType"], "NotAnEvent", "{payload:?}");
        assert_has(error["errorMessage"].as_str().unwrap(), "neither a request of … nor a directive of … version 2");
    }
    assert_eq!(home.connections(), 0);
    assert_has(&relay.log(), "ERROR … choose payload version 3");
    assert_eq!(relay.reply(event("launch-request")), ANSWER, "the next request is answered");
}
