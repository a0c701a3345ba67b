//! Homes behind an access proxy, with a CA of their own, or that request a client certificate.

use std::fs;
use std::future::ready;

use rcgen::IsCa;
use rustls::ServerConfig;

use crate::support::*;

type Settings<'a> = &'a [(&'a str, &'a str)];

fn assert_trusted(server: ServerConfig, settings: Settings) {
    let home = Home::over_tls(server, answer(200, &[], ANSWER));
    let relay = Relay::start(&[&[("BASE_URL", home.url().as_str())], settings].concat());
    assert_eq!(relay.reply(event("locate-intent")), ANSWER, "{}", relay.log());
}

fn assert_refused(server: ServerConfig, settings: Settings, cause: &str, remedy: &str) {
    let home = Home::over_tls(server, answer(200, &[], ANSWER));
    let relay = Relay::start(&[&[("BASE_URL", home.url().as_str())], settings].concat());
    let speech = relay.speech(event("locate-intent"));
    assert!(speech.starts_with(INSECURE), "{speech}");
    let log = relay.end();
    assert!(log.contains(cause) && log.contains(remedy), "{cause:?} and {remedy:?} are not in\n{log}");
    assert!(home.requests().is_empty(), "no token goes to a server that is not trusted");
}

#[test]
fn extra_headers_are_sent_with_every_request() {
    // After a 401 the relay makes a new connection.
    let home = Home::answering(answer(401, &[], "401: Unauthorized"));
    let headers = r#"{"CF-Access-Client-Id": "id.access", "CF-Access-Client-Secret": "secret"}"#;
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("EXTRA_HEADERS", headers)]);
    for name in ["launch-request", "launch-request", "without-token"] {
        relay.reply(event(name));
    }
    let requests = [home.requests(), home.checks()].concat();
    assert_eq!((requests.len(), home.connections()), (3, 3));
    for request in requests {
        assert_eq!(request.headers()["cf-access-client-id"], "id.access", "{}", request.method());
        assert_eq!(request.headers()["cf-access-client-secret"], "secret", "{}", request.method());
    }
}

#[test]
fn the_values_of_extra_headers_are_not_logged_even_where_the_home_echoes_them() {
    for status in [200, 403] {
        let home = Home::answering(answer(status, &[("server", "geheim")], ANSWER.replace("OK", "ein geheim")));
        let headers = ("EXTRA_HEADERS", r#"{"X-Key": "geheim"}"#);
        let relay = Relay::start(&[("BASE_URL", &home.url()), headers, ("DEBUG", "True")]);
        relay.reply(event("locate-intent").replace("EXAMPLE", "geheim"));
        let log = relay.end();
        assert!(log.contains("LocateIntent") && log.contains("***"), "{log}");
        assert!(!log.contains("geheim"), "{log}");
    }
}

#[test]
fn a_ca_of_its_owner_is_trusted_whether_it_is_pasted_or_in_a_file() {
    let (root, folder) = (Ca::new(), scratch());
    let intermediate = root.intermediate();
    let others_too = Ca::new().pem() + &root.pem();
    fs::write(folder.path().join("home.pem"), &others_too).unwrap();
    let folder = ("LAMBDA_TASK_ROOT", folder.path().to_str().unwrap());
    for versions in VERSIONS {
        for server in [root.issue(YEARS), intermediate.issue(YEARS).with(&intermediate)] {
            assert_trusted(server.server_with(versions, None), &[("CA_CERTIFICATE", &others_too)]);
            assert_trusted(server.server_with(versions, None), &[("CA_CERTIFICATE", "home.pem"), folder]);
        }
    }
}

#[test]
fn a_self_signed_certificate_of_its_owner_is_trusted_for_its_name_and_in_its_time() {
    for is_ca in [IsCa::NoCa, CA] {
        let identity = Identity::self_signed_for("localhost", YEARS, is_ca);
        for versions in VERSIONS {
            assert_trusted(identity.server_with(versions, None), &[("CA_CERTIFICATE", identity.pem())]);
        }
        for (name, years, cause) in [
            ("localhost", EXPIRED, "certificate has expired"),
            ("localhost", 2080..2090, "certificate is not valid yet"),
            ("other.example.org", YEARS, "certificate is for another name"),
        ] {
            let identity = Identity::self_signed_for(name, years, is_ca);
            assert_refused(identity.server(), &[("CA_CERTIFICATE", identity.pem())], cause, "");
        }
    }
}

#[test]
fn what_its_owner_does_not_trust_is_refused_unless_not_verify_ssl_is_on() {
    let (root, stranger) = (Ca::new(), Ca::new());
    let intermediate = stranger.intermediate();
    let client = Ca::new().issue_for("alexa", YEARS).pem_with_key();
    let root_pem = root.pem();
    let headers = ("EXTRA_HEADERS", r#"{"X-Key": "x"}"#);
    let settings = [("CA_CERTIFICATE", &*root_pem), ("CLIENT_CERTIFICATE", &client), headers];
    for versions in VERSIONS {
        for (identity, cause, remedy) in [
            (stranger.issue(YEARS), "does not send the certificate of the CA", "fullchain.pem"),
            (intermediate.issue(YEARS), "does not send the certificate of the CA", "fullchain.pem"),
            (stranger.issue(YEARS).with(&stranger), "not issued by a public CA", "Let's Encrypt"),
            (intermediate.issue(YEARS).with(&intermediate).with(&stranger), "not issued by a public CA", ""),
            (Identity::self_signed(), "it is self-signed, and for localhost", "Let's Encrypt"),
            (Identity::self_signed_for("localhost", YEARS, CA), "it is self-signed", "Let's Encrypt"),
            (root.issue(EXPIRED), "certificate has expired", "renew it"),
            (root.issue(2080..2090), "certificate is not valid yet", "clock"),
            (root.issue_for("other.example.org", YEARS), "certificate is for another name", "a name that"),
        ] {
            let server = || identity.server_with(versions, None);
            assert_refused(server(), &settings, cause, remedy);
            assert_trusted(server(), &[&settings[..], &[("NOT_VERIFY_SSL", "True")]].concat());
        }
    }
}

#[test]
fn a_home_that_requests_a_client_certificate_is_shown_it() {
    let (root, clients) = (Ca::new(), Ca::new());
    let intermediate = clients.intermediate();
    let root_pem = root.pem();
    for versions in VERSIONS {
        let server = || root.issue(YEARS).server_with(versions, Some(&clients));
        for client in [clients.issue_for("alexa", YEARS), intermediate.issue_for("alexa", YEARS).with(&intermediate)] {
            let client = client.pem_with_key();
            assert_trusted(server(), &[("CA_CERTIFICATE", &root_pem), ("CLIENT_CERTIFICATE", &client)]);
        }
        let (stranger, expired) = (Ca::new().issue_for("alexa", YEARS), clients.issue_for("alexa", EXPIRED));
        for (client, cause) in [
            ("", "the server requires a client certificate"),
            (&stranger.pem_with_key(), "the server refused the certificate of CLIENT_CERTIFICATE"),
            (&expired.pem_with_key(), "the server refused the certificate of CLIENT_CERTIFICATE"),
        ] {
            let settings = [("CA_CERTIFICATE", root_pem.as_str()), ("CLIENT_CERTIFICATE", client)];
            assert_refused(server(), &settings, cause, "ssl_peer_certificate");
        }
    }
}

#[test]
fn a_home_that_accepted_the_client_certificate_before_is_not_said_to_refuse_it() {
    let (root, clients) = (Ca::new(), Ca::new());
    let server = root.issue(YEARS).server_with(VERSIONS[1], Some(&clients));
    let home = Home::start(Some(server), |request| {
        let is_good = request.headers()["authorization"] == "Bearer good";
        ready(if is_good { answer(200, &[("connection", "close")], ANSWER) } else { Answer::Raw(Vec::new()) })
    });
    let (url, ca, client) = (home.url(), root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    let relay = Relay::start(&[("BASE_URL", &url), ("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", &client)]);
    assert_eq!(relay.reply(event_with_token("good")), ANSWER);
    let speech = relay.speech(event_with_token("bad"));
    assert!(speech.starts_with(BAD_ANSWER), "{speech}");
}
