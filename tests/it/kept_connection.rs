//! The connection to a home is kept, and whatever became of it meanwhile, the next request is answered.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::event;
use crate::support::home::{ANSWER, Connection, Home};
use crate::support::http::response;
use crate::support::relay::{Relay, millis_from_now, speech};
use crate::support::tls::Identity;

/// Longer than the relay trusts an idle connection.
const LONG: Duration = Duration::from_millis(4_300);

/// Shorter.
const SHORT: Duration = Duration::from_millis(100);

/// The first connection of this home answers one request and then does as it is told; the others answer everything.
fn home_whose_first_connection(then: impl Fn(&mut Connection) + Send + Sync + 'static) -> Home {
    let connections = AtomicUsize::new(0);
    Home::behaving(move |connection| {
        let answer = response("200 OK", &[("content-type", "application/json")], ANSWER);
        if connections.fetch_add(1, SeqCst) > 0 {
            return connection.answer_all(&answer);
        }
        connection.request();
        connection.send(&answer);
        then(connection);
    })
}

/// A relay that has had an answer and has then been idle, frozen, for this long.
fn relay_after(idle: Duration, home: &Home) -> Relay {
    let relay = Relay::to(&home.url());
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    relay.freeze();
    thread::sleep(idle);
    relay.thaw();
    relay
}

fn assert_answered_by_a_second_connection(home: &Home, relay: &Relay, what: &str) {
    let start = Instant::now();
    assert_eq!(relay.reply(event("locate-intent")), ANSWER, "{what}: {}", relay.log());
    assert!(start.elapsed() < Duration::from_secs(2), "{what}: {:?}", start.elapsed());
    assert_eq!((home.requests().len(), home.connections()), (2, 2), "{what}");
}

#[test]
fn a_connection_that_was_idle_for_a_moment_is_used_at_once() {
    let home = Home::saying(ANSWER);
    let relay = relay_after(SHORT, &home);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    assert_eq!((home.requests().len(), home.heads().len(), home.connections()), (2, 0, 1));
}

#[test]
fn a_connection_that_was_idle_for_longer_is_asked_first_without_a_token() {
    let home = Home::saying(ANSWER);
    let relay = relay_after(LONG, &home);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    assert_eq!((home.requests().len(), home.connections()), (2, 1));
    let [head] = &home.heads()[..] else { panic!("one question: {:?}", home.heads()) };
    assert_eq!(head.path, "/api/alexa");
    assert_eq!(head.header("authorization"), None);
}

#[test]
fn a_hundred_requests_take_one_connection_and_one_handshake() {
    let home = Home::over_tls(Identity::self_signed().server(), |connection| {
        connection.answer_all(&response("200 OK", &[], ANSWER));
    });
    let relay = Relay::start(&[("BASE_URL", &home.url()), ("NOT_VERIFY_SSL", "1")]);
    for _ in 0..100 {
        assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    }
    assert_eq!((home.requests().len(), home.connections()), (100, 1));
}

#[test]
fn a_connection_that_does_not_stand_the_question_is_replaced() {
    type Behaviour = fn(&mut Connection);
    let cases: [(&str, Behaviour); 5] = [
        ("closes", |connection| drop(connection.head())),
        ("is silent", |connection| {
            connection.head();
            connection.hung_up_within(Duration::from_secs(10));
        }),
        ("answers that it closes", |connection| {
            connection.head();
            connection.send(b"HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\n\r\n");
        }),
        ("answers with a body, which HEAD has not", |connection| {
            connection.head();
            connection.send(&response("200 OK", &[], ANSWER));
            connection.request();
        }),
        ("answers something that is not HTTP", |connection| {
            connection.head();
            connection.send(b"?\r\n\r\n");
            connection.request();
        }),
    ];
    thread::scope(|scope| {
        for (what, then) in cases {
            scope.spawn(move || {
                let home = home_whose_first_connection(then);
                let relay = relay_after(LONG, &home);
                assert_answered_by_a_second_connection(&home, &relay, what);
            });
        }
    });
}

#[test]
fn a_home_that_is_slow_to_answer_the_question_is_sent_the_request_once() {
    let home = home_whose_first_connection(|connection| {
        connection.head();
        thread::sleep(Duration::from_millis(300));
        connection.send(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n");
        connection.request();
    });
    let relay = relay_after(LONG, &home);
    assert_answered_by_a_second_connection(&home, &relay, "answers late");
}

#[test]
fn a_connection_that_was_closed_in_a_freeze_is_replaced() {
    for _ in 0..20 {
        let home = Home::saying(ANSWER);
        let relay = relay_after(SHORT, &home);
        relay.freeze();
        home.close_all();
        thread::sleep(Duration::from_millis(10));
        relay.send(event("locate-intent"), millis_from_now(10_000));
        thread::sleep(Duration::from_millis(10));
        relay.thaw();
        assert_eq!(relay.outcome().reply(), ANSWER, "{}", relay.log());
        assert_eq!((home.requests().len(), home.connections()), (2, 2));
    }
}

#[test]
fn a_connection_that_was_reset_in_a_freeze_is_replaced() {
    for idle in [SHORT, LONG] {
        let home = Home::saying(ANSWER);
        let relay = relay_after(SHORT, &home);
        relay.freeze();
        home.reset_all();
        thread::sleep(idle);
        relay.send(event("locate-intent"), millis_from_now(10_000));
        thread::sleep(Duration::from_millis(10));
        relay.thaw();
        assert_eq!(relay.outcome().reply(), ANSWER, "{}", relay.log());
        assert_eq!((home.requests().len(), home.connections()), (2, 2), "{idle:?}");
    }
}

#[test]
fn a_request_that_went_out_after_the_question_is_not_repeated() {
    let home = home_whose_first_connection(|connection| drop(connection.request()));
    let relay = relay_after(LONG, &home);
    let reply = relay.reply(event("locate-intent"));
    assert!(speech(&reply).starts_with("Home Assistant gave no answer"), "{reply}");
    assert_eq!((home.requests().len(), home.heads().len(), home.connections()), (2, 1, 1));
}
