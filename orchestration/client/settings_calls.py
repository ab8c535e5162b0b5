"""The client's methods for settings."""

from collections.abc import Sequence

from orchestration.client.transport import Transport
from orchestration.json_types import JsonObject


class SettingsCalls(Transport):
    """What is set, changed and taken back while the service runs."""

    async def config(self) -> JsonObject:
        """What a page or a bot needs to know before it starts."""
        return await self._json("GET", "/api/config")

    async def validate_settings(self, settings: JsonObject) -> JsonObject:
        """Whether settings, laid over those that hold, would do."""
        return await self._json("POST", "/api/settings/validate", body={"settings": settings})

    async def settings(self) -> JsonObject:
        """`{version, settings, changed, stored, after_restart, config_file, fault, applied}`."""
        return await self._json("GET", "/api/settings")

    async def change_settings(
        self, settings: JsonObject, *, comment: str = "", version: int | None = None
    ) -> JsonObject:
        """Lay a merge patch over what is stored; `{version, updated, changes, …}`.

        Raises:
            SettingsRefused: nothing has changed; the facts have every fault.
            SettingsConflict: the settings are at another version than `version`.
        """
        body: JsonObject = {"settings": settings, "comment": comment, "version": version}
        return await self._json("POST", "/api/settings", body=body)

    async def reset_settings(self, places: Sequence[str] | None = None) -> JsonObject:
        """Go back to what file and environment say, at these dotted places or everywhere."""
        body: JsonObject = {"settings": None if places is None else list(places)}
        return await self._json("POST", "/api/settings/reset", body=body)

    async def roll_settings_back(self, version: int) -> JsonObject:
        """Have hold again what an earlier version stored."""
        return await self._json("POST", "/api/settings/rollback", body={"to": version})

    async def settings_history(
        self, *, before: int | None = None, limit: int | None = None
    ) -> JsonObject:
        """One page, newest first: `{items, next_before}`."""
        query = {"before": before, "limit": limit}
        return await self._json("GET", "/api/settings/history", query=query)

    async def import_settings(self, text: str) -> JsonObject:
        """Have the settings of a YAML text, and no others, stored over file and environment."""
        return await self._json("POST", "/api/settings/import", data=text.encode())

    async def export_settings(self, *, whole: bool = False) -> str:
        """What is stored over file and environment as YAML; with `whole` all that holds."""
        query = {"all": "true"} if whole else None
        return await self._text("GET", "/api/settings/export", query=query)
