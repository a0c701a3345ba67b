//! Tests with a real Home Assistant and an access token that it gave in account linking.
//!
//! They need Python and the package index: `scripts/test` runs them, `cargo test` alone does not.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::home_assistant::{HOME, TURN, in_bedroom};
use crate::support::relay::{Relay, millis_from_now, speech};
use crate::support::{TOKEN, event, events, requests};

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
        if name == "without-token" {
            assert!(relay.reply(&event).contains("LinkAccount"));
            continue;
        }
        HOME.stop();
        let (status, straight) = HOME.ask("POST", "/api/alexa", &event);
        assert_eq!(status, 200, "{name}");
        HOME.stop();
        assert_eq!(relay.reply(&event), straight, "{name}");
    }
    HOME.stop();
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

#[test]
fn the_lights_are_those_of_the_room() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    let event = HOME.sentence("turn on the lights");
    for (event, kitchen, bedroom) in [(&event, "on", "off"), (&in_bedroom(&event), "off", "on")] {
        HOME.set("light.kitchen", false);
        HOME.set("light.bedroom", false);
        relay.reply(event);
        assert_eq!((HOME.state("light.kitchen").as_str(), HOME.state("light.bedroom").as_str()), (kitchen, bedroom));
    }
}

/// Beside the integration, by intent_script.
#[test]
fn an_intent_of_ones_own_knows_the_echo() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    let event = HOME.intent("WhichEchoIntent");
    assert_eq!(relay.speech(&event), "Kitchen Echo in the Kitchen");
    assert_eq!(relay.speech(in_bedroom(&event)), "Bedroom Echo in the Bedroom");
}

/// A scene or a script that nobody has is a command for Assist.
#[test]
fn people_scenes_and_scripts_are_found_by_name() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (name, from, to, expected) in [
        ("locate-intent", "", "", "Paul is at Work."),
        ("locate-intent", "aul", "eter", "I don't know anyone by that name."),
        ("activate-scene-intent", "", "", "OK, downstairs on."),
        ("run-script-intent", "", "", "OK, red alert."),
        ("run-script-intent", "red", "blue", "Sorry"),
    ] {
        // The token last: it may have the same letters.
        let speech = relay.speech(event(name).replace(from, to).replace(TOKEN, &HOME.token));
        assert!(speech.starts_with(expected), "{name} with {to}: {speech}");
    }
}

#[test]
fn assist_says_what_it_cannot_do() {
    let _turn = TURN.lock();
    let speech = HOME.relay().speech(HOME.sentence("colourless green ideas"));
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
        ("AMAZON.CancelIntent", "OK, cancelled."),
    ] {
        let reply = relay.reply(HOME.intent(intent));
        assert!(speech(&reply).starts_with(expected), "{intent}: {reply}");
        let asks_back = intent == "AMAZON.HelpIntent" || intent == "AMAZON.FallbackIntent";
        assert_eq!(reply.contains(r#""shouldEndSession":false"#), asks_back, "{intent}: {reply}");
    }
}

/// Nothing of WARNING or above, beyond what Home Assistant says of every custom integration.
#[test]
fn the_integration_logs_no_warning() {
    let _turn = TURN.lock();
    let log = fs::read_to_string(format!("{}/output.log", HOME.config)).expect("Home Assistant's log");
    let mut lines = log.lines().filter(|line| line.contains("alexa_relay") && !line.contains("custom integration"));
    assert_eq!(lines.find(|line| ["WARNING", "ERROR", "CRITICAL"].iter().any(|level| line.contains(level))), None);
}

#[test]
fn accounts_link_in_each_region_of_amazon() {
    let _turn = TURN.lock();
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
    let _turn = TURN.lock();
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
    assert_eq!(relay.speech(HOME.event("locate-intent")), "Paul is at Work.", "the next request is answered meanwhile");
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
    assert_amazon_reads("ask_sdk_model.RequestEnvelope", &texts);
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
    assert_amazon_reads("ask_sdk_model.ResponseEnvelope", &replies);
}

#[test]
fn skill_package_fits_amazons_model() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("skill-package");
    let text = |path: PathBuf| fs::read_to_string(path).expect("a file");
    let models = fs::read_dir(package.join("interactionModels/custom")).expect("a folder");
    let models: Vec<_> = models.map(|entry| text(entry.expect("a file").path())).collect();
    let module = "ask_smapi_model.v1.skill";
    assert_amazon_reads(&format!("{module}.interaction_model.interaction_model_data.InteractionModelData"), &models);
    let manifest = text(package.join("skill.json"));
    assert_amazon_reads(&format!("{module}.manifest.skill_manifest_envelope.SkillManifestEnvelope"), &[manifest]);
}
