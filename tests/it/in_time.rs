//! Alexa gets her reply in time, whatever Home Assistant does.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::*;

fn invoke(home: &Home, deadline_ms: u128) -> (String, Duration) {
    let relay = Relay::to(&home.url());
    let start = Instant::now();
    let reply = relay.invoke_by(event("launch-request"), deadline_ms).reply();
    (reply, start.elapsed())
}

/// Or as long as the invocation may take, minus a margin.
#[test]
fn silent_home_assistant_gets_7_seconds() {
    at_once([(30_000, 6_900..10_000), (2_000, 1_400..6_000)], |(deadline, expected)| {
        let home = Home::answering(Answer::Silence);
        let (reply, time) = invoke(&home, millis_from_now(deadline));
        assert_eq!(speech(&reply), LATE);
        assert!(expected.contains(&time.as_millis()), "{time:?}");
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
    assert_eq!(speech(&invoke(&home, millis_from_now(3_500)).0), LATE);
}

/// And is named if the time is up first.
#[test]
fn endless_error_page_is_not_awaited() {
    let page = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 1000\r\n\r\n<html>";
    at_once([4_000, 30_000], |deadline| {
        let (reply, time) = invoke(&answering_slowly(page), millis_from_now(deadline));
        assert!(speech(&reply).starts_with(UNREACHABLE) && time < Duration::from_secs(6), "{time:?}: {reply}");
    });
}

#[test]
fn error_page_is_read_from_later_packets() {
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 17\r\n\r\n401: Unauthorized";
    let (reply, _) = invoke(&answering_slowly(refusal), millis_from_now(5_000));
    assert!(speech(&reply).starts_with(LINK), "{reply}");
}

#[test]
fn unread_request_is_not_called_late() {
    // More than the kernel buffers for a server that does not read.
    let event = event("launch-request").replace("\"1.0\"", &format!("\"{}\"", "a".repeat(16 << 20)));
    at_once(
        [(0, "on a connection that was just made"), (1, "the connection to Home Assistant is dead")],
        |(n, cause)| {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
            let home = Home::raw(move |mut stream| {
                let answer = answer.clone();
                async move {
                    for _ in 0..n {
                        let _ = stream.read(&mut [0; 8192]).await;
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    pending::<()>().await;
                }
            });
            let relay = Relay::to(&home.url());
            for _ in 0..n {
                assert_eq!(relay.reply(self::event("launch-request")), ANSWER);
            }
            let speech = speech(&relay.invoke_by(&event, millis_from_now(30_000)).reply());
            assert!(speech.starts_with(UNREACHABLE), "{speech}");
            assert!(relay.end().contains(cause), "{cause}");
        },
    );
}

#[test]
fn template_allows_more_time_than_the_relay() {
    let template = include_str!("../../template.yaml");
    let timeout = template.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).expect("a timeout");
    assert!(timeout.parse::<u64>().expect("seconds") > 8, "Alexa waits 8 s, the relay 7");
}
