//! Nothing is done twice: the relay repeats a request only if nothing of it was sent.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

/// When a server closes the connection: before, while or after it reads the request, or halfway through its answer. How
/// many bytes it reads and sends.
const CLOSES: [(usize, usize); 4] = [(0, 0), (64, 0), (8192, 0), (8192, 60)];

/// A fake server that answers some requests of a connection, then closes it. Counts the requests that it did not answer.
fn closing_home(answered: usize, read: usize, sent: usize) -> (Home, &'static AtomicUsize) {
    let posts: &AtomicUsize = Box::leak(Box::default());
    let home = Home::raw(move |mut stream| async move {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
        // The relay writes a request in one piece.
        let mut request = [0; 8192];
        for _ in 0..answered {
            let _ = stream.read(&mut request).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("the relay reads");
        }
        if read > 0 && stream.read(&mut request[..read]).await.is_ok_and(|read| read > 0) {
            posts.fetch_add(1, SeqCst);
        }
        let _ = stream.write_all(&answer.as_bytes()[..sent]).await;
    });
    (home, posts)
}

#[test]
fn closed_connection_gets_at_most_one_post() {
    for ((read, sent), answered) in CLOSES.into_iter().flat_map(|close| [(close, 0), (close, 1)]) {
        let (home, posts) = closing_home(answered, read, sent);
        let relay = home.relay(&[]);
        for _ in 0..answered {
            assert_eq!(relay.reply(event("locate-intent")), ANSWER);
            thread::sleep(Duration::from_millis(50));
        }
        let reply = relay.reply(event("locate-intent"));
        if read == 0 && answered == 1 {
            assert_eq!(reply, ANSWER, "the relay sees that it is closed, and makes a new one");
        } else {
            let is_unsent = read == 0 && speech(&reply).starts_with(UNREACHABLE);
            assert!(is_unsent || speech(&reply).starts_with(BAD_ANSWER), "{read} {sent}: {reply}");
        }
        assert_eq!(posts.load(SeqCst), usize::from(read > 0), "{read} {sent}");
        assert!(home.connections() <= if read == 0 { 2 } else { 1 }, "one retry at most");
    }
}

#[test]
fn interrupted_handshake_is_retried_once() {
    let home = Home::over_tls(Identity::self_signed().server(), answer(200, &[], ANSWER));
    home.server.close_next(1);
    let relay = home.relay(&[("NOT_VERIFY_SSL", "1")]);
    assert_eq!(relay.reply(event("locate-intent")), ANSWER);
    assert_eq!((home.requests().len(), home.connections()), (1, 2));
}
