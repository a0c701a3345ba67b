//! Whatever Alexa or Home Assistant sends, the relay gives a valid reply.

use std::future::ready;
use std::sync::Mutex;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::*;

/// Checks 400 random cases.
fn check<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, property: impl Fn(T)) {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |value| {
        property(value);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// A reply has a version and a response.
fn assert_is_reply(reply: &str) {
    let reply: Value = serde_json::from_str(reply).unwrap_or_else(|error| panic!("{error}: {reply}"));
    assert!(reply["version"] == "1.0" && reply["response"].is_object(), "{reply}");
}

/// Sends a payload and expects a reply, or a Lambda error that is not a panic.
fn assert_is_handled(relay: &Relay, payload: impl AsRef<[u8]>) {
    match relay.invoke_by(payload, millis_from_now(3_000)) {
        Outcome::Reply(reply) => assert_is_reply(&reply),
        Outcome::Error(error) => assert!(!error.to_string().contains("panicked"), "{error}"),
    }
}

#[test]
fn damaged_envelopes_are_answered_or_refused() {
    let home = Home::saying(ANSWER);
    let relay = home.relay(&[("DEBUG", "1")]);
    let event = event("locate-intent");
    check(0..event.len(), |end| assert_is_handled(&relay, &event.as_bytes()[..end]));
    check((0..event.len(), vec(any::<u8>(), 0..4)), |(at, bytes)| {
        assert_is_handled(&relay, [&event.as_bytes()[..at], &bytes, &event.as_bytes()[at..]].concat());
    });
    assert_eq!(relay.reply(&event), ANSWER, "the next request is answered");
    assert!(!relay.end().contains("panicked"));
}

#[test]
fn any_answer_leads_to_a_valid_reply() {
    let next: &Mutex<_> = Box::leak(Box::new(Mutex::new(Answer::Silence)));
    let home = Home::start(None, |_| ready(next.lock().unwrap().clone()));
    let relay = home.relay(&[("DEBUG", "1")]);
    let reply_to = |answer| {
        *next.lock().unwrap() = answer;
        relay.invoke_by(event("locate-intent"), millis_from_now(3_000)).reply()
    };
    check(vec(any::<u8>(), 0..200), |answer| assert_is_reply(&reply_to(Answer::Raw(answer))));
    let headers = vec(("[A-Za-z-]{1,20}", vec(any::<u8>(), 0..40)), 0..8);
    check((100..1000_u16, headers, vec(any::<u8>(), 0..200), any::<Index>()), |(status, headers, body, cut)| {
        let mut answer = format!("HTTP/1.1 {status} x\r\n").into_bytes();
        for (name, value) in headers {
            answer.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
        // The bracket makes the body invalid: a reply would be passed on unchanged.
        answer.extend([format!("content-length: {}\r\n\r\n]", body.len() + 1).as_bytes(), &body].concat());
        answer.truncate(cut.index(answer.len()) + 1);
        assert_is_reply(&reply_to(Answer::Raw(answer)));
    });
    check((0..ANSWER.len(), any::<u8>()), |(at, byte)| {
        let mut body = ANSWER.as_bytes().to_vec();
        body[at] = byte;
        let reply = reply_to(answer(200, &[], body.clone()));
        if serde_json::from_slice::<Value>(&body).is_ok_and(|body| body["response"].is_object()) {
            assert_eq!(reply.as_bytes(), body);
        } else {
            assert_is_reply(&reply);
        }
    });
    assert!(!relay.end().contains("panicked"));
}

/// 2,000 requests may take 200 KB.
#[test]
fn memory_does_not_grow_with_requests() {
    let home = Home::saying(ANSWER);
    let relay = home.relay(&[]);
    let event = event("locate-intent");
    let memory_after = |requests| {
        for _ in 0..requests {
            assert_eq!(relay.reply(&event), ANSWER);
        }
        relay.memory_kb("VmRSS")
    };
    let (few, many) = (memory_after(100), memory_after(2_000));
    assert!(many < few + 200, "{few} KB, then {many} KB");
}
