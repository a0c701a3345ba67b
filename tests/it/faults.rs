//! Alexa says what is wrong, and the log says how to fix it.

use std::future::{pending, ready};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

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
fn missing_token_asks_to_link_the_account() {
    let home = Home::saying(ANSWER);
    let relay = Relay::to(&home.url());
    let clear = "the way to Home Assistant is clear, it answered in";
    assert_says(&relay, &event("without-token"), LINK, &["WARN", "the request has no access token", clear]);
    let checks = home.checks();
    assert_eq!(checks.iter().map(|check| check.uri().path()).collect::<Vec<_>>(), ["/api/alexa", "/auth/token"]);
    assert!(checks.iter().all(|check| !check.headers().contains_key("authorization")));
    assert!(home.requests().is_empty(), "no event is sent without a token");
}

#[test]
fn unusable_token_asks_to_link_the_account() {
    let home = Home::saying(ANSWER);
    let no_header = ["characters that no HTTP header may have", "Access Token URI"];
    for (token, log_parts) in [
        ("a\\nb", no_header),
        ("a\\r\\nX-Forwarded-For: 1.2.3.4", no_header),
        ("schl\u{fc}ssel", no_header),
        ("\\u0000", no_header),
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
        (BAD_ANSWER, 500, &[], "500 Internal Server Error", "internal error"),
    ]);
    for headers in [&[][..], &[OWN_401]] {
        assert_event_answers(EVENTS[0], &[(LINK, 401, headers, "401: Unauthorized", "leave the made-up token empty")]);
    }
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN)]);
    assert_says(&relay, &event("without-token"), LINK, &["refused LONG_LIVED_ACCESS_TOKEN"]);
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
    let (wait, remedy) = ("<html>Just a moment...</html>", "Bot Fight Mode");
    let login = "https://me.cloudflareaccess.com/cdn-cgi/access/login/home?kid=1&meta=secret";
    let location = "location: https://me.cloudflareaccess.com/cdn-cgi/access/login/home\"";
    let no_certificate = "<html><h1>400 Bad Request</h1>No required SSL certificate was sent</html>";
    let bad_certificate = "<html><h1>400 Bad Request</h1>The SSL certificate error</html>";
    assert_answers(&[
        (FIREWALL, 401, &[("www-authenticate", "Basic realm=home"), HTML], "<html>401</html>", "wants a login"),
        (FIREWALL, 401, &[("www-authenticate", "Bearer")], "401: Unauthorized", "wants a login"),
        (FIREWALL, 401, &[], "", "wants a login"),
        (FIREWALL, 401, &NGINX, "<html>401</html>", "answered 401 with a page of its own"),
        (FIREWALL, 401, &[OWN_401, HTML], "<html>401</html>", "answered 401 with a page of its own"),
        (FIREWALL, 302, &[("location", login)], "", "wants a login"),
        (FIREWALL, 302, &[("location", login)], "", location),
        (FIREWALL, 302, &[("location", "https://auth.example.org/?rd=https://home.example.org/")], "", "wants a login"),
        (FIREWALL, 403, &CLOUDFLARE, "<html>Sorry, you have been blocked</html>", remedy),
        (FIREWALL, 403, &CLOUDFLARE, "error code: 1020", remedy),
        (FIREWALL, 403, &CHALLENGE, wait, remedy),
        (FIREWALL, 503, &[HTML], "<!DOCTYPE html><title>Just a moment...</title>", remedy),
        (FIREWALL, 403, &[HTML], "<html>Blocked</html>", remedy),
        (FIREWALL, 403, &[], "not you", remedy),
        (FIREWALL, 403, &[], "", remedy),
        (FIREWALL, 429, &[], "", "rate limit"),
        (INSECURE, 400, &[], no_certificate, "requires a client certificate"),
        (INSECURE, 400, &[], bad_certificate, "refused the certificate of CLIENT_CERTIFICATE"),
    ]);
    assert_event_answers(EVENTS[0], &[(FIREWALL, 200, &CHALLENGE, wait, remedy)]);
}

#[test]
fn wrong_addresses_are_named() {
    let https = "let BASE_URL begin with https";
    let moved = [("location", "https://home.example.org/api/alexa")];
    let ordinary = "<html><script src=/cdn-cgi/challenge-platform/scripts/jsd/main.js></script></html>";
    let ngrok = [("ngrok-error-code", "ERR_NGROK_3200"), HTML];
    let offline = "ngrok-error-code: ERR_NGROK_3200";
    let too_many = "<html><h1>400 Bad Request</h1>Request Header Or Cookie Too Large</html>";
    assert_answers(&[
        (WRONG_ADDRESS, 404, &CLOUDFLARE, ordinary, "not Home Assistant's"),
        (UNREACHABLE, 503, &CLOUDFLARE, ordinary, "got no answer from it"),
        (UNREACHABLE, 404, &ngrok, "<html>The endpoint is offline.</html>", offline),
        (INSECURE, 525, &CLOUDFLARE, "error code: 525", "Cloudflare cannot connect securely"),
        (INSECURE, 526, &CLOUDFLARE, "<html>", "Full instead of Full (strict)"),
        (BAD_ANSWER, 400, &NGINX, too_many, "large_client_header_buffers"),
        (BAD_ANSWER, 400, &[], "", "400 with a page of its own"),
        (BAD_ANSWER, 400, &[], "400: Bad Request, sorry", "Trusted proxies"),
        (BAD_ANSWER, 413, &NGINX, "<html>413 Request Entity Too Large</html>", "client_max_body_size"),
        (WRONG_ADDRESS, 421, &[], "Misdirected Request", "does not serve the name"),
        (WRONG_ADDRESS, 302, &[("location", "https://www.example.org/")], "", "redirects"),
        (WRONG_ADDRESS, 301, &[("location", "https://home.example.org:8443")], "", "redirects"),
        (WRONG_ADDRESS, 404, &NGINX, "<html>404</html>", "not Home Assistant's"),
        (WRONG_ADDRESS, 405, &[], "<html>", "not Home Assistant's"),
        (WRONG_ADDRESS, 301, &moved, "", "redirects"),
        (WRONG_ADDRESS, 301, &moved, "", "location: https://home.example.org/api/alexa"),
        (WRONG_ADDRESS, 400, &[], "<html>The plain HTTP request was sent to HTTPS port</html>", https),
        (WRONG_ADDRESS, 400, &[], "Client sent an HTTP request to an HTTPS server.\n", https),
        (WRONG_ADDRESS, 400, &[], "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", https),
        (WRONG_ADDRESS, 200, &[], "<!DOCTYPE html><title>Home Assistant</title>", "not Home Assistant's"),
        (WRONG_ADDRESS, 200, &[HTML], "Home Assistant", "content-type: text/html"),
        (WRONG_ADDRESS, 200, &CLOUDFLARE, ordinary, "not Home Assistant's"),
        (WRONG_ADDRESS, 200, &[("server", "Caddy")], "", "not Home Assistant's"),
        (WRONG_ADDRESS, 200, &[("server", "Caddy")], " \r\n", "server: Caddy"),
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
        (UNREACHABLE, 502, &[("server", "Apache/2.4.57")], "<html>502 Proxy Error</html>", "server: Apache"),
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
            (BAD_ANSWER, 200, &[], "OK", "not JSON"),
            (BAD_ANSWER, 200, &[], &twice, "not JSON"),
            (BAD_ANSWER, 200, &[], half, "not JSON: EOF"),
            (BAD_ANSWER, 200, &[], "null", "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], "{}", "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], "[]", "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], "\"OK\"", "no reply for Alexa"),
            (BAD_ANSWER, 200, &[], r#"{"message":"Unauthorized"}"#, "no reply for Alexa"),
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
        (cut_short.as_bytes(), ["before the whole answer came", "not sent again"]),
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
    let [failure, version, name, certificate, denying, unknown] = [
        AlertDescription::HandshakeFailure,
        AlertDescription::ProtocolVersion,
        AlertDescription::UnrecognisedName,
        AlertDescription::CertificateRequired,
        AlertDescription::AccessDenied,
        AlertDescription::CertificateUnknown,
    ]
    .map(alerting);
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    // `busy` has a full queue: the kernel drops further SYNs, as a firewall does. `silent` never reads.
    let (full, idle) = (listen(), listen());
    let (busy, silent) = (address(&full), address(&idle));
    let connect = || TcpStream::connect_timeout(&busy, Duration::from_millis(100));
    let _queue: Vec<_> = std::iter::from_fn(|| connect().ok()).take(10_000).collect();
    let https = |home: &Home| home.url().replace("http:", "https:");
    let cases = [
        ("https://home.invalid".to_owned(), UNREACHABLE, ["has no address", "dynamic DNS"]),
        ("http://127.0.0.1:1".to_owned(), UNREACHABLE, ["nobody listens", "Connection refused"]),
        // The broadcast address: no packet leaves this machine.
        ("http://255.255.255.255:8123".to_owned(), UNREACHABLE, ["nobody answers", "public address"]),
        (format!("http://{busy}"), UNREACHABLE, ["nobody answers", "open the port"]),
        (format!("https://{silent}"), UNREACHABLE, ["does not answer over TLS", "a smaller MTU"]),
        (ssh.url(), WRONG_ADDRESS, ["does not speak plain HTTP", ""]),
        (https(&plain), WRONG_ADDRESS, ["does not speak TLS", "let BASE_URL begin with http://"]),
        (secure.url().replace("https:", "http:"), WRONG_ADDRESS, ["not speak plain HTTP", "begin with https://"]),
        (https(&failure), INSECURE, ["TLS 1.2 or 1.3", ""]),
        (https(&version), INSECURE, ["TLS 1.2 or 1.3", ""]),
        (https(&name), INSECURE, ["for another name", ""]),
        (https(&certificate), INSECURE, ["requires a client certificate", ""]),
        (https(&denying), INSECURE, ["refused a secure connection", "may accept only some addresses"]),
        (https(&unknown), INSECURE, ["refused a secure connection", "may accept only some addresses"]),
        (https(&hanging_up), UNREACHABLE, ["before a secure connection was made", "with Home Assistant Cloud"]),
        (https(&closing), UNREACHABLE, ["before a secure connection was made", "with Home Assistant Cloud"]),
        (secure.url(), INSECURE, ["self-signed", ""]),
    ];
    let (events, start) = (EVENTS.map(event), Instant::now());
    at_once(events.iter().flat_map(|event| cases.iter().map(move |case| (event, case))), |(event, case)| {
        let (base_url, sentence, log_parts) = case;
        assert_says(&Relay::to(base_url), event, sentence, log_parts);
    });
    assert!(start.elapsed() < Duration::from_millis(6_300), "one address gets 4 s");
    // The time is up before the connection stands.
    for (base_url, cause) in
        [(format!("http://{busy}"), "nobody answers"), (format!("https://{silent}"), "does not answer over TLS")]
    {
        let relay = Relay::to(&base_url);
        let speech = speech(&relay.invoke_by(&events[0], millis_from_now(1_000)).reply());
        assert!(speech.starts_with(UNREACHABLE), "{speech}");
        relay.log_with(cause);
    }
}

/// When the time is up before the second try has failed.
#[test]
fn fault_of_the_first_try_is_named() {
    let closing = Home::raw(|_| pending());
    closing.server.close_next();
    let relay = Relay::to(&closing.url().replace("http:", "https:"));
    let speech = speech(&relay.invoke_by(event("launch-request"), millis_from_now(2_000)).reply());
    assert!(speech.starts_with(UNREACHABLE), "{speech}");
    assert_eq!(closing.connections(), 2);
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
}

#[test]
fn alexa_speaks_the_language_of_the_request() {
    let certificate = "No required SSL certificate was sent";
    let homes = [(504, ""), (400, certificate), (401, "401: Unauthorized"), (404, "")]
        .map(|(status, body)| Home::answering(answer(status, &[], body)));
    let relays: Vec<_> = homes.iter().map(|home| Relay::to(&home.url())).chain([Relay::start(&[])]).collect();
    // In each language: "proxy", "certificate", and the words that say that a setting is missing.
    for (locale, proxy, certificate, missing) in [
        ("ar-SA", "الوكيل", "شهادته", "لم يتم تعيين"),
        ("de-DE", "Proxy", "Zertifikat", "nicht gesetzt"),
        ("es-MX", "proxy", "certificado", "Falta"),
        ("fr-CA", "proxy", "certificat", "Il manque"),
        ("hi-IN", "प्रॉक्सी", "सर्टिफ़िकेट", "सेट नहीं है"),
        ("it-IT", "proxy", "certificato", "Manca"),
        ("ja-JP", "プロキシ", "証明書", "設定されていません"),
        ("nl-NL", "proxy", "certificaat", "niet ingesteld"),
        ("pt-BR", "proxy", "certificado", "Falta"),
        ("xx-XX", "proxy", "certificate", "is not set. "),
    ] {
        let event = event("launch-request").replace("en-US", locale);
        for (relay, word) in relays.iter().zip([proxy, certificate, "Alexa", "Lambda", missing]) {
            let speech = relay.speech(&event);
            assert!(speech.contains(word), "{locale}: {word} in {speech}");
        }
    }
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
