//! Whatever goes wrong, Alexa says what, and the log says how to fix it.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::event;
use crate::support::home::{ANSWER, Connection, Home};
use crate::support::http::response;
use crate::support::relay::{self, Relay, millis_from_now};
use crate::support::tls::{Ca, Identity, YEARS};

/// The beginnings of the sentences.
const LINK: &str = "Home Assistant does not know who you are.";
const BANNED: &str = "Home Assistant has banned me.";
const FIREWALL: &str = "A firewall in front of Home Assistant stopped me.";
const PROXY: &str = "Home Assistant does not trust its reverse proxy.";
const ALEXA_OFF: &str = "Home Assistant does not listen to Alexa yet.";
const ADDRESS: &str = "BASE_URL does not lead to Home Assistant.";
const UNREACHABLE: &str = "I cannot reach Home Assistant.";
const INSECURE: &str = "I cannot connect to Home Assistant securely.";
const PROXY_TIMEOUT: &str = "Home Assistant did not answer the proxy in front of it in time.";
const ANSWER_LOST: &str = "Home Assistant gave no answer that I can use.";

/// Sends a launch request, and checks what Alexa says, that the reply is whole, and what the log says of the cause.
fn assert_says(relay: Relay, sentence: &str, log_parts: &[&str]) {
    let reply: Value = serde_json::from_str(&relay.reply(event("launch-request"))).expect("a reply is JSON");
    let text = reply["response"]["outputSpeech"]["text"].as_str().expect("a sentence");
    let log = relay.end();
    assert!(text.starts_with(sentence), "{text}\n{log}");
    let mut expected = json!({
        "version": "1.0",
        "response": { "outputSpeech": { "type": "PlainText", "text": text }, "shouldEndSession": true },
    });
    if sentence == LINK {
        expected["response"]["card"] = json!({ "type": "LinkAccount" });
    }
    assert_eq!(reply, expected);
    let line = log.lines().last().expect("a line");
    assert!(line.contains("cause=") && line.contains("remedy="), "{log}");
    for part in log_parts {
        assert!(line.contains(part), "{part:?} in {line}");
    }
}

fn assert_answer_says(answer: Vec<u8>, sentence: &str, log_parts: &[&str]) {
    let home = Home::answering(answer);
    assert_says(Relay::to(&home.url()), sentence, log_parts);
    assert_eq!(home.requests().len(), 1, "it is sent once");
}

fn assert_server_says(behave: impl Fn(&mut Connection) + Send + Sync + 'static, sentence: &str, log_parts: &[&str]) {
    let home = Home::behaving(behave);
    assert_says(Relay::to(&home.url()), sentence, log_parts);
    assert!(home.requests().len() <= 1, "it is sent once");
}

fn assert_certificate_says(identity: Identity, log_parts: &[&str]) {
    let home = Home::over_tls(identity.server(), |_| panic!("nothing is sent to a server that is not trusted"));
    assert_says(Relay::to(&home.url()), INSECURE, log_parts);
}

#[test]
fn no_token() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    let reply: Value = serde_json::from_str(&relay.reply(event("without-token"))).unwrap();
    assert!(reply["response"]["outputSpeech"]["text"].as_str().unwrap().starts_with(LINK), "{reply}");
    assert_eq!(reply["response"]["card"], json!({ "type": "LinkAccount" }));
    let [check] = &home.checks()[..] else { panic!("one look at the way: {:?}", home.checks()) };
    assert_eq!((&*check.method, &*check.path, check.header("authorization")), ("GET", "/api/alexa", None));
    assert!(home.requests().is_empty(), "nothing is sent without a token");
    let log = relay.end();
    for part in ["WARN", "the request has no access token", "the way to Home Assistant is clear, it answered in"] {
        assert!(log.contains(part), "{part} in {log}");
    }
}

#[test]
fn without_a_token_a_fault_on_the_way_to_home_assistant_comes_first() {
    let says = |base_url: &str| {
        let relay = Relay::to(base_url);
        (relay.speech(event("without-token")), relay.end())
    };
    for (answer, sentence, log_part) in [
        (response("404 Not Found", &[], "404: Not Found"), ALEXA_OFF, "add the line alexa:"),
        (response("400 Bad Request", &[], "400: Bad Request"), PROXY, "Trusted proxies"),
        (response("403 Forbidden", &[], "403: Forbidden"), BANNED, "ip_bans.yaml"),
        (response("502 Bad Gateway", &[], "<html>"), UNREACHABLE, "got no answer from it"),
        (response("401 Unauthorized", &[("www-authenticate", "Basic")], ""), FIREWALL, "wants a login"),
        (response("405 Method Not Allowed", &[], "<html>"), ADDRESS, "not Home Assistant's"),
        (response("200 OK", &[], ""), ADDRESS, "not Home Assistant's"),
        (response("200 OK", &[], ANSWER), ADDRESS, "not Home Assistant's"),
    ] {
        let home = Home::behaving(move |connection| {
            connection.head();
            connection.send(&answer);
        });
        let (speech, log) = says(&home.url());
        assert!(speech.starts_with(sentence) && log.contains(log_part), "{speech}\n{log}");
    }
    let (speech, log) = says("https://home.invalid");
    assert!(speech.starts_with(UNREACHABLE) && log.contains("has no address"), "{speech}\n{log}");
    let home = Home::over_tls(Identity::self_signed().server(), |_| {});
    let (speech, log) = says(&home.url());
    assert!(speech.starts_with(INSECURE) && log.contains("self-signed"), "{speech}\n{log}");
    let home = Home::behaving(|connection| {
        connection.head();
        connection.hung_up_within(Duration::from_secs(10));
    });
    let relay = Relay::to(&home.url());
    let speech = relay::speech(&relay.invoke_by(event("without-token"), millis_from_now(1_000)).reply());
    assert!(speech.starts_with(UNREACHABLE), "{speech}");
    assert!(relay.end().contains("nothing has answered at BASE_URL in time"));
}

#[test]
fn a_token_that_no_header_can_hold() {
    for token in ["a\\nb", "a\\r\\nX-Forwarded-For: 1.2.3.4", "schl\u{fc}ssel", "\\u0000"] {
        let home = Home::saying(ANSWER);
        let relay = Relay::to(&home.url());
        let event =
            format!(r#"{{"session":{{"user":{{"accessToken":"{token}"}}}},"request":{{"type":"LaunchRequest"}}}}"#);
        let reply: Value = serde_json::from_str(&relay.reply(event)).unwrap();
        assert!(reply["response"]["outputSpeech"]["text"].as_str().unwrap().starts_with(LINK), "{reply}");
        assert_eq!(reply["response"]["card"], json!({ "type": "LinkAccount" }));
        assert_eq!(home.connections(), 0);
        assert!(relay.end().contains("characters that no HTTP header may have"));
    }
}

#[test]
fn a_token_that_is_refused() {
    let refusal = || response("401 Unauthorized", &[("content-type", "text/plain")], "401: Unauthorized");
    assert_answer_says(refusal(), LINK, &["refused the access token", "status 401", "link the account again"]);
    let home = Home::answering(refusal());
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", "old")]);
    assert!(relay.speech(event("without-token")).starts_with(LINK));
    assert!(relay.end().contains("refused LONG_LIVED_ACCESS_TOKEN"));
}

#[test]
fn a_login_in_front_of_home_assistant() {
    let page = ("content-type", "text/html");
    for answer in [
        response("401 Unauthorized", &[("www-authenticate", "Basic realm=home"), page], "<html>401</html>"),
        response("401 Unauthorized", &[("www-authenticate", "Bearer")], "401: Unauthorized"),
        response("401 Unauthorized", &[], ""),
    ] {
        assert_answer_says(answer, FIREWALL, &["wants a login", "status 401"]);
    }
    let own_page =
        response("401 Unauthorized", &[("server", "nginx"), page], "<html>401 Authorization Required</html>");
    assert_answer_says(own_page, FIREWALL, &["if the proxy wants a login", "link the account again"]);
}

#[test]
fn a_ban() {
    let ban = response("403 Forbidden", &[("content-type", "text/plain; charset=utf-8")], "403: Forbidden");
    assert_answer_says(ban, BANNED, &["banned", "ip_bans.yaml", "status 403"]);
    let through_cloudflare =
        response("403 Forbidden", &[("server", "cloudflare"), ("cf-ray", "8a1")], "403: Forbidden");
    assert_answer_says(through_cloudflare, BANNED, &["banned", "ip_bans.yaml", "cf-ray"]);
}

#[test]
fn a_firewall() {
    let html = ("content-type", "text/html; charset=UTF-8");
    let cloudflare = [("server", "cloudflare"), ("cf-ray", "8a1b2c3d4e5f-FRA"), html];
    let challenge = [("cf-mitigated", "challenge"), html];
    for answer in [
        response("403 Forbidden", &cloudflare, "<html>Sorry, you have been blocked</html>"),
        response("403 Forbidden", &challenge, "<html>Just a moment...</html>"),
        response("200 OK", &challenge, "<html>Just a moment...</html>"),
        response("503 Service Unavailable", &challenge, "<html>Just a moment...</html>"),
        response("403 Forbidden", &[html], "<html>Blocked</html>"),
        response("403 Forbidden", &[], ""),
        response("403 Forbidden", &[], "not you"),
        response("403 Forbidden", &[("server", "cloudflare"), ("cf-ray", "8a1-FRA")], "error code: 1020"),
        response("503 Service Unavailable", &[], "<script src=/cdn-cgi/challenge-platform/>"),
        response("503 Service Unavailable", &[html], "<!DOCTYPE html><title>Just a moment...</title>"),
    ] {
        assert_answer_says(answer, FIREWALL, &["firewall", "Bot Fight Mode"]);
    }
    assert_answer_says(response("429 Too Many Requests", &[], ""), FIREWALL, &["rate limit", "status 429"]);
}

#[test]
fn a_reverse_proxy_that_is_not_trusted() {
    let bad = response("400 Bad Request", &[("content-type", "text/plain")], "400: Bad Request");
    assert_answer_says(bad, PROXY, &["trusted_proxies", "status 400"]);
}

#[test]
fn no_alexa_in_home_assistant_or_no_home_assistant() {
    let theirs = response("404 Not Found", &[("content-type", "text/plain; charset=utf-8")], "404: Not Found");
    assert_answer_says(theirs, ALEXA_OFF, &["nothing at /api/alexa", "alexa:", "status 404"]);
    let others = response("404 Not Found", &[("server", "nginx"), ("content-type", "text/html")], "<html>404</html>");
    assert_answer_says(others, ADDRESS, &["not Home Assistant's", "server: nginx"]);
    assert_answer_says(response("405 Method Not Allowed", &[], ""), ADDRESS, &["not Home Assistant's", "status 405"]);
}

#[test]
fn a_base_url_with_a_path_too_many() {
    let theirs = response("404 Not Found", &[("content-type", "text/plain; charset=utf-8")], "404: Not Found");
    assert_answer_says(theirs, ALEXA_OFF, &["if BASE_URL has a path, such as /api or /homeassistant, remove the path"]);
}

#[test]
fn a_redirect_is_named_with_where_it_leads() {
    let to = |location| response("301 Moved Permanently", &[("location", location)], "");
    assert_answer_says(
        to("https://home.example.org/api/alexa"),
        ADDRESS,
        &["redirects", "location: https://home.example.org/api/alexa"],
    );
    assert_answer_says(
        to("https://me.cloudflareaccess.com/cdn-cgi/access/login/home?kid=1&meta=secret"),
        FIREWALL,
        &["wants a login", "location: https://me.cloudflareaccess.com/cdn-cgi/access/login/home\""],
    );
}

#[test]
fn a_proxy_with_no_home_assistant_behind_it() {
    for status in ["502 Bad Gateway", "503 Service Unavailable", "520 x", "522 x", "523 x", "530 x"] {
        let part = format!("status {}", &status[..3]);
        assert_answer_says(
            response(status, &[], "<html>"),
            UNREACHABLE,
            &["the proxy in front of Home Assistant", &part],
        );
    }
}

#[test]
fn a_proxy_that_does_not_wait_for_home_assistant() {
    for status in ["504 Gateway Timeout", "524 x"] {
        assert_answer_says(response(status, &[], "<html>"), PROXY_TIMEOUT, &["did not wait", "async_action: true"]);
    }
    let apache = response("502 Proxy Error", &[("server", "Apache/2.4.57 (Debian)")], "<html>502 Proxy Error</html>");
    let at_once = apache.clone();
    assert_answer_says(at_once, UNREACHABLE, &["got no answer from it", "server: Apache"]);
    let later = move |connection: &mut Connection| {
        connection.request();
        thread::sleep(Duration::from_millis(1_200));
        connection.send(&apache);
    };
    assert_server_says(later, PROXY_TIMEOUT, &["did not wait", "async_action: true"]);
}

#[test]
fn an_internal_error() {
    for status in ["500 Internal Server Error", "501 x", "519 x", "599 x"] {
        assert_answer_says(response(status, &[], "500 Internal Server Error"), ANSWER_LOST, &["internal error"]);
    }
    assert_answer_says(
        response("418 Teapot", &[], ""),
        ANSWER_LOST,
        &["not one that Home Assistant gives", "status 418"],
    );
}

#[test]
fn an_answer_that_is_no_json() {
    let page = response("200 OK", &[("content-type", "text/html")], "<!DOCTYPE html><title>Home Assistant</title>");
    assert_answer_says(page, ADDRESS, &["not Home Assistant's", "content-type: text/html"]);
    for nothing in ["", " \r\n"] {
        assert_answer_says(response("200 OK", &[("server", "Caddy")], nothing), ADDRESS, &["it is empty", "Caddy"]);
    }
    assert_answer_says(response("200 OK", &[], "OK"), ANSWER_LOST, &["not JSON"]);
    assert_answer_says(response("200 OK", &[], b"{\"a\":\"\xff\"}"), ANSWER_LOST, &["not JSON"]);
    assert_answer_says(response("200 OK", &[], format!("{ANSWER}{ANSWER}")), ANSWER_LOST, &["not JSON"]);
    assert_answer_says(response("200 OK", &[], &ANSWER[..40]), ANSWER_LOST, &["not JSON", "EOF"]);
}

#[test]
fn an_answer_that_is_too_large() {
    let answer = format!("\"{}\"", "a".repeat(6 * 1024 * 1024));
    assert_answer_says(response("200 OK", &[], &answer), ANSWER_LOST, &["6 MB"]);
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{answer}\r\n0\r\n\r\n", answer.len());
    assert_answer_says(chunked.into_bytes(), ANSWER_LOST, &["6 MB"]);
}

#[test]
fn a_connection_that_is_closed_too_early() {
    let after_reading = |connection: &mut Connection| drop(connection.request());
    assert_server_says(after_reading, ANSWER_LOST, &["before the whole answer came", "not sent again"]);
    let half_way = |connection: &mut Connection| {
        connection.request();
        let answer = response("200 OK", &[], ANSWER);
        connection.send(&answer[..answer.len() - 10]);
    };
    assert_server_says(half_way, ANSWER_LOST, &["before the whole answer came", "not sent again"]);
}

#[test]
fn something_that_does_not_speak_http() {
    let ssh = |connection: &mut Connection| {
        connection.request();
        connection.send(b"SSH-2.0-OpenSSH_9.2\r\n");
    };
    assert_server_says(ssh, ADDRESS, &["does not speak plain HTTP"]);
    for page in [
        "<html><h1>400 Bad Request</h1>The plain HTTP request was sent to HTTPS port</html>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ] {
        let answer = response("400 Bad Request", &[], page);
        assert_answer_says(answer, ADDRESS, &["let BASE_URL begin with https"]);
    }
    // Home Assistant and HAProxy close without a word.
    assert_server_says(|connection| drop(connection.request()), ANSWER_LOST, &["let it begin with https://"]);
}

#[test]
fn a_name_that_has_no_address() {
    assert_says(Relay::to("https://home.invalid"), UNREACHABLE, &["has no address", "dynamic DNS"]);
}

#[test]
fn a_port_where_nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_says(Relay::to(&format!("http://127.0.0.1:{port}")), UNREACHABLE, &["nobody listens", "Connection refused"]);
}

#[test]
fn an_address_that_there_is_no_route_to() {
    // No connection can be made to the broadcast address, and no packet leaves.
    assert_says(Relay::to("http://255.255.255.255:8123"), UNREACHABLE, &["nobody answers", "public address"]);
}

#[test]
fn an_address_that_nobody_answers_at() {
    // A listener whose queue is full: the kernel drops further SYNs, as a firewall does.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let fill = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100));
    let queue: Vec<_> = std::iter::from_fn(|| fill().ok()).take(10_000).collect();
    assert!(!queue.is_empty());
    let relay = Relay::to(&format!("http://{address}"));
    assert_says(relay, UNREACHABLE, &["nobody answers", "open the port"]);
}

#[test]
fn certificates_that_are_not_valid_now() {
    assert_certificate_says(Ca::new().issue(2020..2021), &["has expired", "renew it"]);
    assert_certificate_says(Ca::new().issue(2080..2090), &["not valid yet", "clock"]);
}

#[test]
fn certificates_that_no_public_ca_issued() {
    assert_certificate_says(Identity::self_signed(), &["self-signed", "Let's Encrypt", "for localhost"]);
    assert_certificate_says(Ca::new().as_server(), &["self-signed", "Let's Encrypt"]);
    let root = Ca::new();
    assert_certificate_says(
        root.issue(YEARS).with(root.certificate()),
        &["not issued by a public CA", "Let's Encrypt"],
    );
    let intermediate = root.intermediate();
    let whole = intermediate.issue(YEARS).with(intermediate.certificate()).with(root.certificate());
    assert_certificate_says(whole, &["not issued by a public CA"]);
    assert_certificate_says(intermediate.issue(YEARS), &["does not send the certificate", "fullchain.pem"]);
}

#[test]
fn a_server_that_requires_a_client_certificate() {
    let home = Home::over_tls(Identity::self_signed().server_for(&Ca::new()), |_| {});
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", "True")]);
    assert_says(relay, INSECURE, &["requires a client certificate", "ssl_peer_certificate"]);
    let nginx = "<html><h1>400 Bad Request</h1>No required SSL certificate was sent</html>";
    assert_answer_says(response("400 Bad Request", &[], nginx), INSECURE, &["requires a client certificate"]);
}

#[test]
fn plain_http_where_tls_is_expected_and_tls_where_plain_http_is() {
    let plain = Home::behaving(|connection| connection.send(&response("400 Bad Request", &[], "Bad Request")));
    let relay = Relay::to(&plain.url().replace("http:", "https:"));
    assert_says(relay, ADDRESS, &["does not speak TLS", "let BASE_URL begin with http://"]);
    let tls = Home::over_tls(Identity::self_signed().server(), |_| {});
    let relay = Relay::to(&tls.url().replace("https:", "http:"));
    assert_says(relay, ADDRESS, &["does not speak plain HTTP", "let BASE_URL begin with https://"]);
}

#[test]
fn a_server_with_no_safe_tls_version() {
    // The alert "protocol version", which a server of TLS 1.1 sends.
    let old = |connection: &mut Connection| {
        connection.send(&[0x15, 0x03, 0x02, 0x00, 0x02, 0x02, 70]);
        connection.hung_up_within(Duration::from_secs(1));
    };
    let home = Home::behaving(old);
    assert_says(Relay::to(&home.url().replace("http:", "https:")), INSECURE, &["TLS 1.2 or 1.3"]);
}

#[test]
fn a_handshake_that_is_cut_off() {
    let home = Home::behaving(|_| {});
    assert_says(Relay::to(&home.url().replace("http:", "https:")), INSECURE, &["before a secure connection was made"]);
}

#[test]
fn alexa_speaks_the_language_of_the_request() {
    let relay = Relay::to("http://localhost:1");
    for (locale, sentence) in [
        ("de-DE", "Ich erreiche Home Assistant nicht."),
        ("fr-CA", "Je ne peux pas joindre Home Assistant."),
        ("ja-JP", "Home Assistant につながりません。"),
        ("en-IN", UNREACHABLE),
        ("xx-XX", UNREACHABLE),
    ] {
        let speech = relay.speech(event("launch-request").replace("en-US", locale));
        assert!(speech.starts_with(sentence), "{locale}: {speech}");
    }
}

#[test]
fn what_takes_no_speech_gets_a_silent_reply_and_its_fault_is_logged() {
    let home = Home::answering(response("401 Unauthorized", &[], "401: Unauthorized"));
    let relay = Relay::to(&home.url());
    let silent = [
        "SessionEndedRequest",
        "AudioPlayer.PlaybackStarted",
        "PlaybackController.NextCommandIssued",
        "System.ExceptionEncountered",
        "AlexaSkillEvent.SkillDisabled",
        "A.KindToCome",
    ];
    for kind in silent {
        let reply: Value =
            serde_json::from_str(&relay.reply(event("launch-request").replace("LaunchRequest", kind))).unwrap();
        assert_eq!(reply, json!({ "version": "1.0", "response": {} }), "{kind}");
    }
    let can_fulfill = event("locate-intent").replace("IntentRequest", "CanFulfillIntentRequest");
    let reply: Value = serde_json::from_str(&relay.reply(can_fulfill)).unwrap();
    assert_eq!(reply, json!({ "version": "1.0", "response": { "canFulfillIntent": { "canFulfill": "NO" } } }));
    assert_eq!(relay.end().matches("refused the access token").count(), silent.len() + 1);
}
