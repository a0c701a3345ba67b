//! What Alexa says of a fault, and the shape of the reply that says it.

use serde_json::json;
use serde_json::value::RawValue;

use crate::languages::Phrases;

/// The sentences: as few as still tell the owner what to do. The log says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// The setting of this name is not there.
    SettingMissing(&'static str),
    /// The setting of this name cannot be used.
    SettingWrong(&'static str),
    /// The account is to be linked, or linked again. The one sentence that comes with a card: a button for that.
    LinkAccount,
    /// Home Assistant has banned the relay.
    Banned,
    /// A firewall has stopped the request.
    Firewall,
    /// Home Assistant does not trust its reverse proxy.
    ProxyNotTrusted,
    /// Home Assistant's Alexa integration is off.
    AlexaOff,
    /// `BASE_URL` leads to something else.
    WrongAddress,
    /// Nobody answers.
    Unreachable,
    /// No secure connection can be made.
    Insecure,
    /// There is an answer, but not for Alexa.
    BadAnswer,
    /// Home Assistant needs more time.
    Late,
}

impl Sentence {
    /// All of them, with a setting for each that names one.
    #[cfg(test)]
    pub const ALL: [Self; 12] = [
        Self::SettingMissing("BASE_URL"),
        Self::SettingWrong("BASE_URL"),
        Self::LinkAccount,
        Self::Banned,
        Self::Firewall,
        Self::ProxyNotTrusted,
        Self::AlexaOff,
        Self::WrongAddress,
        Self::Unreachable,
        Self::Insecure,
        Self::BadAnswer,
        Self::Late,
    ];

    /// The sentence in the language of a locale such as `en-GB`.
    pub fn text(self, locale: &str) -> String {
        let phrases = Phrases::of(locale);
        match self {
            Self::SettingMissing(name) => phrases.setting_missing.replace("{setting}", name),
            Self::SettingWrong(name) => phrases.setting_wrong.replace("{setting}", name),
            Self::LinkAccount => phrases.link_account.to_owned(),
            Self::Banned => phrases.banned.to_owned(),
            Self::Firewall => phrases.firewall.to_owned(),
            Self::ProxyNotTrusted => phrases.proxy_not_trusted.to_owned(),
            Self::AlexaOff => phrases.alexa_off.to_owned(),
            Self::WrongAddress => phrases.wrong_address.to_owned(),
            Self::Unreachable => phrases.unreachable.to_owned(),
            Self::Insecure => phrases.insecure.to_owned(),
            Self::BadAnswer => phrases.bad_answer.to_owned(),
            Self::Late => phrases.late.to_owned(),
        }
    }
}

/// A reply that Alexa takes for a request of this type.
///
/// Only a launch and an intent are answered with speech. To the other types it is an error (SessionEndedRequest,
/// AudioPlayer.*, AlexaSkillEvent.* and more): they get the empty reply, which every type takes.
pub fn reply(request_type: &str, locale: &str, sentence: Sentence) -> Box<RawValue> {
    let response = match request_type {
        "LaunchRequest" | "IntentRequest" => {
            let mut response = json!({
                "outputSpeech": { "type": "PlainText", "text": sentence.text(locale) },
                "shouldEndSession": true,
            });
            if sentence == Sentence::LinkAccount {
                response["card"] = json!({ "type": "LinkAccount" });
            }
            response
        }
        "CanFulfillIntentRequest" => json!({ "canFulfillIntent": { "canFulfill": "NO" } }),
        _ => json!({}),
    };
    RawValue::from_string(format!(r#"{{"version":"1.0","response":{response}}}"#)).expect("this is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_no_speech_gets_a_silent_reply_of_its_own_kind() {
        for silent in [
            "SessionEndedRequest",
            "AudioPlayer.PlaybackStarted",
            "PlaybackController.NextCommandIssued",
            "System.ExceptionEncountered",
            "AlexaSkillEvent.SkillAccountLinked",
            "Connections.Response",
            "Some.NewKind",
            "",
        ] {
            let reply = reply(silent, "en-US", Sentence::LinkAccount);
            assert_eq!(reply.get(), r#"{"version":"1.0","response":{}}"#, "{silent}");
        }
        assert_eq!(
            reply("CanFulfillIntentRequest", "en-US", Sentence::Late).get(),
            r#"{"version":"1.0","response":{"canFulfillIntent":{"canFulfill":"NO"}}}"#
        );
    }

    #[test]
    fn every_sentence_is_in_the_readme() {
        let readme = include_str!("../README.md");
        for sentence in Sentence::ALL {
            let text = sentence.text("en-US");
            assert!(readme.contains(&format!("| \u{201c}{text}\u{201d} |")), "{text}");
        }
    }
}
