//! What the relay reads of an event. The rest is for Home Assistant.
//!
//! The two kinds of skill differ here (token, path), in [`reply`](crate::reply) (the shape of a fault), in the log
//! lines of [`handler`](crate::handler), and in the 404s of [`diagnosis`](crate::diagnosis).

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::fault::Fault;
use crate::secret::Token;

/// An event of Alexa.
pub struct Event {
    pub kind: Kind,
    /// The first non-empty access token. `Err`: it must not be sent.
    pub token: Result<Option<Token>, Fault>,
}

/// The part that the kinds of skill do not share.
pub enum Kind {
    CustomSkill(Request),
    SmartHome(Directive),
}

/// The `request` of a custom skill.
pub struct Request {
    pub r#type: String,
    /// For example `en-GB`.
    pub locale: String,
    /// The name of the intent.
    pub intent: Option<String>,
    /// Why Alexa could not use the previous answer, as `type: message`. It comes with a `SessionEndedRequest` and with
    /// `System.ExceptionEncountered`.
    pub verdict: Option<String>,
    /// What it takes to let Alexa say something before the answer.
    pub progressive: Option<ProgressiveAccess>,
}

/// Access to Amazon's API.
pub struct ProgressiveAccess {
    /// Amazon's token, for Amazon alone.
    pub token: Token,
    /// For example `https://api.eu.amazonalexa.com`: it depends on where the person lives.
    pub endpoint: Option<String>,
    pub request_id: Option<String>,
}

/// The `directive` of a smart home skill.
pub struct Directive {
    /// For example `Alexa.PowerController`.
    pub namespace: Option<String>,
    /// For example `TurnOn`.
    pub name: Option<String>,
    pub correlation_token: Option<Box<RawValue>>,
    /// The device.
    pub endpoint_id: Option<Box<RawValue>>,
    /// The code of an `AcceptGrant`.
    grant_code: Option<Token>,
}

/// One of Home Assistant's APIs for Alexa.
#[derive(Clone, Copy)]
pub enum Api {
    CustomSkill { is_session_end: bool },
    SmartHome,
}

impl Api {
    /// Its path, under `BASE_URL`.
    pub fn path(self) -> &'static str {
        match self {
            Self::CustomSkill { .. } => "/api/alexa",
            Self::SmartHome => "/api/alexa/smart_home",
        }
    }

    /// The object that every answer has.
    pub fn answer_field(self) -> &'static str {
        match self {
            Self::CustomSkill { .. } => "response",
            Self::SmartHome => "event",
        }
    }

    /// Whether an empty body is valid: Home Assistant before mid-2022 answers the end of a session so.
    pub fn allows_empty(self) -> bool {
        matches!(self, Self::CustomSkill { is_session_end: true })
    }
}

/// Not an Alexa event.
#[derive(Debug)]
pub struct NotAnEvent;

impl NotAnEvent {
    pub const CAUSE: &str = "the event is neither a request of an Alexa custom skill nor a directive of a smart home \
        skill (one of payload version 2 is neither)";
    pub const REMEDY: &str = "this function reads only what Alexa's skills send; in a smart home skill's Smart Home \
        page, choose payload version 3; to try it by hand, send a file of events/";
}

impl From<NotAnEvent> for lambda_runtime::Diagnostic {
    fn from(_: NotAnEvent) -> Self {
        Self { error_type: "NotAnEvent".to_owned(), error_message: NotAnEvent::CAUSE.to_owned() }
    }
}

impl Event {
    /// Reads an event. If it has both a `request` and a `directive`, it is a custom skill's.
    ///
    /// # Errors
    /// Not an Alexa event.
    pub fn read(json: &RawValue) -> Result<Self, NotAnEvent> {
        let envelope = Object::read(json).ok_or(NotAnEvent)?;
        match (envelope.object("request"), envelope.object("directive")) {
            (Some(request), _) => Ok(Self::custom_skill(&envelope, &request)),
            (None, Some(directive)) => Ok(Self::smart_home(&directive)),
            (None, None) => Err(NotAnEvent),
        }
    }

    fn custom_skill(envelope: &Object, request: &Object) -> Self {
        let r#type = request.text("type").unwrap_or_default();
        // Other types have errors too: `AudioPlayer.PlaybackFailed` has that of a stream.
        let has_verdict = matches!(&*r#type, "SessionEndedRequest" | "System.ExceptionEncountered");
        let verdict = request.object("error").filter(|_| has_verdict).map(|error| {
            let part = |name| error.text(name).unwrap_or_else(|| "unknown".to_owned());
            format!("{}: {}", part("type"), part("message"))
        });
        let system = envelope.object("context").and_then(|context| context.object("System"));
        let progressive = system.as_ref().and_then(|system| {
            let token = system.text("apiAccessToken").filter(|token| !token.is_empty())?;
            let (endpoint, request_id) = (system.text("apiEndpoint"), request.text("requestId"));
            Some(ProgressiveAccess { token: Token::bearer(&token)?, endpoint, request_id })
        });
        let request = Request {
            locale: request.text("locale").unwrap_or_default(),
            intent: request.object("intent").and_then(|intent| intent.text("name")),
            verdict,
            r#type,
            progressive,
        };
        let token =
            |owner: Option<Object>| owner?.object("user")?.text("accessToken").filter(|token| !token.is_empty());
        // A request outside a session has only `context`.
        let token = token(envelope.object("session")).or_else(|| token(system));
        Self { kind: Kind::CustomSkill(request), token: token.map(|token| Token::new(&token)).transpose() }
    }

    fn smart_home(directive: &Object) -> Self {
        let [header, endpoint, payload] =
            ["header", "endpoint", "payload"].map(|name| directive.object(name).unwrap_or_default());
        // A discovery has a `scope` in its payload, `AcceptGrant` a `grantee`.
        let scopes = [endpoint.object("scope"), payload.object("scope"), payload.object("grantee")];
        let mut tokens = scopes.into_iter().filter_map(|scope| scope?.text("token")).filter(|token| !token.is_empty());
        let directive = Directive {
            namespace: header.text("namespace"),
            name: header.text("name"),
            correlation_token: header.value("correlationToken"),
            endpoint_id: endpoint.value("endpointId"),
            grant_code: payload.object("grant").and_then(|grant| Token::bearer(&grant.text("code")?)),
        };
        Self { kind: Kind::SmartHome(directive), token: tokens.next().map(|token| Token::new(&token)).transpose() }
    }

    /// What nobody may log.
    pub fn secrets(&self) -> impl Iterator<Item = &Token> {
        let own = self.token.as_ref().ok().and_then(Option::as_ref);
        let other = match &self.kind {
            Kind::CustomSkill(request) => request.progressive.as_ref().map(|access| &access.token),
            Kind::SmartHome(directive) => directive.grant_code.as_ref(),
        };
        own.into_iter().chain(other)
    }
}

impl Kind {
    /// The API that such an event is for.
    pub fn api(&self) -> Api {
        match self {
            Self::CustomSkill(request) => Api::CustomSkill { is_session_end: request.r#type == "SessionEndedRequest" },
            Self::SmartHome(_) => Api::SmartHome,
        }
    }
}

impl Request {
    /// Whether Alexa accepts speech in answer to it.
    pub fn takes_speech(&self) -> bool {
        matches!(&*self.r#type, "LaunchRequest" | "IntentRequest")
    }
}

/// Whether this is a JSON object with an object of this name.
pub fn has_object(json: &RawValue, name: &str) -> bool {
    Object::read(json).is_some_and(|object| object.0.get(name).is_some_and(|field| field.get().starts_with('{')))
}

/// A JSON object whose fields are read one by one, so that a field of the wrong type counts as absent and hides no
/// other.
#[derive(Default)]
pub struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    pub fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok().map(Self)
    }

    pub fn object(&self, name: &str) -> Option<Self> {
        self.0.get(name).and_then(|json| Self::read(json))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|json| serde_json::from_str(json.get()).ok())
    }

    /// The number of elements of a list, which are not kept: a discovery can have thousands.
    pub fn count(&self, name: &str) -> usize {
        let list = self.0.get(name).and_then(|json| serde_json::from_str::<Vec<IgnoredAny>>(json.get()).ok());
        list.map_or(0, |list| list.len())
    }

    /// Any value but null.
    fn value(&self, name: &str) -> Option<Box<RawValue>> {
        self.0.get(name).filter(|json| json.get() != "null").map(|json| (*json).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Event {
        Event::read(&RawValue::from_string(json.to_owned()).unwrap()).unwrap_or_else(|_| panic!("{json}"))
    }

    /// In the session, the context, the endpoint, the scope of a discovery or the grantee, in this order.
    #[test]
    fn first_non_empty_token_is_used() {
        for (event, expected) in [
            (r#""session":{"user":{"accessToken":"a"}},"context":{"System":{"user":{"accessToken":"b"}}}"#, "a"),
            (r#""session":{"user":{"accessToken":""}},"context":{"System":{"user":{"accessToken":"b"}}}"#, "b"),
            (r#""session":{"user":{"accessToken":null}},"context":{"System":{"user":{"accessToken":"b"}}}"#, "b"),
            (r#""session":{"user":{"accessToken":"\u0061"}},"context":null"#, "a"),
            (r#""session":{"user":{"accessToken":""}},"context":{"System":{"user":{"accessToken":""}}}"#, ""),
            (r#""session":null"#, ""),
        ] {
            assert_token(&format!(r#"{{{event},"request":{{"type":"LaunchRequest"}},"directive":{{}}}}"#), expected);
        }
        for (directive, expected) in [
            (r#""endpoint":{"scope":{"token":"a"}},"payload":{"scope":{"token":"b"},"grantee":{"token":"c"}}"#, "a"),
            (r#""endpoint":{"scope":{"token":""}},"payload":{"scope":{"token":"b"},"grantee":{"token":"c"}}"#, "b"),
            (r#""endpoint":{"endpointId":"x"},"payload":{"scope":null,"grantee":{"type":"New","token":"c"}}"#, "c"),
            (r#""endpoint":{"scope":{"token":"a"}},"payload":[]"#, "a"),
            (r#""header":["x"],"endpoint":["x"],"payload":{"scope":{"token":"b"}}"#, "b"),
            (r#""endpoint":null,"payload":{"scope":{"token":null}}"#, ""),
            ("", ""),
        ] {
            assert_token(&format!(r#"{{"request":null,"directive":{{{directive}}}}}"#), expected);
        }
    }

    fn assert_token(event: &str, expected: &str) {
        let token = read(event).token.unwrap().map(|token| token.authorization().clone());
        assert_eq!(token, (!expected.is_empty()).then(|| format!("Bearer {expected}").parse().unwrap()), "{event}");
    }

    #[test]
    fn request_goes_before_a_directive() {
        for (event, path) in [
            (r#"{"request":{},"directive":null}"#, "/api/alexa"),
            (r#"{"request":null,"directive":{}}"#, "/api/alexa/smart_home"),
            (r#"{"request":{},"directive":{}}"#, "/api/alexa"),
            (r#"{"request":{},"directive":7}"#, "/api/alexa"),
        ] {
            assert_eq!(read(event).kind.api().path(), path, "{event}");
        }
    }

    #[test]
    fn field_of_another_type_counts_as_absent() {
        for value in ["null", "true", "1.5", r#""\ud83d\ude00\n""#, "[]", "{}", r#"[{"a":[{}]}]"#] {
            let user = format!(r#"{{"user":{{"accessToken":{value}}}}}"#);
            let fields =
                format!(r#"{{"type":{value},"locale":{value},"requestId":{value},"intent":{{"name":{value}}}}}"#);
            for (session, context, request) in [(&*user, &*user, &*fields), (value, value, r#"{"intent":VALUE}"#)] {
                let context = format!(r#"{{"System":{context}}}"#);
                let json = format!(r#"{{"session":{session},"context":{context},"request":{request}}}"#);
                let event = read(&json.replace("VALUE", value));
                assert!(value.starts_with('"') || event.token.is_ok_and(|token| token.is_none()), "{json}");
            }
        }
    }
}
