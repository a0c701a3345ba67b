"""Names that several files share."""

DOMAIN = "alexa_relay"
CONF_AGENT_ID = "agent_id"
CONF_INVOCATION = "invocation"
SIGNAL_HEARD = f"{DOMAIN}_heard"  # sent with the Echo at each request
