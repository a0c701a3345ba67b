"""Takes the place of Alexa Media Player: each room has a player that remembers whether it opened a skill, and a light.

It also does what a person does with an Echo that speaks for the first time: the first goes to the kitchen.
"""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

DOMAIN = "alexa_media"
ROOMS = ("Kitchen", "Bedroom")


def device(room: str) -> dr.DeviceInfo:
    return dr.DeviceInfo(identifiers={(DOMAIN, room)}, name=room, suggested_area=room)


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    rooms = iter(ROOMS)
    registry = dr.async_get(hass)

    @callback
    def place(event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        echo = registry.async_get(event.data["device_id"])
        if event.data["action"] == "create" and echo and echo.manufacturer == "Amazon":
            room = next(rooms)
            registry.async_update_device(echo.id, name_by_user=f"{room} Echo", area_id=room.lower())

    await hass.config_entries.async_forward_entry_setups(entry, ["light", "media_player"])
    entry.async_on_unload(hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, place))
    return True
