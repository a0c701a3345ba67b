//! Without a token, the log also says whether account linking can reach Home Assistant.

use std::future::ready;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::time::sleep;

use crate::faults::each_answer;
use crate::support::http::Request;
use crate::support::*;

const CLEAR: &str = "account linking can reach Home Assistant";
const NOT_CLEAR: &str = "account linking cannot reach Home Assistant";

/// What Home Assistant answers to a GET.
fn own_answer() -> Answer {
    answer(405, &[("allow", "POST")], "405: Method Not Allowed")
}

fn is_linking(request: &Request) -> bool {
    request.uri().path().ends_with("/auth/token")
}

/// A home whose endpoints are clear, and which gives this answer to a look at /auth/token.
fn home_linking(tls: Option<ServerConfig>, linking: Answer) -> Home {
    Home::start(tls, move |request| ready(if is_linking(&request) { linking.clone() } else { own_answer() }))
}

/// Sends an event without a token. Checks that Alexa asks to link the account, and that the log says that the endpoint is
/// clear, and these parts about account linking.
fn assert_linking(relay: &Relay, event: &str, ms: u64, parts: &str) {
    let clear = "WARN … has no access token: the way to Home Assistant is clear, it answered in";
    relay.assert_fails_in(ms, event, LINK, clear);
    let log = relay.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(" account linking ")).collect();
    let [line] = lines[..] else { panic!("one line about account linking:\n{log}") };
    assert_has(line, parts);
    assert!(!log.contains("secret"), "{line}");
}

/// The paths and methods of all requests.
fn paths(home: &Home) -> Vec<String> {
    let requests = home.requests().into_iter().chain(home.checks());
    requests.map(|request| format!("{} {}", request.method(), request.uri())).collect()
}

#[test]
fn obstacles_of_account_linking_are_named() {
    let check = |answer, parts: &str| {
        let home = home_linking(None, answer);
        let parts = format!("WARN … {NOT_CLEAR} … {parts}");
        assert_linking(&home.relay(&[]), &event("without-token"), 10_000, &parts);
        assert_eq!(paths(&home), ["GET /api/alexa", "GET /auth/token"]);
    };
    each_answer(|answer, status, (_, remedy, ..)| {
        check(answer, &format!(r#"{remedy} … needs="https://, port 443" … status {status}"#));
    });
    check(answer(200, &[], ANSWER), "not Home Assistant's … pass the path /auth on to");
    check(Answer::Raw(Vec::new()), "was closed before the whole answer … something closes");
}

/// Amazon's servers wait 4.5 s, and Alexa must get her reply in time.
#[test]
fn slow_account_linking_is_named_in_time() {
    let slow = format!("{NOT_CLEAR} … nothing has answered … wait 4.5 s for the path /auth");
    let cases = [
        (None, 10_000, 4_400..6_900, &*slow),
        (Some(3_500), 10_000, 3_500..6_900, CLEAR),
        (None, 2_000, 1_400..4_400, "account linking was not checked … WARN … set it to 10 s"),
    ];
    at_once(cases, |(pause, ms, expected, parts)| {
        let home = Home::start(None, move |request| async move {
            match pause {
                None if is_linking(&request) => return Answer::Silence,
                Some(pause) if is_linking(&request) => sleep(Duration::from_millis(pause)).await,
                _ => {}
            }
            own_answer()
        });
        let (relay, start) = (home.relay(&[]), Instant::now());
        assert_linking(&relay, &event("without-token"), ms, parts);
        let time = start.elapsed().as_millis();
        assert!(expected.contains(&time), "{time} ms: {parts}");
    });
}

/// What is on the path is not to blame if no connection is made to it.
#[test]
fn connection_that_linking_misses_is_named() {
    let home = Home::start(None, |_| async {
        sleep(Duration::from_millis(1_500)).await;
        own_answer()
    });
    let relay = home.relay(&[]);
    relay.send(event("without-token"), millis_from_now(10_000));
    let start = Instant::now();
    while home.checks().is_empty() && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(5));
    }
    let _queue = home.server.drop_syns();
    relay.outcome();
    let cause = "cannot reach Home Assistant at BASE_URL/auth/token cause=\"nobody answers at BASE_URL's address";
    assert_has(&relay.log(), &format!("{cause} … open the port in the router"));
}

/// Amazon's servers send none of them.
#[test]
fn extra_headers_are_not_sent_to_linking() {
    let home = Home::start(None, |request| {
        let has_key = request.headers().contains_key("x-key");
        ready(if has_key { own_answer() } else { answer(403, &[("server", "geheim")], "geheim page") })
    });
    let relay = home.relay(&[("EXTRA_HEADERS", r#"{"X-Key": "geheim"}"#), ("DEBUG", "True")]);
    let parts = format!("{NOT_CLEAR} … a firewall … none of EXTRA_HEADERS … server: ***");
    assert_linking(&relay, &event("without-token"), 10_000, &parts);
    let look = home.checks().pop().unwrap();
    assert_eq!((look.uri().path(), header_names(&look).as_str()), ("/auth/token", "accept host user-agent"));
    assert!(look.body().is_empty() && home.requests().is_empty());
    assert!(relay.log().contains("*** page") && !relay.log().contains("geheim"), "{}", relay.log());
}

/// A resumed TLS session would show it again.
#[test]
fn client_certificate_is_not_shown_to_linking() {
    let (root, clients) = (Ca::new(), Ca::new());
    let (ca, client) = (root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    for versions in VERSIONS {
        let home = home_linking(Some(root.issue(YEARS).server_with(versions, Some(&clients))), own_answer());
        let relay = home.relay(&[("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", &client)]);
        let parts = format!("{NOT_CLEAR} … requires a client certificate … pass without a client certificate");
        assert_linking(&relay, &event("without-token"), 10_000, &parts);
        assert_eq!(paths(&home).len(), 1, "nothing is sent without it");
    }
}

#[test]
fn needs_of_account_linking_are_named() {
    let root = Ca::new();
    let (plain, ca) = (home_linking(None, own_answer()), root.pem());
    let secure = home_linking(Some(root.issue(YEARS).server()), own_answer());
    let public = "a certificate of a public CA, which CA_CERTIFICATE and NOT_VERIFY_SSL do not replace";
    for (home, setting, needs) in [
        (&plain, ("DEBUG", ""), "https://, port 443"),
        (&plain, ("NOT_VERIFY_SSL", "True"), &*format!("https://, port 443, {public}")),
        (&secure, ("CA_CERTIFICATE", &*ca), &format!("port 443, {public}")),
        (&secure, ("NOT_VERIFY_SSL", "True"), &format!("port 443, {public}")),
    ] {
        let parts = format!("WARN … {CLEAR} … needs=\"{needs}\"");
        assert_linking(&home.relay(&[setting]), &event("without-token"), 10_000, &parts);
    }
}
