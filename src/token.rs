//! A secret that can be used, but not shown.

use hyper::header::HeaderValue;

/// An access token of Home Assistant, ready to be sent.
///
/// It has no `Debug`, no `Display` and no way back to text: it can only become the `Authorization` header of a
/// request, or be struck out of a text that is about to be logged.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// The token holds characters that no HTTP header may hold, such as a line break or an umlaut.
#[derive(Debug, PartialEq, Eq)]
pub struct UnusableToken;

/// Home Assistant wants exactly this word and one space; `bearer` is refused.
const SCHEME: &str = "Bearer ";

impl Token {
    /// Takes a token as it stands in an envelope or in a setting.
    ///
    /// # Errors
    /// Where it cannot be part of a header.
    pub fn new(text: &str) -> Result<Self, UnusableToken> {
        if !text.is_ascii() {
            return Err(UnusableToken);
        }
        let mut header = HeaderValue::from_str(&format!("{SCHEME}{text}")).map_err(|_| UnusableToken)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> HeaderValue {
        self.0.clone()
    }

    /// `text` without this token, should it hold it.
    pub fn blanked_in(&self, text: &str) -> String {
        match self.0.to_str().ok().and_then(|header| header.strip_prefix(SCHEME)) {
            Some(token) if !token.is_empty() => text.replace(token, "***"),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn becomes_a_bearer_header_that_is_marked_as_secret() {
        let header = Token::new("abc").unwrap().authorization();
        assert_eq!(header, "Bearer abc");
        assert!(header.is_sensitive());
    }

    #[test]
    fn refuses_what_no_header_may_hold() {
        for text in ["a\nb", "a\u{0}b", "schlüssel", "a\r\nX-Other: 1"] {
            assert_eq!(Token::new(text).err(), Some(UnusableToken), "{text:?}");
        }
    }

    #[test]
    fn is_struck_out_of_a_text() {
        assert_eq!(Token::new("abc").unwrap().blanked_in("https://h/?t=abc&u=1"), "https://h/?t=***&u=1");
    }
}
