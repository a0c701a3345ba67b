//! Directives of a smart home skill: what differs from the requests of a custom skill.

use std::future::ready;

use serde_json::{Value, json};

use crate::support::*;

/// Sends a directive and checks that the reply is an `ErrorResponse` of this type and nothing more.
fn assert_error(relay: &Relay, directive: &str, error_type: &str, deadline_ms: u128) {
    let reply = &*relay.invoke_by(directive, deadline_ms).reply();
    let [mut reply, event]: [Value; 2] = [reply, directive].map(|text| serde_json::from_str(text).expect("JSON"));
    let directive = &event["directive"];
    let message = reply["event"]["payload"]["message"].take();
    assert!(message.as_str().is_some_and(|message| message.len() > 20), "{message}");
    let is_grant = directive["header"]["name"] == "AcceptGrant";
    let (namespace, error_type) =
        if is_grant { ("Alexa.Authorization", "ACCEPT_GRANT_FAILED") } else { ("Alexa", error_type) };
    let mut expected = json!({
        "header": { "namespace": namespace, "name": "ErrorResponse", "payloadVersion": "3", "messageId": relay.request_id() },
        "payload": { "type": error_type, "message": null },
    });
    for (place, field) in [("header", "correlationToken"), ("endpoint", "endpointId")] {
        if let Some(value) = directive[place].get(field) {
            expected[place][field] = value.clone();
        }
    }
    assert_eq!(reply, json!({ "event": expected }), "{message}");
}

/// Checks the type of error that each directive in events/ gets; returns the log.
fn assert_errors(relay: &Relay, error_type: &str) -> String {
    for directive in DIRECTIVES.map(event) {
        assert_error(relay, &directive, error_type, millis_from_now(10_000));
    }
    relay.log()
}

const DIRECTIVES: [&str; 3] = ["smart-home-discovery", "smart-home-turn-on", "smart-home-accept-grant"];
const CREDENTIAL: &str = "INVALID_AUTHORIZATION_CREDENTIAL";
const BRIDGE: &str = "BRIDGE_UNREACHABLE";
const INTERNAL: &str = "INTERNAL_ERROR";

#[test]
fn requests_and_directives_have_separate_paths() {
    let home = Home::new();
    let relay = Relay::to(&format!(" {}/ha// ", home.url()));
    let request = r#"{"type":"LaunchRequest"}"#;
    let directive = format!(r#"{{"endpoint":{{"scope":{{"token":"{TOKEN}"}}}}}}"#);
    let session = format!(r#"{{"user":{{"accessToken":"{TOKEN}"}}}}"#);
    for (request, directive, path, answer) in [
        (request, "null", "/ha/api/alexa", ANSWER),
        ("null", &*directive, "/ha/api/alexa/smart_home", EVENT),
        (request, &directive, "/ha/api/alexa", ANSWER),
        (request, "7", "/ha/api/alexa", ANSWER),
    ] {
        let event = format!(r#"{{"session":{session},"request":{request},"directive":{directive}}}"#);
        assert_eq!(relay.reply(&event), answer);
        assert_eq!(home.requests().pop().unwrap().uri(), path, "{event}");
    }
}

/// Alexa accepts 300 devices, and finds none if there are more.
#[test]
fn too_many_devices_are_passed_on_with_a_warning() {
    for (count, warnings) in [(300, 0), (301, 1)] {
        let endpoints = vec![json!({ "endpointId": "x".repeat(30) }); count];
        let discovery = json!({ "event": { "payload": { "endpoints": endpoints } } }).to_string();
        let home = Home::saying(discovery.clone());
        let relay = Relay::to(&home.url());
        assert!(relay.reply(event("smart-home-discovery")) == discovery);
        assert_eq!(relay.end().matches("Alexa accepts 300").count(), warnings, "{count}");
    }
}

/// From the endpoint, the scope of a discovery, the grantee or the environment, in this order.
#[test]
fn first_non_empty_token_of_a_directive_is_sent() {
    let home = Home::new();
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN)]);
    for (directive, expected) in [
        (r#""endpoint":{"scope":{"token":"a"}},"payload":{"scope":{"token":"b"},"grantee":{"token":"c"}}"#, "a"),
        (r#""endpoint":{"scope":{"token":""}},"payload":{"scope":{"token":"b"},"grantee":{"token":"c"}}"#, "b"),
        (r#""endpoint":{"endpointId":"x"},"payload":{"scope":null,"grantee":{"type":"New","token":"c"}}"#, "c"),
        (r#""endpoint":{"scope":{"token":"a"}},"payload":[]"#, "a"),
        (r#""header":["x"],"endpoint":["x"],"payload":{"scope":{"token":"b"}}"#, "b"),
        (r#""endpoint":null,"payload":{"scope":{"token":null}}"#, LONG_LIVED_TOKEN),
        ("", LONG_LIVED_TOKEN),
    ] {
        assert_eq!(relay.reply(format!(r#"{{"directive":{{{directive}}}}}"#)), EVENT);
        let authorization = home.requests().pop().unwrap().headers()["authorization"].clone();
        assert_eq!(authorization, format!("Bearer {expected}"), "{directive}");
    }
}

#[test]
fn each_fault_has_its_type_of_error() {
    let html = [("content-type", "text/html")];
    let moved = [("location", "https://home.example.org/api/alexa/smart_home")];
    let cases: [(_, u16, &[(&str, &str)], _, _); 19] = [
        (CREDENTIAL, 401, &[], "401: Unauthorized", "refused the access token"),
        (BRIDGE, 401, &[("www-authenticate", "Basic")], "401: Unauthorized", "Home Assistant wants a login"),
        (BRIDGE, 401, &html, "<html>", "a page of its own"),
        (BRIDGE, 400, &[], "400: Bad Request", "Trusted proxies"),
        (BRIDGE, 403, &[], "403: Forbidden", "ip_bans.yaml"),
        (BRIDGE, 403, &html, "<html>", "firewall"),
        (BRIDGE, 404, &[], "404: Not Found", "smart_home: under alexa:"),
        (BRIDGE, 404, &html, "<html>", "not Home Assistant's"),
        (BRIDGE, 301, &moved, "", "redirects"),
        (BRIDGE, 429, &[], "", "rate limit"),
        (BRIDGE, 502, &[], "", "got no answer from it"),
        (BRIDGE, 504, &[], "", "in front of Home Assistant did not wait"),
        (BRIDGE, 418, &[], "", "not one that Home Assistant gives"),
        (BRIDGE, 413, &html, "<html>", "requests of this size"),
        (BRIDGE, 526, &[], "", "Cloudflare cannot connect securely"),
        (INTERNAL, 200, &[], ANSWER, "no reply for Alexa"),
        (INTERNAL, 200, &[], "", "it is empty"),
        (INTERNAL, 200, &[], &EVENT[..40], "not JSON"),
        (INTERNAL, 500, &[], "500 Internal Server Error", "internal error"),
    ];
    for (error_type, status, headers, body, log_part) in cases {
        let home = Home::answering(answer(status, headers, body));
        let log = assert_errors(&Relay::to(&home.url()), error_type);
        assert_eq!(log.lines().filter(|line| line.contains(log_part)).count(), 3, "{log_part} in {log}");
        assert_eq!(home.requests().len(), 3, "none is sent twice");
    }
    let cut_short = Home::answering(Answer::Raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".into()));
    for (relay, error_type, log_part) in [
        (Relay::to(&cut_short.url()), INTERNAL, "closed before the whole answer"),
        (Relay::to("http://localhost:1"), BRIDGE, "nobody listens"),
        (Relay::start(&[]), INTERNAL, "BASE_URL is not set"),
    ] {
        let log = assert_errors(&relay, error_type);
        assert!(log.contains(log_part), "{log}");
    }
}

/// Amazon then deletes the link to the account, so nothing else may be wrong.
#[test]
fn unusable_token_is_an_invalid_credential() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    for (token, cause) in [
        ("", "has no access token"),
        ("schl\u{fc}ssel", "no HTTP header may have"),
        ("Atza|IwEBIJ0nq8", "Login with Amazon"),
    ] {
        let directive = event("smart-home-turn-on").replace(TOKEN, token);
        assert_error(&relay, &directive, CREDENTIAL, millis_from_now(10_000));
        relay.log_with(cause);
    }
    assert_eq!(home.checks()[0].uri(), "/api/alexa/smart_home");
    assert!(home.requests().is_empty());
    let directive = event("smart-home-turn-on").replace(TOKEN, "");
    let home = Home::start(None, |_| ready(answer(404, &[], "404: Not Found")));
    assert_error(&Relay::to(&home.url()), &directive, BRIDGE, millis_from_now(10_000));
}

#[test]
fn slow_device_is_unreachable_and_still_switched() {
    for (name, error_type) in DIRECTIVES.into_iter().zip([BRIDGE, "ENDPOINT_UNREACHABLE", ""]) {
        let (home, permits) = Home::slow(200);
        let (relay, directive) = (Relay::to(&home.url()), event(name).replace(TOKEN, SLOW));
        assert_error(&relay, &directive, error_type, millis_from_now(1_000));
        permits.add_permits(1);
        relay.log_with("has finished the late request");
        home.request();
    }
}

#[test]
fn secrets_of_directives_are_never_logged() {
    let secrets = json!({
        "correlationToken": "SECRET", "scope": { "token": "SECRET" }, "cookie": { "x": "SECRET" },
        "grant": { "code": "SECRET" }, "authorization": { "type": "FOUR_DIGIT_PIN", "value": "SECRET" },
        "cameraStreams": [{ "uri": "https://home.example.org/SECRET" }], "imageUri": "https://home.example.org/SECRET",
        "kept": "this",
    });
    let home = Home::saying(json!({ "event": secrets }).to_string());
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
    let mut event: Value = serde_json::from_str(&event("smart-home-turn-on")).expect("JSON");
    event["directive"]["payload"] = secrets;
    relay.reply(event.to_string());
    let (id, log) = (relay.request_id(), relay.end());
    assert!(!log.contains("SECRET") && log.matches("this").count() == 2, "{log}");
    let line = log.lines().find(|line| line.contains("INFO")).expect("a line");
    for part in ["Alexa.PowerController", "TurnOn", "status=200", "ms=", &id] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn ids_are_echoed_byte_for_byte() {
    let relay = Relay::start(&[]);
    for id in [r#""\ud800\/""#, "1e400", "[[]]"] {
        let header = format!(r#"{{"correlationToken":{id}}}"#);
        let reply = relay.reply(format!(r#"{{"directive":{{"header":{header},"endpoint":{{"endpointId":{id}}}}}}}"#));
        assert!(reply.contains(&format!(r#""correlationToken":{id}}}"#)), "{reply}");
        assert!(reply.contains(&format!(r#""endpoint":{{"endpointId":{id}}}"#)), "{reply}");
    }
}
