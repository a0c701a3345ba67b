//! Secrets: they can be sent and redacted, but not shown.

use std::cmp::Reverse;
use std::collections::HashSet;

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
///
/// Among them are the token and the code of an `AcceptGrant`, which answers echo; `authorization`, the PIN that disarms
/// an alarm; and the addresses of cameras, which need no login.
#[rustfmt::skip] // A list.
const REDACTED: [&str; 19] = [
    "accessToken", "apiAccessToken", "consentToken", "userId", "deviceId", "personId", "unitId", "persistentUnitId",
    "persistentEndpointId", "advertisingId", "gadgetId", "Geolocation", "token", "correlationToken", "cookie", "grant",
    "authorization", "uri", "imageUri",
];

/// The shortest header value that is redacted, in characters. A shorter one (`on`, `https`) is no secret, and redacting
/// it would garble the log.
const SHORTEST_SECRET: usize = 6;

/// The shortest text that looks like a secret, in characters. The signature of a token has 43, `cf-ray` 20.
const SHORTEST_MIXED: usize = 24;

/// The same for hexadecimal digits. An UUID has 12 in a row.
const SHORTEST_HEX: usize = 32;

/// The shortest piece of a known token that is recognized, in letters and digits.
const SHORTEST_PIECE: usize = 8;

/// The longest line of CloudWatch's log, in bytes.
const MAX_LOGGED: usize = 1024 * 1024;

/// Replaces secrets in what is logged by `***`: values of settings and of the event, and what looks like a secret.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Recognized as they are. Longest first: one may begin with another.
    values: Vec<String>,
    /// Recognized piece by piece, in upper and lower case.
    tokens: Vec<String>,
}

/// Whether this is as long and as mixed as no name is: upper case and digits (Amazon's ids have nothing else), or
/// nothing but hexadecimal digits. `%` is part of a text that is percent-encoded.
fn looks_secret(part: &str) -> bool {
    let has = |is: fn(&u8) -> bool| part.as_bytes().iter().any(is);
    let is_hex = part.bytes().all(|byte| byte == b'%' || byte.is_ascii_hexdigit());
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    part.len() >= SHORTEST_MIXED && is_mixed || part.len() >= SHORTEST_HEX && is_hex
}

/// The letters and digits of a text in lower case, each with its place.
fn squeeze(text: &str) -> (Vec<u8>, Vec<usize>) {
    let is_kept = |(_, byte): &(usize, u8)| byte.is_ascii_alphanumeric();
    text.bytes().enumerate().filter(is_kept).map(|(place, byte)| (byte.to_ascii_lowercase(), place)).unzip()
}

impl Redactor {
    /// Redacts these header values, and the credentials in those that begin with a scheme, such as `Basic`.
    pub fn new<'a>(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let values = headers.into_iter().filter_map(|value| value.to_str().ok()).map(str::trim);
        let values = values.flat_map(|value| [Some(value), value.split_once(' ').map(|(_, credentials)| credentials)]);
        let mut values: Vec<_> = values.flatten().map(|value| value.trim().to_owned()).collect();
        values.retain(|value| value.len() >= SHORTEST_SECRET);
        values.sort_by_key(|value| Reverse(value.len()));
        Self { values, tokens: Vec::new() }
    }

    /// Redacts these tokens as well.
    pub fn with<'a>(mut self, tokens: impl IntoIterator<Item = &'a Token>) -> Self {
        let texts = tokens.into_iter().filter_map(|token| token.authorization().to_str().ok());
        self.tokens.extend(texts.map(|text| text.trim_start_matches(SCHEME).trim().to_owned()));
        self.tokens.retain(|token| !token.is_empty());
        self
    }

    /// A text without its secrets.
    pub fn redact_text(&self, text: &str) -> String {
        let is_between = |c: char| !c.is_ascii_alphanumeric() && !"%+_-.*".contains(c);
        let text = self.redact_tokens(&self.redact_values(text));
        text.split_inclusive(is_between).fold(String::with_capacity(text.len()), |shown, word| {
            let (word, between) = word.split_at(word.rfind(is_between).unwrap_or(word.len()));
            // Dots join the parts of a token.
            shown + if word.split('.').any(looks_secret) { "***" } else { word } + between
        })
    }

    fn redact_values(&self, text: &str) -> String {
        let exact = self.values.iter().chain(&self.tokens);
        exact.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// Without the pieces of tokens, whatever stands between their characters: a page may break, cut or change them.
    fn redact_tokens(&self, text: &str) -> String {
        // Small letters alone may be words, such as those of the events in events/.
        let is_random = |token: &&String| token.contains(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
        let tokens: Vec<_> = self.tokens.iter().filter(is_random).map(|token| squeeze(token).0).collect();
        let pieces: HashSet<_> = tokens.iter().flat_map(|token| token.windows(SHORTEST_PIECE)).collect();
        if pieces.is_empty() {
            return text.to_owned();
        }
        let (characters, places) = squeeze(text);
        let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
        for (n, piece) in characters.windows(SHORTEST_PIECE).enumerate() {
            if pieces.contains(piece) {
                let start = places[n];
                if start >= end {
                    shown = shown + &text[end..start] + "***";
                }
                end = places[n + SHORTEST_PIECE - 1] + 1;
            }
        }
        shown + &text[end..]
    }

    /// JSON without its secrets. JSON that cannot be read is not shown: it may hold some.
    pub fn redact_json(&self, json: &RawValue) -> String {
        let length = json.get().len();
        if length > MAX_LOGGED {
            return format!("{length} bytes, more than the log holds");
        }
        match serde_json::from_str(json.get()) {
            Ok(value) => self.redact_text(&self.redact_fields(value).to_string()),
            Err(_) => format!("{length} bytes that cannot be read as JSON"),
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

    /// Without the fields that hold secrets, and without the values that JSON would write in another way.
    fn redact_fields(&self, value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let redacted = fields.into_iter().map(|(name, field)| match name.as_str() {
                    secret if REDACTED.contains(&secret) => (name, Value::from("***")),
                    _ => (self.redact_values(&name), self.redact_fields(field)),
                });
                Value::Object(redacted.collect())
            }
            Value::Array(items) => items.into_iter().map(|item| self.redact_fields(item)).collect(),
            Value::String(text) => Value::from(self.redact_values(&text)),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str) -> String {
        let headers =
            ["geheim", "geheimer", " Basic Z2VoZWlt ", "https", ""].map(|value| secret_header(value).unwrap());
        let tokens = ["t/0/k", "The-first-of-a-longer-token-of-some-kind"].map(|token| Token::new(token).unwrap());
        let redactor = Redactor::new(&headers).with(&tokens);
        redactor.redact_json(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn secret_fields_are_redacted_wherever_they_stand() {
        const FIELDS: &str = "accessToken apiAccessToken consentToken userId deviceId personId unitId persistentUnitId \
            persistentEndpointId advertisingId gadgetId Geolocation token correlationToken cookie grant authorization \
            uri imageUri";
        for name in FIELDS.split(' ') {
            for value in [r#""private""#, r#"["private"]"#, r#"{"x":{"y":47.11}}"#] {
                let text = redacted(&format!(r#"{{"a":[{{"b":{{"{name}":{value},"zone":"yes"}}}}]}}"#));
                assert_eq!(text, format!(r#"{{"a":[{{"b":{{"{name}":"***","zone":"yes"}}}}]}}"#));
            }
        }
    }

    #[test]
    fn known_secrets_are_redacted_in_any_text() {
        for (json, expected) in [
            (r#"{"said":"t/0/k, geheimer, geheim and def"}"#, r#"{"said":"***, ***, *** and def"}"#),
            (r#"{"t\/0\/k":"Z2VoZWlt"}"#, r#"{"***":"***"}"#),
            (r#"["on https://example.org"]"#, r#"["on https://example.org"]"#),
            // Pieces of a token, and one that is too short.
            (r#"["the-FIRST-of-a-l...", "a<b>-long", "er-token-of", "kind"]"#, r#"["***...","a<b>-***","kind"]"#),
        ] {
            assert_eq!(redacted(json), expected);
        }
    }

    /// A signature, a payload in an address, a key of a proxy, a hash.
    #[test]
    fn what_looks_like_a_secret_is_redacted() {
        const SECRETS: &str = "8NnqXcO4B7s1hJxPtmZ5vVbKQkD0yW3aFz-uEeL_6GA \
            eyJpc3MiOiI4NDc2YTUzNmU5ZjQ0MWU4OTczOTAw.8NnqXcO4B7s1hJxPtmZ5vVbKQkD0yW3aFz-uEeL_6GA \
            aB3%2FaB3%2FaB3%2FaB3%2FaB3 d41d8cd98f00b204e9800998ecf8427e";
        for secret in SECRETS.split(' ') {
            assert_eq!(
                Redactor::default().redact_text(&format!("at https://a.b/{secret}, {secret}")),
                "at https://a.b/***, ***"
            );
        }
    }

    #[test]
    fn what_people_need_stays_readable() {
        const READABLE: &str = "light.living_room_ceiling_lamp_2 ActivateSceneIntent AMAZON.FallbackIntent \
            Alexa.PowerController.TurnOn AudioPlayer.PlaybackNearlyFinished very-long-name.home.example.org:8123 \
            8f1b2c3d4e5f6a7b-FRA amzn1.ask.skill.08888888-7777-6666-5555-444444444444 \
            8476a536-e9f4-41e8-9739-000000000001 https://home.example.org/api/alexa/smart_home Apache/2.4.57";
        assert_eq!(Redactor::default().redact_text(READABLE), READABLE);
    }

    #[test]
    fn unreadable_and_large_json_is_not_shown() {
        assert_eq!(redacted("[1e400]"), "7 bytes that cannot be read as JSON");
        let json = |length: usize| format!("\"{}\"", "z".repeat(length - 2));
        assert!(redacted(&json(MAX_LOGGED)) == json(MAX_LOGGED));
        assert_eq!(redacted(&json(MAX_LOGGED + 1)), "1048577 bytes, more than the log holds");
        assert_eq!(Redactor::default().redact_body(&[b'x'; 5_000]).len(), 4_000);
    }
}
