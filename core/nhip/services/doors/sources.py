"""Sources: made, changed and taken away by admins."""

import secrets as randomness
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nhip.domain.authored import RateLimit
from nhip.domain.errors import Conflict, InvalidInput, NotFound, Problem, invalid
from nhip.domain.ids import new_id
from nhip.domain.sources import (
    SECRETS,
    USUAL_PER_SECOND,
    SourceChange,
    SourceDraft,
    SourcePreset,
    StoredSource,
    Verification,
    VerificationDraft,
)
from nhip.engine.definitions.definition import NAME
from nhip.engine.facts.decoding import convert
from nhip.engine.incoming.reading_mapping import read_mapping
from nhip.engine.incoming.signatures import signing_keys
from nhip.ports import SecretVault, Unit
from nhip.services.doors.source_presets import source_presets
from nhip.services.workspace.revisions import check_match


class Sources:
    """The service; its methods run inside units."""

    def __init__(self, vault: SecretVault) -> None:
        self._vault = vault

    def find(self, unit: Unit, workspace_id: int, name: str, *, lock: bool = False) -> StoredSource:
        """The source of that name.

        Raises:
            NotFound: there is none.
        """
        stored = unit.sources.find(workspace_id, name, lock=lock)
        if stored is None:
            raise NotFound("source", name)
        return stored

    def page(self, unit: Unit, workspace_id: int, after: str | None, limit: int) -> Sequence[StoredSource]:
        """By name, after a name."""
        return unit.sources.page(workspace_id, after, limit)

    def create(self, unit: Unit, workspace_id: int, draft: SourceDraft, actor: str, now: int) -> StoredSource:
        """Make a source. What the draft leaves out is copied from its preset.

        Raises:
            InvalidInput: with the place of each problem: ``mapping.contact.phone``, ``verification.secret``.
            Conflict: the name is taken.
        """
        if not NAME.match(draft.name):
            raise invalid("name", "bad_value", "a name is lower-case letters, digits, - and _, at most 100")
        preset = _preset(draft.preset)
        mapping = draft.mapping if draft.mapping is not None else preset.mapping if preset else None
        if mapping is None:
            raise invalid("mapping", "missing", "say how a body becomes events, or name a preset")
        usual = msgspec.to_builtins(preset.verification) if preset else {}
        verification, secrets = _verified({**usual, **_said(draft.verification)})
        read_mapping(mapping)
        if unit.sources.find(workspace_id, draft.name) is not None:
            raise Conflict(f"there is a source {draft.name!r} already", name=draft.name)
        stored = StoredSource(
            workspace_id=workspace_id,
            name=draft.name,
            id=new_id(),
            title=draft.title,
            preset=draft.preset,
            mapping=mapping,
            verification=verification,
            secrets=self._vault.seal(workspace_id, _seal_name(draft.name), secrets),
            hook_token=randomness.token_urlsafe(24),
            rate_per_second=_rate(draft.rate_limit),
            allowed_origins=draft.allowed_origins,
            success_status=draft.success_status or (preset.success_status if preset else 202),
            revision=1,
            created_at=now,
            updated_at=now,
        )
        unit.sources.insert(stored)
        unit.audit.write(workspace_id, actor, "source.create", draft.name, now, {"preset": draft.preset})
        return stored

    def change(
        self,
        unit: Unit,
        workspace_id: int,
        name: str,
        change: SourceChange,
        *,
        if_match: str | None,
        actor: str,
        now: int,
    ) -> StoredSource:
        """Change a source; its hook stays where it is.

        Raises:
            NotFound, InvalidInput: as :meth:`find` and :meth:`create`.
            StaleRevision: ``if_match`` does not hold.
        """
        stored = self.find(unit, workspace_id, name, lock=True)
        check_match(stored, if_match)
        if isinstance(change.mapping, dict | list):
            read_mapping(change.mapping)
            stored.mapping = change.mapping
        if isinstance(change.verification, dict):
            current = {**msgspec.to_builtins(stored.verification), **self.opened(stored)}
            stored.verification, secrets = _verified(_said({**current, **change.verification}))
            stored.secrets = self._vault.seal(workspace_id, _seal_name(name), secrets)
        if isinstance(change.title, str):
            stored.title = change.title
        if isinstance(change.allowed_origins, list):
            stored.allowed_origins = change.allowed_origins
        if isinstance(change.success_status, int):
            stored.success_status = change.success_status
        if not isinstance(change.rate_limit, msgspec.UnsetType):
            stored.rate_per_second = _rate(change.rate_limit)
        stored.revision += 1
        stored.updated_at = now
        unit.sources.update(stored)
        changed = [field for field in SourceChange.__struct_fields__ if getattr(change, field) is not msgspec.UNSET]
        unit.audit.write(workspace_id, actor, "source.change", name, now, {"changed": changed})
        return stored

    def delete(self, unit: Unit, workspace_id: int, name: str, *, if_match: str | None, actor: str, now: int) -> None:
        """Take a source away; its hook answers 404.

        Raises:
            NotFound: there is none.
            StaleRevision: ``if_match`` does not hold.
        """
        check_match(self.find(unit, workspace_id, name, lock=True), if_match)
        unit.sources.delete(workspace_id, name)
        unit.audit.write(workspace_id, actor, "source.delete", name, now)

    def secrets_set(self, stored: StoredSource) -> list[str]:
        """The names of the secrets that a source has; never their values."""
        return sorted(self.opened(stored))

    def opened(self, stored: StoredSource) -> dict[str, str]:
        """The secrets of a source; those that open with no key any more are lost, and none are set."""
        try:
            return self._vault.open(stored.workspace_id, _seal_name(stored.name), stored.secrets)
        except Conflict:
            return {}


def _seal_name(name: str) -> str:
    """What a source's secrets are sealed for; no channel account can have this name."""
    return f"source:{name}"


def _preset(name: str | None) -> SourcePreset | None:
    if name is None:
        return None
    found = source_presets().get(name)
    if found is None:
        raise invalid(
            "preset", "unknown_preset", f"there is no preset {name!r}; there are {', '.join(source_presets())}"
        )
    return found


def _rate(limit: RateLimit | None) -> int:
    return limit.per_second if limit is not None else USUAL_PER_SECOND


def _said(patch: Mapping[str, Any]) -> dict[str, Any]:
    """A patch without what it takes away."""
    return {name: value for name, value in patch.items() if value is not None}


def _verified(raw: Mapping[str, Any]) -> tuple[Verification, dict[str, str]]:
    """A verification that can be done, and its secrets apart."""
    draft = convert(dict(raw), VerificationDraft, "verification")
    public = {name: getattr(draft, name) for name in Verification.__struct_fields__}
    secrets = {name: value for name in SECRETS if (value := getattr(draft, name))}
    problems = []
    if draft.type != "none" and not draft.secret:
        message = f"a source that verifies by {draft.type!r} needs its secret"
        problems.append(Problem(path="verification.secret", code="missing", message=message))
    elif draft.type == "standard_webhooks":
        try:
            signing_keys(draft.secret or "")
        except ValueError as error:
            problems.append(Problem(path="verification.secret", code="bad_value", message=str(error)))
    if draft.type == "hmac" and not draft.header:
        message = "say which header holds the signature"
        problems.append(Problem(path="verification.header", code="missing", message=message))
    if problems:
        raise InvalidInput(problems)
    return Verification(**public), secrets
