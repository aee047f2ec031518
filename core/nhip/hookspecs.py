"""Every hook: signature, docstring, and the version that brought it.

A hook returns classes, so that behaviour is typed and can be awaited. No hook is asynchronous and none stops at the
first result.
"""

import pluggy

from nhip.plugin_api import Action, Bundle, Channel, Condition, RecordType, Trigger

PROJECT = "nhip"
HOOKSPEC_VERSION = 1
"""Rises when a hook changes incompatibly. A plugin may say which it knows: ``NHIP_HOOKSPEC_VERSION = (1, 1)``."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def nhip_register_triggers() -> list[type[Trigger]]:  # type: ignore[empty-body]
    """Return the trigger classes of this plugin. Since 0.1."""


@hookspec
def nhip_register_conditions() -> list[type[Condition]]:  # type: ignore[empty-body]
    """Return the condition classes of this plugin. Since 0.1."""


@hookspec
def nhip_register_actions() -> list[type[Action]]:  # type: ignore[empty-body]
    """Return the action classes of this plugin. Since 0.1."""


@hookspec
def nhip_register_channels() -> list[type[Channel]]:  # type: ignore[empty-body]
    """Return the channel classes of this plugin. Since 0.1."""


@hookspec
def nhip_register_record_types() -> list[type[RecordType]]:  # type: ignore[empty-body]
    """Return the record types of this plugin. Since 0.1."""


@hookspec
def nhip_register_bundles() -> list[type[Bundle]]:  # type: ignore[empty-body]
    """Return the bundles of this plugin. Since 0.1."""
