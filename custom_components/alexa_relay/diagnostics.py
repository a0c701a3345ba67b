"""What goes on, without what was said and without ids of Amazon's."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.core import HomeAssistant

from .questions import AlexaRelayConfigEntry


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: AlexaRelayConfigEntry) -> dict[str, Any]:
    """Return what is stored, and what each Echo is in the middle of."""
    echos = entry.runtime_data.echos.by_key.items()
    return {
        "options": dict(entry.options),
        "data": async_redact_data(entry.data, {"skill"}),
        "open": {key: f"{type(echo.open).__name__}, {len(echo.late)} late" for key, echo in echos},
        "questions": len(entry.runtime_data.pending),
    }
