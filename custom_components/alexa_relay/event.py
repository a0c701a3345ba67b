"""What was said at each Echo."""

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN, SIGNAL_HEARD
from .echo import Echo
from .echos import AlexaRelayConfigEntry


async def async_setup_entry(
    hass: HomeAssistant, entry: AlexaRelayConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add an entity for each Echo, also for one that speaks for the first time."""
    known: set[Echo] = set()

    @callback
    def add(echo: Echo) -> None:
        if echo.key and echo not in known:
            known.add(echo)
            async_add_entities([EchoEvent(echo)])

    for echo in entry.runtime_data.by_key.values():
        add(echo)
    entry.async_on_unload(async_dispatcher_connect(hass, SIGNAL_HEARD, add))


class EchoEvent(EventEntity):
    """What was said at an Echo."""

    _attr_event_types = ["said", "ended"]  # noqa: RUF012 - as the base class has it
    _attr_has_entity_name = True
    _attr_name = None
    _attr_translation_key = "echo"
    _unrecorded_attributes = frozenset({"sentence", "person"})

    def __init__(self, echo: Echo) -> None:
        """Belong to an Echo's device."""
        self._echo = echo
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, echo.key)})
        self._attr_unique_id = echo.key

    async def async_added_to_hass(self) -> None:
        """Show the request that this entity was added for, and then each one."""
        self._heard(self._echo)
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_HEARD, self._heard))

    @callback
    def _heard(self, echo: Echo) -> None:
        if echo is self._echo and echo.heard:
            self._trigger_event(*echo.heard)
            self.async_write_ha_state()
