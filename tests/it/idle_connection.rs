//! A connection is used again for a short while, and whatever became of it meanwhile, the next request is answered.

use std::thread;
use std::time::Duration;

use crate::support::event;
use crate::support::home::{ANSWER, Home};
use crate::support::http::response;
use crate::support::relay::{Relay, millis_from_now};
use crate::support::tls::Identity;

/// Longer than the relay uses an idle connection again.
const LONG: Duration = Duration::from_millis(4_300);

/// Shorter.
const SHORT: Duration = Duration::from_millis(100);

/// A relay that has had an answer and has then been idle, frozen, for this long.
fn relay_after(idle: Duration, home: &Home) -> Relay {
    let relay = Relay::to(&home.url());
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    relay.freeze();
    thread::sleep(idle);
    relay.thaw();
    relay
}

#[test]
fn a_connection_that_was_idle_for_a_moment_is_used_again() {
    let home = Home::saying(ANSWER);
    let relay = relay_after(SHORT, &home);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    assert_eq!((home.requests().len(), home.connections()), (2, 1));
}

#[test]
fn a_connection_that_was_idle_for_longer_is_not_trusted() {
    let home = Home::saying(ANSWER);
    let relay = relay_after(LONG, &home);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    assert_eq!((home.requests().len(), home.connections()), (2, 2));
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
fn a_connection_that_was_closed_or_reset_in_a_freeze_is_replaced() {
    for end in [Home::close_all, Home::reset_all] {
        for idle in [[SHORT; 10].as_slice(), &[LONG]].concat() {
            let home = Home::saying(ANSWER);
            let relay = relay_after(Duration::ZERO, &home);
            relay.freeze();
            end(&home);
            thread::sleep(idle);
            relay.send(event("locate-intent"), millis_from_now(10_000));
            thread::sleep(Duration::from_millis(10));
            relay.thaw();
            assert_eq!(relay.outcome().reply(), ANSWER, "{}", relay.log());
            assert_eq!((home.requests().len(), home.connections()), (2, 2), "{idle:?}");
        }
    }
}
