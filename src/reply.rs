//! What Alexa gets instead of Home Assistant's answer: the shape of a fault for each kind of skill.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::event::{Directive, Event, Kind, Request};
use crate::failure::Failure;
use crate::fault::ErrorType;
use crate::messages::Messages;

/// The reply that says what is wrong. `id` is a UUID that no other reply has.
pub fn for_failure(event: &Event, failure: &Failure, id: &str) -> Box<RawValue> {
    match &event.kind {
        Kind::CustomSkill(request) => speak(request, failure),
        Kind::SmartHome(directive) => error_response(directive, failure, id),
    }
}

/// A sentence for the person, in the language of the request.
///
/// Alexa accepts speech only in answer to a launch or an intent. The other types (SessionEndedRequest, AudioPlayer.*,
/// AlexaSkillEvent.* and more) get the empty reply, which she accepts for every type.
fn speak(request: &Request, failure: &Failure) -> Box<RawValue> {
    let response = match request.r#type.as_deref() {
        Some("LaunchRequest" | "IntentRequest") => {
            let messages = Messages::for_locale(request.locale.as_deref().unwrap_or_default());
            let sentence = (failure.fault.entry().sentence)(messages);
            let text = sentence.replace("{setting}", failure.setting.map_or("", |setting| setting.name));
            let speech = json!({ "type": "PlainText", "text": text });
            let mut response = json!({ "outputSpeech": speech, "shouldEndSession": true });
            if failure.fault.error_type() == ErrorType::InvalidAuthorizationCredential {
                // Shows a button in the Alexa app that links the account.
                response["card"] = json!({ "type": "LinkAccount" });
            }
            response
        }
        Some("CanFulfillIntentRequest") => json!({ "canFulfillIntent": { "canFulfill": "NO" } }),
        _ => return empty(),
    };
    RawValue::from_string(format!(r#"{{"version":"1.0","response":{response}}}"#)).expect("this is JSON")
}

/// An `ErrorResponse`. Alexa has her own sentences for it.
fn error_response(directive: &Directive, failure: &Failure, id: &str) -> Box<RawValue> {
    let Directive { header, endpoint_id } = directive;
    let (namespace, error_type) = match (header.name.as_deref(), failure.fault.error_type()) {
        (Some("AcceptGrant"), _) => ("Alexa.Authorization", ErrorType::AcceptGrantFailed),
        // A discovery is for no endpoint.
        (Some("Discover"), ErrorType::EndpointUnreachable) => ("Alexa", ErrorType::BridgeUnreachable),
        (_, error_type) => ("Alexa", error_type),
    };
    let header = ErrorHeader {
        namespace,
        name: "ErrorResponse",
        payload_version: "3",
        message_id: id,
        correlation_token: header.correlation_token.as_deref(),
    };
    let endpoint = endpoint_id.as_deref().map(|endpoint_id| ErrorEndpoint { endpoint_id });
    let payload = json!({ "type": error_type, "message": failure.to_string() });
    to_raw_value(&ErrorMessage { event: ErrorEvent { header, endpoint, payload } }).expect("this is JSON")
}

#[derive(Serialize)]
struct ErrorMessage<'a> {
    event: ErrorEvent<'a>,
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    header: ErrorHeader<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<ErrorEndpoint<'a>>,
    payload: Value,
}

/// The directive's ids are echoed byte for byte.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorHeader<'a> {
    namespace: &'a str,
    name: &'a str,
    payload_version: &'a str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_token: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorEndpoint<'a> {
    endpoint_id: &'a RawValue,
}

/// The smallest valid reply of a custom skill.
pub fn empty() -> Box<RawValue> {
    RawValue::from_string(r#"{"version":"1.0","response":{}}"#.to_owned()).expect("this is JSON")
}
