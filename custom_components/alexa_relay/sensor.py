"""The Echo that spoke last: the one that asks, for an intent of a person's own."""

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN, SIGNAL_HEARD
from .echo import Echo
from .echos import AlexaRelayConfigEntry


async def async_setup_entry(
    hass: HomeAssistant, entry: AlexaRelayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the one sensor."""
    async_add_entities([LastEcho()])


class LastEcho(SensorEntity):
    """The name of the Echo that spoke last."""

    _attr_has_entity_name = True
    _attr_should_poll = False
    _attr_translation_key = "last_echo"
    _attr_unique_id = "last_echo"
    entity_id = f"sensor.{DOMAIN}_last_echo"  # the same in every language

    async def async_added_to_hass(self) -> None:
        """Listen to every Echo."""
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_HEARD, self._heard))

    @callback
    def _heard(self, echo: Echo) -> None:
        device = dr.async_get(self.hass).async_get(echo.device_id or "")
        area = device and device.area_id and ar.async_get(self.hass).async_get_area(device.area_id)
        self._attr_native_value = (device.name_by_user or device.name) if device else None
        self._attr_extra_state_attributes = {"device_id": echo.device_id, "area": area.name if area else None}
        self.async_write_ha_state()
