//! The shape of what Alexa gets where Home Assistant's answer cannot be passed on.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event::{Directive, Event, Kind, Request};
use crate::fault::{ErrorType, Failure};
use crate::messages::Messages;

/// The reply that tells what went wrong.
pub fn of_failure(event: &Event, failure: &Failure) -> Box<RawValue> {
    match &event.kind {
        Kind::CustomSkill(request) => to_request(request, failure),
        Kind::SmartHome(directive) => to_directive(directive, failure),
    }
}

/// Tells a person, in the language of the request.
///
/// Only a launch and an intent are answered with speech. For the other types that is an error (SessionEndedRequest,
/// AudioPlayer.*, AlexaSkillEvent.* and more): they get the empty reply, which Alexa accepts for every type.
fn to_request(request: &Request, failure: &Failure) -> Box<RawValue> {
    let response = match request.r#type.as_deref() {
        Some("LaunchRequest" | "IntentRequest") => {
            let messages = Messages::of(request.locale.as_deref().unwrap_or_default());
            let text = (failure.fault.says)(messages).replace("{setting}", failure.setting);
            let speech = json!({ "type": "PlainText", "text": text });
            let mut response = json!({ "outputSpeech": speech, "shouldEndSession": true });
            if failure.fault.error_type == ErrorType::InvalidAuthorizationCredential {
                // Puts a button into the Alexa app that links the account.
                response["card"] = json!({ "type": "LinkAccount" });
            }
            response
        }
        Some("CanFulfillIntentRequest") => json!({ "canFulfillIntent": { "canFulfill": "NO" } }),
        _ => return empty(),
    };
    RawValue::from_string(format!(r#"{{"version":"1.0","response":{response}}}"#)).expect("this is JSON")
}

/// Tells Alexa, by an `ErrorResponse`. What she says is her own.
fn to_directive(directive: &Directive, failure: &Failure) -> Box<RawValue> {
    let Directive { header, endpoint_id } = directive;
    let (namespace, error_type) = match (header.name.as_deref(), failure.fault.error_type) {
        (Some("AcceptGrant"), _) => ("Alexa.Authorization", ErrorType::AcceptGrantFailed),
        // It is for no device.
        (Some("Discover"), ErrorType::EndpointUnreachable) => ("Alexa", ErrorType::BridgeUnreachable),
        (_, error_type) => ("Alexa", error_type),
    };
    let header = ErrorHeader {
        namespace,
        name: "ErrorResponse",
        payload_version: "3",
        message_id: Uuid::new_v4().to_string(),
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

/// What identifies the directive is echoed as it stands there, byte for byte.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorHeader<'a> {
    namespace: &'a str,
    name: &'a str,
    payload_version: &'a str,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_token: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorEndpoint<'a> {
    endpoint_id: &'a RawValue,
}

/// The smallest reply that a custom skill may give.
pub fn empty() -> Box<RawValue> {
    RawValue::from_string(r#"{"version":"1.0","response":{}}"#.to_owned()).expect("this is JSON")
}
