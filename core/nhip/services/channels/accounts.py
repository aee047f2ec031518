"""Channel accounts: made, changed and taken away by admins, each checked with its plugin's own types."""

import re
import secrets as randomness
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from nhip.catalog import Catalog
from nhip.domain.authored import ChannelChange, ChannelDraft, StoredChannel
from nhip.domain.errors import Conflict, InvalidInput, NotFound, NotSentError, Problem, invalid
from nhip.domain.ids import new_id
from nhip.engine.definitions.definition import NAME
from nhip.engine.facts.decoding import convert
from nhip.ports import SecretVault, Unit
from nhip.services.workspace.revisions import check_match
from nhip.services.workspace.usage import check_unused

_URL: Final = re.compile(r"^https?:", re.IGNORECASE)


class ChannelAccounts:
    """The service; its methods run inside units.

    ``check_url`` refuses a URL that the process may not reach by raising ``NotSentError``.
    """

    def __init__(self, catalog: Catalog, vault: SecretVault, check_url: Callable[[str], object]) -> None:
        self._catalog = catalog
        self._vault = vault
        self._check_url = check_url

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False) -> StoredChannel:
        """The account of that name.

        Raises:
            NotFound: there is none.
        """
        stored = unit.channels.find(workspace_id, name, lock=lock)
        if stored is None:
            raise NotFound("channel", name)
        return stored

    def page(self, unit: Unit, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredChannel]:
        """By name, after a name."""
        return unit.channels.page(workspace_id, after, limit)

    def create(self, unit: Unit, workspace_id: int, draft: ChannelDraft, actor: str, now: int) -> StoredChannel:
        """Make an account.

        Raises:
            InvalidInput: with the place of each problem: ``config.base_url``, ``secrets.refresh_token``.
            Conflict: the name is taken.
        """
        if not NAME.match(draft.name):
            raise invalid("name", "bad_value", "a name is lower-case letters, digits, - and _, at most 100")
        self._check(draft.type, draft.config, draft.secrets)
        if unit.channels.find(workspace_id, draft.name) is not None:
            raise Conflict(f"there is a channel {draft.name!r} already", name=draft.name)
        stored = StoredChannel(
            workspace_id=workspace_id,
            name=draft.name,
            id=new_id(),
            type=draft.type,
            config=draft.config,
            secrets=self._vault.seal(workspace_id, draft.name, draft.secrets),
            secrets_revision=0,
            hook_token=randomness.token_urlsafe(24),
            rate_per_second=draft.rate_limit.per_second if draft.rate_limit else None,
            price_amount=draft.price.amount if draft.price else None,
            price_currency=draft.price.currency if draft.price else None,
            revision=1,
            created_at=now,
            updated_at=now,
        )
        unit.channels.insert(stored)
        unit.audit.write(workspace_id, actor, "channel.create", draft.name, now, {"type": draft.type})
        return stored

    def change(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        change: ChannelChange,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> StoredChannel:
        """Lay a merge patch over an account. Its living instances are replaced at their next use.

        Raises:
            NotFound, InvalidInput: as :meth:`find` and :meth:`create`.
            StaleRevision: ``if_match`` does not hold.
        """
        stored = self.find(unit, workspace_id, name, lock=True)
        check_match(stored, if_match)
        config = _merged(stored.config, change.config) if isinstance(change.config, dict) else stored.config
        secrets = _merged(self._opened(stored), change.secrets) if isinstance(change.secrets, dict) else None
        self._check(stored.type, config, secrets)
        stored.config = config
        if secrets is not None:
            stored.secrets = self._vault.seal(workspace_id, name, secrets)
            stored.secrets_revision += 1
            unit.channels.end_renewal(workspace_id, name)
        if change.rate_limit is not msgspec.UNSET:
            stored.rate_per_second = change.rate_limit.per_second if change.rate_limit else None
        if change.price is not msgspec.UNSET:
            stored.price_amount = change.price.amount if change.price else None
            stored.price_currency = change.price.currency if change.price else None
        stored.revision += 1
        stored.updated_at = now
        unit.channels.update(stored)
        changed = [field for field in ChannelChange.__struct_fields__ if getattr(change, field) is not msgspec.UNSET]
        unit.audit.write(workspace_id, actor, "channel.change", name, now, {"changed": changed})
        return stored

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take an account away.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
            Conflict: a workflow still needs it.
        """
        check_match(self.find(unit, workspace_id, name, lock=True), if_match)
        check_unused(unit, self._catalog, workspace_id, "channel", name)
        unit.channels.delete(workspace_id, name)
        unit.audit.write(workspace_id, actor, "channel.delete", name, now)

    def secrets_set(self, stored: StoredChannel) -> list[str]:
        """The names of the secrets that an account has; never their values."""
        return sorted(name for name, value in self._opened(stored).items() if value)

    def _opened(self, stored: StoredChannel) -> dict[str, str]:
        """The secrets of an account; those that open with no key any more are lost, and none are set."""
        try:
            return self._vault.open(stored.workspace_id, stored.name, stored.secrets)
        except Conflict:
            return {}

    def _check(self, kind: str, config: Mapping[str, Any], secrets: Mapping[str, Any] | None) -> None:
        plugin = self._catalog.channels.get(kind)
        if plugin is None:
            raise invalid("type", "unknown_channel_type", f"no channel plugin of the kind {kind!r}")
        problems: list[Problem] = []
        try:
            problems += self._unreachable(convert(config, plugin.config_type, "config"))
            if secrets is not None:
                convert(secrets, plugin.secrets_type, "secrets")
        except InvalidInput as error:
            problems += error.problems
        if problems:
            raise InvalidInput(problems)

    def _unreachable(self, config: Any) -> Iterator[Problem]:
        """Every URL in a configuration that the process may not reach."""
        for path, text in _texts(msgspec.to_builtins(config), "config"):
            if _URL.match(text) or (path.endswith("url") and text):
                try:
                    self._check_url(text)
                except NotSentError as error:
                    yield Problem(path=path, code=str(error.data.get("code", error.code)), message=error.detail)


def _merged(current: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7396) laid over an object."""
    merged = dict(current)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return merged


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, inner in value.items():
                yield from _texts(inner, f"{path}.{name}")
        case list() | tuple():
            for position, inner in enumerate(value):
                yield from _texts(inner, f"{path}[{position}]")
