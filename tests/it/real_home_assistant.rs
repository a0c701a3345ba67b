//! Tests with a real Home Assistant and an access token that it gave in account linking.
//!
//! They need Python and the package index: `scripts/test` runs them, `cargo test` alone does not.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::home_assistant::{HOME, HomeAssistant, TURN};
use crate::support::relay::{Relay, millis_from_now, speech};
use crate::support::tls::{Ca, X509_V1, X509_V1_CA, YEARS};
use crate::support::{TOKEN, event, events, requests, scratch};

#[test]
fn answers_equal_those_without_the_relay() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (name, _) in events() {
        let event = HOME.event(&name);
        if name.starts_with("smart-home") {
            HOME.set("switch.hall", true);
            let (_, straight) = HOME.ask("POST", "/api/alexa/smart_home", &event);
            assert_eq!(lasting(&relay.reply(&event)), lasting(&straight), "{name}");
            continue;
        }
        let (status, straight) = HOME.ask("POST", "/api/alexa", &event);
        if name == "without-token" {
            assert!(relay.reply(&event).contains("LinkAccount"));
            continue;
        }
        assert_eq!(status, 200, "{name}");
        assert_eq!(relay.reply(&event), straight, "{name}");
    }
    let log = relay.end();
    assert_eq!(log.matches("status=200").count(), events().len() - 1, "{log}");
    assert!(log.contains("the way to Home Assistant is clear"), "{log}");
    assert!(!log.contains(&HOME.token));
}

/// A smart home answer without the parts that change each time.
fn lasting(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).expect("JSON");
    assert_ne!(answer["event"]["header"].take()["name"], "ErrorResponse", "{answer}");
    for property in answer["context"]["properties"].as_array_mut().into_iter().flatten() {
        property["timeOfSample"].take();
    }
    answer
}

#[test]
fn commands_change_the_home() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (name, entity) in [
        ("ask-intent", "switch.hall"),
        ("activate-scene-intent", "switch.hall"),
        ("activate-scene-intent-synonym", "switch.television"),
        ("run-script-intent", "input_boolean.red_alert"),
        ("smart-home-turn-on", "switch.hall"),
    ] {
        HOME.set(entity, false);
        assert_eq!(HOME.state(entity), "off", "{name}: before");
        relay.reply(HOME.event(name));
        HOME.wait_for(entity, "on");
    }
}

/// And after no other answer.
#[test]
fn lights_go_off_after_yes_or_silence() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    let silence = HOME.event("session-ended-request");
    let exit = silence.replace("EXCEEDED_MAX_REPROMPTS", "USER_INITIATED");
    let help = HOME.intent("AMAZON.HelpIntent");
    for (answers, expected) in [
        ([HOME.event("yes-intent")].as_slice(), "off"),
        (std::slice::from_ref(&silence), "off"),
        (&[HOME.event("no-intent"), silence.clone()], "on"),
        (&[exit, silence.clone()], "on"),
        (&[help, silence.clone()], "on"),
        (&[HOME.event("ask-intent"), HOME.event("yes-intent")], "on"),
    ] {
        HOME.set("switch.room1", true);
        let question = relay.reply(HOME.event("ask-intent-good-night"));
        assert!(question.contains(r#""shouldEndSession":false"#), "{question}");
        HOME.wait_for("input_boolean.good_night_asked", "on");
        for answer in answers {
            relay.reply(answer);
            HOME.wait_for("input_boolean.good_night_asked", "off");
        }
        thread::sleep(Duration::from_millis(200));
        assert_eq!(HOME.state("switch.room1"), expected, "{answers:?}");
    }
}

#[test]
fn assist_says_what_it_cannot_do() {
    let _turn = TURN.lock();
    let event = HOME.event("ask-intent").replace("turn on the hall", "colourless green ideas");
    let speech = HOME.relay().speech(event);
    assert!(speech.starts_with("Sorry"), "{speech}");
}

#[test]
fn built_in_intents_are_answered() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (intent, expected) in [
        ("AMAZON.HelpIntent", "Say what you would say to Assist"),
        ("AMAZON.FallbackIntent", "I did not understand that."),
        ("AMAZON.StopIntent", "Goodbye."),
        ("AMAZON.CancelIntent", "Never mind"),
    ] {
        let reply = relay.reply(HOME.intent(intent));
        assert!(speech(&reply).starts_with(expected), "{intent}: {reply}");
        let asks_back = intent == "AMAZON.HelpIntent" || intent == "AMAZON.FallbackIntent";
        assert_eq!(reply.contains(r#""shouldEndSession":false"#), asks_back, "{intent}: {reply}");
    }
}

#[test]
fn home_assistant_accepts_the_configuration() {
    let check = ["-m", "homeassistant", "--script", "check_config", "-c", &HOME.config];
    let output = Command::new(&HOME.python).args(check).output().expect("Python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains("Failed config") && !text.contains("Incorrect config"), "{text}");
}

#[test]
fn accounts_link_in_each_region_of_amazon() {
    assert_eq!(HOME.tokens.len(), 3);
    for (client_id, token) in &HOME.tokens {
        let event = event("where-are-we-intent").replace(TOKEN, token.as_str().expect("a token"));
        assert_eq!(HOME.relay().speech(event), "Paul is at Work. Anne is at home.", "{client_id}");
    }
}

#[test]
fn errors_of_home_assistant_are_passed_on() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    let speech = |event| relay.speech(event);
    assert_eq!(speech(HOME.intent("NoSuchIntent")), "This intent is not yet configured within Home Assistant.");
    assert_eq!(speech(HOME.intent("BrokenIntent")), "Error handling intent.");
}

#[test]
fn unknown_token_asks_to_link_the_account() {
    let reply = HOME.relay().reply(event("launch-request"));
    assert!(speech(&reply).starts_with("Home Assistant does not know who you are."), "{reply}");
    assert!(reply.contains("LinkAccount"), "{reply}");
    let reply = HOME.relay().reply(event("smart-home-turn-on"));
    assert!(reply.contains("INVALID_AUTHORIZATION_CREDENTIAL"), "{reply}");
}

#[test]
fn real_faults_are_told_apart() {
    let nowhere = Relay::to(&format!("{}/nowhere", HOME.url));
    assert!(nowhere.speech(HOME.event("launch-request")).starts_with("BASE_URL does not lead to Home Assistant."));
    let directive = nowhere.reply(HOME.event("smart-home-turn-on"));
    assert!(directive.contains("BRIDGE_UNREACHABLE"), "{directive}");
    nowhere.log_with("Home Assistant has nothing at the path in BASE_URL");
    let tls = Relay::to(&HOME.url.replace("http:", "https:"));
    assert!(tls.speech(HOME.event("launch-request")).starts_with("BASE_URL does not lead to Home Assistant."));
    assert!(tls.log_with("remedy=").contains("does not speak TLS"));
    let ended = HOME.event("session-ended-request").replace("\"reason\"", "\"no_reason\"");
    let relay = HOME.relay();
    assert_eq!(relay.reply(ended), r#"{"version":"1.0","response":{}}"#);
    assert!(relay.log_with("remedy=").contains("internal error"));
}

#[test]
fn slow_script_runs_to_its_end() {
    let _turn = TURN.lock();
    for entity in ["input_boolean.slow_started", "input_boolean.slow_finished"] {
        HOME.set(entity, false);
    }
    let relay = HOME.relay();
    let start = Instant::now();
    let reply = relay.invoke_by(HOME.intent("SlowIntent"), millis_from_now(5_000)).reply();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(speech(&reply), "Home Assistant is still working on it.");
    assert_eq!(HOME.state("input_boolean.slow_started"), "on");
    assert_eq!(HOME.state("input_boolean.slow_finished"), "off");
    relay.freeze();
    thread::sleep(Duration::from_secs(2));
    relay.thaw();
    assert_eq!(relay.speech(HOME.event("no-intent")), "Alright.", "the next request is answered meanwhile");
    let log = relay.log_with("has finished the late request");
    assert!(start.elapsed() > Duration::from_secs(9), "the script was waited for");
    assert_eq!(HOME.state("input_boolean.slow_finished"), "on", "{log}");
}

fn assert_amazon_reads(model: &str, texts: &[String]) {
    let mut python = Command::new(&HOME.python)
        .args(["-c", include_str!("amazons_model.py"), model])
        .stdin(Stdio::piped())
        .spawn()
        .expect("failed to start python");
    let mut stdin = python.stdin.take().expect("a pipe");
    for text in texts {
        let value: Value = serde_json::from_str(text).expect("JSON");
        // Python may have ended at an earlier text.
        let _ = writeln!(stdin, "{value}");
    }
    drop(stdin);
    assert!(python.wait().expect("python ends").success(), "Amazon's {model} cannot read it; see above");
}

#[test]
fn events_fit_amazons_model() {
    let texts: Vec<_> = requests().into_iter().map(|(_, text)| text).collect();
    assert_amazon_reads("RequestEnvelope", &texts);
}

#[test]
fn replies_of_the_relay_fit_amazons_model() {
    let mut replies = Vec::new();
    let relay = Relay::to("http://localhost:1");
    for (_, event) in requests() {
        replies.push(relay.reply(&event));
        for kind in ["CanFulfillIntentRequest", "AudioPlayer.PlaybackStarted", "AlexaSkillEvent.SkillEnabled"] {
            replies.push(relay.reply(event.replace("LaunchRequest", kind).replace("IntentRequest", kind)));
        }
    }
    replies.push(Relay::start(&[]).reply(event("launch-request")));
    replies.push(HOME.relay().reply(event("launch-request")));
    assert!(replies.iter().any(|reply| reply.contains("LinkAccount")));
    assert_amazon_reads("ResponseEnvelope", &replies);
}

#[test]
fn home_assistant_is_shown_the_client_certificate() {
    let (root, clients, folder) = (Ca::new(), Ca::new(), scratch());
    let (server, client) = (root.issue(YEARS), clients.issue_for("alexa", YEARS));
    for (name, pem) in [
        ("server.pem", server.pem().to_owned()),
        ("server.key", server.pem_with_key()),
        ("clients.pem", clients.pem() + X509_V1_CA),
        ("client.pem", client.pem_with_key()),
    ] {
        fs::write(folder.path().join(name), pem).expect("a file");
    }
    let home = HomeAssistant::start(&[folder.path().as_os_str()]);
    let settings = [("BASE_URL", home.url.clone()), ("CA_CERTIFICATE", root.pem())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let event = home.event("where-are-we-intent");
    for client in [&client.pem_with_key(), X509_V1] {
        let relay = Relay::start(&[&settings[..], &[("CLIENT_CERTIFICATE", client)]].concat());
        assert_eq!(speech(&relay.reply(&event)), "Paul is at Work. Anne is at home.");
    }
    let stranger = Ca::new().issue_for("alexa", YEARS).pem_with_key();
    for (client, cause) in [
        ("", "the server requires a client certificate"),
        (&stranger, "the server refused the certificate of CLIENT_CERTIFICATE"),
    ] {
        let relay = Relay::start(&[&settings[..], &[("CLIENT_CERTIFICATE", client)]].concat());
        let speech = relay.speech(&event);
        assert!(speech.starts_with("I cannot connect to Home Assistant securely."), "{speech}: {}", relay.log());
        relay.log_with(cause);
    }
}
