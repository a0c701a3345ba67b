//! The beginnings of the sentences that Alexa says.

pub const LINK: &str = "Home Assistant does not know who you are.";
pub const BANNED: &str = "Home Assistant has banned me.";
pub const FIREWALL: &str = "A firewall in front of Home Assistant stopped me.";
pub const PROXY_NOT_TRUSTED: &str = "Home Assistant does not trust its reverse proxy.";
pub const PROXY_TIMEOUT: &str = "Home Assistant did not answer the proxy in front of it in time.";
pub const ALEXA_NOT_ENABLED: &str = "Home Assistant does not listen to Alexa yet.";
pub const WRONG_ADDRESS: &str = "BASE_URL does not lead to Home Assistant.";
pub const UNREACHABLE: &str = "I cannot reach Home Assistant.";
pub const INSECURE: &str = "I cannot connect to Home Assistant securely.";
pub const BAD_ANSWER: &str = "Home Assistant gave no answer that I can use.";
pub const LATE: &str = "Home Assistant is still working on it.";
