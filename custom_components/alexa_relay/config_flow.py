"""Adding the integration asks for nothing; the options are the agent, the skill's name and each Echo's player."""

from typing import Any

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult, OptionsFlow
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr, selector
import voluptuous as vol

from .const import CONF_AGENT_ID, CONF_INVOCATION, DOMAIN
from .echo import Echo
from .echos import AlexaRelayConfigEntry

OPTIONS = vol.Schema(
    {
        vol.Optional(CONF_AGENT_ID): selector.ConversationAgentSelector(),
        vol.Optional(CONF_INVOCATION): selector.TextSelector(),
    }
)
PLAYERS = selector.DeviceSelectorConfig(filter=[{"integration": "alexa_devices"}, {"integration": "alexa_media"}])


class AlexaRelayConfigFlow(ConfigFlow, domain=DOMAIN):
    """Adds the integration."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for one click."""
        if user_input is None:
            return self.async_show_form(step_id="user")
        return self.async_create_entry(title="Alexa Relay", data={})

    @staticmethod
    @callback
    def async_get_options_flow(config_entry: AlexaRelayConfigEntry) -> OptionsFlow:
        """Return the options."""
        return AlexaRelayOptionsFlow()


class AlexaRelayOptionsFlow(OptionsFlow):
    """Changes the options."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show one form, with a field for each Echo that bears its name."""
        entry: AlexaRelayConfigEntry = self.config_entry
        if user_input is not None:
            for name, shown in self.echos.items():
                shown.player = user_input.pop(name, None)
            entry.runtime_data.store()
            return self.async_create_entry(data=user_input)
        self.echos: dict[str, Echo] = {}  # as the form names them, whatever they are called when it is sent
        for device in dr.async_entries_for_config_entry(dr.async_get(self.hass), entry.entry_id):
            if echo := entry.runtime_data.of_device(device.id):
                name = device.name_by_user or device.name or echo.key
                self.echos[f"{name} ({echo.key[:4]})" if name in self.echos else name] = echo
        schema = OPTIONS.extend({vol.Optional(name): selector.DeviceSelector(PLAYERS) for name in self.echos})
        values = {**entry.options, **{name: echo.player for name, echo in self.echos.items()}}
        return self.async_show_form(step_id="init", data_schema=self.add_suggested_values_to_schema(schema, values))
