"""Home Assistant's side of an Alexa skill: Assist, questions, and every Echo a device."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from . import intents, questions, sentences
from .const import DOMAIN
from .echos import AlexaRelayConfigEntry, Echos

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (Platform.EVENT, Platform.SENSOR)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the action."""
    response = SupportsResponse.OPTIONAL
    hass.services.async_register(DOMAIN, "ask_question", questions.ask, questions.SCHEMA, supports_response=response)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: AlexaRelayConfigEntry) -> bool:
    """Answer the skill."""
    languages = await hass.async_add_executor_job(sentences.load)
    entry.runtime_data = Echos(hass, entry, languages)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    intents.set_up(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: AlexaRelayConfigEntry) -> bool:
    """End all that goes on."""
    questions.close(entry.runtime_data)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: AlexaRelayConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Let an Echo be deleted; it comes back once it speaks."""
    echos = entry.runtime_data
    echos.by_key = {key: echo for key, echo in echos.by_key.items() if echo.device_id != device.id}
    echos.store()
    return True
