//! What the relay reads of an event; the rest of it is Home Assistant's.
//!
//! The two kinds of skill differ here (where the token is, the path at Home Assistant) and in [`reply`](crate::reply)
//! (how a fault is told), and nowhere else.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::secret::{Token, UnusableToken};

/// An event of Alexa.
pub struct Event {
    pub kind: Kind,
    /// The first that is not empty.
    pub token: Result<Option<Token>, UnusableToken>,
}

/// What each kind of skill sends.
pub enum Kind {
    CustomSkill(Request),
    SmartHome(Directive),
}

/// The `request` of a custom skill.
#[derive(Deserialize)]
pub struct Request {
    pub r#type: Option<String>,
    /// Such as `en-GB`.
    pub locale: Option<String>,
    pub intent: Option<Intent>,
}

#[derive(Deserialize)]
pub struct Intent {
    pub name: Option<String>,
}

/// The `directive` of a smart home skill.
pub struct Directive {
    pub header: Header,
    /// The device that it is for.
    pub endpoint_id: Option<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Such as `Alexa.PowerController`.
    pub namespace: Option<String>,
    /// Such as `TurnOn`.
    pub name: Option<String>,
    pub correlation_token: Option<Box<RawValue>>,
}

/// The event is of neither kind, or what the relay reads of it has another type.
#[derive(Debug)]
pub struct NotAnEvent;

#[derive(Deserialize)]
struct Envelope<'a> {
    session: Option<UserOwner>,
    context: Option<Context>,
    request: Option<Request>,
    #[serde(borrow)]
    directive: Option<&'a RawValue>,
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
struct DirectiveFields {
    header: Option<Header>,
    endpoint: Option<Endpoint>,
    payload: Option<Payload>,
}

#[derive(Deserialize, Default)]
struct Endpoint {
    #[serde(rename = "endpointId")]
    id: Option<Box<RawValue>>,
    scope: Option<Scope>,
}

/// `Discover` has a `scope`, `AcceptGrant` a `grantee`.
#[derive(Deserialize, Default)]
struct Payload {
    scope: Option<Scope>,
    grantee: Option<Scope>,
}

#[derive(Deserialize)]
struct Scope {
    token: Option<String>,
}

impl Event {
    /// Reads an event. One with a `request` and a `directive` is a custom skill's.
    ///
    /// # Errors
    /// Where Alexa does not send such a thing.
    pub fn read(json: &RawValue) -> Result<Self, NotAnEvent> {
        // serde_json's error is left out, for it quotes values, and one may be a token in the wrong place.
        let envelope: Envelope = serde_json::from_str(json.get()).map_err(|_| NotAnEvent)?;
        if let Some(request) = envelope.request {
            // A request outside a session has only the second.
            let users = [envelope.session, envelope.context.and_then(|context| context.system)];
            return Ok(Self::new(Kind::CustomSkill(request), users.map(|owner| owner?.user?.access_token)));
        }
        let directive = envelope.directive.ok_or(NotAnEvent)?;
        let DirectiveFields { header, endpoint, payload } =
            serde_json::from_str(directive.get()).map_err(|_| NotAnEvent)?;
        let (endpoint, payload) = (endpoint.unwrap_or_default(), payload.unwrap_or_default());
        let directive = Directive { header: header.unwrap_or_default(), endpoint_id: endpoint.id };
        let scopes = [endpoint.scope, payload.scope, payload.grantee];
        Ok(Self::new(Kind::SmartHome(directive), scopes.map(|scope| scope?.token)))
    }

    fn new(kind: Kind, tokens: impl IntoIterator<Item = Option<String>>) -> Self {
        let token = tokens.into_iter().flatten().find(|token| !token.is_empty());
        Self { kind, token: token.map(|token| Token::new(&token)).transpose() }
    }

    /// Where Home Assistant takes such an event, under `BASE_URL`.
    pub fn path(&self) -> &'static str {
        match self.kind {
            Kind::CustomSkill(_) => "/api/alexa",
            Kind::SmartHome(_) => "/api/alexa/smart_home",
        }
    }

    /// Whether Home Assistant may answer with nothing: before mid-2022 it does so at the end of a session.
    pub fn accepts_nothing(&self) -> bool {
        matches!(&self.kind, Kind::CustomSkill(request) if request.r#type.as_deref() == Some("SessionEndedRequest"))
    }
}

impl fmt::Display for NotAnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event is neither a request of an Alexa custom skill nor a directive of a smart home skill")
    }
}

impl std::error::Error for NotAnEvent {}

impl From<NotAnEvent> for lambda_runtime::Diagnostic {
    fn from(error: NotAnEvent) -> Self {
        Self { error_type: "NotAnEvent".to_owned(), error_message: error.to_string() }
    }
}
