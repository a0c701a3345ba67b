"""What is stored, without ids of Amazon's."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.core import HomeAssistant

from .echos import AlexaRelayConfigEntry


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: AlexaRelayConfigEntry) -> dict[str, Any]:
    """Return the options, and what is known of each Echo."""
    return {"options": dict(entry.options), "data": async_redact_data(entry.data, {"skill"})}
