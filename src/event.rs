//! What the relay reads of an event. The rest is for Home Assistant.
//!
//! The two kinds of skill differ in two places: here (where the token is, which path at Home Assistant) and in
//! [`reply`](crate::reply) (the shape of a fault).

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::secret::{Token, UnusableToken};

/// An event of Alexa.
pub struct Event {
    pub kind: Kind,
    /// The first non-empty access token.
    pub token: Result<Option<Token>, UnusableToken>,
}

/// The part that the kinds of skill do not share.
pub enum Kind {
    CustomSkill(Request),
    SmartHome(Directive),
}

/// The `request` of a custom skill.
#[derive(Deserialize)]
pub struct Request {
    pub r#type: Option<String>,
    /// For example `en-GB`.
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
    /// The device.
    pub endpoint_id: Option<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// For example `Alexa.PowerController`.
    pub namespace: Option<String>,
    /// For example `TurnOn`.
    pub name: Option<String>,
    pub correlation_token: Option<Box<RawValue>>,
}

/// Not an Alexa event: of neither kind, or with fields of the wrong type.
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
    /// Reads an event. If it has both a `request` and a `directive`, it is a custom skill's.
    ///
    /// # Errors
    /// Not an Alexa event.
    pub fn read(json: &RawValue) -> Result<Self, NotAnEvent> {
        // serde_json's error quotes values, one of which may be a misplaced token.
        let envelope: Envelope = serde_json::from_str(json.get()).map_err(|_| NotAnEvent)?;
        if let Some(request) = envelope.request {
            // A request outside a session has only `context`.
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

    /// Home Assistant's path for such an event, under `BASE_URL`.
    pub fn path(&self) -> &'static str {
        match self.kind {
            Kind::CustomSkill(_) => "/api/alexa",
            Kind::SmartHome(_) => "/api/alexa/smart_home",
        }
    }

    /// Whether an empty body is valid: Home Assistant before mid-2022 answers the end of a session so.
    pub fn allow_empty(&self) -> bool {
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
