//! Home Assistant over HTTP: one POST, and what came of it.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, StatusCode};
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::config::Config;
use crate::connection::{Connection, Connections, Outgoing, Sent};
use crate::diagnosis;
use crate::extra_headers::ExtraHeaders;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::token::Token;

/// What Lambda hands on at most, in bytes.
const MAX_ANSWER: usize = 6 * 1024 * 1024;

/// How much of an error's page is read to tell who sent it, in bytes, and how long that is waited for.
const MAX_HINT: usize = 16 * 1024;
const HINT_TIME: Duration = Duration::from_millis(500);

/// The gap that a restarting proxy leaves.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// The smallest reply that Alexa takes. Home Assistant before mid-2022 answers a SessionEndedRequest with nothing.
const EMPTY_REPLY: &str = r#"{"version":"1.0","response":{}}"#;

/// A person's Home Assistant.
pub struct Home {
    connections: Connections,
    endpoint: Url,
    extra_headers: ExtraHeaders,
}

/// What Home Assistant answered.
pub struct Answer {
    /// 2xx.
    pub status: StatusCode,
    /// The bytes for Alexa.
    pub body: Box<RawValue>,
}

impl Home {
    /// The home of these settings.
    pub fn new(config: &Config) -> Self {
        Self {
            connections: Connections::new(config),
            endpoint: config.endpoint.url.clone(),
            extra_headers: config.extra_headers.clone(),
        }
    }

    /// `text` without the secrets that are sent to this home.
    pub fn blanked_in(&self, text: &str, token: &Token) -> String {
        self.extra_headers.blanked_in(&token.blanked_in(text))
    }

    /// Sends `event` and reads the answer.
    ///
    /// It is sent a second time only where nothing of it was: a kept connection turned out to be closed, or the name,
    /// the connection or the handshake failed.
    ///
    /// # Errors
    /// Everything that is not a 2xx with JSON, or with nothing.
    pub async fn post(&self, token: &Token, event: Bytes, sent: &Sent) -> Result<Answer, Failure> {
        if let Some(connection) = self.connections.kept().await {
            let outcome = self.exchange(connection, token, event.clone(), sent).await;
            if outcome.is_ok() || sent.get() {
                return outcome;
            }
        }
        match self.post_afresh(token, event.clone(), sent).await {
            Err(failure) if !sent.get() && failure.fault.may_pass() => {
                sleep(RETRY_PAUSE).await;
                self.post_afresh(token, event, sent).await
            }
            outcome => outcome,
        }
    }

    async fn post_afresh(&self, token: &Token, event: Bytes, sent: &Sent) -> Result<Answer, Failure> {
        let outcome = match self.connections.fresh().await {
            Ok(connection) => self.exchange(connection, token, event, sent).await,
            Err(failure) => Err(failure),
        };
        outcome.map_err(|failure| match (failure.fault, self.connections.fault_of_silence()) {
            (Fault::Unanswered | Fault::HandshakeBroken, Some(fault)) => Failure { fault, ..failure },
            _ => failure,
        })
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        token: &Token,
        event: Bytes,
        sent: &Sent,
    ) -> Result<Answer, Failure> {
        let request = self.connections.request(Method::POST);
        let request = request
            .header(AUTHORIZATION, token.authorization())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Outgoing::new(event, sent))
            .expect("a valid request");
        let response = connection.send(request).await;
        let response =
            response.map_err(|error| Failure::caused(diagnosis::of_exchange(&error, Fault::Unanswered), error))?;
        let (head, mut body) = response.into_parts();
        match self.reply(&head, &mut body).await {
            Ok(body) => {
                self.connections.keep(connection);
                Ok(Answer { status: head.status, body })
            }
            Err(failure) => {
                let seen = self.blanked_in(&diagnosis::seen(&self.endpoint, head.status, &head.headers), token);
                Err(Failure { status: Some(head.status), seen, ..failure })
            }
        }
    }

    /// What is for Alexa in an answer.
    async fn reply(&self, head: &Parts, body: &mut Incoming) -> Result<Box<RawValue>, Failure> {
        let fault_of = |body: &[u8]| diagnosis::of_answer(&self.endpoint, head.status, &head.headers, body);
        if !head.status.is_success() {
            return Err(Failure::bare(fault_of(&hint(body).await)));
        }
        let body = read(body, MAX_ANSWER).await?;
        if body.trim_ascii_start().starts_with(b"<") {
            return Err(Failure::bare(fault_of(&body)));
        }
        let json = if body.trim_ascii().is_empty() { EMPTY_REPLY.into() } else { body };
        let json = String::from_utf8(json).map_err(|error| Failure::caused(fault_of(&[]), error))?;
        RawValue::from_string(json).map_err(|error| {
            let fault = if error.is_eof() { Fault::CutShort } else { fault_of(&[]) };
            Failure::caused(fault, error)
        })
    }
}

/// The whole body, which is at most `limit` bytes long.
async fn read(body: &mut Incoming, limit: usize) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::bare(Fault::TooLarge);
    let length = body.size_hint().exact().unwrap_or_default();
    let length = usize::try_from(length).ok().filter(|length| *length <= limit).ok_or_else(too_large)?;
    let mut read = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::caused(diagnosis::of_exchange(&error, Fault::BrokenOff), error))?;
        let data = frame.data_ref().map_or(&[][..], Bytes::as_ref);
        if read.len() + data.len() > limit {
            return Err(too_large());
        }
        read.extend_from_slice(data);
    }
    Ok(read)
}

/// The beginning of the body, or as much of it as comes soon.
async fn hint(body: &mut Incoming) -> Vec<u8> {
    let mut hint = Vec::new();
    let _ = timeout(HINT_TIME, async {
        while hint.len() < MAX_HINT
            && let Some(Ok(frame)) = body.frame().await
        {
            hint.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref));
        }
    })
    .await;
    hint
}
