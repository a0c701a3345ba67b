//! What the relay reads of an event. The rest is for Home Assistant.
//!
//! The two kinds of skill differ here (token, path), in [`reply`](crate::reply) (the shape of a fault), in the log lines
//! of [`handler`](crate::handler), and in the 404s of [`diagnosis`](crate::diagnosis).

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::fault::Fault;
use crate::secret::Token;

/// An event of Alexa.
pub struct Event {
    pub kind: Kind,
    /// The first non-empty access token.
    pub token: Result<Option<Token>, Fault>,
    /// Home Assistant's path for such an event, under `BASE_URL`.
    pub path: &'static str,
    /// The object that every answer to such an event has.
    pub answer_field: &'static str,
    /// Whether an empty answer is valid: Home Assistant before mid-2022 answers the end of a session so.
    pub allow_empty: bool,
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
}

/// Not an Alexa event.
#[derive(Debug)]
pub struct NotAnEvent {
    pub cause: &'static str,
    pub remedy: &'static str,
}

/// It has neither a `request` nor a `directive`.
const UNKNOWN: NotAnEvent = NotAnEvent {
    cause: "the event is neither a request of an Alexa custom skill nor a directive of a smart home skill",
    remedy: "this function reads only what Alexa's custom skills and smart home skills send; to try it by hand, send a file of events/",
};

/// A smart home directive of payload version 2, which Amazon no longer sends. Some of its tools still have samples.
const PAYLOAD_VERSION_2: NotAnEvent = NotAnEvent {
    cause: "the event is a directive of a smart home skill in payload version 2, not 3",
    remedy: "in the skill's Smart Home page, choose payload version 3; to try it by hand, send a file of events/",
};

impl Event {
    /// Reads an event. If it has both a `request` and a `directive`, it is a custom skill's.
    ///
    /// # Errors
    /// Not an Alexa event.
    pub fn read(json: &RawValue) -> Result<Self, NotAnEvent> {
        let envelope = Object::read(json).ok_or(UNKNOWN)?;
        if let Some(request) = envelope.object("request") {
            return Ok(Self::custom_skill(&envelope, &request));
        }
        match (envelope.object("directive"), envelope.object("header")) {
            (Some(directive), _) => Ok(Self::smart_home(&directive)),
            (None, Some(header)) if header.text("payloadVersion").as_deref() != Some("3") => Err(PAYLOAD_VERSION_2),
            (None, _) => Err(UNKNOWN),
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
        let request = Request {
            locale: request.text("locale").unwrap_or_default(),
            intent: request.object("intent").and_then(|intent| intent.text("name")),
            verdict,
            r#type,
        };
        let token =
            |owner: Option<Object>| owner?.object("user")?.text("accessToken").filter(|token| !token.is_empty());
        // A request outside a session has only `context`.
        let token = token(envelope.object("session")).or_else(|| token(envelope.system()));
        Self {
            token: token.map(|token| Token::new(&token)).transpose(),
            path: "/api/alexa",
            answer_field: "response",
            allow_empty: request.r#type == "SessionEndedRequest",
            kind: Kind::CustomSkill(request),
        }
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
        };
        Self {
            kind: Kind::SmartHome(directive),
            token: tokens.next().map(|token| Token::new(&token)).transpose(),
            path: "/api/alexa/smart_home",
            answer_field: "event",
            allow_empty: false,
        }
    }
}

impl Request {
    /// Whether Alexa accepts speech in answer to it.
    pub fn takes_speech(&self) -> bool {
        matches!(&*self.r#type, "LaunchRequest" | "IntentRequest")
    }
}

/// What it takes to let Alexa say something before the answer.
pub struct ProgressiveAccess {
    /// Amazon's token. It is for this endpoint and nobody else.
    pub token: Token,
    /// For example `https://api.eu.amazonalexa.com`: it depends on where the person lives.
    pub endpoint: Option<String>,
    pub request_id: Option<String>,
}

impl ProgressiveAccess {
    /// Reads it again from an event: few need it.
    pub fn read(json: &[u8]) -> Option<Self> {
        let envelope: Object = serde_json::from_slice(json).ok().map(Object)?;
        let system = envelope.system()?;
        let token = system.text("apiAccessToken").filter(|token| !token.is_empty())?;
        Some(Self {
            token: Token::bearer(&token)?,
            endpoint: system.text("apiEndpoint"),
            request_id: envelope.object("request").and_then(|request| request.text("requestId")),
        })
    }
}

/// Whether this is a JSON object with an object of this name.
pub fn has_object(json: &RawValue, name: &str) -> bool {
    Object::read(json).is_some_and(|object| object.0.get(name).is_some_and(|field| field.get().starts_with('{')))
}

/// A JSON object whose fields are read one by one, so that a field of the wrong type counts as absent and hides no other.
#[derive(Default)]
struct Object<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok().map(Self)
    }

    fn object(&self, name: &str) -> Option<Self> {
        self.0.get(name).and_then(|json| Self::read(json))
    }

    fn system(&self) -> Option<Self> {
        self.object("context")?.object("System")
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|json| serde_json::from_str(json.get()).ok())
    }

    /// Any value but null.
    fn value(&self, name: &str) -> Option<Box<RawValue>> {
        self.0.get(name).filter(|json| json.get() != "null").map(|json| (*json).to_owned())
    }
}

impl From<NotAnEvent> for lambda_runtime::Diagnostic {
    fn from(error: NotAnEvent) -> Self {
        Self { error_type: "NotAnEvent".to_owned(), error_message: error.cause.to_owned() }
    }
}
