//! Sets up the log for CloudWatch.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log, at level DEBUG or INFO, as JSON or as text.
///
/// Other crates log errors only, and `RUST_LOG` is not read: at TRACE, `lambda_runtime` prints whole events with their
/// tokens.
pub fn init(debug: bool, json: bool) {
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
