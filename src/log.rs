//! Lines that CloudWatch understands, and secrets blanked.

use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The members of an envelope, and of the answers that echo one, whose values are nobody's business: secrets first,
/// then what tells who speaks, and where.
const BLANKED: [&str; 7] = ["accessToken", "apiAccessToken", "consentToken", "token", "userId", "deviceId", "personId"];

/// Starts the log: INFO and above, DEBUG too where `debug` is set; as JSON where `json` is set.
///
/// The level holds for the relay alone. The crates under it log errors only, whatever `RUST_LOG` says: at TRACE
/// `lambda_runtime` prints whole events, tokens included.
pub fn init(debug: bool, json: bool) {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let levels = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), level)
        // Says again, without a word of explanation, what `relay` has said of a payload that is no envelope.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let lines = fmt::layer().with_ansi(false).with_target(false);
    let lines = if json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
}

/// JSON to be logged, less its secrets, and less what `hide` strikes out of each text.
///
/// What cannot be read as JSON cannot be told from a secret, and is not shown.
pub fn blanked(json: &[u8], hide: impl Fn(&str) -> String + Copy) -> String {
    let Ok(mut value) = serde_json::from_slice(json) else {
        return format!("{} bytes that cannot be read as JSON", json.len());
    };
    blank(&mut value, hide);
    value.to_string()
}

fn blank(value: &mut Value, hide: impl Fn(&str) -> String + Copy) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if BLANKED.contains(&name.as_str()) {
                    *member = Value::from("***");
                } else {
                    blank(member, hide);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| blank(item, hide)),
        Value::String(text) => *text = hide(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blanked_wherever_they_stand() {
        let json = r#"{"a":[{"user":{"accessToken":"s1","userId":"s2"}}],"apiAccessToken":"s3","permissions":{"consentToken":["s4"]},"device":{"deviceId":"s5"},"person":{"personId":"s6","accessToken":{"x":"s7"}},"scope":{"token":"s8"},"kept":"yes"}"#;
        let text = blanked(json.as_bytes(), str::to_owned);
        for n in 1..=8 {
            assert!(!text.contains(&format!("s{n}")), "s{n} in {text}");
        }
        assert!(text.contains(r#""kept":"yes""#), "{text}");
    }

    #[test]
    fn what_is_to_be_hidden_is_blanked_in_any_member() {
        let hide = |text: &str| text.replace("abc", "***");
        assert_eq!(blanked(br#"{"said":"your token is abc"}"#, hide), r#"{"said":"your token is ***"}"#);
    }

    #[test]
    fn what_is_no_json_is_not_shown() {
        assert_eq!(blanked(b"<p>abc</p>", str::to_owned), "10 bytes that cannot be read as JSON");
    }
}
