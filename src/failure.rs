//! A fault that happened: its details, its text and its log line.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;

use reqwest::StatusCode;
use tracing::{Level, debug, error, warn};

use crate::answer::Answer;
use crate::fault::{Fault, Retry, SettingError};
use crate::secret::Redactor;

/// A fault that happened. Its text is the fault's cause, then the error's causes.
pub struct Failure {
    pub fault: Fault,
    /// The answer that showed the fault.
    pub answer: Option<Box<Answer>>,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// Whether a byte of an event may have arrived.
    may_have_arrived: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, answer: None, source: None, may_have_arrived: false }
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

    /// Adds whether a byte of an event may have arrived.
    pub fn with_arrival(self, may_have_arrived: bool) -> Self {
        Self { may_have_arrived, ..self }
    }

    /// Adds the answer that showed it.
    pub fn with_answer(self, answer: Answer) -> Self {
        Self { answer: Some(Box::new(answer)), ..self }
    }

    /// The status of the answer that showed it.
    pub fn status(&self) -> Option<StatusCode> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Writes its log line, beside that of the event; at DEBUG also the body of the answer.
    pub fn log(&self, redactor: &Redactor) {
        let row = self.fault.row();
        let (cause, mut remedy) = (redactor.redact_text(&self.to_string()), row.remedy.to_owned());
        if self.may_have_arrived && row.retry == Retry::Unsafe {
            remedy += ". It was not sent again: Home Assistant may have done what was asked";
        }
        if self.answer.as_ref().is_some_and(|answer| !answer.is_own_refusal() && !answer.text().is_empty()) {
            remedy += ". The response shows who answered";
        }
        let response = self.describe_answer(redactor);
        if row.level == Level::WARN {
            warn!(cause, remedy, response, "not answered by Home Assistant");
        } else {
            error!(cause, remedy, response, "not answered by Home Assistant");
        }
        self.log_body(redactor);
    }

    /// Who gave the answer that showed it.
    pub fn describe_answer(&self, redactor: &Redactor) -> Option<String> {
        self.answer.as_ref().map(|answer| answer.describe(redactor))
    }

    /// At DEBUG, writes the body of the answer that showed it.
    pub fn log_body(&self, redactor: &Redactor) {
        if let Some(answer) = &self.answer {
            debug!(response = redactor.redact_body(&answer.body));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.fault.row().cause.to_owned();
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
