//! An automation asks a question through an Echo, and gets the answer: the action alexa_relay.ask_question.

use serde_json::{Value, json};

use crate::support::home_assistant::{HOME, TURN, in_bedroom};
use crate::support::relay::{Relay, speech};

const QUESTION: &str = "The garage door is open. Shall I close it?";
const GREETING: &str = "What can I do for you?";

/// Asks as an automation does; returns once the Echo with this player opens the skill.
fn ask(player: &str, question: &str) {
    HOME.set(player, false);
    HOME.set("input_boolean.garage_door", true);
    run(&json!({"player": player, "question": question}));
    HOME.wait_for(player, "playing");
}

fn run(variables: &Value) {
    HOME.act("input_text/set_value", &json!({"entity_id": "input_text.answer", "value": ""}));
    HOME.act("script/turn_on", &json!({"entity_id": "script.garage_door", "variables": variables}));
}

/// Opens the skill, as the Echo does; the question is asked at once.
fn launch(relay: &Relay, question: &str) {
    let reply = relay.reply(HOME.event("launch-request"));
    assert_eq!(speech(&reply), question);
    assert!(reply.contains(r#""shouldEndSession":false"#), "{reply}");
}

fn answer_becomes(expected: &str) {
    HOME.wait_for("input_text.answer", expected);
}

#[test]
fn yes_reaches_the_automation_once() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask("media_player.kitchen", QUESTION);
    launch(&relay, QUESTION);
    let reply = relay.reply(HOME.event("yes-intent"));
    assert_eq!(speech(&reply), "OK.");
    assert!(reply.contains(r#""shouldEndSession":true"#), "{reply}");
    HOME.wait_for("input_boolean.garage_door", "off");

    HOME.set("input_boolean.garage_door", true);
    launch(&relay, GREETING);
    relay.reply(HOME.event("yes-intent"));
    assert_eq!(HOME.state("input_boolean.garage_door"), "on", "the question is over");
    HOME.stop();
}

#[test]
fn each_reply_reaches_the_automation() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    HOME.set("switch.hall", false);
    let silence = HOME.event("session-ended-request");
    for (reply, expected) in [
        (HOME.event("no-intent"), "no: no"),
        (HOME.sentence("no thanks"), "no: no thanks"),
        (HOME.sentence("In ten minutes"), "None: In ten minutes"),
        (HOME.sentence("turn on the hall"), "None: turn on the hall"),
        (silence.clone(), "None:"),
        (silence.replace("EXCEEDED_MAX_REPROMPTS", "USER_INITIATED"), "None:"),
        (HOME.intent("AMAZON.StopIntent"), "None:"),
    ] {
        ask("media_player.kitchen", QUESTION);
        launch(&relay, QUESTION);
        relay.reply(HOME.intent("AMAZON.HelpIntent"));
        relay.reply(&reply);
        answer_becomes(expected);
        assert_eq!(HOME.state("input_boolean.garage_door"), "on", "{expected}");
    }
    assert_eq!(HOME.state("switch.hall"), "off", "an answer is no command");
}

#[test]
fn each_echo_is_asked_its_own_question() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask("media_player.kitchen", "Shall I close the kitchen?");
    launch(&relay, "Shall I close the kitchen?");
    ask("media_player.bedroom", "Shall I close the bedroom?");
    assert_eq!(relay.speech(in_bedroom(&HOME.event("launch-request"))), "Shall I close the bedroom?");
    relay.reply(HOME.sentence("perhaps"));
    answer_becomes("None: perhaps");
    relay.reply(in_bedroom(&HOME.sentence("never")));
    answer_becomes("None: never");
}

#[test]
fn a_question_that_timed_out_is_never_asked() {
    let _turn = TURN.lock();
    run(&json!({"question": QUESTION, "timeout": 1}));
    answer_becomes("None:");
    launch(&HOME.relay(), GREETING);
    HOME.stop();
}

/// By the blueprint alexa_actions.yaml.
#[test]
fn automations_of_alexa_actions_can_stay() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (field, reply, expected) in [
        ("text", HOME.event("yes-intent"), "ResponseYes: ResponseYes"),
        ("message", HOME.sentence("In ten minutes"), "ResponseString: In ten minutes"),
        ("text", HOME.intent("AMAZON.StopIntent"), "ResponseNone: ResponseNone"),
    ] {
        HOME.set("media_player.kitchen", false);
        let data = json!({ field: QUESTION, "alexa_device": "media_player.kitchen", "event_id": "garage" });
        HOME.act("script/activate_alexa_actionable_notification", &data);
        HOME.wait_for("media_player.kitchen", "playing");
        launch(&relay, QUESTION);
        relay.reply(&reply);
        answer_becomes(expected);
    }
}

/// By the blueprint good_night.yaml, in the same session: the skill is open already.
#[test]
fn good_night_asks_whether_to_turn_off_the_lights() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    for (answer, words, expected) in [
        (HOME.event("yes-intent"), "Done. Good night!", "off"),
        (HOME.sentence("yes please"), "Done. Good night!", "off"),
        (HOME.event("no-intent"), "Alright. Good night!", "on"),
        (HOME.event("session-ended-request"), "", "on"),
    ] {
        HOME.set("light.kitchen", true);
        let question = relay.speech(HOME.event("ask-intent-good-night"));
        assert_eq!(question, "It is late already. Shall I turn off the lights?");
        let reply = relay.reply(&answer);
        assert!(reply.contains(words), "{reply}");
        HOME.wait_for("light.kitchen", expected);
    }
}
