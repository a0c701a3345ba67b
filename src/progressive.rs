//! “One moment.”: Alexa says something while Home Assistant is slow.
//!
//! Nothing depends on it: a progressive response that fails, or comes too late, is only missing.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Result, Url};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use tokio::select;
use tokio::time::timeout;
use tracing::debug;

use crate::event::{Event, Kind};
use crate::failure::error_chain;
use crate::messages::Messages;
use crate::tls;

/// How long Home Assistant may be silent.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// How long Amazon may take. Later, the answer itself would be near.
const CALL_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long an answer waits for a call that is under way: Alexa drops a progressive response that comes after the
/// answer.
const GRACE: Duration = Duration::from_millis(300);

/// Waits for the answer to an event, and lets Alexa say “One moment.” if it takes long. Of the settings for Home
/// Assistant's server, `CA_CERTIFICATE` alone holds for Amazon's.
pub async fn accompany<F: Future>(cas: &[CertificateDer<'static>], event: &Event, answer: F) -> F::Output {
    let mut answer = pin!(answer);
    if let Ok(answer) = timeout(PATIENCE, &mut answer).await {
        return answer;
    }
    let mut call = pin!(timeout(CALL_TIMEOUT, async {
        match speak(cas, event).await {
            Some(Ok(status)) => debug!(status, "progressive response"),
            Some(Err(error)) => {
                let cause = error_chain(&error.without_url()).last().map(ToString::to_string);
                debug!(cause, "no progressive response");
            }
            None => {}
        }
    }));
    select! {
        biased;
        answer = &mut answer => {
            let _ = timeout(GRACE, call).await;
            answer
        }
        _ = &mut call => answer.await,
    }
}

/// Whether Amazon's token may go there: only to Amazon. Tests use this machine.
fn is_amazons(endpoint: &Url) -> bool {
    endpoint.host_str().is_some_and(|host| host == "localhost" || host.ends_with(".amazonalexa.com"))
}

/// Sends a progressive response, if the event is one that may have it; returns the status of Amazon's answer.
async fn speak(cas: &[CertificateDer<'static>], event: &Event) -> Option<Result<u16>> {
    let Kind::CustomSkill(request) = &event.kind else { return None };
    let access = request.progressive.as_ref().filter(|_| request.takes_speech())?;
    let (endpoint, request_id) = (access.endpoint.as_ref()?, access.request_id.as_ref()?);
    let mut url = Url::parse(endpoint).ok().filter(is_amazons)?;
    url.set_path(&format!("{}/v1/directives", url.path().trim_end_matches('/')));
    url.set_query(None);
    let speech = format!("<speak>{}</speak>", Messages::for_locale(&request.locale).one_moment);
    let directive = json!({ "type": "VoicePlayer.Speak", "speech": speech });
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client_config(Some(cas), Arc::default()))
        .https_only(true)
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .expect("reqwest and this program use the same rustls");
    let request = client
        .post(url)
        .header(AUTHORIZATION, access.token.authorization().clone())
        .header(CONTENT_TYPE, "application/json")
        .body(json!({ "header": { "requestId": request_id }, "directive": directive }).to_string());
    Some(request.send().await.map(|answer| answer.status().as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_goes_only_to_amazon() {
        const AMAZONS: &str = "api.amazonalexa.com api.eu.amazonalexa.com API.FE.AMAZONALEXA.COM localhost:1";
        const OTHERS: &str = "amazonalexa.com.example.org evil-amazonalexa.com api.amazonalexa.com@example.org \
            example.org/api.amazonalexa.com 127.0.0.1 localhost.example.org api.amazon.com";
        for (hosts, expected) in [(AMAZONS, true), (OTHERS, false)] {
            for host in hosts.split(' ') {
                assert_eq!(is_amazons(&Url::parse(&format!("https://{host}/x")).unwrap()), expected, "{host}");
            }
        }
    }
}
