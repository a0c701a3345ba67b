//! What the relay needs to see of an event; the rest of it is Home Assistant's.
//!
//! It is read leniently, as Home Assistant reads it: a member of the wrong type counts as absent, of two members with
//! the same name the last one counts.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::token::{Token, UnusableToken};

/// What the relay knows of a request.
pub struct Envelope {
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

/// The payload is nothing that Alexa sends: it is no JSON, or has no `request` object.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAnEnvelope;

impl Envelope {
    /// Reads an event.
    ///
    /// # Errors
    /// Where it is no JSON, or holds no `request` object.
    pub fn read(event: &[u8]) -> Result<Self, NotAnEnvelope> {
        // Before the rest, for serde_json does not look at the encoding of what it skips.
        let text = str::from_utf8(event).map_err(|_| NotAnEnvelope)?;
        let event: Part = serde_json::from_str(text).map_err(|_| NotAnEnvelope)?;
        let Some(request @ Part::Object(_)) = event.member(&Member::Request) else { return Err(NotAnEnvelope) };
        let token = |root: &Part, way: &[Member]| root.text(way).filter(|token| !token.is_empty());
        let token = token(&event, &[Member::Session, Member::User, Member::AccessToken])
            .or_else(|| token(&event, &[Member::Context, Member::System, Member::User, Member::AccessToken]));
        Ok(Self {
            token: token.map(|token| Token::new(&token)),
            request_type: request.text(&[Member::Type]).unwrap_or_default(),
            intent: request.text(&[Member::Intent, Member::Name]),
            locale: request.text(&[Member::Locale]).unwrap_or_default(),
        })
    }
}

/// The names of the members that lead to what is wanted. All others are skipped, for an event may be large.
#[derive(Deserialize, PartialEq)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Member {
    Session,
    Context,
    #[serde(rename = "System")]
    System,
    User,
    AccessToken,
    Request,
    Type,
    Intent,
    Name,
    Locale,
    #[serde(other)]
    Other,
}

/// What is wanted of a JSON value.
enum Part {
    Text(String),
    Object(Vec<(Member, Part)>),
    Other,
}

impl Part {
    fn member(&self, name: &Member) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(key, _)| key == name).map(|(_, member)| member)
    }

    fn text(&self, way: &[Member]) -> Option<String> {
        match way.iter().try_fold(self, |part, name| part.member(name))? {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Part, A::Error> {
        let mut wanted = Vec::new();
        while let Some(name) = members.next_key()? {
            if name == Member::Other {
                members.next_value::<IgnoredAny>()?;
            } else {
                wanted.push((name, members.next_value()?));
            }
        }
        Ok(Part::Object(wanted))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Part, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Part::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Part, E> {
        Ok(Part::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn visit_unit<E>(self) -> Result<Part, E> {
        Ok(Part::Other)
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
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
