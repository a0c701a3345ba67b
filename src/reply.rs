//! The shape of what Alexa gets where Home Assistant's answer cannot be passed on.

use serde_json::json;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::fault::Failure;
use crate::messages::Messages;

/// The reply that tells a person what went wrong, in the language of the event.
///
/// Only a launch and an intent are answered with speech. For the other types that is an error (SessionEndedRequest,
/// AudioPlayer.*, AlexaSkillEvent.* and more): they get the empty reply, which Alexa accepts for every type.
pub fn of_failure(event: &Event, failure: &Failure) -> Box<RawValue> {
    let messages = Messages::of(&event.locale);
    let response = match event.request_type.as_str() {
        "LaunchRequest" | "IntentRequest" => {
            let text = (failure.fault.says)(messages).replace("{setting}", failure.setting);
            let speech = json!({ "type": "PlainText", "text": text });
            let mut response = json!({ "outputSpeech": speech, "shouldEndSession": true });
            if (failure.fault.says)(messages) == messages.link_account {
                // Puts a button into the Alexa app that links the account.
                response["card"] = json!({ "type": "LinkAccount" });
            }
            response
        }
        "CanFulfillIntentRequest" => json!({ "canFulfillIntent": { "canFulfill": "NO" } }),
        _ => return empty(),
    };
    RawValue::from_string(format!(r#"{{"version":"1.0","response":{response}}}"#)).expect("this is JSON")
}

/// The smallest reply that Alexa accepts.
pub fn empty() -> Box<RawValue> {
    RawValue::from_string(r#"{"version":"1.0","response":{}}"#.to_owned()).expect("this is JSON")
}
