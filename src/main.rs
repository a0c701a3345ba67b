//! A relay on AWS Lambda between Alexa's custom and smart home skills and a person's own Home Assistant.
//!
//! ```text
//! Lambda ── event ──> handler ── Post ──> home_assistant ── POST, same bytes ──> Home Assistant
//!              │         ^                     │                                       │
//!              │         ├── Reply, same bytes ┴────────── Answer <────────────────────┘
//!              │         └── or a Failure: a log line with cause and remedy, and by `reply` what Alexa gets
//!              └── no token: check ── GET ──> a Failure
//! ```
//!
//! | file | job |
//! |---|---|
//! | `main` | reads the settings, starts the log, runs the handler |
//! | `config`, `pem` | the settings; the certificates and keys in them |
//! | `secret` | tokens that cannot be printed; redacts what is logged |
//! | `event` | what is read of an event: its kind, token and language |
//! | `handler` | one event in, one reply out, in time; late requests go on |
//! | `check` | an event without a token: the way to Home Assistant, and account linking |
//! | `home_assistant` | one POST, its one second try, and the idle connection |
//! | `connection` | look up, connect, send, read: each stage in the time that is left |
//! | `progressive` | “One moment.”, while Home Assistant is slow |
//! | `tls` | which servers are trusted; what a handshake showed |
//! | `answer` | an answer, whoever gave it, and what it says of itself |
//! | `diagnosis` | the fault that an answer or an error of a connection shows |
//! | `fault` | the catalogue of faults, a row each: sentence, error type, level, cause, remedy |
//! | `failure` | a fault that happened: its text and its log line |
//! | `reply` | what Alexa gets for a fault |
//! | `messages` | generated: what Alexa says, in each language |
//!
//! **An event** arrives as raw JSON. `event` reads a few fields; the bytes go to Home Assistant, and its bytes go back.
//! **A token** becomes a `Token` in `event` or `config`, and an `Authorization` header in `home_assistant`; the
//! `Redactor` of the event knows it. **A fault** is found in `diagnosis`, travels up as a `Failure`, and ends in
//! `handler` as a log line and a reply.
//!
//! | to add | go to |
//! |---|---|
//! | a setting | `config`, README.md, template.yaml (a test of `config` compares them) |
//! | a language, a sentence | `languages/*.yaml`, then `scripts/generate` |
//! | a fault | a row of `fault`, and where `diagnosis` finds it |
//! | a kind of event | `Kind` and `Api` in `event`, its log line in `handler`, and its shape in `reply` |

mod answer;
mod check;
mod config;
mod connection;
mod diagnosis;
mod event;
mod failure;
mod fault;
mod handler;
mod home_assistant;
mod messages;
mod pem;
mod progressive;
mod reply;
mod secret;
mod tls;

use std::env;
use std::process::ExitCode;

use lambda_runtime::service_fn;
use tracing::level_filters::LevelFilter;
use tracing::{error, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Config;
use crate::handler::Handler;

// Single-threaded: Lambda sends one event at a time. Any other flavor links tokio's multi-threaded scheduler, too,
// which takes 0.3 MB.
#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        eprintln!("alexa-relay is an AWS Lambda function: it passes Alexa's requests on to Home Assistant.");
        eprintln!("To try it here: scripts/try, or cargo lambda watch and cargo lambda invoke (see docs/advanced.md).");
        return ExitCode::FAILURE;
    }
    let config = Config::read(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()));
    let debug = config.as_ref().is_ok_and(|config| config.debug);
    start_log(debug, env::var_os("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format == "JSON"));
    match &config {
        Ok(config) => {
            if config.long_lived_token.is_some() {
                let remedy = "it is meant for testing: remove it when the account is linked";
                warn!(remedy, "LONG_LIVED_ACCESS_TOKEN is set");
            }
            if !config.verify_certificates {
                let remedy = "for a certificate of your own, set CA_CERTIFICATE instead";
                warn!(remedy, "NOT_VERIFY_SSL is on: whoever is in between can read the access token");
            }
            if config.base_url.scheme() == "http" {
                let remedy = "give Home Assistant a certificate, and let BASE_URL begin with https://";
                warn!(remedy, "BASE_URL begins with http://: whoever is in between can read the access token");
            }
        }
        Err(error) => {
            let remedy = error.problem.remedy;
            error!(cause = error.to_string(), remedy, "wrong setting: every reply will say so");
        }
    }
    // Late requests use the handler until the process ends.
    let handler: &'static Handler = Box::leak(Box::new(Handler::new(config)));
    match lambda_runtime::run(service_fn(|event| handler.handle(event))).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            error!(cause, "stopped: Lambda's Runtime API cannot be reached");
            ExitCode::FAILURE
        }
    }
}

/// Starts the log, at level DEBUG or INFO, as JSON or as text.
///
/// Other crates log errors only, and `RUST_LOG` is not read: at TRACE, `lambda_runtime` prints whole events with their
/// tokens.
fn start_log(debug: bool, json: bool) {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let levels = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), level)
        // The span around each event, which holds the request id.
        .with_target("lambda_runtime::layers::trace", LevelFilter::INFO)
        // Duplicates the handler's line about an event that is not Alexa's.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let lines = fmt::layer().with_ansi(false).with_target(false);
    let lines = if json { lines.json().flatten_event(true).with_span_list(false).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
}
