//! Secrets: they can be sent and redacted, but not shown.

use std::cmp::Reverse;

use percent_encoding::percent_decode_str;
use reqwest::header::HeaderValue;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::fault::Fault;

/// An access token, of Home Assistant or of Amazon. It can be sent but not printed: it has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// Home Assistant accepts exactly this: not `bearer`, not two spaces.
const SCHEME: &str = "Bearer ";

impl Token {
    /// The token in an event or a setting.
    ///
    /// # Errors
    /// It must not be sent.
    pub fn new(text: &str) -> Result<Self, Fault> {
        if text.starts_with("Atza|") {
            return Err(Fault::AmazonToken);
        }
        Self::bearer(text).ok_or(Fault::UnusableToken)
    }

    /// Anybody's token, unchecked; `None` if an HTTP header cannot have it.
    pub fn bearer(text: &str) -> Option<Self> {
        secret_header(&format!("{SCHEME}{text}")).map(Self)
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> &HeaderValue {
        &self.0
    }
}

/// A secret header value; `None` if an HTTP header cannot have it.
pub fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok().filter(|_| text.is_ascii())?;
    value.set_sensitive(true);
    Some(value)
}

/// The fields of events and answers that hold secrets, or say who speaks and where.
const REDACTED: [&str; 19] = [
    // Requests.
    "accessToken",
    "apiAccessToken",
    "consentToken",
    "userId",
    "deviceId",
    "personId",
    "unitId",
    "persistentUnitId",
    "persistentEndpointId",
    "advertisingId",
    "gadgetId",
    "Geolocation",
    // Directives, and answers that echo them: the token, AcceptGrant's code, the PIN that disarms an alarm.
    "token",
    "correlationToken",
    "cookie",
    "grant",
    "authorization",
    // Cameras: their addresses need no login.
    "uri",
    "imageUri",
];

/// The shortest header value that is redacted, in characters. A shorter one (`on`, `https`) is no secret, and redacting it
/// would garble the log.
const SHORTEST_SECRET: usize = 6;

/// How many characters of a secret are enough to recognize it.
const RECOGNIZED: usize = 16;

/// Replaces secrets in what is logged by `***`.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first: one may begin with another.
    secrets: Vec<String>,
}

impl Redactor {
    /// Redacts these header values, and the credentials in those that begin with a scheme, such as `Basic`.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let values = headers.into_iter().filter_map(|value| value.to_str().ok()).map(str::trim);
        let secrets = values.flat_map(|value| [Some(value), value.split_once(' ').map(|(_, credentials)| credentials)]);
        let secrets = secrets.flatten().map(|secret| secret.trim().to_owned());
        Self::default().extend(secrets.filter(|secret| secret.len() >= SHORTEST_SECRET))
    }

    /// Redacts these tokens as well.
    pub fn with<'a>(&self, tokens: impl IntoIterator<Item = &'a Token>) -> Self {
        let values = tokens.into_iter().filter_map(|token| token.authorization().to_str().ok());
        self.extend(values.map(|value| value.trim_start_matches(SCHEME).trim().to_owned()))
    }

    fn extend(&self, added: impl Iterator<Item = String>) -> Self {
        let mut secrets: Vec<_> = self.secrets.iter().cloned().chain(added).collect();
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Self { secrets }
    }

    /// A text without its secrets, percent-encoded ones included.
    pub fn redact_text(&self, text: &str) -> String {
        let mut shown = self.replace(text);
        let mut plain = shown.clone();
        // Nobody encodes a text more often, but whoever answers may want to use up the memory.
        for _ in 0..8 {
            let decoded = percent_decode_str(&plain).decode_utf8_lossy().into_owned();
            if decoded == plain {
                return shown;
            }
            plain = self.replace(&decoded);
            if plain != decoded {
                shown.clone_from(&plain);
            }
        }
        "***".to_owned()
    }

    /// Replaces secrets, and the beginnings of long ones: whoever echoes a secret may cut it.
    fn replace(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            let beginning = &secret[..secret.len().min(RECOGNIZED)];
            let mut parts = text.split(beginning);
            let first = parts.next().unwrap_or_default().to_owned();
            let rest = &secret[beginning.len()..];
            parts.fold(first, |redacted, part| {
                let cut = rest.bytes().zip(part.bytes()).take_while(|(a, b)| a == b).count();
                redacted + "***" + &part[cut..]
            })
        })
    }

    /// JSON without its secrets. JSON that cannot be read is not shown: it may hold some.
    pub fn redact_json(&self, json: &RawValue) -> String {
        match serde_json::from_str(json.get()) {
            Ok(value) => self.replace(&self.redact_value(value).to_string()),
            Err(_) => format!("{} bytes that cannot be read as JSON", json.get().len()),
        }
    }

    /// A body without its secrets; of one that is not JSON, the beginning.
    pub fn redact_body(&self, body: &[u8]) -> String {
        if let Ok(json) = serde_json::from_slice::<&RawValue>(body) {
            return self.redact_json(json);
        }
        let text = self.redact_text(&String::from_utf8_lossy(body));
        // Of broken JSON, show nothing from the first secret field on.
        let secret = REDACTED.iter().filter_map(|name| text.find(&format!("\"{name}\""))).min();
        text[..secret.unwrap_or(text.len())].chars().take(4_000).collect()
    }

    fn redact_value(&self, value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let redacted = fields.into_iter().map(|(name, field)| match name.as_str() {
                    secret if REDACTED.contains(&secret) => (name, Value::from("***")),
                    _ => (self.redact_text(&name), self.redact_value(field)),
                });
                Value::Object(redacted.collect())
            }
            Value::Array(items) => items.into_iter().map(|item| self.redact_value(item)).collect(),
            Value::String(text) => Value::from(self.redact_text(&text)),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str) -> String {
        let headers = ["geheim", "geheimer", " Basic Z2VoZWlt ", "https", "", "0123456789abcdefgh"]
            .map(|value| secret_header(value).unwrap());
        let redactor = Redactor::new(&headers).with([&Token::new("t/0/k").unwrap()]);
        redactor.redact_json(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn secret_fields_are_redacted_wherever_they_stand() {
        let text = redacted(
            r#"{"a":[{"user":{"accessToken":"s1","userId":"s2"}}],"apiAccessToken":"s3","permissions":{"consentToken":["s4"]},"device":{"deviceId":"s5"},"person":{"personId":"s6","accessToken":{"x":"s7"}},"scope":{"token":"s8"},"kept":"yes"}"#,
        );
        for n in 1..=8 {
            assert!(!text.contains(&format!("s{n}")), "s{n} in {text}");
        }
        assert!(text.contains(r#""kept":"yes""#), "{text}");
    }

    #[test]
    fn secrets_are_redacted_in_any_text() {
        for (json, expected) in [
            (r#"{"said":"t/0/k, geheimer, geheim and def"}"#, r#"{"said":"***, ***, *** and def"}"#),
            (r#"{"t\/0\/k":"Z2VoZWlt"}"#, r#"{"***":"***"}"#),
            (&format!(r#"["%{}"]"#, "25".repeat(20_000)), r#"["***"]"#),
            (r#"["a?b=t%2F0%2fk&c", "t%252F0%252Fk", "100%"]"#, r#"["a?b=***&c","***","100%"]"#),
            (r#"["on https://example.org"]"#, r#"["on https://example.org"]"#),
            // 17 and 15 characters of it.
            (r#"["0123456789abcdefg, 0123456789abcde"]"#, r#"["***, 0123456789abcde"]"#),
        ] {
            assert_eq!(redacted(json), expected);
        }
    }

    #[test]
    fn json_that_cannot_be_read_is_not_shown() {
        assert_eq!(redacted("[1e400]"), "7 bytes that cannot be read as JSON");
        assert_eq!(Redactor::default().redact_body(&[b'x'; 5_000]).len(), 4_000);
    }
}
