//! A late request continues after Alexa has her reply, so Home Assistant finishes its work.

use std::thread;
use std::time::Duration;

use crate::support::*;

const FINISHED: &str = "has finished the late request";

fn invoke_slow(relay: &Relay) {
    assert_eq!(speech(&relay.invoke_by(event_with_token("slow"), millis_from_now(1_000)).reply()), LATE);
}

#[test]
fn late_requests_stay_open_during_later_ones() {
    let (home, permits) = Home::slow(200);
    let relay = Relay::to(&home.url());
    for _ in 0..3 {
        invoke_slow(&relay);
        assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
    }
    assert!(!relay.log().contains(FINISHED));
    permits.add_permits(3);
    let is_finished = |_| {
        assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
        relay.log().matches(FINISHED).count() == 3
    };
    assert!((0..10_000).any(is_finished), "{}", relay.log());
    let requests = home.requests();
    let slow = requests.iter().filter(|request| request.headers()["authorization"] == "Bearer slow");
    assert_eq!(slow.count(), 3, "none is sent twice");
}

#[test]
fn late_request_survives_a_freeze() {
    let (home, permits) = Home::slow(200);
    let relay = Relay::to(&home.url());
    invoke_slow(&relay);
    relay.freeze();
    permits.add_permits(1);
    thread::sleep(Duration::from_millis(500));
    assert!(!relay.log().contains(FINISHED));
    relay.thaw();
    let log = relay.log_with(FINISHED);
    let line = log.lines().last().unwrap();
    assert!(line.contains("INFO") && line.contains("status=200") && line.contains("ms="), "{line}");
    assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
}

#[test]
fn failed_late_request_is_logged() {
    let (home, permits) = Home::slow(500);
    let relay = Relay::to(&home.url());
    invoke_slow(&relay);
    permits.add_permits(1);
    let log = relay.log_with("internal error");
    assert!(log.contains("has not finished the late request"), "{log}");
}
