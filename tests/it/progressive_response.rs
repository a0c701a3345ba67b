//! Alexa says “One moment.” while Home Assistant is slow. Nothing depends on it.

use std::future::{pending, ready};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::*;

/// An answer to a request and to a directive.
const BODY: &str = r#"{"version":"1.0","response":{},"event":{}}"#;

/// The same, with Amazon's token in it.
fn echo() -> String {
    BODY.replace("{}", &json!({ "x": AMAZONS_TOKEN }).to_string())
}

/// A fake API of Amazon: gives every call this answer.
fn amazon(ca: &Ca, answer: Answer) -> Home {
    Home::start(Some(ca.issue(YEARS).server()), move |_| ready(answer.clone()))
}

/// A home that gives this answer after this time, in ms.
fn slow_home(pause: u64, answer: Answer) -> Home {
    Home::start(None, move |_| {
        let answer = answer.clone();
        async move {
            sleep(Duration::from_millis(pause)).await;
            answer
        }
    })
}

/// Starts the relay with every setting that is for Home Assistant alone.
fn start_relay(home: &Home, ca: &Ca, clients: &Ca) -> Relay {
    home.relay(&[
        ("CA_CERTIFICATE", &ca.pem()),
        ("CLIENT_CERTIFICATE", &clients.issue_for("alexa", YEARS).pem_with_key()),
        ("NOT_VERIFY_SSL", "True"),
        ("EXTRA_HEADERS", r#"{"X-Key": "geheim"}"#),
        ("DEBUG", "True"),
        ("HTTPS_PROXY", "http://localhost:1"),
    ])
}

/// An event with this endpoint of Amazon's API.
fn event_at(name: &str, endpoint: &str) -> String {
    event(name).replace(API_ENDPOINT, endpoint)
}

/// Amazon gets nothing that is for Home Assistant, and Home Assistant and the log nothing that is for Amazon.
#[test]
fn one_moment_is_said_in_ten_languages() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let said = "ar-SA لحظة من فضلك. | de-DE Einen Moment. | en-GB One moment. | es-MX Un momento. | fr-CA Un instant. | \
        hi-IN एक मिनट. | it-IT Un momento. | ja-JP 少々お待ちください。 | nl-NL Een ogenblik. | pt-BR Um momento. | xx-XX One moment.";
    let cases = said.split(" | ").map(|case| case.split_once(' ').expect("a locale and words"));
    // A path and a slash at the end are the endpoint's own business.
    let names = ["launch-request", "locate-intent"].into_iter().zip(["", "/eu/"]).cycle();
    at_once(cases.zip(names), |((locale, words), (name, path))| {
        let (home, amazon) = (slow_home(3_500, answer(200, &[], echo())), amazon(&ca, answer(204, &[], AMAZONS_TOKEN)));
        let event = event_at(name, &format!("{}{path}", amazon.url())).replace("en-US", locale);
        let relay = start_relay(&home, &ca, &clients);
        assert_eq!(relay.reply(&event), echo());
        let call = amazon.request();
        let request_id = serde_json::from_str::<Value>(&event).unwrap()["request"]["requestId"].take();
        let directive = json!({ "type": "VoicePlayer.Speak", "speech": format!("<speak>{words}</speak>") });
        let body: Value = serde_json::from_slice(call.body()).unwrap();
        assert_eq!(body, json!({ "header": { "requestId": request_id }, "directive": directive }));
        assert_eq!(call.uri().path(), format!("{}/v1/directives", path.trim_end_matches('/')));
        assert_eq!(header_names(&call), "accept authorization content-length content-type host");
        assert_eq!(call.headers()["authorization"], format!("Bearer {AMAZONS_TOKEN}"));
        assert_eq!(call.headers()["content-type"], "application/json");
        assert_eq!(amazon.connections(), 1);
        let request = home.request();
        assert!(request.body() == event.trim_end(), "the bytes of the event");
        assert!(!format!("{:?}", request.headers()).contains(AMAZONS_TOKEN), "{:?}", request.headers());
        assert_has(&relay.log(), r#"progressive response … status=204 … {\"x\":\"***\"}"#);
        assert!(!relay.log().contains(AMAZONS_TOKEN), "{}", relay.log());
    });
}

/// Amazon's server sees no connection.
#[test]
fn others_get_no_progressive_response() {
    let ca = Ca::new();
    let context =
        r#"{"context":{"System":{"apiEndpoint":"ENDPOINT","apiAccessToken":"x"}},"locale":"en-US","requestId":"x","#;
    // An event, what is replaced in it, and how long the home takes.
    let cases = [
        ("launch-request", "", "", 1_000),
        ("locate-intent", "", "", 1_000),
        ("without-token", "", "", 3_000),
        ("launch-request", "LaunchRequest", "SessionEndedRequest", 3_000),
        ("smart-home-turn-on", "{", context, 3_000),
        ("launch-request", "apiEndpoint", "other", 3_000),
        ("launch-request", "https:", "http:", 3_000),
        ("launch-request", "localhost", "127.0.0.1", 3_000),
        ("launch-request", "apiAccessToken", "other", 3_000),
        ("launch-request", AMAZONS_TOKEN, "", 3_000),
        ("launch-request", AMAZONS_TOKEN, "schl\u{fc}ssel", 3_000),
        ("launch-request", "requestId", "other", 3_000),
    ];
    at_once(cases, |(name, from, to, pause)| {
        let (home, amazon) = (slow_home(pause, answer(200, &[], BODY)), amazon(&ca, answer(204, &[], "")));
        let event = event_at(name, &amazon.url()).replacen(from, &to.replace("ENDPOINT", &amazon.url()), 1);
        home.relay(&[("CA_CERTIFICATE", &ca.pem())]).reply(&event);
        assert_eq!((home.connections(), amazon.connections()), (1, 0), "{event}");
    });
}

/// There is one try, and no word above DEBUG.
#[test]
fn failed_call_changes_nothing() {
    let (ca, clients, target) = (Ca::new(), Ca::new(), amazon(&Ca::new(), answer(204, &[], "")));
    let moved = [("location", &*target.url()), ("x-token", AMAZONS_TOKEN)];
    let answers = [
        answer(307, &moved, ""),
        answer(429, &[("retry-after", "0")], ""),
        Answer::Raw(Vec::new()),
        Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        Answer::Silence,
    ];
    // The number of calls that arrive.
    let mut apis: Vec<_> = answers.into_iter().map(|answer| (amazon(&ca, answer), 1)).collect();
    let servers = [Ca::new().issue(YEARS).server(), ca.issue(YEARS).server_with(VERSIONS[1], Some(&clients))];
    apis.extend(servers.map(|server| (Home::over_tls(server, answer(204, &[], "")), 0)));
    apis.push((Home::raw(|_| pending()), 0));
    let endpoints = apis.iter().map(|(api, _)| api.url().replace("http:", "https:"));
    let endpoints: Vec<_> = endpoints.chain(["https://localhost:1", "https://a b"].map(str::to_owned)).collect();
    at_once(endpoints, |endpoint| {
        let home = slow_home(3_500, answer(200, &[], BODY));
        let relay = start_relay(&home, &ca, &clients);
        let start = Instant::now();
        assert_eq!(relay.reply(event_at("launch-request", &endpoint)), BODY, "{endpoint}");
        let time = start.elapsed().as_millis();
        assert!((3_000..6_000).contains(&time), "{time} ms, {endpoint}");
        home.request();
        let log = relay.end();
        let levels: Vec<_> = log.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        let levels = levels.join(" ").replace("DEBUG ", "");
        assert_eq!(levels, "WARN WARN INFO DEBUG", "two warnings at start, and the request:\n{log}");
        assert!(!log.contains(AMAZONS_TOKEN) && !log.contains(TOKEN), "{log}");
    });
    for (api, calls) in apis {
        assert_eq!((api.requests().len(), api.connections()), (calls, 1), "one try");
    }
    assert_eq!(target.connections(), 0, "no redirect is followed");
}

/// Alexa drops a progressive response that comes after the answer.
#[test]
fn answer_waits_briefly_for_the_call() {
    let ca = Ca::new();
    // How long the call takes; how long the answer, which comes when the call has begun, may take from then on.
    at_once([(Some(150), 100..1_400), (None, 250..1_400)], |(pause, expected)| {
        let called: &OnceLock<Instant> = Box::leak(Box::default());
        let (home, permits) = Home::slow(200);
        let amazon = Home::start(Some(ca.issue(YEARS).server()), move |_| async move {
            called.set(Instant::now()).expect("one call");
            permits.add_permits(1);
            let Some(pause) = pause else { return Answer::Silence };
            sleep(Duration::from_millis(pause)).await;
            answer(204, &[], "")
        });
        let relay = home.relay(&[("CA_CERTIFICATE", &ca.pem()), ("DEBUG", "1")]);
        let start = Instant::now();
        assert_has(&relay.reply(event_at("launch-request", &amazon.url()).replace(TOKEN, SLOW)), SLOW);
        let call = called.get().expect("a call");
        let (begun, waited) = (call.duration_since(start), call.elapsed());
        assert!((2_400..5_000).contains(&begun.as_millis()), "{begun:?}");
        assert!(expected.contains(&waited.as_millis()), "{waited:?}");
        assert_eq!(relay.end().contains("status=204"), pause.is_some(), "the call came to its end");
    });
}

#[test]
fn faults_and_late_requests_stay_as_they_are() {
    let ca = Ca::new();
    let cases = [
        (answer(204, &[], ""), 3_000..6_000, UNREACHABLE),
        (Answer::Silence, 3_000..6_000, UNREACHABLE),
        (answer(204, &[], ""), 4_100..6_500, LATE),
        (Answer::Silence, 4_100..6_500, LATE),
    ];
    at_once(cases, |(call, expected, sentence)| {
        let (late, permits) = Home::slow(200);
        let home = if sentence == LATE { late } else { slow_home(3_500, answer(502, &[], "<html>")) };
        let amazon = amazon(&ca, call);
        let relay = home.relay(&[("CA_CERTIFICATE", &ca.pem())]);
        let (event, start) = (event_at("launch-request", &amazon.url()).replace(TOKEN, SLOW), Instant::now());
        // Enough for the call to end, and less than the 7 s that Alexa waits.
        relay.assert_fails_in(4_700, &event, sentence, "");
        let time = start.elapsed().as_millis();
        assert!(expected.contains(&time), "{time} ms");
        if sentence == LATE {
            permits.add_permits(1);
            relay.log_with("has finished the late request");
        }
        assert_eq!(amazon.requests().len(), 1);
        assert!(home.request().body() == event.trim_end(), "the bytes of the event");
    });
}
