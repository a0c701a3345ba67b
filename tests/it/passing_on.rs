//! Alexa's request reaches Home Assistant as it is, and the answer comes back as it is.

use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::{Outcome, Relay};
use crate::support::{TOKEN, event, event_with_token, events};

#[test]
fn every_event_arrives_byte_for_byte_and_its_answer_comes_back_byte_for_byte() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    for (name, event) in events() {
        let before = home.requests().len();
        let reply = relay.reply(&event);
        let requests = home.requests().split_off(before);
        if name == "without-token" {
            assert!(requests.is_empty(), "no POST without a token");
            continue;
        }
        assert_eq!(reply, ANSWER, "{name}");
        assert_eq!(requests.len(), 1, "{name}");
        assert_eq!(requests[0].method, "POST", "{name}");
        assert_eq!(String::from_utf8_lossy(&requests[0].body), event.trim(), "{name}");
    }
}

#[test]
fn json_keeps_its_order_spelling_escapes_and_double_members() {
    let odd =
        r#"{"z":1.50,"a":1e400,"a":12345678901234567890123,  "s":"\u00e9\/é\ud800","d":[[[[]]]],"t":{"x":1,"x":2}"#;
    let event = format!(r#"{odd},"session":{{"user":{{"accessToken":"t"}}}},"request":{{"type":"LaunchRequest"}}}}"#);
    let answer = format!("{odd}}}");
    let home = Home::saying(&answer);
    let relay = Relay::to(&home.url());
    assert_eq!(relay.reply(&event), answer);
    assert_eq!(String::from_utf8(home.request().body).unwrap(), event);
}

#[test]
fn json_may_be_a_thousand_levels_deep() {
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let event = event_with_token("t").replace("\"1.0\"", &deep);
    let home = Home::saying(&deep);
    assert_eq!(Relay::to(&home.url()).reply(&event), deep);
    assert_eq!(String::from_utf8(home.request().body).unwrap(), event);
}

#[test]
fn a_request_carries_the_headers_that_it_needs_and_no_more() {
    let home = Home::saying(ANSWER);
    Relay::to(&home.url()).reply(event("launch-request"));
    let request = home.request();
    assert_eq!(request.path, "/api/alexa");
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
}

#[test]
fn base_url_may_have_a_path_and_slashes_at_its_end() {
    let home = Home::saying(ANSWER);
    assert_eq!(Relay::to(&format!(" {}/ha// ", home.url())).reply(event("launch-request")), ANSWER);
    assert_eq!(home.request().path, "/ha/api/alexa");
}

#[test]
fn the_token_of_the_session_comes_first_then_that_of_the_context_then_that_of_the_environment() {
    let home = Home::saying(ANSWER);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", "environment")]);
    for (session, context, expected) in [
        (r#""session""#, r#""context""#, "session"),
        (r#""""#, r#""context""#, "context"),
        ("null", r#""context""#, "context"),
        (r#""sess\u0069on""#, "null", "session"),
        (r#""""#, r#""""#, "environment"),
        ("null", "null", "environment"),
    ] {
        let before = home.requests().len();
        let event = format!(
            r#"{{"session":{{"user":{{"accessToken":{session}}}}},"context":{{"System":{{"user":{{"accessToken":{context}}}}}}},"request":{{"type":"LaunchRequest"}}}}"#
        );
        assert_eq!(relay.reply(event), ANSWER);
        let authorization = format!("Bearer {expected}");
        assert_eq!(
            home.requests()[before].header("authorization"),
            Some(authorization.as_str()),
            "{session} {context}"
        );
    }
    assert_eq!(relay.reply(r#"{"session":null,"context":null,"request":{"type":"LaunchRequest"}}"#), ANSWER);
}

#[test]
fn a_token_goes_nowhere_but_to_base_url() {
    let elsewhere = Home::saying(ANSWER);
    let location = format!("{}/api/alexa", elsewhere.url());
    let home = Home::answering(response("302 Found", &[("location", &location)], ""));
    let relay = Relay::start(&[
        ("BASE_URL", &home.url()),
        ("HTTP_PROXY", &elsewhere.url()),
        ("http_proxy", &elsewhere.url()),
        ("ALL_PROXY", &elsewhere.url()),
    ]);
    relay.reply(event("launch-request"));
    assert_eq!(home.requests().len(), 1);
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn cookies_are_not_sent_back() {
    let home = Home::answering(response("200 OK", &[("set-cookie", "a=b; Path=/")], ANSWER));
    let relay = Relay::to(&home.url());
    relay.reply(event("launch-request"));
    relay.reply(event("launch-request"));
    assert!(home.requests().iter().all(|request| request.header("cookie").is_none()));
}

#[test]
fn any_2xx_is_passed_on_and_an_empty_one_at_the_end_of_a_session_is_the_smallest_reply() {
    for (status, body, expected) in [
        ("200 OK", "", r#"{"version":"1.0","response":{}}"#),
        ("200 OK", " \r\n", r#"{"version":"1.0","response":{}}"#),
        ("204 No Content", "", r#"{"version":"1.0","response":{}}"#),
        ("201 Created", ANSWER, ANSWER),
        ("200 OK", "null", "null"),
    ] {
        let home = Home::saying(body);
        assert_eq!(Relay::to(&home.url()).reply(event("session-ended-request")), expected, "{status} {body:?}");
    }
}

#[test]
fn an_answer_may_be_larger_than_alexa_takes() {
    let answer = format!(r#"{{"version":"1.0","response":{{"x":"{}"}}}}"#, "a".repeat(200 * 1024));
    let home = Home::saying(&answer);
    assert!(Relay::to(&home.url()).reply(event("launch-request")) == answer);
}

#[test]
fn chunked_answers_are_put_together() {
    let (first, second) = ANSWER.split_at(20);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let home = Home::answering(chunked);
    assert_eq!(Relay::to(&home.url()).reply(event("launch-request")), ANSWER);
}

#[test]
fn what_alexa_does_not_send_is_a_typed_lambda_error() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    for payload in ["{}", "[]", "7", "null", r#""text""#, r#"{"request":null}"#, r#"{"request":"x"}"#] {
        let Outcome::Error(error) = relay.invoke(payload) else { panic!("{payload:?} is answered") };
        assert_eq!(error["errorType"], "NotAnEvent", "{payload:?}");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains("Alexa custom skill"), "{message}");
    }
    assert_eq!(home.connections(), 0);
    assert_eq!(relay.reply(event("launch-request")), ANSWER, "and the next request is answered");
}
