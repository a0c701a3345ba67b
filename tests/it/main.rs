//! Tests of what users are promised, on the real program.

mod account_linking;
mod advanced_setups;
#[cfg(feature = "real-home-assistant")]
mod alexa_question;
mod bad_input;
mod faults;
mod idle_connection;
mod in_time;
#[cfg(feature = "real-home-assistant")]
mod late_answer;
mod late_request;
mod logging;
mod never_twice;
mod passing_on;
mod progressive_response;
#[cfg(feature = "real-home-assistant")]
mod real_home_assistant;
#[cfg(feature = "real-home-assistant")]
mod real_proxies;
mod settings;
mod smart_home;
mod support;
