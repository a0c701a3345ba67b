//! Alexa gets her reply in time, whatever Home Assistant does.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::*;

/// Checks that a launch fails so; returns how long that took, in ms.
fn time_to_fail(home: &Home, ms: u64, sentence: &str, cause: &str) -> u128 {
    let relay = home.relay(&[]);
    let start = Instant::now();
    relay.assert_fails_in(ms, &event("launch-request"), sentence, cause);
    start.elapsed().as_millis()
}

/// An invocation that may take less time is answered earlier.
#[test]
fn silent_home_assistant_gets_seven_seconds() {
    at_once([(30_000, 6_900..10_000), (2_000, 1_400..6_000)], |(deadline, expected)| {
        let time = time_to_fail(&Home::answering(Answer::Silence), deadline, LATE, "has not answered in time");
        assert!(expected.contains(&time), "{time} ms");
    });
}

/// Answers a request with these lines, 0.8 s apart, and leaves the connection open.
fn answering_slowly(answer: &'static str) -> Home {
    Home::raw(move |mut stream| async move {
        let _ = stream.read(&mut [0; 8192]).await;
        for line in answer.split_inclusive('\n') {
            let _ = stream.write_all(line.as_bytes()).await;
            sleep(Duration::from_millis(800)).await;
        }
        pending::<()>().await;
    })
}

#[test]
fn trickling_answer_has_the_same_deadline() {
    let home = answering_slowly("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}");
    time_to_fail(&home, 3_500, LATE, "has not answered in time");
}

/// Its status is named even if the time is up first.
#[test]
fn endless_error_page_is_not_awaited() {
    let page = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 1000\r\n\r\n<html>";
    at_once([4_000, 30_000], |deadline| {
        let time = time_to_fail(&answering_slowly(page), deadline, UNREACHABLE, "status 502");
        assert!(time < 6_000, "{time} ms");
    });
}

#[test]
fn error_page_is_read_from_later_packets() {
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 17\r\n\r\n401: Unauthorized";
    time_to_fail(&answering_slowly(refusal), 5_000, LINK, "refused the access token");
}

/// A server does not read it: on a new connection, and on one that has answered.
#[test]
fn unread_request_is_not_called_late() {
    // More than the kernel buffers for a server that does not read.
    let large = event("launch-request").replace("\"1.0\"", &format!("\"{}\"", "a".repeat(16 << 20)));
    let answer = &*format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ANSWER}", ANSWER.len()).leak();
    let causes = ["on a connection that was just made", "the connection to Home Assistant is dead"];
    at_once(causes.into_iter().enumerate(), |(answered, cause)| {
        let home = Home::raw(move |mut stream| async move {
            for _ in 0..answered {
                let _ = stream.read(&mut [0; 8192]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            pending::<()>().await;
        });
        let relay = home.relay(&[]);
        for _ in 0..answered {
            assert_eq!(relay.reply(event("launch-request")), ANSWER);
        }
        relay.assert_fails_in(30_000, &large, UNREACHABLE, cause);
        assert_has(&relay.log(), "It was not sent again");
    });
}
