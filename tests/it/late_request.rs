//! A slow home finishes its work: a request that has gone out goes on when Alexa has had her reply.

use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::event_with_token;
use crate::support::home::{ANSWER, Connection, Home};
use crate::support::http::response;
use crate::support::relay::{Relay, millis_from_now, speech};

const LATE: &str = "Home Assistant is still working on it.";

/// A home that answers a request of the token `slow` when it is told to, and any other at once. It reports whether
/// the relay hung up before.
fn slow_home() -> (Home, mpsc::Sender<()>, mpsc::Receiver<bool>) {
    let (finish, finished) = mpsc::channel();
    let (report, hung_up) = mpsc::channel();
    let (finished, report) = (Mutex::new(finished), Mutex::new(report));
    let home = Home::behaving(move |connection: &mut Connection| {
        while let Some(request) = connection.request() {
            if request.header("authorization") == Some("Bearer slow") {
                finished.lock().unwrap().recv().unwrap();
                report.lock().unwrap().send(connection.hung_up_within(Duration::from_millis(20))).unwrap();
            }
            connection.send(&response("200 OK", &[], ANSWER));
        }
    });
    (home, finish, hung_up)
}

fn invoke_slow(relay: &Relay) {
    assert_eq!(speech(&relay.invoke_by(event_with_token("slow"), millis_from_now(1_000)).reply()), LATE);
}

#[test]
fn a_late_request_stays_open_and_its_end_is_logged_and_not_spoken() {
    let (home, finish, hung_up) = slow_home();
    let relay = Relay::to(&home.url());
    invoke_slow(&relay);
    thread::sleep(Duration::from_millis(500));
    finish.send(()).unwrap();
    assert!(!hung_up.recv().unwrap(), "the connection is open until Home Assistant has finished");
    let log = relay.log_with("has finished the late request");
    let line = log.lines().last().unwrap();
    assert!(line.contains("INFO") && line.contains("status=200") && line.contains("ms="), "{line}");
    assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
    assert_eq!(home.requests().len(), 2, "neither was sent twice");
}

#[test]
fn the_next_request_is_answered_while_the_late_one_is_open() {
    let (home, finish, hung_up) = slow_home();
    let relay = Relay::to(&home.url());
    for _ in 0..3 {
        invoke_slow(&relay);
        assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
    }
    for _ in 0..3 {
        finish.send(()).unwrap();
        assert!(!hung_up.recv().unwrap());
    }
}

#[test]
fn a_late_request_outlives_a_freeze() {
    let (home, finish, hung_up) = slow_home();
    let relay = Relay::to(&home.url());
    invoke_slow(&relay);
    relay.freeze();
    thread::sleep(Duration::from_millis(500));
    finish.send(()).unwrap();
    assert!(!hung_up.recv().unwrap(), "the connection is open although the function is frozen");
    assert!(!relay.log().contains("has finished"));
    relay.thaw();
    relay.log_with("has finished the late request");
    assert_eq!(relay.reply(event_with_token("quick")), ANSWER);
}

#[test]
fn a_late_request_that_fails_in_the_end_is_logged_as_such() {
    let home = Home::behaving(|connection| {
        connection.request();
        thread::sleep(Duration::from_millis(800));
        connection.send(&response("500 Internal Server Error", &[], ""));
    });
    let relay = Relay::to(&home.url());
    invoke_slow(&relay);
    let log = relay.log_with("internal error");
    assert!(log.contains("has not finished the late request"), "{log}");
}
