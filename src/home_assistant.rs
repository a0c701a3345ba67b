//! Home Assistant over HTTP: one POST and its reply, and the idle connection.
//!
//! Lambda freezes the process between two events. Meanwhile an idle connection may be closed or lost without a sign,
//! and a request that was sent on such a connection must not be sent again: it may have arrived.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, StatusCode};
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::config::Config;
use crate::connection::{Connector, Deadline, Sent};
use crate::diagnosis;
use crate::event::{Api, has_object};
use crate::failure::Failure;
use crate::fault::{Fault, Retry};
use crate::reply;
use crate::secret::Token;

/// How long a connection may be idle and still be used again: some servers close it after 5 s.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// How long a proxy is gone while it restarts.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// A person's Home Assistant.
pub struct HomeAssistant {
    pub connector: Connector,
    /// The last connection that answered in time.
    idle: Cell<Option<Idle>>,
}

/// A client with one open connection, which closes when it is dropped.
pub struct Connection(Client);

/// A connection, and since when it is idle by both clocks: the monotonic one may stop while the function is frozen, and
/// the wall clock may be set back.
struct Idle(Connection, Instant, SystemTime);

/// An event to send.
pub struct Post {
    pub api: Api,
    pub token: Token,
    /// The fault if Home Assistant refuses the token: it depends on where the token is from.
    pub refusal: Fault,
    /// The event, byte for byte.
    pub body: Bytes,
    pub sent: Sent,
    pub deadline: Deadline,
}

/// Home Assistant's reply for Alexa.
pub struct Reply {
    /// 2xx.
    pub status: StatusCode,
    /// The bytes for Alexa.
    pub json: Box<RawValue>,
}

impl HomeAssistant {
    /// The Home Assistant of these settings.
    pub fn new(config: Config) -> Self {
        Self { connector: Connector::new(config), idle: Cell::default() }
    }

    /// Sends an event and reads the reply, however long that takes once it is sent.
    ///
    /// It is sent a second time only if nothing of it was sent: the name, the connection or the handshake failed, or
    /// the connection was closed before the request.
    ///
    /// # Errors
    /// Anything but a 2xx with JSON, or an empty one where that is valid.
    pub async fn post(&self, post: &Post) -> Result<(Reply, Connection), Failure> {
        let idle = self.idle.take().filter(|Idle(_, since, by_wall)| is_fresh(*since, *by_wall));
        let idle = idle.map(|Idle(connection, ..)| connection);
        let is_transient = |failure: &Failure| !post.sent.get() && failure.fault.row().retry == Retry::Once;
        match self.exchange(idle, post).await {
            Err(first) if is_transient(&first) && post.deadline.allows(RETRY_PAUSE) => {
                sleep(RETRY_PAUSE).await;
                match self.exchange(None, post).await {
                    // It had no time.
                    Err(_) if !post.sent.get() && !post.deadline.allows(Duration::ZERO) => Err(first),
                    outcome => outcome,
                }
            }
            outcome => outcome,
        }
    }

    /// Keeps a connection for the next event. Never a late request's: it may have been idle for minutes during a
    /// freeze.
    pub fn keep(&self, connection: Connection) {
        self.idle.set(Some(Idle(connection, Instant::now(), SystemTime::now())));
    }

    async fn exchange(&self, idle: Option<Connection>, post: &Post) -> Result<(Reply, Connection), Failure> {
        let is_new = idle.is_none();
        let client = match idle {
            Some(Connection(client)) => client,
            None => self.connector.new_client(post.deadline).await?,
        };
        let request = client
            .post(self.connector.url(post.api.path()))
            .header(AUTHORIZATION, post.token.authorization().clone())
            .header(CONTENT_TYPE, "application/json")
            // Wrapping hides the length; set it to avoid chunking.
            .header(CONTENT_LENGTH, post.body.len())
            .body(watch(&post.body, &post.sent));
        let answer = self.connector.send(request, is_new, Some(&post.sent), post.deadline).await?;
        match extract_reply(&answer, post) {
            Ok(json) => Ok((Reply { status: answer.status, json }, Connection(client))),
            Err(failure) => Err(failure.with_answer(answer)),
        }
    }
}

/// Whether a connection that is idle since then may be used again: by both clocks.
fn is_fresh(since: Instant, by_wall: SystemTime) -> bool {
    since.elapsed() <= MAX_IDLE && by_wall.elapsed().is_ok_and(|idle| idle <= MAX_IDLE)
}

/// A body that notes when it is sent: hyper asks for it once it has a connection, and writes it together with the head.
fn watch(body: &Bytes, sent: &Sent) -> Body {
    let sent = sent.clone();
    Body::wrap(Full::new(body.clone()).map_frame(move |frame| {
        sent.set();
        frame
    }))
}

/// Returns the reply for Alexa in an answer.
fn extract_reply(answer: &Answer, post: &Post) -> Result<Box<RawValue>, Failure> {
    let failure = || match diagnosis::classify_answer(answer) {
        Fault::TokenRefused => post.refusal.into(),
        fault => Failure::from(fault),
    };
    match answer.body.trim_ascii() {
        _ if !answer.status.is_success() => Err(failure()),
        b"" if post.api.allows_empty() && !answer.has_filter_header() => Ok(reply::empty()),
        b"" => Err(failure().with_source("it is empty")),
        body => match serde_json::from_slice::<Box<RawValue>>(body) {
            Ok(json) if has_object(&json, post.api.answer_field()) => Ok(json),
            Ok(_) => Err(failure().with_source("it is JSON, but no reply for Alexa")),
            Err(error) => Err(failure().with_source(format!("it is not JSON: {error}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock stops, or is set back.
    #[test]
    fn idle_connection_is_fresh_by_both_clocks() {
        let (now, wall, long) = (Instant::now(), SystemTime::now(), Duration::from_secs(5));
        assert!(is_fresh(now, wall));
        assert!(!is_fresh(now - long, wall) && !is_fresh(now, wall - long) && !is_fresh(now, wall + long));
    }
}
