//! A fault that happened: its details, its text and its log lines.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};
use tracing::{debug, error, info, warn};

use crate::fault::{Fault, SettingError};
use crate::secret::Redactor;

/// A fault that happened. Its text is the fault's cause, then the error's causes.
pub struct Failure {
    pub fault: Fault,
    /// The answer that showed the fault.
    pub answer: Option<Box<RawAnswer>>,
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// An answer, whoever gave it.
#[derive(Clone)]
pub struct RawAnswer {
    /// The address that was asked.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The whole body of a 2xx; the beginning of an error page.
    pub body: Vec<u8>,
    /// The time until the headers came.
    pub waited: Duration,
}

impl RawAnswer {
    /// A header's text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads.
    pub fn redirect_target(&self) -> Option<Url> {
        self.url.join(self.headers.get(LOCATION)?.to_str().ok()?).ok()
    }

    /// The status and the headers that show who gave the answer. The query of a `Location` is left out: access proxies
    /// put tokens into it.
    fn describe(&self, redactor: &Redactor) -> String {
        const SHOWN: [&str; 7] =
            ["server", "content-type", "via", "www-authenticate", "cf-mitigated", "cf-ray", "ngrok-error-code"];
        // Redacted before it is cut: half a secret cannot be found.
        let cut = |text: &str, length| redactor.redact_text(text).chars().take(length).collect::<String>();
        let mut parts = vec![format!("status {}", self.status.as_u16())];
        let values = SHOWN.iter().filter_map(|name| Some((name, self.headers.get(*name)?)));
        parts.extend(values.map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            format!("{name}: {}", cut(&value, 100))
        }));
        parts.extend(self.redirect_target().map(|target| {
            let target = format!("{}{}", target.origin().ascii_serialization(), target.path());
            format!("location: {}", cut(&target, 300))
        }));
        parts.join(", ")
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, answer: None, source: None }
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self::from(Fault::Setting(error)).with_source(error)
    }
}

impl Failure {
    /// Adds the error that caused it, or a text about it.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Adds the answer that showed it.
    pub fn with_answer(self, answer: RawAnswer) -> Self {
        Self { answer: Some(Box::new(answer)), ..self }
    }

    /// The status of the answer that showed it.
    pub fn status(&self) -> Option<StatusCode> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Writes its log line, beside that of the event; at DEBUG also the body of the answer.
    pub fn log(&self, redactor: &Redactor) {
        let (cause, remedy) = (self.to_string(), self.fault.entry().remedy);
        let response = self.answer.as_ref().map(|answer| answer.describe(redactor));
        if matches!(self.fault, Fault::NoToken | Fault::Late) {
            warn!(cause, remedy, response, "not answered by Home Assistant");
        } else {
            error!(cause, remedy, response, "not answered by Home Assistant");
        }
        self.log_body(redactor);
    }

    fn log_body(&self, redactor: &Redactor) {
        if let Some(answer) = &self.answer {
            debug!(response = redactor.redact_body(&answer.body));
        }
    }
}

/// Writes the log line about account linking: whether it can reach Home Assistant, and what it needs besides.
pub fn log_linking(outcome: Result<(), Failure>, needs: Option<&str>, redactor: &Redactor) {
    match outcome {
        Ok(()) if needs.is_none() => info!("account linking can reach Home Assistant"),
        Ok(()) => warn!(needs, "account linking can reach Home Assistant, but needs more than this check can show"),
        Err(failure) => {
            let response = failure.answer.as_ref().map(|answer| answer.describe(redactor));
            let (cause, remedy) = (failure.to_string(), failure.fault.linking_remedy());
            warn!(cause, remedy, needs, response, "account linking cannot reach Home Assistant at BASE_URL/auth/token");
            failure.log_body(redactor);
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.fault.entry().cause.to_owned();
        for error in self.source.iter().flat_map(|source| error_chain(source.as_ref())) {
            let cause = error.to_string();
            // Many errors end with the text of their source.
            if !text.ends_with(&cause) {
                text = text + ": " + &cause;
            }
        }
        f.write_str(&text)
    }
}

/// An error, then its source, and so on.
///
/// An `io::Error` counts as the source of what it wraps: `source()` skips that, and so never reaches a `rustls::Error`.
pub fn error_chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    })
}
