//! Requests and answers are passed on unchanged.

use std::future::ready;

use crate::support::*;

#[test]
fn every_event_and_answer_keeps_its_bytes() {
    let home = Home::new();
    let relay = Relay::to(&home.url());
    for (n, (name, event)) in events().iter().filter(|(name, _)| name != "without-token").enumerate() {
        let answer = if name.starts_with("smart-home") { EVENT } else { ANSWER };
        assert_eq!(relay.reply(event), answer, "{name}");
        let requests = home.requests();
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
    for json in [odd, deep, large] {
        let event = event("locate-intent").replace("\"1.0\"", &json);
        let answer = format!(r#"{{"response": {{"x":{json} }}}}"#);
        let home = Home::saying(answer.clone());
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
        assert!(relay.reply(&event) == answer);
        assert!(home.request().body() == event.trim());
    }
}

#[test]
fn only_necessary_headers_are_sent() {
    let home = Home::answering(answer(200, &[("set-cookie", "a=b; Path=/")], ANSWER));
    let relay = Relay::to(&home.url());
    // Home Assistant decides how long a token may be.
    for token in ["t", &"t".repeat(100_000)] {
        relay.reply(event_with_token(token));
        let request = home.requests().pop().unwrap();
        assert_eq!(request.uri(), "/api/alexa");
        assert_eq!(request.headers()["authorization"], format!("Bearer {token}"));
        assert_eq!(request.headers()["content-type"], "application/json");
        let mut names: Vec<_> = request.headers().iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
    }
}

/// From the session, the context or the environment, in this order.
#[test]
fn first_non_empty_token_is_sent() {
    let home = Home::saying(ANSWER);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN)]);
    for (session, context, expected) in [
        (r#"{"user":{"accessToken":"session"}}"#, r#"{"user":{"accessToken":"context"}}"#, "session"),
        (r#"{"user":{"accessToken":""}}"#, r#"{"user":{"accessToken":"context"}}"#, "context"),
        (r#"{"user":{"accessToken":null}}"#, r#"{"user":{"accessToken":"context"}}"#, "context"),
        (r#"{"user":{"accessToken":"sess\u0069on"}}"#, "null", "session"),
        (r#"{"user":{"accessToken":""}}"#, r#"{"user":{"accessToken":""}}"#, LONG_LIVED_TOKEN),
        (r#"{"user":{}}"#, r#"{"user":{"accessToken":null}}"#, LONG_LIVED_TOKEN),
        ("null", "null", LONG_LIVED_TOKEN),
    ] {
        let context = format!(r#"{{"System":{context}}}"#);
        let event = format!(r#"{{"session":{session},"context":{context},"request":{{"type":"LaunchRequest"}}}}"#);
        assert_eq!(relay.reply(&event), ANSWER);
        assert_eq!(home.requests().pop().unwrap().headers()["authorization"], format!("Bearer {expected}"), "{event}");
    }
}

#[test]
fn token_goes_only_to_base_url() {
    let elsewhere = Home::saying(ANSWER);
    let location = format!("{}/api/alexa", elsewhere.url());
    let home = Home::answering(answer(302, &[("location", &location)], ""));
    let (home_url, other) = (home.url(), elsewhere.url());
    Relay::start(&[("BASE_URL", &home_url), ("HTTP_PROXY", &other), ("http_proxy", &other), ("ALL_PROXY", &other)])
        .reply(event("launch-request"));
    assert_eq!(home.requests().len(), 1);
    assert_eq!(elsewhere.connections(), 0);
}

/// At the end of a session, an empty one becomes the smallest valid reply.
#[test]
fn any_2xx_is_passed_on() {
    const EMPTY: &str = r#"{"version":"1.0","response":{}}"#;
    for (status, body, expected) in [(200, "", EMPTY), (200, " \r\n", EMPTY), (204, "", EMPTY), (201, ANSWER, ANSWER)] {
        let home = Home::answering(answer(status, &[], body));
        let relay = Relay::to(&home.url());
        assert_eq!(relay.reply(event("session-ended-request")), expected, "{status} {body:?}");
        assert!(!relay.end().contains("ERROR"), "{status} {body:?}");
    }
}

/// An event of payload version 2, as the SAM CLI makes it.
const DISCOVERY_2: &str = r#"{"header":{"payloadVersion":"1","namespace":"Control","name":"SwitchOnOffRequest"},"payload":{"accessToken":"[OAuth Token here]"}}"#;

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
        let relay = Relay::to(&home.url());
        assert_eq!(relay.reply(event("launch-request")), ANSWER, "{head:?}: {}", relay.log());
        relay.reply(event("without-token"));
        relay.log_with("the way to Home Assistant is clear");
    }
}

/// Alexa accepts 8,000 characters.
#[test]
fn long_speech_is_passed_on_with_a_warning() {
    for (speech, length, warnings) in [
        (r#""text":"SPEECH""#, 8_000, 0),
        (r#""text":"SPEECH""#, 8_001, 1),
        (r#""type":"SSML","ssml":"SPEECH""#, 8_001, 1),
        (r#""text":"SPEECH","x":"SPEECH""#, 8_000, 0),
    ] {
        let speech = speech.replace("SPEECH", &"\u{e9}".repeat(length));
        let answer = format!(r#"{{"response":{{"outputSpeech":{{{speech}}}}}}}"#);
        let home = Home::saying(answer.clone());
        let relay = Relay::to(&home.url());
        assert!(relay.reply(event("launch-request")) == answer);
        assert_eq!(relay.end().matches("Alexa accepts 8000").count(), warnings, "{length}");
    }
}

#[test]
fn other_events_are_a_typed_lambda_error() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    let unknown = "neither a request of an Alexa custom skill nor a directive of a smart home skill";
    for (payload, cause) in [
        ("{}", unknown),
        ("[]", unknown),
        ("7", unknown),
        ("null", unknown),
        (r#""text""#, unknown),
        (r#"{"request":null}"#, unknown),
        (r#"{"request":"x"}"#, unknown),
        (r#"{"request":["LaunchRequest","amzn1.echo-api.request.1","en-US"]}"#, unknown),
        (r#"{"directive":7}"#, unknown),
        (r#"{"directive":[{"header":{}}]}"#, unknown),
        (r#"{"headers":{"host":"x"},"requestContext":{},"body":"{}"}"#, unknown),
        (r#"{"header":{"payloadVersion":"3","namespace":"Alexa.Discovery","name":"Discover"},"payload":{}}"#, unknown),
        (DISCOVERY_2, "payload version 2"),
        (r#"{"header":{"namespace":"Alexa.ConnectedHome.Control","name":"TurnOnRequest"}}"#, "payload version 2"),
    ] {
        let Outcome::Error(error) = relay.invoke_by(payload, millis_from_now(10_000)) else {
            panic!("{payload:?} is answered")
        };
        assert_eq!(error["errorType"], "NotAnEvent", "{payload:?}");
        assert!(error["errorMessage"].as_str().unwrap().contains(cause), "{error}");
    }
    assert_eq!(home.connections(), 0);
    assert_eq!(relay.log().matches("choose payload version 3").count(), 2);
    assert_eq!(relay.reply(event("launch-request")), ANSWER, "the next request is answered");
}
