//! Alexa says what is wrong, and the log says how to fix it.

use std::future::{pending, ready};
use std::time::Duration;

use rustls::AlertDescription;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::*;

/// Checks that Alexa says this sentence and nothing else, and that the last line of the log has a cause, a remedy and
/// these parts.
fn assert_says(relay: &Relay, event: &str, sentence: &str, log_parts: &[&str]) {
    let reply = relay.reply(event);
    let log = relay.log();
    let text = speech(&reply);
    assert!(text.starts_with(sentence), "{text}\n{log}");
    let speech = json!({ "type": "PlainText", "text": text });
    let mut response = json!({ "outputSpeech": speech, "shouldEndSession": true });
    if sentence == LINK {
        response["card"] = json!({ "type": "LinkAccount" });
    }
    let reply: Value = serde_json::from_str(&reply).expect("JSON");
    assert_eq!(reply, json!({ "version": "1.0", "response": response }));
    let line = log.lines().last().expect("a line");
    for part in ["cause=", "remedy="].iter().chain(log_parts) {
        assert!(line.contains(part), "{part:?} in {line}");
    }
}

/// What Alexa says; the status, headers and body of the answer that leads to it; a part of the log.
type Case<'a> = (&'a str, u16, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Checks what each answer to an event leads to, and that the relay sends one request.
fn assert_event_answers(name: &str, cases: &[Case]) {
    for (sentence, status, headers, body, log_part) in cases {
        let answer = answer(*status, headers, (*body).to_owned());
        let home = Home::start(None, move |_| ready(answer.clone()));
        assert_says(&Relay::to(&home.url()), &event(name), sentence, &[log_part, &format!("status {status}")]);
        let expected = if name == "without-token" { (0, 1) } else { (1, 0) };
        assert_eq!((home.requests().len(), home.checks().len()), expected, "{name}, {status}");
    }
}

/// The same with and without a token: a fault on the way matters more than a missing token.
fn assert_answers(cases: &[Case]) {
    for event in EVENTS {
        assert_event_answers(event, cases);
    }
}

const EVENTS: [&str; 2] = ["launch-request", "without-token"];
const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");
/// On Home Assistant's own 401 from 2026.11 on.
const OWN_401: (&str, &str) =
    ("www-authenticate", "Bearer resource_metadata=\"https://home.example.org/.well-known/oauth-protected-resource\"");
const NGINX: [(&str, &str); 2] = [("server", "nginx"), HTML];
const CLOUDFLARE: [(&str, &str); 2] = [("server", "cloudflare"), ("cf-ray", "8a1b2c3d4e5f-FRA")];
const CHALLENGE: [(&str, &str); 2] = [("cf-mitigated", "challenge"), HTML];

#[test]
fn unusable_token_asks_to_link_the_account() {
    let home = Home::saying(ANSWER);
    let no_header = ["characters that no HTTP header may have", "Access Token URI"];
    for (token, log_parts) in [
        ("a\\r\\nX-Forwarded-For: 1.2.3.4", no_header),
        ("schl\u{fc}ssel", no_header),
        ("Atza|IwEBIJ0nq8", ["leads to Login with Amazon", "/auth/authorize"]),
        ("Atza\\u007cIwEBIJ0nq8\u{e9}", ["leads to Login with Amazon", "/auth/token"]),
    ] {
        let event = event("launch-request").replace(TOKEN, token);
        assert_says(&Relay::to(&home.url()), &event, LINK, &log_parts);
    }
    assert_eq!(home.connections(), 0);
}

#[test]
fn refusals_of_home_assistant_are_named() {
    assert_answers(&[
        (PROXY_NOT_TRUSTED, 400, &[], "400: Bad Request", "Trusted proxies"),
        (BANNED, 403, &CLOUDFLARE, "403: Forbidden", "ip_bans.yaml"),
        (ALEXA_NOT_ENABLED, 404, &[], "404: Not Found", "add the line alexa:"),
        (ALEXA_NOT_ENABLED, 404, &[], "404: Not Found", "Invalid config"),
        (BAD_ANSWER, 500, &[], "500 Internal Server Error", "internal error"),
    ]);
    for headers in [&[][..], &[OWN_401]] {
        assert_event_answers(EVENTS[0], &[(LINK, 401, headers, "401: Unauthorized", "leave the made-up token empty")]);
    }
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN)]);
    assert_says(&relay, &event("without-token"), LINK, &["refused LONG_LIVED_ACCESS_TOKEN"]);
    assert!(home.checks().is_empty());
}

#[test]
fn path_in_base_url_is_named() {
    let home = Home::start(None, |_| ready(answer(404, &[], "404: Not Found")));
    for path in ["/api", "/api/alexa", "/api/alexa/smart_home/", "/lovelace/0", "/homeassistant"] {
        let relay = Relay::to(&(home.url() + path));
        for event in EVENTS.map(event) {
            assert_says(&relay, &event, WRONG_ADDRESS, &["nothing at the path in BASE_URL", "status 404"]);
        }
        assert!(relay.reply(event("smart-home-turn-on")).contains("BRIDGE_UNREACHABLE"), "{path}");
    }
}

#[test]
fn firewalls_and_logins_in_front_are_named() {
    let login = "https://me.cloudflareaccess.com/cdn-cgi/access/login/home?kid=1&meta=secret";
    let location = "location: https://me.cloudflareaccess.com/cdn-cgi/access/login/home\"";
    let no_certificate = "<html><h1>400 Bad Request</h1>No required SSL certificate was sent</html>";
    let bad_certificate = "<html><h1>400 Bad Request</h1>The SSL certificate error</html>";
    assert_answers(&[
        (
            FIREWALL,
            401,
            &[("www-authenticate", "Basic realm=home"), HTML],
            "<html>401</html>",
            "Home Assistant wants a login",
        ),
        (FIREWALL, 401, &[("www-authenticate", "Bearer")], "401: Unauthorized", "www-authenticate: Bearer"),
        (FIREWALL, 401, &[], "", "Home Assistant wants a login"),
        (FIREWALL, 401, &NGINX, "<html>401</html>", "answered 401 with a page of its own"),
        (FIREWALL, 401, &[OWN_401, HTML], "<html>401</html>", "answered 401 with a page of its own"),
        (FIREWALL, 302, &[("location", login)], "", "wants a login"),
        (FIREWALL, 302, &[("location", login)], "", location),
        (FIREWALL, 403, &CLOUDFLARE, "error code: 1020", "cf-ray: 8a1b2c3d4e5f-FRA"),
        (FIREWALL, 200, &CHALLENGE, "<html>Just a moment...</html>", "cf-mitigated: challenge"),
        (FIREWALL, 503, &[HTML], "<!DOCTYPE html><title>Just a moment...</title>", "Bot Fight Mode"),
        (FIREWALL, 403, &[], "not you", "IP Access rule"),
        (FIREWALL, 429, &[], "", "rate limit"),
        (INSECURE, 400, &[], no_certificate, "requires a client certificate"),
        (INSECURE, 400, &[], bad_certificate, "refused the certificate of CLIENT_CERTIFICATE"),
    ]);
}

#[test]
fn wrong_addresses_are_named() {
    let https = "let BASE_URL begin with https";
    let moved = [("location", "https://home.example.org/api/alexa")];
    let ordinary = "<html><script src=/cdn-cgi/challenge-platform/scripts/jsd/main.js></script></html>";
    let ngrok = [("ngrok-error-code", "ERR_NGROK_3200"), HTML];
    let offline = "ngrok-error-code: ERR_NGROK_3200";
    assert_answers(&[
        (WRONG_ADDRESS, 404, &CLOUDFLARE, ordinary, "not Home Assistant's"),
        (UNREACHABLE, 503, &CLOUDFLARE, ordinary, "got no answer from it"),
        (UNREACHABLE, 404, &ngrok, "<html>The endpoint is offline.</html>", offline),
        (WRONG_ADDRESS, 404, &[("ngrok-error-code", "ERR_NGROK_6024")], "<html>", "not Home Assistant's"),
        (INSECURE, 525, &CLOUDFLARE, "error code: 525", "Cloudflare cannot connect securely"),
        (INSECURE, 526, &CLOUDFLARE, "<html>", "Full instead of Full (strict)"),
        (BAD_ANSWER, 400, &NGINX, "<html>400</html>", "large_client_header_buffers"),
        (BAD_ANSWER, 400, &[], "400: Bad Request, sorry", "Trusted proxies"),
        (BAD_ANSWER, 413, &NGINX, "<html>413 Request Entity Too Large</html>", "client_max_body_size"),
        (WRONG_ADDRESS, 421, &[], "Misdirected Request", "does not serve the name"),
        (WRONG_ADDRESS, 302, &[("location", "https://www.example.org/")], "", "redirects"),
        (WRONG_ADDRESS, 405, &[], "<html>", "not Home Assistant's"),
        (WRONG_ADDRESS, 301, &moved, "", "location: https://home.example.org/api/alexa"),
        (WRONG_ADDRESS, 400, &[], "<html>The plain HTTP request was sent to HTTPS port</html>", https),
        (WRONG_ADDRESS, 400, &[], "Client sent an HTTP request to an HTTPS server.\n", https),
        (WRONG_ADDRESS, 400, &[], "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", https),
        (WRONG_ADDRESS, 200, &[], "<!DOCTYPE html><title>Home Assistant</title>", "not Home Assistant's"),
        (WRONG_ADDRESS, 200, &[HTML], "Home Assistant", "content-type: text/html"),
        (WRONG_ADDRESS, 200, &[("server", "Caddy")], " \r\n", "server: Caddy"),
        (BAD_ANSWER, 500, &NGINX, "<html>500</html>", "500 with a page of its own"),
        (BAD_ANSWER, 500, &[], "Internal Server Error", "forward-auth fails"),
        (BAD_ANSWER, 304, &[], "", "not one that Home Assistant gives"),
        (BAD_ANSWER, 418, &[], "", "not one that Home Assistant gives"),
        (BAD_ANSWER, 519, &[], "", "internal error"),
    ]);
    // Home Assistant answers a GET with 405.
    let home = Home::start(None, |_| ready(answer(200, &[], ANSWER)));
    assert_says(&Relay::to(&home.url()), &event("without-token"), WRONG_ADDRESS, &["not Home Assistant's"]);
}

#[test]
fn gateway_errors_are_named() {
    let remedy = "script.turn_on";
    let bad_gateway = |status| -> Case { (UNREACHABLE, status, &[], "<html>", "got no answer from it") };
    assert_answers(&[502, 503, 520, 522, 523, 530].map(bad_gateway));
    assert_answers(&[
        (UNREACHABLE, 502, &[("server", "Apache/2.4.57"), ("via", "1.1 home")], "<html>502</html>", "via: 1.1 home"),
        (PROXY_TIMEOUT, 504, &[], "<html>", remedy),
        (PROXY_TIMEOUT, 524, &[], "<html>", remedy),
    ]);
    let home = Home::start(None, |_| async {
        sleep(Duration::from_millis(1_200)).await;
        answer(502, &[("server", "Apache/2.4.57 (Debian)")], "<html>502 Proxy Error</html>")
    });
    assert_says(&Relay::to(&home.url()), &event("launch-request"), PROXY_TIMEOUT, &[remedy]);
}

#[test]
fn unusable_answers_are_named() {
    let (twice, half) = ([ANSWER, ANSWER].concat(), &ANSWER[..40]);
    let too_large = format!("\"{}\"", "a".repeat(6 << 20));
    assert_event_answers(
        EVENTS[0],
        &[
            (BAD_ANSWER, 200, &[], &twice, "not JSON"),
            (BAD_ANSWER, 200, &[], half, "not JSON: EOF"),
            (BAD_ANSWER, 200, &[], "null", "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], "{}", "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], r#"{"version":"1.0","response":null}"#, "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], r#"{"version":"1.0","response":[{}]}"#, "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], EVENT, "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], &too_large, "6 MB"),
        ],
    );
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{too_large}\r\n0\r\n\r\n", too_large.len());
    let cut_short = format!("{head}content-length: 200\r\n\r\n{half}");
    let many_headers = format!("{head}{}\r\n{ANSWER}", "set-cookie: a=b\r\n".repeat(120));
    for (bytes, log_parts) in [
        (chunked.as_bytes(), ["6 MB", "filter: under smart_home:"]),
        (b"HTTP/1.1 200 OK\r\nx: \0\r\ncontent-length: 2\r\n\r\n{}", ["headers that cannot be read", "add_header"]),
        (many_headers.as_bytes(), ["more than 100 lines", "add_header"]),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"a\":\"\xff\"}", ["not JSON", ""]),
        (cut_short.as_bytes(), ["before the whole answer came", "status 200"]),
        // What Home Assistant and HAProxy do when they expect TLS.
        (b"", ["before the whole answer came", "let it begin with https://"]),
    ] {
        let home = Home::answering(Answer::Raw(bytes.to_vec()));
        assert_says(&Relay::to(&home.url()), &event("launch-request"), BAD_ANSWER, &log_parts);
        assert_eq!(home.requests().len(), 1, "one POST");
    }
}

#[test]
fn failed_connections_are_named() {
    let plain = Home::answering(Answer::Silence);
    let secure = Home::over_tls(Identity::self_signed().server(), Answer::Silence);
    let ssh = Home::start(None, |_| ready(Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())));
    let closing = Home::raw(|_| ready(()));
    // As Home Assistant Cloud does while the home is not connected.
    let hanging_up = Home::raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 8192]).await;
    });
    let alerting = |alert: AlertDescription| {
        Home::raw(move |mut stream| async move {
            let _ = stream.read(&mut [0; 8192]).await;
            let _ = stream.write_all(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert.into()]).await;
            pending::<()>().await;
        })
    };
    let [failure, denying] = [AlertDescription::HandshakeFailure, AlertDescription::AccessDenied].map(alerting);
    let silent = silent_home();
    let off = Home::raw(|_| ready(()));
    let _queue = off.server.drop_syns();
    let off_url = off.url().replace("localhost", "127.0.0.1");
    let https = |home: &Home| home.url().replace("http:", "https:");
    let cases = [
        ("https://home.invalid".to_owned(), UNREACHABLE, ["has no address", "dynamic DNS"]),
        ("http://127.0.0.1:1".to_owned(), UNREACHABLE, ["nobody listens", "present IPv4 address"]),
        // The broadcast address: no packet leaves this machine.
        ("http://255.255.255.255:8123".to_owned(), UNREACHABLE, ["nobody answers", "public address"]),
        (off_url.clone(), UNREACHABLE, ["nobody answers", "present IPv4 address"]),
        (https(&silent), UNREACHABLE, ["does not answer over TLS", "a smaller MTU"]),
        (ssh.url(), WRONG_ADDRESS, ["does not speak plain HTTP", ""]),
        (https(&plain), WRONG_ADDRESS, ["does not speak TLS", "let BASE_URL begin with http://"]),
        (secure.url().replace("https:", "http:"), WRONG_ADDRESS, ["not speak plain HTTP", "begin with https://"]),
        (https(&failure), INSECURE, ["TLS 1.2 or 1.3", "Edge Certificates"]),
        (https(&denying), INSECURE, ["refused a secure connection", "may accept only some addresses"]),
        (https(&hanging_up), UNREACHABLE, ["before a secure connection was made", "with Home Assistant Cloud"]),
        (https(&closing), UNREACHABLE, ["before a secure connection was made", "with Home Assistant Cloud"]),
        (secure.url(), INSECURE, ["self-signed", ""]),
    ];
    let events = EVENTS.map(event);
    at_once(events.iter().flat_map(|event| cases.iter().map(move |case| (event, case))), |(event, case)| {
        let (base_url, sentence, log_parts) = case;
        let relay = Relay::to(base_url);
        assert_says(&relay, event, sentence, log_parts);
        assert!(!relay.log().contains("for url"), "people publish their logs: {}", relay.log());
        match base_url.as_str() {
            url if url == off_url => assert!((4_000..6_300).contains(&relay.ms()), "one address gets 4 s"),
            "http://127.0.0.1:1" if event == &events[0] => assert!(relay.ms() >= 300, "it is tried again"),
            _ => {}
        }
    });
    // The time is up before the connection stands.
    for (base_url, cause) in [(off.url(), "nobody answers"), (https(&silent), "does not answer over TLS")] {
        let relay = Relay::to(&base_url);
        let speech = speech(&relay.invoke_by(&events[0], millis_from_now(1_000)).reply());
        assert!(speech.starts_with(UNREACHABLE), "{speech}");
        relay.log_with(cause);
    }
}

/// Although the connection before had a handshake.
#[test]
fn home_that_goes_off_is_not_blamed_on_tls() {
    let last = answer(200, &[("connection", "close")], ANSWER);
    let home = Home::over_tls(Identity::self_signed().server(), last);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", "1")]);
    assert_eq!(relay.reply(event("launch-request")), ANSWER);
    let _queue = home.server.drop_syns();
    relay.invoke_by(event("launch-request"), millis_from_now(1_000));
    relay.log_with("nobody answers at BASE_URL's address");
}

/// A proxy passes on what the https port behind it says.
#[test]
fn plain_http_behind_https_is_the_proxys() {
    let page = answer(400, &NGINX, "<html>The plain HTTP request was sent to HTTPS port</html>");
    let home = Home::over_tls(Identity::self_signed().server(), page);
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", "1")]);
    assert_says(
        &relay,
        &event("launch-request"),
        UNREACHABLE,
        &["got no answer from it", "its right address and port"],
    );
}

/// It accepts connections, and never reads.
fn silent_home() -> Home {
    Home::raw(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
}

/// When the time is up before the second try has failed.
#[test]
fn fault_of_the_first_try_is_named() {
    let home = silent_home();
    home.server.close_next();
    let relay = Relay::to(&home.url().replace("http:", "https:"));
    let speech = speech(&relay.invoke_by(event("launch-request"), millis_from_now(2_000)).reply());
    assert!(speech.starts_with(UNREACHABLE), "{speech}");
    assert_eq!(home.connections(), 2);
    relay.log_with("closed before a secure connection was made");
}

#[test]
fn closed_tls_connection_is_not_called_plain() {
    for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let home = Home::over_tls(Identity::self_signed().server(), Answer::Raw(answer.into()));
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", "1")]);
        relay.reply(event("launch-request"));
        let log = relay.end();
        let line = log.lines().last().expect("a line");
        assert!(!line.contains("begin with http") && !line.contains("begins with http"), "{answer}: {line}");
    }
}

#[test]
fn unanswered_check_is_named() {
    let home = Home::start(None, |_| ready(Answer::Silence));
    let relay = Relay::to(&home.url());
    let speech = speech(&relay.invoke_by(event("without-token"), millis_from_now(1_000)).reply());
    assert!(speech.starts_with(UNREACHABLE), "{speech}");
    assert!(relay.end().contains("nothing has answered at BASE_URL in time"));
    let home = Home::start(None, |_| ready(Answer::Raw(Vec::new())));
    assert_says(&Relay::to(&home.url()), &event("without-token"), BAD_ANSWER, &["before the whole answer came"]);
    assert_eq!(home.checks().len(), 1, "account linking is not checked");
}

/// `progressive_response` has every language, and scripts/test compares src/messages.rs with languages/.
#[test]
fn alexa_speaks_the_language_of_the_request() {
    let speech = Relay::start(&[]).speech(event("launch-request").replace("en-US", "de-DE"));
    assert!(speech.starts_with("BASE_URL ist nicht gesetzt. "), "{speech}");
}

/// Their faults are logged all the same.
#[test]
fn requests_without_speech_get_an_empty_reply() {
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let relay = Relay::to(&home.url());
    let silent = "SessionEndedRequest AudioPlayer.PlaybackStarted PlaybackController.NextCommandIssued \
        System.ExceptionEncountered AlexaSkillEvent.SkillDisabled A.KindToCome";
    for kind in silent.split(' ') {
        let reply = relay.reply(event("launch-request").replace("LaunchRequest", kind));
        assert_eq!(reply, r#"{"version":"1.0","response":{}}"#, "{kind}");
    }
    let reply = relay.reply(event("locate-intent").replace("IntentRequest", "CanFulfillIntentRequest"));
    assert_eq!(reply, r#"{"version":"1.0","response":{"canFulfillIntent":{"canFulfill":"NO"}}}"#);
    assert_eq!(relay.end().matches("refused the access token").count(), 7);
}
