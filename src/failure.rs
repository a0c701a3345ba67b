//! A fault that happened: what was seen of it, and its line in the log.

use std::error::Error;
use std::fmt;

use hyper::StatusCode;
use tracing::{error, warn};

use crate::fault::Fault;
use crate::setting::SettingError;

/// A request that Home Assistant did not answer, or not with something for Alexa.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub fault: Fault,
    /// The status of Home Assistant's answer, or of whoever answered in its place.
    pub status: Option<StatusCode>,
    /// What was seen of the answer: the headers that tell who gave it. Holds no secret.
    pub seen: String,
    /// The error underneath.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A fault that comes without an answer or an error to show.
    pub fn bare(fault: Fault) -> Self {
        Self { fault, status: None, seen: String::new(), source: None }
    }

    /// A fault and the error underneath.
    pub fn caused(fault: Fault, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::bare(fault) }
    }

    /// The fault of a relay that cannot work with its settings.
    pub fn setting(error: SettingError) -> Self {
        Self::caused(Fault::Setting(error), error)
    }

    /// Writes the one log line that a fault has beside the line of its request.
    pub fn log(&self, request_id: &str) {
        let (cause, mend) = (self.chain(), self.fault.mend());
        let seen = (!self.seen.is_empty()).then_some(self.seen.as_str());
        if matches!(self.fault, Fault::NoToken | Fault::Late) {
            warn!(cause, seen, mend, request_id, "not answered by Home Assistant");
        } else {
            error!(cause, seen, mend, request_id, "not answered by Home Assistant");
        }
    }

    fn chain(&self) -> String {
        let mut text = self.to_string();
        for cause in self.source.iter().flat_map(|source| causes(source.as_ref())) {
            let cause = cause.to_string();
            if !text.ends_with(&cause) {
                text = text + ": " + &cause;
            }
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.cause())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// An error and all that caused it.
///
/// `source()` alone never reaches a `rustls::Error`: it is the *inner* error of an `io::Error`, whose `source()` is
/// the inner error's source.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    })
}
