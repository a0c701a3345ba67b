//! A late request continues after Alexa has her reply, so Home Assistant finishes its work.

use std::thread;
use std::time::Duration;

use crate::support::*;

const FINISHED: &str = "has finished the late request";

fn invoke_slow(relay: &Relay) {
    assert_eq!(speech(&relay.invoke_by(event_with_token(SLOW), millis_from_now(1_000)).reply()), LATE);
    assert!(!relay.log().contains("ERROR"), "the alarm of template.yaml goes off: {}", relay.log());
}

/// They stay open for longer than an idle connection is kept.
#[test]
fn late_requests_stay_open_during_later_ones() {
    let (home, permits) = Home::slow(200);
    let relay = Relay::to(&home.url());
    for _ in 0..3 {
        invoke_slow(&relay);
        assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
    }
    thread::sleep(Duration::from_millis(4_300));
    assert_eq!(relay.log().lines().count(), 10, "nothing has happened to them: {}", relay.log());
    permits.add_permits(3);
    let is_finished = |_| {
        assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
        relay.log().matches(FINISHED).count() == 3
    };
    assert!((0..10_000).any(is_finished), "{}", relay.log());
    let requests = home.requests();
    let slow = requests.iter().filter(|request| request.headers()["authorization"] == format!("Bearer {SLOW}"));
    assert_eq!(slow.count(), 3, "none is sent twice");
}

/// For 15 minutes: then the relay's next timer, rounded down by tokio, expires. TCP sends no keep-alive probes: one that
/// gets no answer during a freeze would close the connection.
#[test]
fn late_request_is_left_alone() {
    let (home, _permits) = Home::slow(200);
    let relay = Relay::to(&home.url());
    invoke_slow(&relay);
    assert_eq!(home.server.tcp_timers(), ["00"], "no timer of TCP runs");
    let timer = relay.next_timer();
    assert!((600..=900).contains(&timer.as_secs()), "{timer:?}");
}

/// Its connection is never reused: the relay cannot know for how long it was idle before the thaw.
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
    assert!(line.contains("INFO") && line.contains("status=200"), "{line}");
    let ms = line.split("ms=").nth(1).map(str::parse::<u64>);
    // More than the freeze alone takes.
    assert!(matches!(ms, Some(Ok(700..20_000))), "{line}");
    assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
    assert_eq!(home.connections(), 2);
}

/// With the id of its request, and without secrets.
#[test]
fn end_of_a_late_request_is_logged() {
    for (status, end) in [(200, FINISHED), (500, "has not finished the late request")] {
        let (home, permits) = Home::slow(status);
        let relay = Relay::start(&[("BASE_URL", &home.url()), ("DEBUG", "1")]);
        invoke_slow(&relay);
        permits.add_permits(1);
        let log = relay.log_with("PlainText");
        assert!(log.contains(end) && log.contains("internal error") == (status == 500), "{log}");
        assert!(log.lines().skip(1).all(|line| line.contains(&relay.request_id())), "{log}");
        assert!(log.contains("***") && !log.contains(SLOW), "{log}");
    }
}
