//! Alexa says “One moment.” while Home Assistant is slow. Nothing depends on it.

use std::future::{pending, ready};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::support::*;

/// It begins like those that Home Assistant must not get as an access token.
const AMAZONS_TOKEN: &str = "Atza|example-api-access-token";

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

/// A home that gives this answer after 3.5 s.
fn slow_home(answer: Answer) -> Home {
    Home::start(None, move |_| {
        let answer = answer.clone();
        async move {
            sleep(Duration::from_millis(3_500)).await;
            answer
        }
    })
}

/// Starts the relay with every setting that is for Home Assistant alone.
fn start_relay(home: &Home, ca: &Ca, clients: &Ca, debug: &str) -> Relay {
    let (base_url, ca, client) = (home.url(), ca.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    Relay::start(&[
        ("BASE_URL", &base_url),
        ("CA_CERTIFICATE", &ca),
        ("CLIENT_CERTIFICATE", &client),
        ("NOT_VERIFY_SSL", "True"),
        ("EXTRA_HEADERS", r#"{"X-Key": "geheim"}"#),
        ("DEBUG", debug),
        ("HTTPS_PROXY", "http://localhost:1"),
    ])
}

/// An event with this endpoint of Amazon's API, and its token.
fn event_at(name: &str, endpoint: &str) -> String {
    event(name).replace(API_ENDPOINT, endpoint).replace("example-api-access-token", AMAZONS_TOKEN)
}

/// Amazon gets nothing that is for Home Assistant, and Home Assistant and the log nothing that is for Amazon.
#[test]
fn one_moment_is_said_in_ten_languages() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let cases = [
        ("ar-SA", "لحظة من فضلك."),
        ("de-DE", "Einen Moment."),
        ("en-GB", "One moment."),
        ("es-MX", "Un momento."),
        ("fr-CA", "Un instant."),
        ("hi-IN", "एक क्षण।"),
        ("it-IT", "Un momento."),
        ("ja-JP", "少々お待ちください。"),
        ("nl-NL", "Een ogenblik."),
        ("pt-BR", "Um momento."),
        ("xx-XX", "One moment."),
    ];
    // A path and a slash at the end are the endpoint's own business.
    let names = ["launch-request", "locate-intent"].into_iter().zip(["", "/eu/"]).cycle();
    at_once(cases.into_iter().zip(names), |((locale, words), (name, path))| {
        let (home, amazon) = (slow_home(answer(200, &[], echo())), amazon(&ca, answer(204, &[], AMAZONS_TOKEN)));
        let event = event_at(name, &format!("{}{path}", amazon.url())).replace("en-US", locale);
        let relay = start_relay(&home, &ca, &clients, "True");
        assert_eq!(relay.reply(&event), echo());
        let call = amazon.request();
        let request_id = serde_json::from_str::<Value>(&event).unwrap()["request"]["requestId"].take();
        let speech = format!("<speak>{words}</speak>");
        let directive = json!({ "type": "VoicePlayer.Speak", "speech": speech });
        let body: Value = serde_json::from_slice(call.body()).unwrap();
        assert_eq!(body, json!({ "header": { "requestId": request_id }, "directive": directive }));
        assert_eq!(call.uri().path(), format!("{}/v1/directives", path.trim_end_matches('/')));
        let mut names: Vec<_> = call.headers().iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "content-length", "content-type", "host"]);
        assert_eq!(call.headers()["authorization"], format!("Bearer {AMAZONS_TOKEN}"));
        assert_eq!(call.headers()["content-type"], "application/json");
        assert_eq!(amazon.connections(), 1);
        let request = home.request();
        assert!(request.body() == event.trim_end(), "the bytes of the event");
        assert!(!format!("{:?}", request.headers()).contains(AMAZONS_TOKEN), "{:?}", request.headers());
        let log = relay.end();
        assert!(log.contains("progressive response") && log.contains("status=204"), "{log}");
        assert!(!log.contains(AMAZONS_TOKEN) && log.contains(r#"{\"x\":\"***\"}"#), "{log}");
    });
}

/// Not even a connection. Amazon's token is not logged either.
#[test]
fn others_get_no_progressive_response() {
    let ca = Ca::new();
    let context =
        r#"{"context":{"System":{"apiEndpoint":"https://API","apiAccessToken":"x"}},"locale":"en-US","requestId":"x","#;
    // An event, and what is replaced in it; `API` stands for host and port of Amazon's.
    let slow = [
        ("launch-request", "LaunchRequest", "SessionEndedRequest"),
        ("smart-home-turn-on", "{", context),
        ("launch-request", "apiEndpoint", "other"),
        ("launch-request", "https:", "http:"),
        ("launch-request", "apiAccessToken", "other"),
        ("launch-request", AMAZONS_TOKEN, ""),
        ("launch-request", AMAZONS_TOKEN, "schl\u{fc}ssel"),
        ("launch-request", "requestId", "other"),
    ];
    let slow = slow.map(|(name, from, to)| (event_at(name, "https://API").replacen(from, to, 1), 3_000, "", None));
    let quick = ["launch-request", "locate-intent"].map(|name| (event_at(name, "https://API"), 1_000, "", None));
    let without_token = (event_at("without-token", "https://API"), 3_000, "", Some("LinkAccount"));
    let wrong_setting = (event_at("launch-request", "https://API"), 3_000, "x", Some("NOT_VERIFY_SSL is not set"));
    at_once(slow.into_iter().chain(quick).chain([without_token, wrong_setting]), |(event, pause, flag, expected)| {
        let access = [r#""apiEndpoint": ""#, &format!(r#""apiAccessToken": "{AMAZONS_TOKEN}""#), "requestId"];
        let has_access = access.iter().all(|part| event.contains(part));
        let body = if has_access { echo() } else { BODY.to_owned() };
        let expected = expected.unwrap_or(&body);
        let post = answer(200, &[], body.clone());
        let home = Home::start(None, move |request| {
            let post = post.clone();
            async move {
                if request.uri().path().starts_with("/api/") {
                    sleep(Duration::from_millis(pause)).await;
                }
                if request.method() == "GET" { answer(405, &[], "405: Method Not Allowed") } else { post }
            }
        });
        let amazon = amazon(&ca, answer(204, &[], ""));
        let event = event.replace("API", &amazon.url().replace("https://", ""));
        let (base_url, ca) = (home.url(), ca.pem());
        let relay = Relay::start(&[
            ("BASE_URL", &base_url),
            ("CA_CERTIFICATE", &ca),
            ("NOT_VERIFY_SSL", flag),
            ("DEBUG", "True"),
        ]);
        let reply = relay.reply(&event);
        assert!(reply.contains(expected), "{reply}");
        assert_eq!(amazon.connections(), 0, "{event}");
        let log = relay.end();
        assert!(!log.lines().any(|line| !line.contains("DEBUG") && line.contains("progressive response")), "{log}");
        assert!(!has_access || !log.contains(AMAZONS_TOKEN), "{log}");
    });
}

/// One try, and no word above DEBUG.
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
        let home = slow_home(answer(200, &[], BODY));
        let relay = start_relay(&home, &ca, &clients, "True");
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
        let (called, call): (Arc<OnceLock<_>>, _) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let amazon = Home::start(Some(ca.issue(YEARS).server()), {
            let (called, call) = (Arc::clone(&called), Arc::clone(&call));
            move |_| {
                called.set(Instant::now()).expect("one call");
                call.add_permits(1);
                async move {
                    let Some(pause) = pause else { return Answer::Silence };
                    sleep(Duration::from_millis(pause)).await;
                    answer(204, &[], "")
                }
            }
        });
        let home = Home::start(None, move |_| {
            let call = Arc::clone(&call);
            async move {
                call.acquire().await.expect("it is never closed").forget();
                answer(200, &[], BODY)
            }
        });
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("CA_CERTIFICATE", &ca.pem()), ("DEBUG", "1")]);
        let start = Instant::now();
        assert_eq!(relay.reply(event_at("launch-request", &amazon.url())), BODY);
        let (begun, waited) = (called.get().expect("a call").duration_since(start), called.get().unwrap().elapsed());
        assert!((2_400..5_000).contains(&begun.as_millis()), "{begun:?}");
        assert!(expected.contains(&waited.as_millis()), "{waited:?}");
        assert_eq!(relay.end().contains("status=204"), pause.is_some(), "the call came to its end");
    });
}

#[test]
fn faults_and_late_requests_stay_as_they_are() {
    let ca = Ca::new();
    let page = || Some(answer(502, &[], "<html>"));
    let cases = [
        (page(), answer(204, &[], ""), 3_000..6_000, UNREACHABLE),
        (page(), Answer::Silence, 3_000..6_000, UNREACHABLE),
        (None, answer(204, &[], ""), 4_100..6_500, LATE),
        (None, Answer::Silence, 4_100..6_500, LATE),
    ];
    at_once(cases, |(page, call, expected, sentence)| {
        let (late, permits) = Home::slow(200);
        let home = page.map_or(late, slow_home);
        let amazon = amazon(&ca, call);
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("CA_CERTIFICATE", &ca.pem())]);
        let (event, start) = (event_at("launch-request", &amazon.url()).replace(TOKEN, SLOW), Instant::now());
        // Enough for the call to end, and less than the 7 s that Alexa waits.
        let speech = speech(&relay.invoke_by(&event, millis_from_now(4_700)).reply());
        let time = start.elapsed().as_millis();
        assert!(speech.starts_with(sentence) && expected.contains(&time), "{time} ms: {speech}");
        if sentence == LATE {
            permits.add_permits(1);
            relay.log_with("has finished the late request");
        }
        assert_eq!(amazon.requests().len(), 1);
        assert!(home.request().body() == event.trim_end(), "the bytes of the event");
    });
}
