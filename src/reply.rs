//! What Alexa gets instead of Home Assistant's answer: the shape of a fault for each kind of skill.

use serde_json::json;
use serde_json::value::RawValue;

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
    let response = match &*request.r#type {
        _ if request.takes_speech() => {
            let messages = Messages::for_locale(&request.locale);
            let speech = json!({ "type": "PlainText", "text": failure.fault.sentence(messages) });
            let mut response = json!({ "outputSpeech": speech, "shouldEndSession": true });
            if failure.fault.row().error_type == ErrorType::Credential {
                // Shows a button in the Alexa app that links the account.
                response["card"] = json!({ "type": "LinkAccount" });
            }
            response
        }
        "CanFulfillIntentRequest" => json!({ "canFulfillIntent": { "canFulfill": "NO" } }),
        _ => return empty(),
    };
    raw(format!(r#"{{"version":"1.0","response":{response}}}"#))
}

/// An `ErrorResponse`. Alexa has her own sentences for it.
fn error_response(directive: &Directive, failure: &Failure, id: &str) -> Box<RawValue> {
    let (namespace, error_type) = match (directive.name.as_deref(), failure.fault.row().error_type) {
        (Some("AcceptGrant"), _) => ("Alexa.Authorization", ErrorType::AcceptGrant),
        // A discovery is for no endpoint.
        (Some("Discover"), ErrorType::Endpoint) => ("Alexa", ErrorType::Bridge),
        (_, error_type) => ("Alexa", error_type),
    };
    let (id, payload) = (json!(id), json!({ "type": error_type, "message": failure.to_string() }));
    // The directive's ids are echoed byte for byte, whatever they are.
    let correlation = directive.correlation_token.as_ref().map(|token| format!(r#","correlationToken":{token}"#));
    let endpoint = directive.endpoint_id.as_ref().map(|id| format!(r#","endpoint":{{"endpointId":{id}}}"#));
    let (correlation, endpoint) = (correlation.unwrap_or_default(), endpoint.unwrap_or_default());
    let header = format!(
        r#"{{"namespace":"{namespace}","name":"ErrorResponse","payloadVersion":"3","messageId":{id}{correlation}}}"#
    );
    raw(format!(r#"{{"event":{{"header":{header}{endpoint},"payload":{payload}}}}}"#))
}

/// The smallest valid reply of a custom skill.
pub fn empty() -> Box<RawValue> {
    raw(r#"{"version":"1.0","response":{}}"#.to_owned())
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("this is JSON")
}
