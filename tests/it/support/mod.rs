//! What the tests stand on: the real program, and fake servers for all that it talks to.

pub mod home;
#[cfg(feature = "real-home-assistant")]
pub mod home_assistant;
pub mod http;
#[cfg(feature = "real-home-assistant")]
pub mod proxy;
pub mod relay;
pub mod server;
pub mod tls;

use std::fs;
use std::path::Path;

/// The access token of the events in events/.
pub const TOKEN: &str = "example-access-token";

/// The text of a file in events/.
pub fn event(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name).with_extension("json");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}

/// Every file in events/: its name and its text.
pub fn events() -> Vec<(String, String)> {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("events")).expect("events/ is there");
    let mut events: Vec<_> = folder
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = event(&name);
            (name, text)
        })
        .collect();
    events.sort();
    assert!(events.len() >= 10, "one event for each kind of request");
    events
}

/// An intent request with this token, which asks for nothing in particular.
pub fn event_with_token(token: &str) -> String {
    serde_json::json!({
        "version": "1.0",
        "session": { "user": { "accessToken": token } },
        "request": { "type": "IntentRequest", "locale": "en-US", "intent": { "name": "LocateIntent" } },
    })
    .to_string()
}

/// A folder that is gone when it is dropped.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}
