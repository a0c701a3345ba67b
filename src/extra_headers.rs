//! Headers that a proxy before Home Assistant wants.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};

use crate::setting::Problem;

/// Headers whose values are secrets: they can be sent, or struck out of a text, but not shown.
#[derive(Clone, Default)]
pub struct ExtraHeaders(HeaderMap);

/// The headers that the relay sets itself, and those by which HTTP/1.1 frames a request or packs an answer.
const OWN: [HeaderName; 13] = [
    ACCEPT,
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    USER_AGENT,
];

impl ExtraHeaders {
    /// Reads a JSON object of names and values; an empty text is an empty one.
    ///
    /// # Errors
    /// Where it is none, or has a header that cannot be sent.
    pub fn read(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let pairs: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| Problem::NotHeaders)?;
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().map_err(|_| Problem::BadHeader)?;
            if !value.is_ascii() {
                return Err(Problem::BadHeader);
            }
            let mut value: HeaderValue = value.parse().map_err(|_| Problem::BadHeader)?;
            if OWN.contains(&name) {
                return Err(Problem::OwnHeader);
            }
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }

    /// What is to be sent.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter()
    }

    /// `text` without these values, should it hold them.
    pub fn blanked_in(&self, text: &str) -> String {
        let secrets = self.0.values().filter_map(|value| value.to_str().ok()).filter(|value| !value.is_empty());
        let mut secrets: Vec<_> = secrets.collect();
        // The longest first, for one may be the beginning of another.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<Problem> {
        ExtraHeaders::read(text).err()
    }

    #[test]
    fn names_and_values_are_taken_as_they_stand() {
        let headers = ExtraHeaders::read(r#"{"CF-Access-Client-Id": "a.access", "X-Empty": ""}"#).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(headers, [("cf-access-client-id", "a.access"), ("x-empty", "")]);
        for none in ["", "{}"] {
            assert_eq!(ExtraHeaders::read(none).unwrap().iter().count(), 0, "{none:?}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for text in ["x", "[]", "null", r#"{"a": 1}"#, r#"{"a": null}"#, r#"{"a": ["b"]}"#, "{\u{201c}a\u{201d}: 1}"] {
            assert_eq!(problem(text), Some(Problem::NotHeaders), "{text}");
        }
        for text in [r#"{"": "b"}"#, r#"{"a b": "c"}"#, r#"{"a": "b\nc"}"#, r#"{"a:": "b"}"#, r#"{"a": "ü"}"#] {
            assert_eq!(problem(text), Some(Problem::BadHeader), "{text}");
        }
        for name in ["Authorization", "HOST", "content-type", "Content-Length", "User-Agent", "Transfer-Encoding"] {
            assert_eq!(problem(&format!(r#"{{"{name}": "x"}}"#)), Some(Problem::OwnHeader), "{name}");
        }
    }

    #[test]
    fn values_are_secrets() {
        let headers =
            ExtraHeaders::read(r#"{"A-Key": "abc", "X-Key": "abcd", "X-Other": "", "X-Third": "def"}"#).unwrap();
        assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        assert_eq!(headers.blanked_in("abcd, abc, def and ghi"), "***, ***, *** and ghi");
    }
}
