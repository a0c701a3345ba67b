//! An idle connection is reused for a short time. Whatever happened to it, the next request is answered.

use std::thread;
use std::time::Duration;

use rustls::HandshakeKind::{Full, Resumed};

use crate::support::*;

/// Longer than the relay keeps an idle connection.
const LONG: Duration = Duration::from_millis(4_300);

/// As between two sentences.
const SHORT: Duration = Duration::from_millis(100);

/// A relay that has answered a request and is frozen.
fn frozen_relay(home: &Home) -> Relay {
    let relay = home.relay(&[]);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    relay.freeze();
    relay
}

/// 3 s after its last answer, but not 4.3 s after it; the function is frozen meanwhile.
#[test]
fn idle_connection_is_reused_for_four_seconds() {
    at_once([(Duration::from_secs(3), 1), (LONG, 2)], |(idle, connections)| {
        let home = Home::saying(ANSWER);
        let relay = frozen_relay(&home);
        thread::sleep(idle);
        relay.thaw();
        assert_eq!(relay.reply(event("locate-intent")), ANSWER);
        assert_eq!((home.requests().len(), home.connections()), (2, connections), "{idle:?}");
    });
}

/// Over a link with 40 ms, a full TLS handshake costs a new connection much time.
#[test]
fn new_connection_resumes_the_tls_session() {
    for versions in VERSIONS {
        let server = Identity::self_signed().server_with(versions, None);
        let home = Home::over_tls(server, answer(200, &[("connection", "close")], ANSWER));
        let relay = home.relay(&[("NOT_VERIFY_SSL", "1")]);
        for _ in 0..2 {
            assert_eq!(relay.reply(event("locate-intent")), ANSWER);
        }
        let protocol = Some(b"http/1.1".to_vec());
        assert_eq!(home.handshakes(), [(Full, protocol.clone()), (Resumed, protocol)]);
    }
}

#[test]
fn connection_lost_during_a_freeze_is_replaced() {
    let idle = [[SHORT; 10].as_slice(), &[LONG]].concat();
    at_once(idle.iter().flat_map(|&idle| [(idle, false), (idle, true)]), |(idle, is_reset)| {
        let home = Home::saying(ANSWER);
        if is_reset {
            home.server.reset_connections();
        }
        let relay = frozen_relay(&home);
        home.server.close_all();
        thread::sleep(idle);
        relay.send(event("locate-intent"), millis_from_now(10_000));
        thread::sleep(Duration::from_millis(10));
        relay.thaw();
        assert_eq!(relay.outcome().reply(), ANSWER, "{}", relay.log());
        assert_eq!((home.requests().len(), home.connections()), (2, 2), "{idle:?} {is_reset}");
    });
}
