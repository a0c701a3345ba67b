//! Directives of a smart home skill: what differs from the requests of a custom skill.

use crate::support::*;

#[test]
fn slow_device_is_unreachable_and_still_switched() {
    for name in ["smart-home-discovery", "smart-home-turn-on", "smart-home-accept-grant"] {
        let (home, permits) = Home::slow(200);
        let relay = home.relay(&[]);
        relay.assert_fails_in(1_000, &event(name).replace(TOKEN, SLOW), LATE, "has not answered in time");
        permits.add_permits(1);
        relay.log_with("has finished the late request");
        home.request();
    }
}

#[test]
fn ids_are_echoed_byte_for_byte() {
    let relay = Relay::start(&[]);
    for id in [r#""\ud800\/""#, "1e400", "[[]]"] {
        let header = format!(r#"{{"correlationToken":{id}}}"#);
        let reply = relay.reply(format!(r#"{{"directive":{{"header":{header},"endpoint":{{"endpointId":{id}}}}}}}"#));
        assert_has(&reply, &format!(r#""correlationToken":{id}}} … "endpoint":{{"endpointId":{id}}}"#));
    }
}
