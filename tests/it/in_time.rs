//! Alexa is answered in time, whatever Home Assistant does.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::event;
use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::{Relay, millis_from_now, speech};

fn invoke(relay: &Relay, deadline_ms: u128) -> (String, Duration) {
    let start = Instant::now();
    let reply = relay.invoke_by(event("launch-request"), deadline_ms).reply();
    (reply, start.elapsed())
}

/// Takes a request and never answers it.
fn silent_home() -> Home {
    Home::behaving(|connection| while connection.request().is_some() {})
}

#[test]
fn a_home_that_does_not_answer_is_given_7_seconds() {
    let home = silent_home();
    let (reply, time) = invoke(&Relay::to(&home.url()), millis_from_now(30_000));
    assert_eq!(speech(&reply), "Home Assistant is still working on it.");
    assert!((6_900..8_000).contains(&time.as_millis()), "{time:?}");
}

#[test]
fn a_home_that_does_not_answer_is_given_what_the_invocation_has_less_a_margin() {
    let home = silent_home();
    let (reply, time) = invoke(&Relay::to(&home.url()), millis_from_now(2_000));
    assert_eq!(speech(&reply), "Home Assistant is still working on it.");
    assert!((1_400..2_000).contains(&time.as_millis()), "{time:?}");
}

#[test]
fn an_answer_that_comes_a_byte_a_time_falls_under_the_same_time() {
    let home = Home::behaving(|connection| {
        connection.request();
        for byte in response("200 OK", &[], ANSWER) {
            connection.send(&[byte]);
            if connection.hung_up_within(Duration::from_millis(100)) {
                return;
            }
        }
    });
    let (reply, time) = invoke(&Relay::to(&home.url()), millis_from_now(2_000));
    assert_eq!(speech(&reply), "Home Assistant is still working on it.");
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn a_home_that_takes_no_byte_of_a_request_is_not_said_to_work_on_it() {
    // More than the kernels on the way hold for a server that does not read.
    let event = event("launch-request").replace("\"1.0\"", &format!("\"{}\"", "a".repeat(16 << 20)));
    let home = Home::behaving(|connection| {
        connection.head();
        thread::sleep(Duration::from_secs(8));
    });
    let relay = Relay::to(&home.url());
    let speech = speech(&relay.invoke_by(event, millis_from_now(30_000)).reply());
    assert!(speech.starts_with("I cannot reach Home Assistant."), "{speech}");
    assert!(relay.log_with("remedy=").contains("nobody has acknowledged the request"));
}

#[test]
fn a_deadline_in_1970_is_ignored() {
    let home = Home::behaving(|connection| {
        connection.request();
        thread::sleep(Duration::from_millis(300));
        connection.send(&response("200 OK", &[], ANSWER));
    });
    assert_eq!(invoke(&Relay::to(&home.url()), 600_000).0, ANSWER);
}

#[test]
fn the_template_gives_the_function_more_time_than_the_relay_takes() {
    let template = include_str!("../../template.yaml");
    let timeout = template.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).expect("a timeout");
    assert!(timeout.parse::<u64>().expect("seconds") > 8, "Alexa waits 8 s, the relay 7");
}
