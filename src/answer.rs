//! An HTTP answer, whoever gave it, and what it says of itself.

use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};
use serde_json::value::RawValue;

use crate::secret::Redactor;

/// An answer to a request.
pub struct Answer {
    /// The address that was asked.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body of a 2xx; the beginning of an error page.
    pub body: Vec<u8>,
    /// The time until the headers came.
    pub waited: Duration,
}

/// How much of a body is looked at, in bytes: error pages are shorter.
const MAX_PAGE: usize = 64 * 1024;

/// How much the log shows of what an answer says, in characters.
pub const MAX_SHOWN: usize = 150;

/// Elements that a browser does not show, and how they end.
const HIDDEN: [(&str, &str); 3] = [("!--", "-->"), ("script", "</script"), ("style", "</style")];

impl Answer {
    /// A header's text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads.
    pub fn redirect_target(&self) -> Option<Url> {
        self.url.join(&String::from_utf8_lossy(self.headers.get(LOCATION)?.as_bytes())).ok()
    }

    /// Whether this is Home Assistant's own refusal: aiohttp's plain text, such as `404: Not Found`. Proxies pass it on
    /// as it is, so headers such as `Server: cloudflare` do not tell who refused.
    pub fn is_own_refusal(&self) -> bool {
        const CRASH: &[u8] = b"500 Internal Server Error\n\nServer got itself in trouble";
        let own = format!("{}: {}", self.status.as_str(), self.status.canonical_reason().unwrap_or_default());
        let body = self.body.trim_ascii();
        body == own.as_bytes() || (self.status == StatusCode::INTERNAL_SERVER_ERROR && body == CRASH)
    }

    /// Whether the body is HTML.
    pub fn is_page(&self) -> bool {
        self.header("content-type").starts_with("text/html") || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether a bot filter says so in a header, such as `cf-mitigated` or `x-amzn-waf-action`.
    pub fn has_filter_header(&self) -> bool {
        self.headers.keys().any(|name| is_of_a_filter(name.as_str()))
    }

    /// The beginning of the body.
    pub fn page(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(MAX_PAGE)]).into_owned()
    }

    pub fn has_password_field(&self) -> bool {
        find(&self.page().replace(['"', '\''], ""), "type=password").is_some()
    }

    /// The title of a page; empty if it has none.
    pub fn title(&self) -> String {
        let page = self.page();
        let in_comment =
            |start: usize| page[..start].rfind("<!--").is_some_and(|open| !page[open..start].contains("-->"));
        let title = find(&page, "<title").filter(|start| !in_comment(*start));
        let title = title.and_then(|start| page[start..].split_once('>'));
        title.map_or_else(String::new, |(_, rest)| visible_text(rest.split("</").next().unwrap_or_default()))
    }

    /// What a person would see of the body: the title of a page, then its text. Empty for what somebody may have said
    /// at home, and for what no person can read.
    pub fn text(&self) -> String {
        let (title, text) = (self.title(), visible_text(&self.page()));
        let is_private = self.status.is_success() && text.trim_start_matches('\u{feff}').starts_with(['{', '[', '"']);
        if is_private || self.headers.contains_key(CONTENT_ENCODING) {
            return String::new();
        }
        // Many a page begins with its title.
        let rest = text.strip_prefix(&title).map(str::trim_start).filter(|rest| rest.starts_with(&title));
        rest.map_or_else(|| text.clone(), str::to_owned)
    }

    /// The status, the headers that show who gave the answer, and what the answer says. Of a `Location`, only scheme,
    /// host and path: access proxies put tokens into the rest.
    pub fn describe(&self, redactor: &Redactor) -> String {
        const SHOWN: [&str; 6] = ["server", "content-type", "via", "www-authenticate", "cf-ray", "ngrok-error-code"];
        // Redacted before it is cut: half a secret cannot be found.
        let cut = |text: &str, length| redactor.redact_text(text).chars().take(length).collect::<String>();
        let mut parts = vec![format!("status {}", self.status.as_u16())];
        let is_shown = |name: &str| SHOWN.contains(&name) || name.contains("-waf") || is_of_a_filter(name);
        parts.extend(self.headers.iter().filter(|(name, _)| is_shown(name.as_str())).take(10).map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            format!("{name}: {}", cut(&value, 100))
        }));
        parts.extend(self.redirect_target().map(|mut target| {
            target.set_query(None);
            target.set_fragment(None);
            // Fails if there is none.
            let _ = target.set_username("").and_then(|()| target.set_password(None));
            format!("location: {}", cut(target.as_str(), 300))
        }));
        let text = self.text();
        let text = match serde_json::from_slice::<&RawValue>(&self.body) {
            Ok(json) if !text.is_empty() => redactor.redact_json(json),
            _ => redactor.redact_text(&text),
        };
        let text: String = text.chars().take(MAX_SHOWN).collect();
        if !text.is_empty() {
            parts.push(format!("it says: {text}"));
        }
        parts.join(", ")
    }
}

/// Other headers with `waf` in their names are on answers that passed the filter, too.
fn is_of_a_filter(header: &str) -> bool {
    ["waf-action", "mitigated", "captcha", "challenge"].iter().any(|word| header.contains(word))
}

/// The text of HTML, without tags, comments, scripts and styles.
fn visible_text(html: &str) -> String {
    let (mut text, mut rest) = (String::new(), html);
    while let Some((before, after)) = rest.split_once('<') {
        text += before;
        let starts_with = |word: &str| after.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let hidden = HIDDEN.iter().find(|(start, _)| starts_with(start));
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        rest = match hidden {
            Some((_, end)) => find(after, end).map_or("", |end| &after[end..]),
            None => after,
        };
        if is_tag {
            rest = rest.split_once('>').map_or("", |(_, rest)| rest);
        }
        text.push(if is_tag { ' ' } else { '<' });
    }
    decode_entities(&(text + rest)).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Entities by number, and those that every page has; the others are left out.
fn decode_entities(text: &str) -> String {
    let mut parts = text.split('&');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let entity =
            part.split_once(';').filter(|(name, _)| name.bytes().all(|b| b == b'#' || b.is_ascii_alphanumeric()));
        let Some((name, rest)) = entity else { return text + "&" + part };
        let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
            Some(number) => u32::from_str_radix(number, 16).ok(),
            None => number.parse().ok(),
        });
        let named = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("nbsp", ' ')].into_iter();
        let named = named.filter_map(|(known, shown)| (known == name).then_some(shown));
        text + &number.and_then(char::from_u32).into_iter().chain(named).collect::<String>() + rest
    })
}

/// Where a word of HTML begins, in upper or lower case.
fn find(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            url: Url::parse("https://home.example.org/api/alexa").unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
            waited: Duration::ZERO,
        }
    }

    #[test]
    fn text_is_what_a_person_sees() {
        for (body, expected) in [
            ("<title>A</title><h1>A</h1> b", "A b"),
            ("<title>A</title>b", "A b"),
            ("a<b>b</b>c<br>d", "a b c d"),
            ("<!-- a > b --><SCRIPT>if (a < b) {}</SCRIPT>x<style>p{}</style >y", "x y"),
            ("1 < 2 <3 & 4", "1 < 2 <3 & 4"),
            ("a<p", "a"),
            ("a<script>b", "a"),
            ("&lt;p&gt; &amp;amp; &quot;a&#39;s&#x27;&nbsp;b&copy;c &x y; &#xZ;", r#"<p> &amp; "a's' bc &x y;"#),
            (&format!("<style>{}</style>x", " ".repeat(3_000)), "x"),
            (&format!("x{}y", " ".repeat(MAX_PAGE)), "x"),
        ] {
            assert_eq!(answer(500, body).text(), expected, "{body}");
        }
        for (body, title) in [
            ("<TITLE lang=de>A &amp; B</title>", "A & B"),
            ("<p>", ""),
            ("<title>A", "A"),
            ("<!--<title>A</title>-->", ""),
            ("<!-- A --><title>B</title>", "B"),
        ] {
            assert_eq!(answer(500, body).title(), title, "{body}");
        }
        assert!(answer(500, "<INPUT TYPE='password'>").has_password_field());
        assert!(!answer(500, "<input type=text>").has_password_field());
    }

    #[test]
    fn speech_is_not_shown() {
        for body in [r#"{"response"#, " [", "\"x"] {
            assert_eq!((answer(200, body).text(), answer(500, body).text()), (String::new(), body.trim().to_owned()));
        }
        assert_eq!(answer(200, "hello").text(), "hello");
        // What JSON of a proxy says, without the fields that hold secrets.
        let json = r#"{"message":"no","token":"x"}"#;
        let description = [200, 500].map(|status| answer(status, json).describe(&Redactor::default()));
        assert_eq!(description, ["status 200", r#"status 500, it says: {"message":"no","token":"***"}"#]);
    }

    #[test]
    fn headers_are_cut_and_counted() {
        let mut answer = answer(302, "");
        for _ in 0..20 {
            answer.headers.append("via", "a ".repeat(80).parse().unwrap());
        }
        answer
            .headers
            .insert(LOCATION, format!("https://me:secret@a.org/{}?secret#secret", "a/".repeat(200)).parse().unwrap());
        let via = format!(", via: {}", "a ".repeat(50)).repeat(10);
        let location = format!("https://a.org/{}", "a/".repeat(200));
        assert_eq!(answer.describe(&Redactor::default()), format!("status 302{via}, location: {}", &location[..300]));
    }
}
