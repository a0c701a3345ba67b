from typing import Any

from homeassistant.components.light import ColorMode, LightEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import ROOMS, device


class Light(LightEntity):
    _attr_color_mode = ColorMode.ONOFF
    _attr_is_on = False

    def __init__(self, room: str) -> None:
        self.entity_id = f"light.{room.lower()}"
        self._attr_name = room
        self._attr_unique_id = f"{room} light"
        self._attr_device_info = device(room)
        self._attr_supported_color_modes = {ColorMode.ONOFF}

    async def async_turn_on(self, **kwargs: Any) -> None:
        self._attr_is_on = True

    async def async_turn_off(self, **kwargs: Any) -> None:
        self._attr_is_on = False


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry, add: AddConfigEntryEntitiesCallback) -> None:
    add(Light(room) for room in ROOMS)
