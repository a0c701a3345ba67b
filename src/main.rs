//! A relay on AWS Lambda between an Alexa custom skill and a person's own Home Assistant.

mod config;
mod connection;
mod diagnosis;
mod envelope;
mod extra_headers;
mod failure;
mod fault;
mod home;
mod kept;
mod languages;
mod log;
mod pem;
mod relay;
mod setting;
mod speech;
mod tls;
mod token;

use std::env;
use std::process::ExitCode;

use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{Runtime, service_fn};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;
use tracing::{error, warn};

use crate::config::Config;
use crate::home::Home;
use crate::relay::Relay;

/// Without these `lambda_runtime` panics.
const SET_BY_LAMBDA: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

fn main() -> ExitCode {
    if SET_BY_LAMBDA.iter().any(|name| env::var_os(name).is_none()) {
        eprintln!("alexa-relay is an AWS Lambda function: it passes Alexa's requests on to Home Assistant.");
        eprintln!("To try it here: scripts/try, or cargo lambda watch and cargo lambda invoke (see README.md).");
        return ExitCode::FAILURE;
    }
    let config = Config::read(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()));
    let debug = config.as_ref().is_ok_and(|config| config.debug);
    log::init(debug, env::var_os("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format == "JSON"));
    let relay = match config {
        Ok(config) => {
            if config.long_lived_token.is_some() {
                warn!("LONG_LIVED_ACCESS_TOKEN is set: it is meant for testing, remove it when the account is linked");
            }
            if !config.verify_certificates {
                warn!(
                    mend = "for a certificate of your own, set CA_CERTIFICATE in its place: see \"Harder homes\" in the README",
                    "NOT_VERIFY_SSL is on: whoever stands between here and Home Assistant can read the access token"
                );
            }
            Relay::new(Ok(Home::new(&config)), config.long_lived_token)
        }
        Err(wrong) => {
            error!(
                cause = wrong.to_string(),
                mend = wrong.mend(),
                "wrong setting: every request will be answered with it"
            );
            Relay::new(Err(wrong), None)
        }
    };
    let relay: &'static Relay = Box::leak(Box::new(relay));
    let lambda = Runtime::new(service_fn(|event| relay.answer(event)))
        .layer(MapRequestLayer::new(|invocation| relay.note(invocation)));
    // One thread: Lambda sends one request at a time, and each further thread costs start-up time and memory. A "local"
    // runtime, for with any other kind the linker keeps tokio's scheduler for many threads too, and libm for its sake:
    // 0.2 ms and 0.4 MB. In a task of its own, for what `block_on` itself waits for is woken through the kernel.
    let served = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(lambda_runtime::Error::from)
        .and_then(|runtime| runtime.block_on(async { spawn_local(lambda.run()).await? }));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            error!(cause, "stopped: Lambda's Runtime API cannot be reached");
            ExitCode::FAILURE
        }
    }
}
