//! Secrets: they can be sent and redacted, but not shown.

use std::cmp::Reverse;

use reqwest::header::HeaderValue;
use serde_json::Value;
use serde_json::value::RawValue;

/// An access token of Home Assistant. It can be sent but not printed: it has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// The token has characters that an HTTP header cannot have, such as a line break or an umlaut.
#[derive(Clone, Copy, Debug)]
pub struct UnusableToken;

/// Home Assistant accepts exactly this: not `bearer`, not two spaces.
const SCHEME: &str = "Bearer ";

impl Token {
    /// The token in an event or a setting.
    ///
    /// # Errors
    /// It cannot be part of a header.
    pub fn new(text: &str) -> Result<Self, UnusableToken> {
        secret_header(&format!("{SCHEME}{text}")).map(Self).ok_or(UnusableToken)
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
const REDACTED: [&str; 13] = [
    // Requests.
    "accessToken",
    "apiAccessToken",
    "consentToken",
    "userId",
    "deviceId",
    "personId",
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

/// Replaces secrets in what is logged by `***`.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first: one may begin with another.
    secrets: Vec<String>,
}

impl Redactor {
    /// Redacts these header values.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        Self::default().with(headers)
    }

    /// Redacts these header values as well.
    pub fn with<'a>(&self, headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let texts = headers.into_iter().filter_map(|value| value.to_str().ok());
        let added = texts.map(|text| text.strip_prefix(SCHEME).unwrap_or(text).to_owned());
        let mut secrets: Vec<_> = self.secrets.iter().cloned().chain(added).collect();
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Self { secrets }
    }

    /// A text without its secrets.
    pub fn redact_text(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// JSON without its secrets. JSON that cannot be read is not shown: it may hold some.
    pub fn redact_json(&self, json: &RawValue) -> String {
        let Ok(mut value) = serde_json::from_str(json.get()) else {
            return format!("{} bytes that cannot be read as JSON", json.get().len());
        };
        self.redact(&mut value);
        value.to_string()
    }

    fn redact(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    if REDACTED.contains(&name.as_str()) {
                        *field = Value::from("***");
                    } else {
                        self.redact(field);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact(item)),
            Value::String(text) => *text = self.redact_text(text),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str) -> String {
        let headers = ["abc", "abcd", ""].map(|value| secret_header(value).unwrap());
        let redactor = Redactor::new(&headers).with([Token::new("t0k").unwrap().authorization()]);
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
        assert_eq!(redacted(r#"{"said":"t0k, abcd, abc and def"}"#), r#"{"said":"***, ***, *** and def"}"#);
    }

    #[test]
    fn json_that_cannot_be_read_is_not_shown() {
        assert_eq!(redacted("[1e400]"), "7 bytes that cannot be read as JSON");
    }
}
