//! A fault that happened: its details, its text and its log line.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;

use reqwest::StatusCode;
use tracing::{error, warn};

use crate::fault::{Fault, SettingError};
use crate::secret::Redactor;

/// A fault that happened. Its text is the fault's cause, then the error's causes.
pub struct Failure {
    pub fault: Fault,
    pub setting: Option<SettingError>,
    /// The HTTP status of the answer, whoever gave it.
    pub status: Option<StatusCode>,
    /// The status and headers that show who gave the answer.
    pub response: Option<String>,
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, setting: None, status: None, response: None, source: None }
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self { setting: Some(error), ..Self::from(error.problem.fault).with_source(error) }
    }
}

impl Failure {
    /// Adds the error that caused it, or a text about it.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What the owner can do about it.
    pub fn remedy(&self) -> &'static str {
        self.setting.map_or(self.fault.entry().remedy, |setting| setting.problem.remedy)
    }

    /// Writes its log line. The line of the request stands beside it.
    pub fn log(&self, redactor: &Redactor) {
        let (cause, remedy) = (self.to_string(), self.remedy());
        let response = self.response.as_ref().map(|response| redactor.redact_text(response));
        if matches!(self.fault, Fault::NoToken | Fault::Late) {
            warn!(cause, remedy, response, "not answered by Home Assistant");
        } else {
            error!(cause, remedy, response, "not answered by Home Assistant");
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
