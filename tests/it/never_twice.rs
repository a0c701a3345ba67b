//! Nothing is done twice: a request is sent again only where nothing of it was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::support::event;
use crate::support::home::{ANSWER, Connection, Home};
use crate::support::http::response;
use crate::support::relay::{Relay, speech};
use crate::support::tls::Identity;

/// Where a server gives up on a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Closes {
    BeforeReading,
    WhileReading,
    AfterReading,
    HalfWayThroughItsAnswer,
}

impl Closes {
    /// Does so, and counts the POST that arrived.
    fn serve(self, connection: &mut Connection, posts: &AtomicUsize) {
        let arrived = match self {
            Self::BeforeReading => false,
            Self::WhileReading => connection.head().is_some(),
            Self::AfterReading | Self::HalfWayThroughItsAnswer => connection.request().is_some(),
        };
        posts.fetch_add(usize::from(arrived), SeqCst);
        if self == Self::HalfWayThroughItsAnswer {
            connection.send(&response("200 OK", &[], ANSWER)[..60]);
        }
    }
}

const ALL: [Closes; 4] =
    [Closes::BeforeReading, Closes::WhileReading, Closes::AfterReading, Closes::HalfWayThroughItsAnswer];

#[test]
fn a_fresh_connection_that_is_closed_sees_one_post_at_most() {
    for closes in ALL {
        let posts = Arc::new(AtomicUsize::new(0));
        let home = Home::behaving({
            let posts = Arc::clone(&posts);
            move |connection| closes.serve(connection, &posts)
        });
        let reply = Relay::to(&home.url()).reply(event("locate-intent"));
        assert!(speech(&reply).starts_with("Home Assistant gave no answer"), "{closes:?}: {reply}");
        assert_eq!(posts.load(SeqCst), usize::from(closes != Closes::BeforeReading), "{closes:?}");
        assert!(home.connections() <= 2, "{closes:?}: one retry at most");
    }
}

#[test]
fn an_idle_connection_that_is_closed_sees_one_post_at_most() {
    for closes in ALL {
        let posts = Arc::new(AtomicUsize::new(0));
        let home = Home::behaving({
            let posts = Arc::clone(&posts);
            move |connection| {
                connection.request();
                connection.send(&response("200 OK", &[], ANSWER));
                closes.serve(connection, &posts);
            }
        });
        let relay = Relay::to(&home.url());
        assert_eq!(relay.reply(event("locate-intent")), ANSWER);
        thread::sleep(Duration::from_millis(50));
        let reply = relay.reply(event("locate-intent"));
        if closes == Closes::BeforeReading {
            assert_eq!(reply, ANSWER, "the connection was found closed, and another one was made");
            assert_eq!(posts.load(SeqCst), 0);
            assert_eq!(home.requests().len(), 2);
        } else {
            assert!(speech(&reply).starts_with("Home Assistant gave no answer"), "{closes:?}: {reply}");
            assert_eq!(posts.load(SeqCst), 1, "{closes:?}");
        }
    }
}

#[test]
fn a_handshake_that_was_cut_off_is_tried_once_more() {
    let tries = AtomicUsize::new(0);
    let config = Arc::new(Identity::self_signed().server());
    let home = Home::behaving(move |connection| {
        if tries.fetch_add(1, SeqCst) > 0 {
            connection.over_tls(&config, |connection| connection.answer_all(&response("200 OK", &[], ANSWER)));
        }
    });
    let url = home.url().replace("http:", "https:");
    let relay = Relay::start(&[("BASE_URL", &url), ("NOT_VERIFY_SSL", "1")]);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    assert_eq!((home.requests().len(), home.connections()), (1, 2));
}

#[test]
fn what_a_second_try_cannot_mend_is_tried_once() {
    let home = Home::over_tls(Identity::self_signed().server(), |_| {});
    Relay::to(&home.url()).reply(event("locate-intent"));
    assert_eq!(home.connections(), 1, "a certificate that is not trusted");
    let home = Home::answering(response("401 Unauthorized", &[], "401: Unauthorized"));
    Relay::to(&home.url()).reply(event("locate-intent"));
    assert_eq!((home.connections(), home.requests().len()), (1, 1), "each 401 counts towards a ban");
}
