//! A late answer of Assist, or of a language model, still reaches the person who asked, at the same Echo.

use std::thread;
use std::time::Duration;

use crate::support::home_assistant::{HOME, TURN, in_bedroom};
use crate::support::relay::{Relay, speech};

const QUESTION: &str = "I am still thinking. Would you like to wait?";
const GREETING: &str = "What can I do for you?";

/// Says what takes Assist so long, and hears the question whether to wait.
fn ask_story(relay: &Relay, event: &str) {
    let reply = relay.reply(event);
    assert_eq!(speech(&reply), QUESTION);
    assert!(reply.contains(r#""shouldEndSession":false"#), "{reply}");
}

fn tell(seconds: u8) -> String {
    HOME.sentence(&format!("tell a story of {seconds} seconds"))
}

fn story(seconds: u8) -> String {
    format!("It took me {seconds} seconds to think of this story.")
}

#[test]
fn yes_waits_for_the_answer() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask_story(&relay, &tell(13));
    assert_eq!(relay.speech(HOME.event("yes-intent")), QUESTION);
    let reply = relay.reply(HOME.event("yes-intent"));
    assert_eq!(speech(&reply), story(13));
    assert!(reply.contains(r#""shouldEndSession":true"#) && reply.contains(r#""type":"Simple""#), "{reply}");
    assert_eq!(relay.speech(HOME.event("launch-request")), GREETING, "it is told once");
}

#[test]
fn no_ends_the_question() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask_story(&relay, &tell(7));
    assert_eq!(relay.speech(HOME.event("no-intent")), "OK.");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(relay.speech(HOME.event("launch-request")), GREETING);
}

#[test]
fn each_echo_hears_its_own_answer() {
    let _turn = TURN.lock();
    thread::scope(|scope| {
        scope.spawn(|| {
            let relay = HOME.relay();
            ask_story(&relay, &tell(9));
            assert_eq!(relay.speech(HOME.event("yes-intent")), story(9));
        });
        scope.spawn(|| {
            let relay = HOME.relay();
            ask_story(&relay, &in_bedroom(&tell(8)));
            assert_eq!(relay.speech(in_bedroom(&HOME.event("yes-intent"))), story(8));
        });
    });
}

#[test]
fn the_launch_after_silence_begins_with_the_answer() {
    let _turn = TURN.lock();
    let relay = HOME.relay();
    ask_story(&relay, &tell(7));
    relay.reply(HOME.event("session-ended-request"));
    thread::sleep(Duration::from_secs(2));
    let launch = HOME.event("launch-request");
    assert_eq!(relay.speech(in_bedroom(&launch)), GREETING, "another Echo did not ask");
    assert_eq!(relay.speech(&launch), format!("{} {GREETING}", story(7)));
    assert_eq!(relay.speech(&launch), GREETING, "it is told once");
}
