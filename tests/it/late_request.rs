//! A late request continues after Alexa has her reply, so Home Assistant finishes its work.

use std::thread;
use std::time::Duration;

use crate::support::*;

const FINISHED: &str = "has finished the late request";

fn invoke_slow(relay: &Relay) {
    assert!(speech(&relay.invoke_by(event_with_token(SLOW), millis_from_now(1_000)).reply()).starts_with(LATE));
    assert!(!relay.log().contains("ERROR"), "the alarm of template.yaml goes off: {}", relay.log());
}

/// They wait for longer than an idle connection is kept.
#[test]
fn late_requests_stay_open_during_later_ones() {
    let (home, permits) = Home::slow(200);
    let relay = home.relay(&[]);
    for _ in 0..3 {
        invoke_slow(&relay);
        assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
    }
    thread::sleep(Duration::from_millis(4_300));
    // A keep-alive probe that gets no answer during a freeze would close a connection.
    assert_eq!(home.server.tcp_timers(), ["00"; 4], "no timer of TCP runs");
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

/// Its connection is never reused: the relay cannot know for how long it was idle before the thaw.
#[test]
fn late_request_survives_a_freeze() {
    let (home, permits) = Home::slow(200);
    let relay = home.relay(&[]);
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

/// The lines have the id of its request, and no secrets.
#[test]
fn end_of_a_late_request_is_logged() {
    for (status, end) in [(200, FINISHED), (500, "has not finished the late request")] {
        let (home, permits) = Home::slow(status);
        let relay = home.relay(&[("DEBUG", "1")]);
        invoke_slow(&relay);
        permits.add_permits(1);
        let log = relay.log_with("PlainText");
        assert!(log.contains(end) && log.contains("an error of its own") == (status == 500), "{log}");
        assert!(log.lines().skip(1).all(|line| line.contains(&relay.request_id())), "{log}");
        assert!(log.contains("***") && !log.contains(SLOW), "{log}");
    }
}

/// What another connection showed does not accuse this one.
#[test]
fn cut_connection_is_not_blamed_on_certificates() {
    let (root, clients) = (Ca::new(), Ca::new());
    let home = Home::over_tls(root.issue(YEARS).server_requesting(VERSIONS[1], &clients), Answer::Silence);
    let relay = home.relay(&[("CA_CERTIFICATE", &root.pem())]);
    relay.assert_fails_in(1_500, &event("launch-request"), LATE, "has not answered in time");
    home.server.close_next(2);
    relay.assert_fails(&event("launch-request"), UNREACHABLE, "before a secure connection was made");
}
