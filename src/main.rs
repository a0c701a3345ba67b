//! A relay on AWS Lambda between Alexa's custom and smart home skills and a person's own Home Assistant.

mod config;
mod diagnosis;
mod event;
mod fault;
mod handler;
mod home_assistant;
mod log;
mod messages;
mod reply;
mod secret;
mod tls;

use std::env;
use std::process::ExitCode;

use lambda_runtime::service_fn;
use tracing::{error, warn};

use crate::config::Config;
use crate::handler::Handler;

// One thread, for Lambda sends one event at a time. With any other flavor the linker keeps tokio's scheduler for many
// threads: 0.3 MB.
#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("alexa-relay is an AWS Lambda function: it passes Alexa's requests on to Home Assistant.");
        eprintln!("To try it here: scripts/try, or cargo lambda watch and cargo lambda invoke (see README.md).");
        return ExitCode::FAILURE;
    }
    let config = Config::read(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()));
    let debug = config.as_ref().is_ok_and(|config| config.debug);
    log::init(debug, env::var_os("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format == "JSON"));
    match &config {
        Ok(config) => {
            if config.long_lived_token.is_some() {
                warn!("LONG_LIVED_ACCESS_TOKEN is set: it is meant for testing, remove it when the account is linked");
            }
            if !config.verify_certificates {
                warn!(
                    remedy = "for a certificate of your own, set CA_CERTIFICATE instead",
                    "NOT_VERIFY_SSL is on: whoever stands between here and Home Assistant can read the access token"
                );
            }
        }
        Err(wrong) => {
            let remedy = wrong.problem.remedy;
            error!(cause = wrong.to_string(), remedy, "wrong setting: every request will be answered with it");
        }
    }
    // Lives as long as the process, and so can late requests.
    let handler: &'static Handler = Box::leak(Box::new(Handler::new(config)));
    match lambda_runtime::run(service_fn(|event| handler.handle(event))).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            error!(cause, "stopped: Lambda's Runtime API cannot be reached");
            ExitCode::FAILURE
        }
    }
}
