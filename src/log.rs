//! A log that CloudWatch understands.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log: INFO and above, DEBUG too where `debug` is set; as JSON where `json` is set.
///
/// The level holds for the relay alone. The crates under it log errors only, whatever `RUST_LOG` says: at TRACE
/// `lambda_runtime` prints whole events, tokens included.
pub fn init(debug: bool, json: bool) {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let levels = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target(env!("CARGO_CRATE_NAME"), level)
        // A span around each event, with its request id.
        .with_target("lambda_runtime::layers::trace", LevelFilter::INFO)
        // Says again, without a remedy, what the handler has said of an event that is not one.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let lines = fmt::layer().with_ansi(false).with_target(false);
    let lines = if json { lines.json().flatten_event(true).with_span_list(false).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
}
