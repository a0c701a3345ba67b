//! An automation asks a question through an Echo, and gets the reply. home-assistant/alexa_skill.yaml has the script.

use std::fs;

use serde_json::json;

use crate::support::home_assistant::{HOME, TURN};
use crate::support::relay::{Relay, speech};

const QUESTION: &str = "The garage door is open. Shall I close it?";
const GREETING: &str = "What can I do?";
const CONFIRMATION: &str = "Alright.";

/// Asks as an automation does; returns when the Echo opens the skill.
fn ask(question: &str) {
    start(question);
    HOME.wait_for("input_boolean.kitchen_opened_skill", "on");
}

fn start(question: &str) {
    HOME.set("input_boolean.kitchen_opened_skill", false);
    HOME.set("input_boolean.garage_door", true);
    service("input_text/set_value", &json!({"entity_id": "input_text.garage_answer", "value": ""}));
    service("script/turn_on", &json!({"entity_id": "script.garage_door", "variables": {"question": question}}));
}

fn service(name: &str, data: &serde_json::Value) {
    let (status, answer) = HOME.ask("POST", &format!("/api/services/{name}"), &data.to_string());
    assert_eq!(status, 200, "{answer}");
}

/// Opens the skill, as the Echo does; the question is asked at once.
fn launch(relay: &Relay, question: &str) {
    let reply = relay.reply(HOME.event("launch-request"));
    assert_eq!(speech(&reply), question);
    assert!(reply.contains(r#""shouldEndSession":false"#), "{reply}");
}

fn sentence(words: &str) -> String {
    HOME.event("ask-intent").replace("turn on the hall", words)
}

#[test]
fn yes_reaches_the_automation_once() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    HOME.set("switch.room1", true);
    relay.reply(HOME.event("ask-intent-good-night"));
    ask(QUESTION);
    launch(&relay, QUESTION);
    let reply = relay.reply(HOME.event("yes-intent"));
    assert_eq!(speech(&reply), CONFIRMATION);
    assert!(reply.contains(r#""shouldEndSession":true"#), "{reply}");
    HOME.wait_for("input_boolean.garage_door", "off");
    assert_eq!(HOME.state("switch.room1"), "on", "it is no answer to good_night");

    HOME.set("input_boolean.garage_door", true);
    assert_eq!(relay.speech(HOME.event("launch-request")), GREETING);
    relay.reply(HOME.event("yes-intent"));
    assert_eq!(HOME.state("input_boolean.garage_door"), "on", "the question is over");
}

#[test]
fn each_reply_reaches_the_automation() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    HOME.set("switch.hall", false);
    let silence = HOME.event("session-ended-request");
    for (reply, expected) in [
        (HOME.event("no-intent"), "no"),
        (sentence("In ten minutes"), "In ten minutes"),
        (sentence("turn on the hall"), "turn on the hall"),
        (sentence("10"), "10"),
        (silence.clone(), "(none)"),
        (silence.replace("EXCEEDED_MAX_REPROMPTS", "USER_INITIATED"), "(none)"),
        (HOME.intent("AMAZON.StopIntent"), "(none)"),
    ] {
        ask(QUESTION);
        launch(&relay, QUESTION);
        relay.reply(&reply);
        HOME.wait_for("input_text.garage_answer", expected);
        assert_eq!(HOME.state("input_boolean.garage_door"), "on", "{expected}");
    }
    assert_eq!(HOME.state("switch.hall"), "off", "an answer is no command");
}

#[test]
fn two_questions_are_asked_one_after_the_other() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    let long = "It's \"very\" {late} *now*.\nGo to bed. ".repeat(16) + "When?";
    ask(&long);
    start(QUESTION);
    launch(&relay, &long);
    relay.reply(sentence("never"));
    HOME.wait_for("input_text.garage_answer", "never");
    HOME.wait_for("input_boolean.kitchen_opened_skill", "on");
    launch(&relay, QUESTION);
    relay.reply(HOME.event("no-intent"));
    HOME.wait_for("input_text.garage_answer", "no");
}

#[test]
fn a_question_that_timed_out_is_never_asked() {
    let _turn = TURN.lock();
    service("script/alexa_question", &json!({"echo": "media_player.nowhere", "question": QUESTION, "timeout": 1}));
    assert_eq!(HOME.relay().speech(HOME.event("launch-request")), GREETING);
    let log = fs::read_to_string(format!("{}/output.log", HOME.config)).expect("Home Assistant's log");
    assert!(log.contains("media_player.nowhere did not open the skill to ask"), "{log}");
}

#[test]
fn automations_of_alexa_actions_can_stay() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (field, reply, expected) in [
        ("text", HOME.event("yes-intent"), "ResponseYes: ResponseYes"),
        ("message", sentence("In ten minutes"), "ResponseString: In ten minutes"),
        ("text", HOME.intent("AMAZON.StopIntent"), "ResponseNone: ResponseNone"),
    ] {
        HOME.set("input_boolean.kitchen_opened_skill", false);
        let data = json!({ field: QUESTION, "alexa_device": "media_player.kitchen", "event_id": "garage" });
        service("script/activate_alexa_actionable_notification", &data);
        HOME.wait_for("input_boolean.kitchen_opened_skill", "on");
        launch(&relay, QUESTION);
        relay.reply(&reply);
        HOME.wait_for("input_text.garage_answer", expected);
    }
}
