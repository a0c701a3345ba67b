//! Without a token, the log also says whether account linking can reach Home Assistant.

use std::future::ready;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::time::sleep;

use crate::support::http::Request;
use crate::support::*;

const CLEAR: &str = "account linking can reach Home Assistant";
const NOT_CLEAR: &str = "account linking cannot reach Home Assistant";
const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");

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
/// clear; returns its line about account linking.
fn linking_line(relay: &Relay, event: &str, deadline_ms: u128) -> String {
    let reply = relay.invoke_by(event, deadline_ms).reply();
    let log = relay.log();
    let expected = if event.contains("\"directive\"") {
        r#""type":"INVALID_AUTHORIZATION_CREDENTIAL""#
    } else {
        assert!(speech(&reply).starts_with(LINK), "{reply}\n{log}");
        r#""card":{"type":"LinkAccount"}"#
    };
    assert!(reply.contains(expected), "{reply}\n{log}");
    let last = log.lines().last().expect("a line");
    assert_parts(last, &["WARN", "has no access token: the way to Home Assistant is clear, it answered in"]);
    let lines: Vec<_> = log.lines().filter(|line| line.contains(" account linking ")).collect();
    let [line] = lines[..] else { panic!("one line about account linking:\n{log}") };
    line.to_owned()
}

fn assert_parts(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

/// The paths and methods of all requests.
fn paths(home: &Home) -> Vec<String> {
    let requests = home.requests().into_iter().chain(home.checks());
    requests.map(|request| format!("{} {}", request.method(), request.uri())).collect()
}

#[test]
fn clear_way_is_logged_beside_the_endpoints() {
    for (event, path) in [
        (event("without-token"), "/ha/api/alexa"),
        (event("smart-home-turn-on").replace(TOKEN, ""), "/ha/api/alexa/smart_home"),
    ] {
        let home = home_linking(None, own_answer());
        let relay = Relay::to(&format!("{}/ha/", home.url()));
        assert_parts(&linking_line(&relay, &event, millis_from_now(10_000)), &[CLEAR]);
        assert_eq!(paths(&home), [format!("GET {path}"), "GET /ha/auth/token".to_owned()]);
        assert!(home.checks().iter().all(|check| !check.headers().contains_key("authorization")));
    }
}

#[test]
fn obstacles_of_account_linking_are_named() {
    let login = "https://me.cloudflareaccess.com/cdn-cgi/access/login/home?kid=1&meta=secret";
    let no_certificate = "<html><h1>400 Bad Request</h1>No required SSL certificate was sent</html>";
    let bad_certificate = "<html><h1>400 Bad Request</h1>The SSL certificate error</html>";
    let pass_on = "pass the path /auth on to";
    let cases: [(u16, &[(&str, &str)], _, _, _); 14] = [
        (302, &[("location", login)], "", "wants a login", "let the path /auth pass without a login"),
        (401, &[HTML], "<html>401</html>", "a page of its own", "its password or forward-auth"),
        (403, &[("server", "cloudflare")], "error code: 1020", "a firewall", "turn off Bot Fight Mode"),
        (429, &[], "", "a rate limit", "none of EXTRA_HEADERS"),
        (400, &[], "", "400 with a page of its own", "no list of addresses"),
        (413, &[], "", "requests of this size", "without a key"),
        (404, &[("server", "nginx"), HTML], "<html>404</html>", "not Home Assistant's", pass_on),
        (200, &[], ANSWER, "not Home Assistant's", pass_on),
        (308, &[("location", "/auth/token/")], "", "redirects", pass_on),
        (502, &[], "<html>", "got no answer", pass_on),
        (504, &[], "<html>", "did not wait", pass_on),
        (500, &[], "", "internal error", pass_on),
        (400, &[HTML], no_certificate, "requires a client certificate", "without a client certificate"),
        (400, &[HTML], bad_certificate, "refused the certificate", "without a client certificate"),
    ];
    let answers = cases.map(|(status, headers, body, cause, remedy)| {
        (answer(status, headers, body), cause, remedy, format!("status {status}"))
    });
    let closed =
        (Answer::Raw(Vec::new()), "was closed before the whole answer", "something closes", "cause=".to_owned());
    at_once(answers.into_iter().chain([closed]), |(answer, cause, remedy, response)| {
        let home = home_linking(None, answer);
        let line = linking_line(&Relay::to(&home.url()), &event("without-token"), millis_from_now(10_000));
        assert_parts(&line, &["WARN", NOT_CLEAR, cause, remedy, "the path /auth", &response]);
        assert_parts(&line, &[r#"needs="https://, port 443""#]);
        assert!(!line.contains("secret"), "{line}");
        assert_eq!(home.checks().len(), 2, "one look at each path");
        assert!(home.requests().is_empty());
    });
}

/// Amazon's servers wait 4.5 s, and Alexa must get her reply in time.
#[test]
fn slow_account_linking_is_named_in_time() {
    let cases = [
        (None, 10_000, 4_400..6_900, [NOT_CLEAR, "nothing has answered", "wait 4.5 s for the path /auth"]),
        (Some(3_500), 10_000, 3_500..6_900, [CLEAR, "", ""]),
        (None, 2_000, 1_400..4_400, ["account linking was not checked", "WARN", "set it to 10 s"]),
    ];
    at_once(cases, |(pause, deadline, expected, parts)| {
        let home = Home::start(None, move |request| async move {
            match pause {
                None if is_linking(&request) => return Answer::Silence,
                Some(pause) if is_linking(&request) => sleep(Duration::from_millis(pause)).await,
                _ => {}
            }
            own_answer()
        });
        let (relay, start) = (Relay::to(&home.url()), Instant::now());
        let line = linking_line(&relay, &event("without-token"), millis_from_now(deadline));
        let time = start.elapsed().as_millis();
        assert_parts(&line, &parts);
        assert!(expected.contains(&time), "{time} ms: {line}");
    });
}

/// What is on the path is not to blame if no connection is made to it.
#[test]
fn connection_that_account_linking_does_not_get_is_named() {
    let home = Home::start(None, |_| async {
        sleep(Duration::from_millis(1_500)).await;
        own_answer()
    });
    let relay = Relay::to(&home.url());
    relay.send(event("without-token"), millis_from_now(10_000));
    let start = Instant::now();
    while home.checks().is_empty() && start.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(5));
    }
    let _queue = home.server.drop_syns();
    relay.outcome();
    relay.log_with("cannot reach Home Assistant at BASE_URL/auth/token cause=\"nobody answers at BASE_URL's address");
    assert!(relay.log().contains("open the port in the router"), "{}", relay.log());
}

/// As Amazon's servers, which have neither.
#[test]
fn extra_headers_are_not_sent_to_account_linking() {
    let home = Home::start(None, |request| {
        let has_key = request.headers().contains_key("x-key");
        ready(if has_key { own_answer() } else { answer(403, &[("server", "geheim")], "geheim page") })
    });
    let headers = ("EXTRA_HEADERS", r#"{"X-Key": "geheim"}"#);
    let relay = Relay::start(&[("BASE_URL", &home.url()), headers, ("DEBUG", "True")]);
    let line = linking_line(&relay, &event("without-token"), millis_from_now(10_000));
    assert_parts(&line, &[NOT_CLEAR, "a firewall", "none of EXTRA_HEADERS", "server: ***"]);
    let look = home.checks().pop().unwrap();
    let mut names: Vec<_> = look.headers().keys().map(|name| name.as_str().to_owned()).collect();
    names.sort_unstable();
    assert_eq!((look.uri().path(), names.join(" ").as_str()), ("/auth/token", "accept host user-agent"));
    assert!(look.body().is_empty());
    assert!(relay.log().contains("*** page") && !relay.log().contains("geheim"), "{}", relay.log());
    assert!(home.requests().is_empty());
}

/// Not even by a TLS session in which it was shown.
#[test]
fn client_certificate_is_not_shown_to_account_linking() {
    let (root, clients) = (Ca::new(), Ca::new());
    let (ca, client) = (root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    for versions in VERSIONS {
        let home = home_linking(Some(root.issue(YEARS).server_with(versions, Some(&clients))), own_answer());
        let settings = [("BASE_URL", &*home.url()), ("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", &client)];
        let line = linking_line(&Relay::start(&settings), &event("without-token"), millis_from_now(10_000));
        assert_parts(&line, &[NOT_CLEAR, "requires a client certificate", "pass without a client certificate"]);
        assert_eq!(paths(&home).len(), 1, "nothing is sent without it: {:?}", paths(&home));
    }
}

#[test]
fn needs_of_account_linking_are_named() {
    let root = Ca::new();
    let (plain, ca) = (home_linking(None, own_answer()), root.pem());
    let secure = home_linking(Some(root.issue(YEARS).server()), own_answer());
    let public = "a certificate of a public CA, which CA_CERTIFICATE and NOT_VERIFY_SSL do not replace";
    for (home, setting, needs) in [
        (&plain, None, "https://, port 443"),
        (&plain, Some(("NOT_VERIFY_SSL", "True")), &*format!("https://, port 443, {public}")),
        (&secure, Some(("CA_CERTIFICATE", &*ca)), &format!("port 443, {public}")),
        (&secure, Some(("NOT_VERIFY_SSL", "True")), &format!("port 443, {public}")),
    ] {
        let url = home.url();
        let settings: Vec<_> = [Some(("BASE_URL", &*url)), setting].into_iter().flatten().collect();
        let line = linking_line(&Relay::start(&settings), &event("without-token"), millis_from_now(10_000));
        assert_parts(&line, &["WARN", CLEAR, &format!("needs=\"{needs}\"")]);
    }
}
