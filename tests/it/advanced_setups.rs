//! Home Assistant behind an access proxy, with a certificate of a private CA, or with client certificates.

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
    assert!(home.requests().is_empty(), "an untrusted server gets no token");
    assert_eq!(home.connections(), 1, "it is not tried again");
}

/// Not even when Home Assistant echoes them.
#[test]
fn extra_header_values_are_never_logged() {
    // A header is cut in the middle of them, at 100 or 300 characters.
    let around = |length| format!("{}/geheim-und-noch-viel-mehr/{}", "x".repeat(length), "z".repeat(50));
    let (server, location) = (around(90), format!("https://login.example.org/{}", around(265)));
    for (status, body) in [
        (200, r#"{"response":{"outputSpeech":{"text":"ein geheim-und-noch-viel-mehr"}}}"#),
        (200, r#"{"response":{"geheim-und-noch-viel-mehr":7,"x":"geheim%2Dund%2dnoch-viel-mehr"}}"#),
        (302, "<p>geheim-und-noch-viel-mehr"),
        (403, "?x=geheim%2Dund%2Dnoch%2Dviel%2Dmehr&y= geheim-und-noch-viel-mehr "),
    ] {
        let head = [("server", &*server), ("location", &location)];
        let home = Home::answering(answer(status, &head, body));
        let headers = ("EXTRA_HEADERS", r#"{"X-Key": " geheim-und-noch-viel-mehr "}"#);
        let relay = Relay::start(&[("BASE_URL", &home.url()), headers, ("DEBUG", "True")]);
        relay.reply(event("locate-intent").replace("EXAMPLE", "geheim-und-noch-viel-mehr"));
        let log = relay.end();
        assert!(log.contains("LocateIntent") && log.contains("***"), "{log}");
        assert!(!log.contains("geheim") && !log.contains("noch") && !log.contains("zzzzzz"), "{log}");
    }
}

#[test]
fn ca_certificate_is_trusted_as_text_and_as_file() {
    let (root, folder) = (Ca::new(), scratch());
    let intermediate = root.intermediate(YEARS);
    let two_cas = Ca::new().pem() + &root.pem();
    fs::write(folder.path().join("home.pem"), &two_cas).unwrap();
    let folder = ("LAMBDA_TASK_ROOT", folder.path().to_str().unwrap());
    for versions in VERSIONS {
        for server in [root.issue(YEARS), intermediate.issue(YEARS).with(&intermediate)] {
            assert_trusted(server.server_with(versions, None), &[("CA_CERTIFICATE", &two_cas)]);
            assert_trusted(server.server_with(versions, None), &[("CA_CERTIFICATE", "home.pem"), folder]);
        }
    }
}

/// `CA_CERTIFICATE` holds the server's own certificate: its name and dates must still be right.
#[test]
fn own_self_signed_certificate_is_trusted() {
    for is_ca in [IsCa::NoCa, CA] {
        let identity = Identity::self_signed_for("localhost", YEARS, is_ca);
        for versions in VERSIONS {
            let settings = [("CA_CERTIFICATE", identity.pem())];
            assert_trusted(identity.server_with(versions, None), &settings);
            let forged = identity.clone().forged().server_with(versions, None);
            assert_refused(forged, &settings, "certificate cannot be used", "");
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

/// And accepted with `NOT_VERIFY_SSL`.
#[test]
fn untrusted_certificates_are_refused() {
    let (root, stranger) = (Ca::new(), Ca::new());
    let (intermediate, outdated) = (stranger.intermediate(YEARS), root.intermediate(EXPIRED));
    let client = Ca::new().issue_for("alexa", YEARS).pem_with_key();
    let root_pem = root.pem();
    let headers = ("EXTRA_HEADERS", r#"{"X-Key": "x"}"#);
    let settings = [("CA_CERTIFICATE", &*root_pem), ("CLIENT_CERTIFICATE", &client), headers];
    for versions in VERSIONS {
        for (identity, cause, remedy) in [
            (stranger.issue(YEARS), "does not send the certificate of the CA", "Origin CA"),
            (intermediate.issue(YEARS), "does not send the certificate of the CA", "fullchain.pem"),
            (stranger.issue(YEARS).with(&stranger), "not issued by a public CA", "Let's Encrypt"),
            (intermediate.issue(YEARS).with(&intermediate).with(&stranger), "not issued by a public CA", ""),
            (Identity::self_signed(), "it is self-signed, and for localhost", "If its names are not yours"),
            (Identity::self_signed_for("localhost", YEARS, CA), "it is self-signed", "Let's Encrypt"),
            (root.issue(EXPIRED), "certificate has expired", "renew it"),
            (outdated.issue(YEARS).with(&outdated), "intermediate certificate", "newest fullchain.pem"),
            (outdated.issue(EXPIRED).with(&outdated), "the server's certificate has expired", "renew it"),
            (root.issue(2080..2090), "certificate is not valid yet", "clock"),
            (root.issue_for("other.example.org", YEARS), "certificate is for another name", "a name that"),
            (Identity::x509_v1(), "X.509 version 1", "make it again with a name"),
            (root.issue(YEARS).forged(), "certificate cannot be used", "public CA"),
        ] {
            let server = || identity.server_with(versions, None);
            assert_refused(server(), &settings, cause, remedy);
            assert_trusted(server(), &[&settings[..], &[("NOT_VERIFY_SSL", "True")]].concat());
        }
    }
}

/// A certificate that names a public CA gets another fault than one that names an unknown CA.
#[test]
fn public_cas_are_known() {
    let internet = "Internet Security Research Group";
    for name in
        [[internet, "ISRG Root X1"], ["Google Trust Services LLC", "GTS Root R4"], ["Amazon", "Amazon Root CA 1"]]
    {
        assert_refused(Ca::impostor(name).issue(YEARS).server(), &[], "signed in a way", "");
    }
}

#[test]
fn client_certificate_is_shown_on_request() {
    let (root, clients, folder) = (Ca::new(), Ca::new(), scratch());
    let intermediate = clients.intermediate(YEARS);
    let (root_pem, file) = (root.pem(), folder.path().join("client.pem"));
    let folder = ("LAMBDA_TASK_ROOT", folder.path().to_str().unwrap());
    for versions in VERSIONS {
        let server = || root.issue(YEARS).server_with(versions, Some(&clients));
        for client in [clients.issue_for("alexa", YEARS), intermediate.issue_for("alexa", YEARS).with(&intermediate)] {
            fs::write(&file, client.pem_with_key()).unwrap();
            assert_trusted(server(), &[("CA_CERTIFICATE", &root_pem), ("CLIENT_CERTIFICATE", "client.pem"), folder]);
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

/// Home Assistant refuses one by closing the connection, after a TLS 1.3 handshake.
#[test]
fn silent_refusal_of_a_client_certificate_is_named() {
    let (root, clients) = (Ca::new(), Ca::new());
    let (ca, client) = (root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    for (client, cause) in [("", "requires a client certificate"), (&client, "refused the certificate of")] {
        let home = Home::over_tls(root.issue(YEARS).server_requesting(&clients), Answer::Raw(Vec::new()));
        let url = home.url();
        let relay = Relay::start(&[("BASE_URL", &url), ("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", client)]);
        assert!(relay.speech(event("launch-request")).starts_with(INSECURE), "{cause}");
        relay.log_with(cause);
    }
}

#[test]
fn accepted_client_certificate_is_not_blamed_later() {
    let (root, clients) = (Ca::new(), Ca::new());
    let (ca, client) = (root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    let server = root.issue(YEARS);
    for (server, client) in
        [(server.server_with(VERSIONS[1], Some(&clients)), &*client), (server.server_requesting(&clients), "")]
    {
        let home = Home::start(Some(server), |request| {
            let is_good = request.headers()["authorization"] == "Bearer good";
            ready(if is_good { answer(200, &[("connection", "close")], ANSWER) } else { Answer::Raw(Vec::new()) })
        });
        let url = home.url();
        let relay = Relay::start(&[("BASE_URL", &url), ("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", client)]);
        assert_eq!(relay.reply(event_with_token("good")), ANSWER);
        let speech = relay.speech(event_with_token("bad"));
        assert!(speech.starts_with(BAD_ANSWER), "{speech}");
    }
}

/// In the log, and in the message to Amazon.
#[test]
fn only_some_of_many_names_are_listed() {
    let root = Ca::new();
    for (count, listed) in [
        (5, "it is for site0.org, site1.org, site2.org, site3.org, site4.org\""),
        (6, "it is for site0.org, site1.org, site2.org and 3 more names\""),
        (180, "it is for site0.org, site1.org, site2.org and 177 more names\""),
    ] {
        let names: Vec<_> = (0..count).map(|n| format!("site{n}.org")).collect();
        let home = Home::over_tls(root.issue_for(&names.join(" "), YEARS).server(), Answer::Silence);
        for ca in [String::new(), root.pem()] {
            let relay = Relay::start(&[("BASE_URL", &home.url()), ("CA_CERTIFICATE", &ca)]);
            for text in [relay.reply(event("smart-home-turn-on")), relay.end()] {
                assert!(text.contains(listed), "{text}");
            }
        }
    }
}
