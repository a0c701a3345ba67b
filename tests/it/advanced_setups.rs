//! Home Assistant behind an access proxy, with a certificate of a private CA, or with client certificates.

use std::fs;
use std::future::ready;

use rcgen::IsCa;
use rustls::ServerConfig;

use crate::support::*;

type Settings<'a> = &'a [(&'a str, &'a str)];

fn assert_trusted(server: ServerConfig, settings: Settings) {
    let home = Home::over_tls(server, answer(200, &[], ANSWER));
    let relay = home.relay(settings);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER, "{}", relay.log());
}

fn assert_refused(server: ServerConfig, settings: Settings, log_parts: &str) {
    let home = Home::over_tls(server, answer(200, &[], ANSWER));
    home.relay(settings).assert_fails(&event("locate-intent"), INSECURE, log_parts);
    assert!(home.requests().is_empty(), "an untrusted server gets no token");
    assert_eq!(home.connections(), 1, "it is not tried again");
}

#[test]
fn ca_certificate_is_trusted_as_text_and_file() {
    let (root, folder) = (Ca::new(), scratch());
    let intermediate = root.intermediate("Middle", YEARS);
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
            assert_refused(forged, &settings, "certificate cannot be used");
        }
        for (name, years, cause) in [
            ("localhost", EXPIRED, "certificate has expired"),
            ("localhost", 2080..2090, "certificate is not valid yet"),
            ("other.example.org", YEARS, "certificate is for another name"),
        ] {
            let identity = Identity::self_signed_for(name, years, is_ca);
            assert_refused(identity.server(), &[("CA_CERTIFICATE", identity.pem())], cause);
        }
    }
}

/// `NOT_VERIFY_SSL` accepts each of them.
#[test]
fn untrusted_certificates_are_refused() {
    let (root, stranger) = (Ca::new(), Ca::new());
    let (intermediate, outdated) = (stranger.intermediate("Middle", YEARS), root.intermediate("Middle", EXPIRED));
    let lower = intermediate.intermediate("Lower", YEARS);
    let many_names = (0..180).map(|n| format!("site{n}.org")).collect::<Vec<_>>().join(" ");
    let client = Ca::new().issue_for("alexa", YEARS).pem_with_key();
    let root_pem = root.pem();
    let headers = ("EXTRA_HEADERS", r#"{"X-Key": "x"}"#);
    let settings = [("CA_CERTIFICATE", &*root_pem), ("CLIENT_CERTIFICATE", &client), headers];
    for versions in VERSIONS {
        for (identity, log_parts) in [
            (stranger.issue(YEARS), "not issued by a public CA … \"A Root\\\", too, but has another key"),
            (intermediate.issue(YEARS), "not send the certificate … Origin CA … the CA \\\"Middle\\\" is not trusted"),
            (lower.issue(YEARS).with(&lower), "not send the certificate … fullchain.pem … the CA \\\"Middle\\\""),
            (stranger.issue(YEARS).with(&stranger), "not issued by a public CA … Let's Encrypt … \\\"A Root\\\""),
            (intermediate.issue(YEARS).with(&stranger).with(&intermediate), "not issued by a public CA … \"A Root"),
            (Identity::self_signed(), "it is self-signed, and for localhost … If its names are not yours"),
            (Identity::self_signed_for("localhost", YEARS, CA), "it is self-signed … Let's Encrypt"),
            (Identity::emergency(), "recovery mode … it is for localhost"),
            (root.issue(EXPIRED), "certificate has expired … renew it"),
            (outdated.issue(YEARS).with(&outdated), "intermediate certificate … newest fullchain.pem"),
            (outdated.issue(EXPIRED).with(&outdated), "the server's certificate has expired … renew it"),
            (root.issue(2080..2090), "certificate is not valid yet … clock"),
            (root.issue_for("a.org b.org", YEARS), "for another name … a name that … for a.org, b.org\""),
            (root.issue_for(&many_names, YEARS), " for site0.org, site1.org, site2.org, site3.org, site4.org\""),
            (Identity::x509_v1(), "X.509 version 1 … make it again with a name"),
            (root.issue(YEARS).forged(), "certificate cannot be used … public CA"),
        ] {
            let server = || identity.server_with(versions, None);
            assert_refused(server(), &settings, log_parts);
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
        assert_refused(Ca::impostor(name).issue(YEARS).server(), &[], "signed in a way");
    }
}

#[test]
fn client_certificate_is_shown_on_request() {
    let (root, clients, folder) = (Ca::new(), Ca::new(), scratch());
    let intermediate = clients.intermediate("Middle", YEARS);
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
            ("", "the server requires a client certificate … ssl_peer_certificate"),
            (&stranger.pem_with_key(), "the server refused the certificate of CLIENT_CERTIFICATE"),
            (&expired.pem_with_key(), "the server refused the certificate of CLIENT_CERTIFICATE"),
        ] {
            assert_refused(server(), &[("CA_CERTIFICATE", &root_pem), ("CLIENT_CERTIFICATE", client)], cause);
        }
    }
}

/// Home Assistant refuses one by closing the connection after a TLS 1.3 handshake. A server that has answered, or ended
/// a TLS 1.2 handshake, has another reason.
#[test]
fn silent_refusal_of_a_client_certificate_is_named() {
    let (root, clients) = (Ca::new(), Ca::new());
    let (ca, client) = (root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    let closed = "before the whole answer came";
    for (versions, client, sentence, cause) in [
        (VERSIONS[1], "", INSECURE, "requires a client certificate"),
        (VERSIONS[1], &*client, INSECURE, "refused the certificate of"),
        (VERSIONS[0], "", BAD_ANSWER, closed),
        (VERSIONS[0], &client, BAD_ANSWER, closed),
    ] {
        let home = Home::start(Some(root.issue(YEARS).server_requesting(versions, &clients)), |request| {
            let is_good = request.headers()["authorization"] == "Bearer good";
            ready(if is_good { answer(200, &[("connection", "close")], ANSWER) } else { Answer::Raw(Vec::new()) })
        });
        let relay = home.relay(&[("CA_CERTIFICATE", &ca), ("CLIENT_CERTIFICATE", client)]);
        relay.assert_fails(&event("launch-request"), sentence, cause);
        assert_eq!(relay.reply(event_with_token("good")), ANSWER);
        relay.assert_fails(&event("launch-request"), BAD_ANSWER, closed);
    }
}
