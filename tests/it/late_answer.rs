//! A late answer of Assist, or of a language model, still reaches the person. home-assistant/alexa_skill.yaml keeps it.

use std::thread;
use std::time::Duration;

use crate::support::home_assistant::{HOME, TURN};
use crate::support::relay::{Relay, speech};

const QUESTION: &str = "I am still thinking. Shall I wait?";
const GREETING: &str = "What can I do?";

fn ask_story(relay: &Relay, seconds: u8) {
    let story = format!("tell a story of {seconds} seconds");
    let reply = relay.reply(HOME.event("ask-intent").replace("turn on the hall", &story));
    assert_eq!(speech(&reply), QUESTION);
    assert!(reply.contains(r#""shouldEndSession":false"#), "{reply}");
}

fn story(seconds: u8) -> String {
    format!("It took me {seconds} seconds to think of this story.")
}

#[test]
fn yes_waits_for_the_answer() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask_story(&relay, 14);
    HOME.set("switch.hall", false);
    relay.reply(HOME.event("ask-intent"));
    assert_eq!(HOME.state("switch.hall"), "on", "something else is done meanwhile");
    assert_eq!(relay.speech(HOME.event("yes-intent")), QUESTION);
    let reply = relay.reply(HOME.event("yes-intent"));
    assert_eq!(speech(&reply), story(14));
    assert!(reply.contains(r#""shouldEndSession":true"#) && reply.contains(r#""type":"Simple""#), "{reply}");
    assert_eq!(relay.speech(HOME.event("launch-request")), GREETING, "it is told once");
}

#[test]
fn no_ends_the_question() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask_story(&relay, 7);
    assert_eq!(relay.speech(HOME.event("no-intent")), "Alright.");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(relay.speech(HOME.event("launch-request")), GREETING);
}

#[test]
fn each_echo_hears_its_own_answer() {
    let _turn = TURN.lock();
    thread::scope(|scope| {
        for (delay, seconds) in [(0, 9), (500, 8)] {
            scope.spawn(move || {
                let relay = HOME.relay();
                thread::sleep(Duration::from_millis(delay));
                ask_story(&relay, seconds);
                assert_eq!(relay.speech(HOME.event("yes-intent")), story(seconds));
            });
        }
    });
}

#[test]
fn the_launch_after_silence_begins_with_the_answer() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask_story(&relay, 7);
    relay.reply(HOME.event("session-ended-request"));
    thread::sleep(Duration::from_secs(2));
    assert_eq!(relay.speech(HOME.event("launch-request")), format!("{} {GREETING}", story(7)));
    assert_eq!(relay.speech(HOME.event("launch-request")), GREETING, "it is told once");
}
