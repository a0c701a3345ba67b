//! Runs the real program against fake servers.

pub mod home;
#[cfg(feature = "real-home-assistant")]
pub mod home_assistant;
pub mod http;
#[cfg(feature = "real-home-assistant")]
pub mod proxy;
pub mod relay;
pub mod sentences;
pub mod server;
pub mod tls;

use std::fs;
use std::path::Path;
use std::thread;

pub use home::{ANSWER, EVENT, Home, SLOW};
pub use http::{Answer, answer, header_names};
pub use relay::{Outcome, Relay, millis_from_now, program, speech};
pub use sentences::*;
pub use tls::{CA, Ca, EXPIRED, Identity, VERSIONS, YEARS};

/// The access token of the events of [`event`], as Home Assistant makes them.
pub const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiIyYzVlOGYxYTliN2Q0MDYzYTFmMmUzZDRjNWI2YTc5OCIsImlhdCI6MTc2NDA5NDU4OCwiZXhwIjoyMDc5NDU0NTg4fQ.8wbOTbO_l8mnXYAXfRZ9DhxJhQxuqYtvMDe-JWa9m74";

/// A long-lived access token.
pub const LONG_LIVED_TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiI4NDc2YTUzNmU5ZjQ0MWU4OTczOTAwMDAwMDAwMDAwMSIsImlhdCI6MTc2NDA5NDU4OCwiZXhwIjoyMDc5NDU0NTg4fQ.8NnqXcO4B7s1hJxPtmZ5vVbKQkD0yW3aFz-uEeL_6GA";

/// Amazon's token in the events of [`event`]. It begins like those that Home Assistant must not get.
pub const AMAZONS_TOKEN: &str = "Atza|IwEBIJ0nq8Zk3vQm4T7uYbXc1LdRfWgHs2";

/// The code of an `AcceptGrant` in the events of [`event`]: Amazon's may be 20 letters.
pub const GRANT_CODE: &str = "ANcUvgLIBkZsrdPCFbfX";

/// The endpoint of Amazon's API in the events of [`event`]: no test calls Amazon.
pub const API_ENDPOINT: &str = "https://amazon.invalid";

/// The text of an event in events/.
pub fn event(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name).with_extension("json");
    let event = fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()));
    let event = event.replace("https://api.amazonalexa.com", API_ENDPOINT).replace("example-access-token", TOKEN);
    event.replace("example-api-access-token", AMAZONS_TOKEN).replace("example-grant-code", GRANT_CODE)
}

/// The name and the text of every event in events/.
pub fn events() -> Vec<(String, String)> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("events")).expect("events/ is there");
    let paths = folder.map(|entry| entry.expect("a file").path());
    let names = paths.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned());
    let events: Vec<_> = names.map(|name| (name.clone(), event(&name))).collect();
    assert!(events.len() >= 10, "one event for each kind of request");
    events
}

/// The events of a custom skill.
#[cfg(feature = "real-home-assistant")]
pub fn requests() -> Vec<(String, String)> {
    events().into_iter().filter(|(_, event)| event.contains("\"request\"")).collect()
}

/// An intent request with this token.
pub fn event_with_token(token: &str) -> String {
    event("locate-intent").replace(TOKEN, token)
}

/// A temporary folder, deleted on drop.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Checks all cases at once, for cases that mostly wait.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Checks that a text has all of these parts, written with " … " between them.
pub fn assert_has(text: &str, parts: &str) {
    for part in parts.split(" … ") {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}
