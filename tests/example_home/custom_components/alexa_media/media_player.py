from typing import Any

from homeassistant.components.media_player import MediaPlayerEntity, MediaPlayerEntityFeature, MediaPlayerState
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import ROOMS, device


class Player(MediaPlayerEntity):
    _attr_supported_features = MediaPlayerEntityFeature.PLAY_MEDIA | MediaPlayerEntityFeature.TURN_OFF
    _attr_state = MediaPlayerState.OFF

    def __init__(self, room: str) -> None:
        self.entity_id = f"media_player.{room.lower()}"
        self._attr_name = room
        self._attr_unique_id = f"{room} player"
        self._attr_device_info = device(room)

    async def async_play_media(self, media_type: str, media_id: str, **kwargs: Any) -> None:
        if media_type == "skill" and media_id.startswith("amzn1.ask.skill."):
            self._attr_state = MediaPlayerState.PLAYING

    async def async_turn_off(self) -> None:
        self._attr_state = MediaPlayerState.OFF


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry, add: AddConfigEntryEntitiesCallback) -> None:
    add(Player(room) for room in ROOMS)
