//! Whatever comes in, from Alexa's side or from the home's, there is a reply that Alexa can use.

use std::io::Write;
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::{Outcome, Relay, millis_from_now};
use crate::support::{event, event_with_token};

/// Cases for each property. All of them together take some seconds.
const CASES: u32 = 400;

fn check<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, property: impl Fn(T)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |value| {
        property(value);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Any JSON, not very deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((any_name(), inner), 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The names that the relay looks for, and others.
fn any_name() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 10] =
        ["session", "context", "System", "user", "accessToken", "request", "type", "intent", "name", "locale"];
    prop_oneof![3 => proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

/// A real event in which one place holds something else.
fn any_envelope() -> impl Strategy<Value = Value> {
    const PLACES: [&str; 9] = [
        "/session",
        "/session/user",
        "/session/user/accessToken",
        "/context/System/user/accessToken",
        "/request",
        "/request/type",
        "/request/locale",
        "/request/intent",
        "/request/intent/name",
    ];
    (proptest::sample::select(&PLACES[..]), any_json()).prop_map(|(place, json)| {
        let mut envelope: Value = serde_json::from_str(&event("locate-intent")).expect("an event is JSON");
        *envelope.pointer_mut(place).expect("the event has it") = json;
        envelope
    })
}

/// A reply has a version and a response, and nothing says that the program panicked.
fn assert_is_reply(reply: &str) {
    let reply: Value = serde_json::from_str(reply).unwrap_or_else(|error| panic!("{error}: {reply}"));
    assert!(reply["version"] == "1.0" && reply["response"].is_object(), "{reply}");
}

/// Sends a payload: there is a reply, or a Lambda error that is no panic; and a reply if it is an envelope of Alexa's.
fn assert_is_handled(relay: &Relay, payload: &[u8], is_envelope: bool) {
    match relay.invoke_by(payload, millis_from_now(3_000)) {
        Outcome::Reply(reply) => assert_is_reply(&reply),
        Outcome::Error(error) => {
            assert!(!is_envelope, "{}: {error}", String::from_utf8_lossy(payload));
            assert!(!error.to_string().contains("panicked"), "{error}");
        }
    }
}

#[test]
fn wrongly_typed_envelopes_are_answered() {
    let home = Home::saying(ANSWER);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
    check(any_envelope(), |envelope| assert_is_handled(&relay, envelope.to_string().as_bytes(), false));
    check(any_json(), |json| assert_is_handled(&relay, json.to_string().as_bytes(), false));
    assert_eq!(relay.reply(event_with_token("t")), ANSWER, "and the next request is answered");
    assert!(!relay.end().contains("panicked"));
}

#[test]
fn truncated_and_damaged_envelopes_are_answered_or_refused() {
    let home = Home::saying(ANSWER);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
    let event = event("activate-scene-intent-synonym").trim_end().to_owned();
    check(0..event.len(), |end| assert_is_handled(&relay, &event.as_bytes()[..end], false));
    check((0..event.len(), vec(any::<u8>(), 0..4)), |(at, bytes)| {
        let damaged = [&event.as_bytes()[..at], &bytes, &event.as_bytes()[at..]].concat();
        assert_is_handled(&relay, &damaged, damaged == event.as_bytes());
    });
    assert!(!relay.end().contains("panicked"));
}

#[test]
fn huge_and_deep_envelopes_are_answered() {
    let home = Home::saying(ANSWER);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
    let long = json!("a".repeat(5_000_000)).to_string();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (place, json) in [("\"1.0\"", &long), ("\"1.0\"", &deep), ("\"LocateIntent\"", &long)] {
        assert_eq!(relay.reply(event_with_token("t").replace(place, json)), ANSWER);
    }
    let token = "t".repeat(100_000);
    assert_eq!(relay.reply(event_with_token(&token)), ANSWER, "what is too long is for Home Assistant to say");
    assert!(!relay.end().contains("panicked"));
}

#[test]
fn whatever_the_home_answers_alexa_gets_a_reply() {
    let next = Arc::<Mutex<Vec<u8>>>::default();
    let home = Home::behaving({
        let next = Arc::clone(&next);
        move |connection| {
            connection.request();
            connection.send(&next.lock().unwrap());
        }
    });
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
    let assert_replies = |answer: Vec<u8>| {
        *next.lock().unwrap() = answer;
        assert_is_reply(&relay.invoke_by(event_with_token("t"), millis_from_now(3_000)).reply());
    };
    check(vec(any::<u8>(), 0..200), assert_replies);
    let header = ("[A-Za-z-]{1,20}", vec(any::<u8>(), 0..40));
    let body = prop_oneof![vec(any::<u8>(), 0..200), any_envelope().prop_map(|json| json.to_string().into_bytes())];
    check(
        (100..1000_u16, vec(header, 0..8), body, any::<proptest::sample::Index>()),
        |(status, headers, body, cut)| {
            let mut answer = format!("HTTP/1.1 {status} x\r\n").into_bytes();
            for (name, value) in headers {
                answer.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
            }
            // Not to be mistaken for an answer of Home Assistant, which is passed on as it is.
            let body = [b"]".as_slice(), &body].concat();
            answer.extend([format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat());
            answer.truncate(cut.index(answer.len()) + 1);
            assert_replies(answer);
        },
    );
    check((0..ANSWER.len(), any::<u8>()), |(at, byte)| {
        let mut body = ANSWER.as_bytes().to_vec();
        body[at] = byte;
        let passed_on = serde_json::from_slice::<Value>(&body).is_ok();
        *next.lock().unwrap() = response("200 OK", &[("connection", "close")], &body);
        let reply = relay.invoke_by(event_with_token("t"), millis_from_now(3_000)).reply();
        if passed_on {
            assert_eq!(reply.as_bytes(), body);
        } else {
            assert_is_reply(&reply);
        }
    });
    assert!(!relay.end().contains("panicked"));
}

#[test]
fn ten_thousand_requests_leave_memory_where_it_was_after_a_hundred() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    let event = event("locate-intent");
    let mut after_hundred = 0;
    for n in 1..=10_000 {
        assert_eq!(relay.reply(&event), ANSWER);
        if n == 100 {
            after_hundred = relay.memory_kb();
        }
    }
    let after_all = relay.memory_kb();
    // Not `println!`, which is shown only where a test fails.
    let _ = writeln!(std::io::stderr(), "memory after 100 requests: {after_hundred} KB, after 10,000: {after_all} KB");
    assert!(after_all < after_hundred + 1024, "{after_hundred} KB, then {after_all} KB");
}
