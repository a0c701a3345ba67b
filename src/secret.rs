//! Secrets: they can be sent, or struck out of what is logged, but not shown.

use std::cmp::Reverse;

use reqwest::header::HeaderValue;
use serde_json::Value;
use serde_json::value::RawValue;

/// An access token of Home Assistant, ready to be sent. It has no `Debug`, no `Display` and no way back to text.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// The token has characters that no HTTP header may have, such as a line break or an umlaut.
#[derive(Clone, Copy, Debug)]
pub struct UnusableToken;

/// Home Assistant wants exactly this word and one space; it refuses `bearer`.
const SCHEME: &str = "Bearer ";

impl Token {
    /// Accepts a token as it stands in an event or in a setting.
    ///
    /// # Errors
    /// Where it cannot be part of a header.
    pub fn new(text: &str) -> Result<Self, UnusableToken> {
        header_value(&format!("{SCHEME}{text}")).map(Self).ok_or(UnusableToken)
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> &HeaderValue {
        &self.0
    }
}

/// A header's value that is a secret; `None` where no header may have it.
pub fn header_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok().filter(|_| text.is_ascii())?;
    value.set_sensitive(true);
    Some(value)
}

/// The fields of events and answers whose values are nobody's business: secrets, and what tells who speaks, and where.
const REDACTED: [&str; 13] = [
    // Of requests.
    "accessToken",
    "apiAccessToken",
    "consentToken",
    "userId",
    "deviceId",
    "personId",
    // Of directives, and the answers that echo them: the token, AcceptGrant's code, the PIN that disarms an alarm.
    "token",
    "correlationToken",
    "cookie",
    "grant",
    "authorization",
    // Of a camera: whoever has its address sees the picture.
    "uri",
    "imageUri",
];

/// Strikes secrets out of what is logged.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The longest first, for one may be the beginning of another.
    secrets: Vec<String>,
}

impl Redactor {
    /// Strikes out the values of these headers.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        Self::default().with(headers)
    }

    /// Strikes out these as well: all that is sent with a request, for an answer could echo it.
    pub fn with<'a>(&self, headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let texts = headers.into_iter().filter_map(|value| value.to_str().ok());
        let added = texts.map(|text| text.strip_prefix(SCHEME).unwrap_or(text).to_owned());
        let mut secrets: Vec<_> = self.secrets.iter().cloned().chain(added).collect();
        secrets.retain(|secret| !secret.is_empty());
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Self { secrets }
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// The JSON without secrets. What cannot be read cannot be told from a secret, and is not shown.
    pub fn json(&self, json: &RawValue) -> String {
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
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str) -> String {
        let headers = ["abc", "abcd", ""].map(|value| header_value(value).unwrap());
        let redactor = Redactor::new(&headers).with([Token::new("t0k").unwrap().authorization()]);
        redactor.json(&RawValue::from_string(json.to_owned()).unwrap())
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
