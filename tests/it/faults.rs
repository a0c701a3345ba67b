//! Alexa says what is wrong, and the log says how to fix it.

use std::future::{pending, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::*;

/// An answer that is not for Alexa: what she says, what the log advises for account linking, its statuses, headers and body,
/// and what the log says.
pub type Row = (&'static str, &'static str, &'static [u16], Headers, &'static str, &'static str);
type Headers = &'static [(&'static str, &'static str)];

const PASS_ON: &str = "pass the path /auth on to";
const LOGIN: &str = "the path /auth pass without a login";
const OPEN: &str = "the path /auth pass from everywhere … AS16509 … none of EXTRA_HEADERS";
const CERTIFICATE: &str = "the path /auth pass without a client certificate";

const HTML: Headers = &[("content-type", "text/html; charset=utf-8")];
const TEXT: Headers = &[("content-type", "text/plain")];
const NGINX: Headers = &[("server", "nginx"), HTML[0]];
const CLOUDFLARE: Headers = &[("server", "cloudflare"), ("cf-ray", "8a1b2c3d4e5f-FRA")];
const CHALLENGE: Headers = &[("cf-mitigated", "challenge"), HTML[0]];
const WAF: Headers = &[("x-amzn-waf-action", "challenge")];
const APACHE: Headers = &[("server", "Apache/2.4.57"), ("via", "1.1 home")];
const NGROK: Headers = &[("ngrok-error-code", "ERR_NGROK_3200"), HTML[0]];
const BASIC: Headers = &[("www-authenticate", "Basic realm=home"), HTML[0]];
/// On Home Assistant's own 401 from 2026.11 on.
const OWN: Headers =
    &[("www-authenticate", "Bearer resource_metadata=\"https://home.example.org/.well-known/oauth\""), HTML[0]];
const ACCESS: Headers = &[("location", "https://me.cloudflareaccess.com/cdn-cgi/access/login/home?kid=1&meta=secret")];
const MOVED: Headers = &[("location", "https://home.example.org/api/alexa")];

/// The same for every event.
#[rustfmt::skip] // A table.
const ANSWERS: &[Row] = &[
    // Home Assistant's own.
    (PROXY_NOT_TRUSTED, "Trusted proxies", &[400], &[], "400: Bad Request", "Trusted proxies"),
    (LINK, PASS_ON, &[401], &[], "401: Unauthorized", "refused the access token … leave the made-up token empty"),
    (LINK, PASS_ON, &[401], OWN, "401: Unauthorized", "refused the access token"),
    (BANNED, "ip_bans.yaml", &[403], CLOUDFLARE, "403: Forbidden", "ip_bans.yaml"),
    (ALEXA_NOT_ENABLED, PASS_ON, &[404], &[], "404: Not Found", "alexa: … smart_home: … Invalid config … StripPrefix"),
    (BAD_ANSWER, PASS_ON, &[500], &[], "500: Internal Server Error", "had an internal error"),
    (BAD_ANSWER, PASS_ON, &[500], &[], "500 Internal Server Error\n\nServer got itself in trouble", "had an internal error"),
    // Logins.
    (FIREWALL, LOGIN, &[401], BASIC, "<html>401</html>", "wants a login"),
    (FIREWALL, LOGIN, &[401], &[("www-authenticate", "Bearer realm=home")], "401: Unauthorized", "wants a login … Bearer"),
    (FIREWALL, LOGIN, &[401], &[("www-authenticate", "Cloudflare-Access resource_metadata=x")], "{}", "wants a login"),
    (FIREWALL, LOGIN, &[401], &[], "", "wants a login"),
    (FIREWALL, LOGIN, &[401], HTML, "<h1>Please log in</h1>", "wants a login"),
    (FIREWALL, LOGIN, &[401], NGINX, "<html>401</html>", "answered 401 with a page of its own"),
    (FIREWALL, LOGIN, &[401], OWN, "<html>401</html>", "answered 401 with a page of its own"),
    (FIREWALL, LOGIN, &[401], &[OWN[0]], "401", "answered 401 with a page of its own"),
    (FIREWALL, LOGIN, &[200, 403], HTML, "<title>Sign In</title>", "wants a login … it says: Sign In"),
    (FIREWALL, LOGIN, &[200, 403], HTML, "<title>NAS - Login</title>", "wants a login … it says: NAS - Login"),
    (FIREWALL, LOGIN, &[200], &[], "<p>Your name:</p><INPUT type=\"password\">", "wants a login"),
    (FIREWALL, LOGIN, &[302], ACCESS, "", "wants a login … https://me.cloudflareaccess.com/cdn-cgi/access/login/home\""),
    // Filters.
    (FIREWALL, OPEN, &[403], CLOUDFLARE, "error code: 1020", "cf-ray: 8a1b2c3d4e5f-FRA, it says: error code: 1020"),
    (FIREWALL, OPEN, &[403, 406, 418, 444, 451, 468], &[], "not you", "a firewall … IP Access rule … it says: not you"),
    (FIREWALL, OPEN, &[200], CHALLENGE, "<html></html>", "a firewall in front … cf-mitigated: challenge"),
    (FIREWALL, OPEN, &[202], WAF, "", "a firewall in front … x-amzn-waf-action: challenge"),
    (FIREWALL, OPEN, &[500], &[("x-captcha", "1")], "", "a firewall in front … x-captcha: 1"),
    (FIREWALL, OPEN, &[503], HTML, "<!DOCTYPE html><title>Just a moment...</title>", "Bot Fight Mode"),
    (FIREWALL, OPEN, &[200], HTML, "<title>Making sure you&#39;re not a bot!</title>", "says: Making sure you're not a bot!"),
    (FIREWALL, OPEN, &[200, 405], HTML, "Are you a robot?", "a firewall in front"),
    (FIREWALL, OPEN, &[299, 400, 401, 402, 403, 404, 405, 429, 499, 500, 503], HTML, "<p>Solve this captcha", "a firewall in front"),
    (FIREWALL, OPEN, &[400], TEXT, "Security check failed", "a firewall in front"),
    (FIREWALL, OPEN, &[200], HTML, "You are being verified", "a firewall in front"),
    (FIREWALL, OPEN, &[200], HTML, "One moment, please...", "a firewall in front"),
    (FIREWALL, OPEN, &[202], HTML, "Challenge", "a firewall in front"),
    (FIREWALL, OPEN, &[200], HTML, "<title>Request Rejected</title>", "a firewall in front"),
    (FIREWALL, OPEN, &[405], HTML, "Your request has been blocked", "a firewall in front"),
    (FIREWALL, OPEN, &[200], HTML, "This address is blocked", "a firewall in front"),
    (FIREWALL, OPEN, &[400], HTML, "Incident ID: 7", "a firewall in front"),
    (FIREWALL, OPEN, &[200], HTML, "Your support ID is 7", "a firewall in front"),
    (FIREWALL, OPEN, &[200], HTML, "<title>Pardon Our Interruption</title>", "a firewall in front"),
    (FIREWALL, OPEN, &[302], &[("location", "/challenge?next=/api/alexa")], "", "a firewall in front"),
    (FIREWALL, OPEN, &[429], &[], "", "rate limit"),
    (INSECURE, CERTIFICATE, &[400], &[], "No required SSL certificate was sent", "requires a client certificate"),
    (INSECURE, CERTIFICATE, &[400], HTML, "<h1>The SSL certificate error</h1>", "refused the certificate of CLIENT_CERTIFICATE"),
    (INSECURE, CERTIFICATE, &[403], HTML, "<h1>Forbidden</h1>Reason: Cannot perform Post-Handshake Authentication.<br />",
        "only when it knows the path … SSLVerifyClient in the VirtualHost"),
    // Wrong addresses.
    (WRONG_ADDRESS, PASS_ON, &[400], HTML, "<h2>Bad Request - Invalid Hostname</h2>", "does not serve the name"),
    (WRONG_ADDRESS, PASS_ON, &[400], HTML, "<h1>Invalid SNI</h1>", "does not serve the name … it says: Invalid SNI"),
    (WRONG_ADDRESS, PASS_ON, &[400], TEXT, "Invalid Host header", "does not serve the name … it says: Invalid Host header"),
    (WRONG_ADDRESS, PASS_ON, &[400], HTML, "Invalid HTTP_HOST header", "does not serve the name"),
    (WRONG_ADDRESS, PASS_ON, &[421], &[], "Misdirected Request", "does not serve the name"),
    (WRONG_ADDRESS, PASS_ON, &[400], &[], "The plain HTTP request was sent to HTTPS port", "let BASE_URL begin with https"),
    (WRONG_ADDRESS, PASS_ON, &[400], &[], "Client sent an HTTP request to an HTTPS server.\n", "let BASE_URL begin with https"),
    (WRONG_ADDRESS, PASS_ON, &[400], HTML, "You're speaking plain HTTP to an SSL-enabled server port.", "begin with https"),
    (WRONG_ADDRESS, PASS_ON, &[404], CLOUDFLARE, "<script src=/cdn-cgi/challenge-platform/main.js></script>", "not Home Assistant's"),
    (WRONG_ADDRESS, PASS_ON, &[404], HTML, "<p>No page acme-challenge", "not Home Assistant's … it says: No page acme-"),
    (WRONG_ADDRESS, PASS_ON, &[404], &[("ngrok-error-code", "ERR_NGROK_6024")], "<html>", "not Home Assistant's"),
    (WRONG_ADDRESS, PASS_ON, &[200], HTML, "<title>Home</title><p>Login", "not Home Assistant's … it says: Home Login"),
    (WRONG_ADDRESS, PASS_ON, &[200], HTML, "The SSL certificate error", "not Home Assistant's"),
    (WRONG_ADDRESS, PASS_ON, &[200], HTML, "Home Assistant", "not Home Assistant's … content-type: text/html"),
    (WRONG_ADDRESS, PASS_ON, &[200], &[("server", "Caddy")], " \r\n", "not Home Assistant's … server: Caddy"),
    (WRONG_ADDRESS, PASS_ON, &[301], MOVED, "", "redirects to another address … location: https://home.example.org/api/alexa"),
    (WRONG_ADDRESS, PASS_ON, &[302], &[("location", "http://localhost:1/api/alexa")], "", "redirects to another address"),
    (WRONG_ADDRESS, PASS_ON, &[302], &[("location", "https://www.example.org/\u{fc}")], "", "redirects to another address"),
    (BAD_ANSWER, PASS_ON, &[304, 402], &[], "", "not one that Home Assistant gives"),
    // Proxies.
    (BAD_ANSWER, OPEN, &[400], NGINX, "<html>400</html>", "large_client_header_buffers … server: nginx … it says: 400"),
    (BAD_ANSWER, OPEN, &[400], &[], "400: Bad Request, sorry", "Trusted proxies"),
    (BAD_ANSWER, OPEN, &[400], TEXT, "Duplicate 'Host' header found.", "set_header Host … it says: Duplicate 'Host' header found."),
    (BAD_ANSWER, OPEN, &[413], NGINX, "<html>413 Request Entity Too Large</html>", "client_max_body_size"),
    (BAD_ANSWER, PASS_ON, &[500], NGINX, "<html>500</html>", "an error of its own"),
    (BAD_ANSWER, PASS_ON, &[500], &[], "Internal Server Error", "an error of its own … forward-auth fails"),
    (BAD_ANSWER, PASS_ON, &[500], &[], r#"{"message": "Internal server error"}"#, "an error of its own … it says: {"),
    (BAD_ANSWER, PASS_ON, &[501], &[], "501: Not Implemented", "an error of its own"),
    (BAD_ANSWER, PASS_ON, &[500, 501, 519], &[], "", "an error of its own"),
    (UNREACHABLE, PASS_ON, &[404], NGROK, "<html>The endpoint is offline.</html>", "got no answer … ERR_NGROK_3200"),
    (UNREACHABLE, PASS_ON, &[502], APACHE, "<html>502 captcha</html>", "got no answer from it … via: 1.1 home"),
    (UNREACHABLE, PASS_ON, &[503], CLOUDFLARE, "<script>challenge</script>", "got no answer from it"),
    (UNREACHABLE, PASS_ON, &[503, 520, 523, 530], &[], "", "got no answer from it"),
    (INSECURE, PASS_ON, &[525, 526], CLOUDFLARE, "<html>", "Cloudflare cannot connect … Full instead of Full (strict)"),
    (PROXY_TIMEOUT, PASS_ON, &[504, 524], &[], "<html>captcha", "script.turn_on"),
];

const EVENTS: [&str; 5] =
    ["launch-request", "without-token", "smart-home-discovery", "smart-home-turn-on", "smart-home-accept-grant"];

/// Calls `check` with each answer and its row.
pub fn each_answer(check: impl Fn(Answer, u16, &Row)) {
    for row @ (_, _, statuses, headers, body, _) in ANSWERS {
        for status in *statuses {
            check(answer(*status, headers, *body), *status, row);
        }
    }
}

/// Alexa gets the sentence or the type of error, the log the cause and the answer; nothing is sent twice.
#[test]
fn each_answer_leads_to_its_fault() {
    each_answer(|answer, status, (sentence, _, _, _, body, log_parts)| {
        let home = Home::start(None, move |_| ready(answer.clone()));
        let relay = home.relay(&[]);
        relay.assert_all_fail(&EVENTS, sentence, &format!("{log_parts} … status {status}"));
        assert_eq!((home.requests().len(), home.checks().len()), (4, 1), "{status} {body}");
        assert!(!relay.log().contains("It was not sent again"), "there is an answer");
    });
}

/// A check gets none of these answers, or names another fault.
#[test]
fn unusable_answers_are_named() {
    let (twice, half) = ([ANSWER, ANSWER].concat(), &ANSWER[..40]);
    let too_large = format!("\"{}\"", "a".repeat(6 << 20));
    let wrong_object = r#"{"version":"1.0","response":null,"event":[{}]}"#;
    for (sentence, status, body, log_parts) in [
        (WRONG_ADDRESS, 405, "405: Method Not Allowed", "something in front of it changes the path or the method"),
        (WRONG_ADDRESS, 200, "", "it is empty"),
        (BAD_ANSWER, 200, "hello there", "not JSON … it says: hello there"),
        (BAD_ANSWER, 200, &twice, "not JSON"),
        (BAD_ANSWER, 200, half, "not JSON: EOF"),
        (BAD_ANSWER, 200, "null", "no reply for Alexa"),
        (BAD_ANSWER, 200, "{}", "no reply for Alexa"),
        (BAD_ANSWER, 200, wrong_object, "no reply for Alexa"),
        (BAD_ANSWER, 200, &too_large, "6 MB"),
    ] {
        let home = Home::answering(answer(status, &[], body.to_owned()));
        let (relay, log_parts) = (home.relay(&[]), format!("{log_parts} … status {status}"));
        relay.assert_all_fail(&["locate-intent", "smart-home-turn-on"], sentence, &log_parts);
        assert!(!body.starts_with('{') || !relay.log().contains("it says"), "it may be private: {}", relay.log());
    }
    for (name, other) in [("launch-request", EVENT), ("smart-home-turn-on", ANSWER)] {
        Home::saying(other).relay(&[]).assert_fails(&event(name), BAD_ANSWER, "no reply for Alexa");
    }
    // Home Assistant answers a GET with 405.
    let home = Home::start(None, |_| ready(answer(200, &[], ANSWER)));
    home.relay(&[]).assert_fails(&event("without-token"), WRONG_ADDRESS, "not Home Assistant's");

    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{too_large}\r\n0\r\n\r\n", too_large.len());
    let cut_short = format!("{head}content-length: 200\r\n\r\n{half}");
    let many_headers = format!("{head}{}\r\n{ANSWER}", "set-cookie: a=b\r\n".repeat(120));
    for (bytes, log_parts) in [
        (chunked.as_bytes(), "6 MB … filter: under smart_home:"),
        (b"HTTP/1.1 200 OK\r\nx: \0\r\ncontent-length: 2\r\n\r\n{}", "headers that cannot be read … add_header"),
        (many_headers.as_bytes(), "more than 100 lines"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"a\":\"\xff\"}", "not JSON"),
        (cut_short.as_bytes(), "before the whole answer came … may have done what was asked … status 200"),
        // What Home Assistant and HAProxy do when they expect TLS, and what filters do.
        (b"", "before the whole answer came … let it begin with https:// … return 444 … It was not sent again"),
    ] {
        let home = Home::answering(Answer::Raw(bytes.to_vec()));
        home.relay(&[]).assert_fails(&event("launch-request"), BAD_ANSWER, log_parts);
        assert_eq!(home.requests().len(), 1, "one POST");
    }
}

#[test]
fn unusable_token_asks_to_link_the_account() {
    let home = Home::saying(ANSWER);
    let relay = home.relay(&[]);
    for (token, log_parts) in [
        ("", "has no access token: the way to Home Assistant is clear, it answered in"),
        ("a\\r\\nX-Forwarded-For: 1.2.3.4", "characters that no HTTP header may have … Access Token URI"),
        ("schl\u{fc}ssel", "characters that no HTTP header may have"),
        ("Atza|IwEBIJ0nq8", "leads to Login with Amazon … /auth/authorize … /auth/token"),
        ("Atza\\u007cIwEBIJ0nq8\u{e9}", "leads to Login with Amazon"),
    ] {
        for name in ["launch-request", "smart-home-turn-on"] {
            relay.assert_fails(&event(name).replace(TOKEN, token), LINK, log_parts);
        }
    }
    assert!(home.requests().is_empty());
    let paths: Vec<_> = home.checks().iter().map(|check| check.uri().to_string()).collect();
    assert_eq!(paths, ["/api/alexa", "/auth/token", "/api/alexa/smart_home", "/auth/token"]);
}

#[test]
fn refused_long_lived_token_is_named() {
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let relay = home.relay(&[("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN)]);
    relay.assert_fails(&event("without-token"), LINK, "refused LONG_LIVED_ACCESS_TOKEN");
    assert!(home.checks().is_empty());
}

#[test]
fn path_in_base_url_is_named() {
    let home = Home::start(None, |_| ready(answer(404, &[], "404: Not Found")));
    for path in ["/api", "/api/alexa", "/api/alexa/smart_home/", "/lovelace/0", "/homeassistant"] {
        let log_parts = "nothing at the path in BASE_URL … status 404";
        Relay::to(&(home.url() + path)).assert_all_fail(&EVENTS, WRONG_ADDRESS, log_parts);
    }
}

#[test]
fn redirect_to_itself_is_named() {
    for (start, end) in [("", ""), ("", "/"), ("http://HOST", "/")] {
        let home = Home::start(None, move |request| {
            let host = request.headers()["host"].to_str().expect("text");
            let location = start.replace("HOST", host) + request.uri().path() + end;
            ready(answer(301, &[("location", &location)], ""))
        });
        home.relay(&[]).assert_all_fail(&EVENTS, WRONG_ADDRESS, "redirects to itself … Full instead of Flexible");
    }
}

/// Apache answers 502 when its time is up.
#[test]
fn late_502_of_apache_is_a_timeout() {
    for (server, sentence) in [("Apache/2.4.57 (Debian)", PROXY_TIMEOUT), ("nginx", UNREACHABLE)] {
        let home = Home::start(None, move |_| async move {
            sleep(Duration::from_millis(1_200)).await;
            answer(502, &[("server", server)], "<html>502 Proxy Error</html>")
        });
        home.relay(&[]).assert_fails(&event("launch-request"), sentence, "status 502");
    }
}

/// It accepts connections, and never reads.
fn silent_home() -> Home {
    Home::raw(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
}

#[test]
fn failed_connections_are_named() {
    // Alerts: handshake_failure and access_denied.
    const FAILURE: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40];
    const DENIED: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 49];
    let plain = Home::answering(Answer::Silence);
    let secure = Home::over_tls(Identity::self_signed().server(), Answer::Silence);
    let ssh = Home::start(None, |_| ready(Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())));
    let closing = Home::raw(|_| ready(()));
    let greeting = Home::raw(|mut stream| async move {
        let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n").await;
        let _ = stream.read(&mut [0; 8192]).await;
    });
    // Writes this once the relay has written, and closes.
    let writing = |bytes: &'static [u8]| {
        Home::raw(move |mut stream| async move {
            let _ = stream.read(&mut [0; 8192]).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            // Else the kernel would send a reset, and the relay lose the bytes.
            let _ = stream.read(&mut [0; 8192]).await;
        })
    };
    // Home Assistant Cloud hangs up while the home is not connected.
    let (failure, denying, hanging_up) = (writing(FAILURE), writing(DENIED), writing(b""));
    let (silent, off) = (silent_home(), silent_home());
    let _queue = off.server.drop_syns();
    let off_url = off.url().replace("localhost", "127.0.0.1");
    let https = |home: &Home| home.url().replace("http:", "https:");
    let cases = [
        ("https://home.invalid".to_owned(), UNREACHABLE, "has no address … dynamic DNS"),
        ("http://127.0.0.1:1".to_owned(), UNREACHABLE, "nobody listens … present IPv4 address"),
        // The broadcast address: no packet leaves this machine.
        ("http://255.255.255.255:8123".to_owned(), UNREACHABLE, "nobody answers … public address"),
        (off_url.clone(), UNREACHABLE, "nobody answers … present IPv4 address"),
        (https(&silent), UNREACHABLE, "does not answer over TLS … a smaller MTU"),
        (ssh.url(), WRONG_ADDRESS, "does not speak plain HTTP"),
        (greeting.url(), WRONG_ADDRESS, "does not speak plain HTTP"),
        (https(&plain), WRONG_ADDRESS, "does not speak TLS … let BASE_URL begin with http://"),
        (secure.url().replace("https:", "http:"), WRONG_ADDRESS, "not speak plain HTTP … begin with https://"),
        (https(&failure), INSECURE, "TLS 1.2 and 1.3 … Edge Certificates"),
        (https(&denying), INSECURE, "refused a secure connection … may accept only some addresses"),
        (https(&hanging_up), UNREACHABLE, "before a secure connection was made … Home Assistant Cloud"),
        (https(&closing), UNREACHABLE, "before a secure connection was made … Tailscale Funnel"),
        (secure.url(), INSECURE, "self-signed"),
    ];
    let events = ["launch-request", "without-token", "smart-home-turn-on"];
    at_once(events.iter().flat_map(|name| cases.iter().map(move |case| (*name, case))), |(name, case)| {
        let (base_url, sentence, log_parts) = case;
        let relay = Relay::to(base_url);
        relay.assert_fails(&event(name), sentence, log_parts);
        let log = relay.log();
        assert!(!log.contains("for url"), "people publish their logs: {log}");
        assert!(!log.contains("It was not sent again"), "nothing was sent: {log}");
        match base_url.as_str() {
            url if url == off_url => assert!((4_000..6_300).contains(&relay.ms()), "one address gets 4 s"),
            "http://127.0.0.1:1" if name != "without-token" => assert!(relay.ms() >= 300, "it is tried again"),
            _ => {}
        }
    });
    // The time is up before the connection stands.
    for (base_url, cause) in [(off.url(), "nobody answers"), (https(&silent), "does not answer over TLS")] {
        Relay::to(&base_url).assert_fails_in(1_000, &event("launch-request"), UNREACHABLE, cause);
    }
    // And before the second try has failed: the first one's fault is named.
    silent.server.close_next(1);
    let relay = Relay::to(&https(&silent));
    relay.assert_fails_in(2_000, &event("launch-request"), UNREACHABLE, "closed before a secure connection was made");
}

/// What an earlier connection showed, or one over TLS, is no reason to blame TLS or its lack.
#[test]
fn tls_is_blamed_only_where_it_may_be() {
    let home_over_tls = |answer| Home::over_tls(Identity::self_signed().server(), answer);
    let insecure = [("NOT_VERIFY_SSL", "1")];
    let home = home_over_tls(answer(200, &[("connection", "close")], ANSWER));
    let relay = home.relay(&insecure);
    assert_eq!(relay.reply(event("launch-request")), ANSWER);
    let _queue = home.server.drop_syns();
    relay.assert_fails_in(1_000, &event("launch-request"), UNREACHABLE, "nobody answers at BASE_URL's address");

    // A proxy passes on what the https port behind it says.
    let home = home_over_tls(answer(400, NGINX, "<html>The plain HTTP request was sent to HTTPS port</html>"));
    let log_parts = "got no answer from it … its right address and port";
    home.relay(&insecure).assert_fails(&event("launch-request"), UNREACHABLE, log_parts);

    for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
        let home = home_over_tls(Answer::Raw(answer.into()));
        let relay = home.relay(&insecure);
        relay.assert_fails(&event("launch-request"), BAD_ANSWER, "");
        let log = relay.end();
        let line = log.lines().last().expect("a line");
        assert!(!line.contains("begin with http") && !line.contains("begins with http"), "{answer}: {line}");
    }
}

/// A check does nothing at home.
#[test]
fn unanswered_check_is_named() {
    let home = Home::start(None, |_| ready(Answer::Silence));
    let fault = "nothing has answered at BASE_URL in time";
    home.relay(&[]).assert_fails_in(1_000, &event("without-token"), UNREACHABLE, fault);
    let home = Home::start(None, |_| ready(Answer::Raw(Vec::new())));
    let relay = home.relay(&[]);
    relay.assert_fails(&event("without-token"), BAD_ANSWER, "before the whole answer came");
    assert!(!relay.log().contains("It was not sent again"), "{}", relay.log());
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
    let relay = home.relay(&[]);
    let silent = "SessionEndedRequest AudioPlayer.PlaybackStarted PlaybackController.NextCommandIssued \
        System.ExceptionEncountered AlexaSkillEvent.SkillDisabled A.KindToCome";
    for kind in silent.split(' ') {
        let reply = relay.reply(event("launch-request").replace("LaunchRequest", kind));
        assert_eq!(reply, r#"{"version":"1.0","response":{}}"#, "{kind}");
    }
    let reply = relay.reply(event("locate-intent").replace("IntentRequest", "CanFulfillIntentRequest"));
    assert_eq!(reply, r#"{"version":"1.0","response":{"canFulfillIntent":{"canFulfill":"NO"}}}"#);
    assert_eq!(relay.end().matches("refused the access token").count(), 7);
    let home = Home::answering(answer(202, WAF, ""));
    let relay = home.relay(&[]);
    assert_eq!(relay.reply(event("session-ended-request")), r#"{"version":"1.0","response":{}}"#);
    assert_has(&relay.end(), "a firewall in front");
}
