//! What the relay needs to see of an event; the rest of it is Home Assistant's.
//!
//! The event stays the text that it came as. It is read leniently, as Home Assistant reads it: a member of the wrong
//! type counts as absent, of two members with the same name the last one counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::token::{Token, UnusableToken};

/// The payload of an invocation: JSON as it was sent, or `None` where it was no JSON at all.
///
/// A payload that cannot be read is not a deserialization error, for `lambda_runtime` would report that under a type
/// name of its own, and not as [`NotAnEnvelope`].
pub struct Event(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer).ok()))
    }
}

/// What the relay knows of a request.
pub struct Envelope {
    /// The bytes that Alexa sent.
    pub event: Box<RawValue>,
    /// `session.user.accessToken`, else `context.System.user.accessToken`: requests outside a session have only the
    /// second. Empty counts as absent.
    pub token: Option<Result<Token, UnusableToken>>,
    /// `request.type`, or an empty text.
    pub request_type: String,
    /// `request.intent.name`.
    pub intent: Option<String>,
    /// `request.locale`, such as `en-GB`, or an empty text.
    pub locale: String,
}

/// The payload is nothing that Alexa sends: it has no `request` object.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAnEnvelope;

impl Envelope {
    /// Reads an event.
    ///
    /// # Errors
    /// Where it holds no `request` object.
    pub fn read(Event(event): Event) -> Result<Self, NotAnEnvelope> {
        let event = event.ok_or(NotAnEnvelope)?;
        let members = members(&event);
        let request = *members.get("request").ok_or(NotAnEnvelope)?;
        if !request.get().starts_with('{') {
            return Err(NotAnEnvelope);
        }
        let token = |root: &str, path: &[&str]| {
            let user = path.iter().try_fold(*members.get(root)?, |json, name| member(json, name))?;
            text(member(user, "accessToken")?).filter(|token| !token.is_empty())
        };
        let token = token("session", &["user"]).or_else(|| token("context", &["System", "user"]));
        let string = |name| member(request, name).and_then(text);
        Ok(Self {
            token: token.map(|token| Token::new(&token)),
            request_type: string("type").unwrap_or_default(),
            intent: member(request, "intent").and_then(|intent| member(intent, "name")).and_then(text),
            locale: string("locale").unwrap_or_default(),
            event,
        })
    }
}

fn members(json: &RawValue) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(json.get()).unwrap_or_default()
}

fn member<'a>(json: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    members(json).remove(name)
}

fn text(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

impl fmt::Display for NotAnEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not a request of an Alexa custom skill: it has no \"request\" object")
    }
}

impl std::error::Error for NotAnEnvelope {}

impl From<NotAnEnvelope> for lambda_runtime::Diagnostic {
    fn from(error: NotAnEnvelope) -> Self {
        Self { error_type: "NotAnEnvelope".to_owned(), error_message: error.to_string() }
    }
}
