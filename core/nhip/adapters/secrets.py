"""Secrets at rest: sealed with keys that never enter the database.

What is sealed carries the workspace and the name it was sealed for, so a row copied to another tenant, or to another
account of the same one, does not open there.
"""

import base64
import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nhip.domain.errors import Conflict, invalid

KEY_FILE: Final = "secret.key"
"""The file in the data folder that keeps the generated key."""
MIN_KEY_LENGTH: Final = 32
"""Characters of a key. It is not stretched, so it has to be random: 32 bytes in base64 are 44 of them."""


class SealBroken(Conflict):
    """What is stored was sealed with a key that is unknown here, or for another place; its secrets must be set anew."""

    code = "seal_broken"


class _Sealed(msgspec.Struct, frozen=True):
    """The plaintext: the secrets, and where they belong."""

    workspace_id: int
    name: str
    secrets: dict[str, str]


_decode: Final = msgspec.json.Decoder(_Sealed).decode
_encode: Final = msgspec.json.Encoder().encode


class Vault:
    """Seals and opens secrets. The first key seals; every key opens, so keys rotate by putting a new one in front."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take random texts as keys, each at least :data:`MIN_KEY_LENGTH` characters long.

        Raises:
            InvalidInput: no key, or one that is too short.
        """
        if not keys:
            raise invalid("secret_key", "missing", "at least one key is needed")
        if any(len(key) < MIN_KEY_LENGTH for key in keys):
            text = (
                f"a key is a random text of at least {MIN_KEY_LENGTH} characters, as `openssl rand -base64 32` makes it"
            )
            raise invalid("secret_key", "too_short", text)
        self._keys = tuple(keys)
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, "secrets"))) for key in keys])

    @classmethod
    def from_settings(cls, secret_key: str | None, data_folder: Path) -> Self:
        """Take the keys of ``secret_key``, separated by commas; without one, the key that the data folder keeps.

        That key is generated at the first call, in a file that only its owner may read.
        """
        if secret_key:
            return cls([key for key in (part.strip() for part in secret_key.split(",")) if key])
        return cls([_kept_key(data_folder / KEY_FILE)])

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """Keys of 32 bytes for something else than sealing, in the order of those that they are made of."""
        return tuple(_derive(key, purpose) for key in self._keys)

    def seal(self, workspace_id: int, name: str, secrets: Mapping[str, str]) -> str:
        """Encrypt the secrets of the channel account ``name`` of a workspace."""
        plain = _encode(_Sealed(workspace_id=workspace_id, name=name, secrets=dict(secrets)))
        return self._fernet.encrypt(plain).decode()

    def open(self, workspace_id: int, name: str, sealed: str) -> dict[str, str]:
        """Decrypt what was sealed for that workspace and name; an empty text holds nothing.

        Raises:
            SealBroken: no key opens it, or it was sealed for another place.
        """
        if not sealed:
            return {}
        try:
            content = _decode(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError):
            raise SealBroken(f"the stored secrets of {name!r} open with no key that is known here") from None
        if (content.workspace_id, content.name) != (workspace_id, name):
            raise SealBroken(f"the stored secrets of {name!r} were sealed for another account")
        return content.secrets


def _derive(key: str, purpose: str) -> bytes:
    """32 bytes for one purpose, from a random text of any form; those for another say nothing of them."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"nhip {purpose}".encode()).derive(key.encode())


def _kept_key(path: Path) -> str:
    """The key in a file, generated when the file is not there. Processes that start together agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.urlsafe_b64encode(os.urandom(32)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole or not at all, and never replaces what another process put there first.
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            _sync_folder(path.parent)
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def _sync_folder(folder: Path) -> None:
    """Let the file's name reach the disk: a key that a power cut takes away takes every secret with it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
