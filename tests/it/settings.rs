//! Alexa names an invalid setting, and the log warns about unsafe ones.

use crate::support::*;

#[test]
fn invalid_settings_are_spoken_and_logged_by_name() {
    const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_token = "is not a token that Home Assistant makes";
    let (client, other) = (Identity::self_signed(), Identity::self_signed());
    let (encrypted, mismatched) = ([client.pem(), ENCRYPTED].concat(), [client.pem(), other.key_pem()].concat());
    let unreadable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned() + client.key_pem();
    for (name, value, problem) in [
        ("BASE_URL", "geheim", "is not a URL"),
        ("BASE_URL", "https://gehe im.example.org", "is not a URL"),
        ("BASE_URL", "https://geheim..example.org", "is not a URL"),
        ("BASE_URL", "geheim.local:8123", "does not begin with https:// or http://"),
        ("BASE_URL", "https://https://geheim.example.org", "begins with https:// or http:// twice"),
        ("BASE_URL", "https://http://geheim.example.org", "begins with https:// or http:// twice"),
        ("BASE_URL", "https://home.example.org/?geheim", "has a query"),
        ("BASE_URL", "https://home.example.org/#geheim", "has a query (the part from ? on) or a fragment"),
        ("BASE_URL", "https://geheim@home.example.org", "has a user name or a password"),
        ("BASE_URL", "https://:geheim@home.example.org", "has a user name or a password"),
        ("NOT_VERIFY_SSL", "geheim", "is neither on nor off"),
        ("DEBUG", "geheim", "is neither on nor off"),
        ("LONG_LIVED_ACCESS_TOKEN", "geheim.geheim", no_token),
        ("LONG_LIVED_ACCESS_TOKEN", "geheim..geheim", no_token),
        ("LONG_LIVED_ACCESS_TOKEN", "geheim.geheim.gehe+im=", no_token),
        ("LONG_LIVED_ACCESS_TOKEN", "geheim.geheim.geheim.geheim", no_token),
        ("LONG_LIVED_ACCESS_TOKEN", &format!("{LONG_LIVED_TOKEN} geheim"), no_token),
        ("EXTRA_HEADERS", "X-Key: geheim", "is not a JSON object"),
        ("EXTRA_HEADERS", r#"{"X-Key": "geheim\n"}"#, "has a name or a text that no header may have"),
        ("EXTRA_HEADERS", r#"{"Authorization": "geheim"}"#, "has a header that the relay or HTTP"),
        ("CA_CERTIFICATE", "geheim.pem", "has no -----BEGIN, and is not the name of a file"),
        ("CA_CERTIFICATE", "-----BEGIN CERTIFICATE-----geheim", "has no certificate"),
        ("CLIENT_CERTIFICATE", "-----BEGIN CERTIFICATE-----geheim", "has no certificate"),
        ("CLIENT_CERTIFICATE", &unreadable, "has no certificate"),
        ("CLIENT_CERTIFICATE", client.pem(), "has no private key that can be read"),
        ("CLIENT_CERTIFICATE", &encrypted, "has a private key with a passphrase"),
        ("CLIENT_CERTIFICATE", &mismatched, "has a private key that does not belong"),
    ] {
        let home = Home::saying(ANSWER);
        let relay = Relay::start(&[("BASE_URL", &home.url()), (name, value)]);
        let speech = relay.speech(event("launch-request"));
        assert!(speech.starts_with(&format!("{name} is not set to anything I can use. ")), "{speech}");
        assert_eq!(home.connections(), 0);
        let log = relay.end();
        assert_eq!(log.matches(&format!("{name} {problem}")).count(), 2, "at start and with the request:\n{log}");
        assert!(log.lines().next().unwrap().contains("ERROR"), "{log}");
        assert!(!log.contains("geheim"), "the log has the value:\n{log}");
    }
}

/// What people paste along with a value.
#[test]
fn quotes_and_the_name_are_no_part_of_a_value() {
    let (root, clients) = (Ca::new(), Ca::new());
    let (ca, client) = (root.pem(), clients.issue_for("alexa", YEARS).pem_with_key());
    let home = Home::over_tls(root.issue(YEARS).server_with(VERSIONS[1], Some(&clients)), answer(200, &[], ANSWER));
    let settings = [
        ("BASE_URL", &*home.url()),
        ("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN),
        ("NOT_VERIFY_SSL", "no"),
        ("DEBUG", "yes"),
        ("EXTRA_HEADERS", r#"{"X-Id": "y", "X-Key": "x"}"#),
        ("CA_CERTIFICATE", &ca),
        ("CLIENT_CERTIFICATE", &client),
    ];
    let quotes = "\"'`´“”„‟‘’‚‛«»‹›「」『』＂＇<>";
    let invisible = "\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\
        \u{feff}\u{a0}\r\n";
    let surrounded = format!("{invisible}{quotes}VALUE{quotes}{invisible}");
    let named = ["NAME=VALUE", "NAME = 'VALUE'", "NAME: VALUE", "'NAME=VALUE',", "\"NAME\": \"VALUE\","];
    for pasted in [&*surrounded, "VALUE,", "\"VALUE\",", "VALUE;"].into_iter().chain(named) {
        let paste = |(name, value)| (name, pasted.replace("NAME", name).replace("VALUE", value));
        let pasted = settings.map(paste);
        let relay = Relay::start(&pasted.each_ref().map(|(name, value)| (*name, &**value)));
        assert_eq!(relay.reply(event("without-token")), ANSWER, "{:?}\n{}", pasted[0], relay.log());
        let request = home.requests().pop().unwrap();
        assert_eq!(request.headers()["authorization"], format!("Bearer {LONG_LIVED_TOKEN}"));
        assert!(request.headers()["x-key"] == "x" && relay.end().contains("DEBUG"));
    }
}

#[test]
fn long_lived_token_may_have_bearer_or_be_doubled() {
    let home = Home::saying(ANSWER);
    let pasted = ["bearer  TOKEN", "\"Bearer TOKEN\"", "authorization: Bearer TOKEN", "Bearer Bearer TOKEN"];
    for pasted in pasted.into_iter().chain(["TOKEN TOKEN", "TOKENTOKEN"]) {
        let token = pasted.replace("TOKEN", LONG_LIVED_TOKEN);
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("LONG_LIVED_ACCESS_TOKEN", &token)]);
        assert_eq!(relay.reply(event("without-token")), ANSWER, "{pasted:?}");
        assert_eq!(home.requests().pop().unwrap().headers()["authorization"], format!("Bearer {LONG_LIVED_TOKEN}"));
    }
}

#[test]
fn not_verify_ssl_accepts_any_certificate() {
    let home = Home::over_tls(Identity::self_signed().server(), answer(200, &[], ANSWER));
    let relay = |flag| Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", flag)]);
    for off in ["False", "0", "no", "n", "OFF", ""] {
        assert_ne!(relay(off).reply(event("launch-request")), ANSWER, "{off}");
    }
    assert!(home.requests().is_empty(), "an untrusted server gets no token");
    for on in ["True", "true", "1", "yes", "y", "on", "YES"] {
        let relay = relay(on);
        assert_eq!(relay.reply(event("launch-request")), ANSWER, "{on}");
        let log = relay.end();
        let warning = log.lines().next().unwrap();
        assert!(warning.contains("WARN") && warning.contains("CA_CERTIFICATE"), "{warning}");
        assert!(!log.contains("begins with http://"), "{log}");
    }
}

#[test]
fn long_lived_token_is_warned_about_at_start() {
    let echo = ANSWER.replace("OK", LONG_LIVED_TOKEN);
    let home = Home::saying(echo.clone());
    let token = ("LONG_LIVED_ACCESS_TOKEN", LONG_LIVED_TOKEN);
    let relay = Relay::start(&[("BASE_URL", &home.url()), token, ("DEBUG", "1")]);
    assert_eq!(relay.reply(event("without-token")), echo);
    assert_eq!(home.request().headers()["authorization"], format!("Bearer {LONG_LIVED_TOKEN}"));
    let log = relay.end();
    assert_eq!(log.matches("WARN").count(), 2, "{log}");
    assert!(log.lines().next().unwrap().contains("LONG_LIVED_ACCESS_TOKEN is set"), "{log}");
    assert!(log.lines().nth(1).unwrap().contains("BASE_URL begins with http://"), "{log}");
    assert!(!log.contains(LONG_LIVED_TOKEN) && log.contains("PlainText"), "{log}");
}

#[test]
fn started_by_hand_it_explains_itself() {
    let output = program().env_clear().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("AWS Lambda") && said.contains("scripts/try"), "{said}");
    assert!(output.stdout.is_empty());
}
