//! An event without a token: checks the way to Home Assistant, and whether account linking can reach it.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::config::Config;
use crate::connection::{Connector, Deadline};
use crate::diagnosis;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::secret::Redactor;

/// How long Amazon's servers wait for Home Assistant when an account is linked.
const LINKING_TIMEOUT: Duration = Duration::from_millis(4_500);

/// What account linking needs, these settings miss, and no check can test.
pub struct LinkingNeeds(Option<String>);

impl LinkingNeeds {
    pub fn of(config: &Config) -> Self {
        let is_public = config.verify_certificates && config.ca_certificates.is_empty();
        let needs = [
            (config.base_url.scheme() == "https", "https://"),
            (config.base_url.port_or_known_default() == Some(443), "port 443"),
            (is_public, "a certificate of a public CA, which CA_CERTIFICATE and NOT_VERIFY_SSL do not replace"),
        ];
        let missing: Vec<_> = needs.into_iter().filter_map(|(is_met, need)| (!is_met).then_some(need)).collect();
        Self((!missing.is_empty()).then(|| missing.join(", ")))
    }

    /// Writes the log line about account linking.
    fn log(&self, outcome: Result<(), Failure>, redactor: &Redactor) {
        let needs = self.0.as_deref();
        match outcome {
            Ok(()) if needs.is_none() => info!("account linking can reach Home Assistant"),
            Ok(()) => warn!(needs, "account linking can reach Home Assistant, but needs more than this check can show"),
            Err(failure) => {
                let (cause, remedy) = (redactor.redact_text(&failure.to_string()), failure.fault.row().linking_remedy);
                let response = failure.describe_answer(redactor);
                warn!(
                    cause,
                    remedy, needs, response, "account linking cannot reach Home Assistant at BASE_URL/auth/token"
                );
                failure.log_body(redactor);
            }
        }
    }
}

/// Returns what is wrong on the way to this path, or else that the token is missing, and logs what is wrong for account
/// linking.
pub async fn run(
    connector: &Connector,
    path: &str,
    needs: &LinkingNeeds,
    deadline: Deadline,
    redactor: &Redactor,
) -> Failure {
    let start = Instant::now();
    if let Err(failure) = get(connector, path, deadline).await {
        return failure;
    }
    let ms = start.elapsed().as_millis();
    let linking = deadline.within(LINKING_TIMEOUT);
    let outcome = get(&connector.without_credentials(), "/auth/token", linking).await;
    if outcome.is_err() && !deadline.allows(Duration::ZERO) {
        let remedy = "run the test again; if the function's own timeout is less than 10 s, set it to 10 s first";
        warn!(remedy, "account linking was not checked: there was no time left");
    } else {
        needs.log(outcome, redactor);
    }
    Failure::from(Fault::NoToken).with_source(format!("the way to Home Assistant is clear, it answered in {ms} ms"))
}

/// Checks whether requests can reach this path, by a GET without a token: Home Assistant answers 405 before it looks
/// for one, so it counts no failed login.
async fn get(connector: &Connector, path: &str, deadline: Deadline) -> Result<(), Failure> {
    let client = connector.new_client(deadline).await?;
    let answer = connector.send(client.get(connector.url(path)), true, None, deadline);
    let answer = timeout_at(deadline.0, answer).await.unwrap_or_else(|_| Err(Fault::NoAnswer.into()))?;
    if answer.status == StatusCode::METHOD_NOT_ALLOWED && answer.is_own_refusal() {
        return Ok(());
    }
    let fault = match diagnosis::classify_answer(&answer) {
        // Whoever answers a GET with JSON is not Home Assistant.
        Fault::UnexpectedAnswer if answer.status.is_success() => Fault::NotHomeAssistant,
        fault => fault,
    };
    Err(Failure::from(fault).with_answer(answer))
}

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;
    use std::sync::Arc;

    use tempfile::NamedTempFile;
    use tracing::subscriber::with_default;

    use super::*;

    /// A test on this machine alone has no certificate of a public CA.
    #[test]
    fn public_home_needs_nothing_more_for_account_linking() {
        let config = Config::read(|name| (name == "BASE_URL").then(|| "https://home.example.org".to_owned()));
        let needs = LinkingNeeds::of(&config.ok().unwrap());
        let file = NamedTempFile::new().unwrap();
        let log = tracing_subscriber::fmt().with_writer(Arc::new(file.reopen().unwrap())).finish();
        with_default(log, || needs.log(Ok(()), &Redactor::default()));
        let log = read_to_string(file.path()).unwrap();
        assert!(log.contains("INFO") && log.trim_end().ends_with("account linking can reach Home Assistant"), "{log}");
    }
}
