//! What users are promised, shown on the real program.

mod bad_input;
mod faults;
mod harder_homes;
mod in_time;
mod kept_connection;
mod logging;
mod never_twice;
mod passing_on;
#[cfg(feature = "real-home-assistant")]
mod real_home_assistant;
mod settings;
mod slow_home;
mod support;
