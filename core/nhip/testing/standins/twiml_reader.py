"""Reads TwiML as Twilio's own library writes it: what the library could not have written is refused.

Each verb is told to the library once more, and what it writes has to be the document that was read. Needs the
distribution ``twilio``.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree as ET

import msgspec
from twilio.twiml.voice_response import VoiceResponse

_SMALL: Final = re.compile(r"(?<=[a-z])([A-Z])")


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that Twilio is told to do."""

    name: str
    text: str = ""
    attributes: Mapping[str, str] = {}
    nested: tuple["Verb", ...] = ()

    @property
    def spoken(self) -> str:
        """Everything that is said in it."""
        own = self.text if self.name == "Say" else ""
        return " ".join(part for part in (own, *(verb.spoken for verb in self.nested)) if part)


def read_twiml(document: bytes) -> list[Verb]:
    """The verbs of a document.

    Raises:
        ValueError: it is not TwiML.
    """
    try:
        root = ET.fromstring(document)  # noqa: S314 - it comes from the system under test
    except ET.ParseError as error:
        raise ValueError(f"12100: not XML: {error}") from error
    if root.tag != "Response":
        raise ValueError("12100: the root of TwiML is Response")
    again = VoiceResponse()
    for element in root:
        _retell(again, element)
    if ET.canonicalize(str(again)) != ET.canonicalize(document.decode()):
        raise ValueError(f"12200: Twilio's library writes {again} instead of {document.decode()}")
    return [_verb(element) for element in root]


def _retell(parent: Any, element: ET.Element) -> None:
    """Tell the library one verb."""
    tell = getattr(parent, _SMALL.sub(r"_\1", element.tag).lower(), None)
    if tell is None:
        raise ValueError(f"12200: {type(parent).__name__} has no {element.tag}")
    known = inspect.signature(tell).parameters
    said = {_SMALL.sub(r"_\1", name).lower(): value for name, value in element.attrib.items()}
    if strange := said.keys() - known.keys():
        raise ValueError(f"12200: {element.tag} has no attribute {', '.join(sorted(strange))}")
    words = [element.text] if element.text else []
    nested = tell(*words, **said)
    for child in element:
        _retell(nested, child)


def _verb(element: ET.Element) -> Verb:
    nested = tuple(_verb(child) for child in element)
    return Verb(name=element.tag, text=element.text or "", attributes=dict(element.attrib), nested=nested)
