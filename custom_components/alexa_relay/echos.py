"""The Echos of a household: each one is a device, made at its first request."""

from dataclasses import dataclass, field
import hashlib
import hmac

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .const import DOMAIN
from .echo import Echo, Question
from .sentences import Sentences

type AlexaRelayConfigEntry = ConfigEntry[Echos]


@dataclass(eq=False)
class Echos:
    """The Echos that have spoken, and what automations ask on them."""

    hass: HomeAssistant
    entry: AlexaRelayConfigEntry
    languages: dict[str, Sentences]
    by_key: dict[str, Echo] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know again what a restart must not forget."""
        for key, stored in self.entry.data.get("echos", {}).items():
            echo = Echo(self.hass, self.entry, self.languages, key, device_id=self._device_id(key), **stored)
            self.by_key[key] = echo

    def hear(self, device_id: str | None, locale: str | None, skill: str | None) -> Echo:
        """Return the Echo of a request, of which Alexa may have left out something."""
        key = self.hash(device_id) if device_id else ""
        new = Echo(self.hass, self.entry, self.languages, key, self.hass.config.language)
        echo = self.by_key.setdefault(key, new)
        echo.locale, echo.skill, echo.device_id = locale or echo.locale, skill or echo.skill, self._device_id(key)
        self.store()
        return echo

    def store(self) -> None:
        """Store what a restart must not forget."""
        names = ("locale", "skill", "player")
        echos = {key: {name: getattr(echo, name) for name in names} for key, echo in self.by_key.items() if key}
        if echos != self.entry.data.get("echos"):
            self.hass.config_entries.async_update_entry(self.entry, data={"echos": echos})

    def hash(self, id: str) -> str:
        """Return an id of Amazon's as it may be stored and shown."""
        return hmac.digest(self.entry.entry_id.encode(), id.encode(), hashlib.sha256).hex()[:16]

    def of_device(self, device_id: str) -> Echo | None:
        """Return the Echo of its own device or of its player's."""
        return next((echo for echo in self.by_key.values() if device_id in (echo.device_id, echo.player)), None)

    def _device_id(self, key: str) -> str | None:
        if not key:
            return None
        registry = dr.async_get(self.hass)
        devices = dr.async_entries_for_config_entry(registry, self.entry.entry_id)
        if device := next((device for device in devices if (DOMAIN, key) in device.identifiers), None):
            return device.id
        names = {device.name for device in devices}
        name = next(name for number in range(len(devices) + 1) if (name := f"Echo {number + 1}") not in names)
        device = registry.async_get_or_create(
            config_entry_id=self.entry.entry_id, identifiers={(DOMAIN, key)}, manufacturer="Amazon", name=name
        )
        return device.id
