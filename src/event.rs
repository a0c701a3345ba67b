//! What the relay reads of an event; the rest of it is Home Assistant's.
//!
//! A second kind of event differs here (where its token is), in [`reply`](crate::reply) (how a fault is told), and in its
//! endpoint.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::secret::{Token, UnusableToken};

/// A request of an Alexa custom skill.
pub struct Event {
    /// `session.user.accessToken`, else `context.System.user.accessToken`: requests outside a session have only the
    /// second. An empty one counts as none.
    pub token: Result<Option<Token>, UnusableToken>,
    /// `request.type`
    pub request_type: String,
    /// `request.intent.name`
    pub intent: Option<String>,
    /// `request.locale`, such as `en-GB`, or an empty text.
    pub locale: String,
}

/// The event is not from an Alexa custom skill: it has no `request`, or what the relay reads has another type.
#[derive(Debug)]
pub struct NotAnEvent;

#[derive(Deserialize)]
struct Envelope {
    session: Option<UserOwner>,
    context: Option<Context>,
    request: Request,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "System")]
    system: Option<UserOwner>,
}

/// `session` and `context.System`.
#[derive(Deserialize)]
struct UserOwner {
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "accessToken")]
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    r#type: Option<String>,
    locale: Option<String>,
    intent: Option<Intent>,
}

#[derive(Deserialize)]
struct Intent {
    name: Option<String>,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// Where Alexa does not send such a thing.
    pub fn read(json: &RawValue) -> Result<Self, NotAnEvent> {
        // serde_json's error is left out, for it quotes values, and one may be a token in the wrong place.
        let Envelope { session, context, request } = serde_json::from_str(json.get()).map_err(|_| NotAnEvent)?;
        let token = |user: Option<User>| user?.access_token.filter(|token| !token.is_empty());
        let token = token(session.and_then(|session| session.user))
            .or_else(|| token(context.and_then(|context| context.system?.user)));
        Ok(Self {
            token: token.map(|token| Token::new(&token)).transpose(),
            request_type: request.r#type.unwrap_or_default(),
            intent: request.intent.and_then(|intent| intent.name),
            locale: request.locale.unwrap_or_default(),
        })
    }

    /// Whether Home Assistant may answer with nothing: before mid-2022 it does so at the end of a session.
    pub fn accepts_nothing(&self) -> bool {
        self.request_type == "SessionEndedRequest"
    }
}

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event is not a request of an Alexa custom skill")
    }
}

impl std::error::Error for NotAnEvent {}

impl From<NotAnEvent> for lambda_runtime::Diagnostic {
    fn from(error: NotAnEvent) -> Self {
        Self { error_type: "NotAnEvent".to_owned(), error_message: error.to_string() }
    }
}
