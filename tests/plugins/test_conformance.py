"""The conformance kit over every shipped plugin, and over broken ones that it must catch."""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

import nhip_actions
import nhip_bundles
import nhip_channels
import nhip_conditions
import nhip_triggers
from nhip import (
    Accepted,
    AddressKind,
    Capabilities,
    Channel,
    Config,
    DeliveryClass,
    Lowered,
    Message,
    Outcome,
    Plugin,
    Trigger,
)
from nhip.testing.conformance import (
    Nonconforming,
    ProviderStandIn,
    check_action,
    check_bundle,
    check_channel,
    check_condition,
    check_delivery,
    check_record_type,
    check_trigger,
)
from nhip.testing.contexts import message
from nhip.testing.standins.asterisk import AsteriskStandIn
from nhip.testing.standins.esms import EsmsStandIn
from nhip.testing.standins.smtp import SmtpStandIn
from nhip.testing.standins.stringee import StringeeStandIn
from nhip.testing.standins.telephone import Reply
from nhip.testing.standins.twilio import TwilioStandIn
from nhip.testing.standins.webhook import WebhookStandIn
from nhip.testing.standins.zalo import ZaloStandIn
from nhip_channels.email import EmailChannel
from nhip_channels.sms_esms import SmsEsms
from nhip_channels.voice_asterisk import VoiceAsterisk
from nhip_channels.voice_stringee import VoiceStringee
from nhip_channels.voice_twilio import VoiceTwilio
from nhip_channels.webhook import Webhook
from nhip_channels.zalo_zns import ZaloZns

PACKAGES = (nhip_triggers, nhip_conditions, nhip_actions, nhip_channels, nhip_bundles)
CHECKS: Mapping[str, Callable[[Any], None]] = {
    "nhip_register_triggers": check_trigger,
    "nhip_register_conditions": check_condition,
    "nhip_register_actions": check_action,
    "nhip_register_channels": check_channel,
    "nhip_register_record_types": check_record_type,
    "nhip_register_bundles": check_bundle,
}


def shipped() -> list[tuple[str, type[Plugin]]]:
    """Every class that a module of the plugin packages registers, with the hook that registers it."""
    modules = [
        import_module(f"{package.__name__}.{found.name}")
        for package in PACKAGES
        for found in pkgutil.iter_modules(package.__path__)
    ]
    hooks = [(hook, vars(module)[hook]) for module in modules for hook in CHECKS if hasattr(module, hook)]
    return [(hook, cls) for hook, register in hooks for cls in register()]


SHIPPED = shipped()


def test_something_of_the_usual_sorts_is_shipped() -> None:
    hooks = {hook for hook, _ in SHIPPED}
    assert {"nhip_register_triggers", "nhip_register_actions", "nhip_register_channels"} <= hooks


@pytest.mark.parametrize(("hook", "cls"), SHIPPED, ids=[f"{cls.__module__}.{cls.__name__}" for _, cls in SHIPPED])
def test_a_shipped_plugin_conforms(hook: str, cls: type[Plugin]) -> None:
    CHECKS[hook](cls)


async def nobody(*_: object) -> Reply:
    """Nobody takes what becomes of the calls."""
    return Reply(0)


DELIVERIES: list[tuple[type[Channel], Callable[[], AbstractAsyncContextManager[Any]], Callable[[str], Message]]] = [
    (
        ZaloZns,
        ZaloStandIn,
        lambda key: message("+84987654321", key, provider_template_id="405463", params={"order_code": "DH-1"}),
    ),
    (SmsEsms, EsmsStandIn, lambda key: message("+84987654321", key, text="Đơn hàng đã giao")),
    (Webhook, WebhookStandIn, lambda key: message("+84987654321", key, text="Đơn hàng đã giao")),
    (VoiceTwilio, lambda: TwilioStandIn(reach=nobody), lambda key: message("+84987654321", key, text="Đã giao")),
    (VoiceStringee, lambda: StringeeStandIn(reach=nobody), lambda key: message("+84987654321", key, text="Đã giao")),
    (VoiceAsterisk, AsteriskStandIn, lambda key: message("+84987654321", key, text="Đã giao")),
    (EmailChannel, SmtpStandIn, lambda key: message("anh@example.com", key, subject="Đơn hàng", text="đã giao")),
]


@pytest.mark.parametrize(("cls", "standin", "make"), DELIVERIES, ids=[cls.kind for cls, _, _ in DELIVERIES])
async def test_a_channel_never_says_what_the_ledger_denies(
    cls: type[Channel],
    standin: Callable[[], AbstractAsyncContextManager[ProviderStandIn]],
    make: Callable[[str], Message],
) -> None:
    async with standin() as provider:
        await check_delivery(cls, provider, make)


# --- what the kit must catch ------------------------------------------------------------------------------------------


class Undescribed(Config):
    """A field without a description."""

    to: tuple[str, ...] = ()


class Described(Config):
    """A field with one."""

    to: Annotated[tuple[str, ...], msgspec.Meta(description="Where to.")] = ()


class Vague(Trigger):
    """Does not describe its configuration."""

    kind = "vague"
    config_type = Undescribed

    def lower(self, config: Any) -> Lowered:
        return Lowered(event_types=("x",))


class Mute(Trigger):
    kind = "mute"
    config_type = Described

    def lower(self, config: Any) -> Lowered:
        return Lowered(event_types=())


class Moody(Trigger):
    """Answers differently each time."""

    kind = "moody"
    config_type = Described
    moods: ClassVar[list[str]] = []

    def lower(self, config: Any) -> Lowered:
        self.moods.append("x")
        return Lowered(event_types=tuple(self.moods))


class Shouting(Trigger):
    """Its kind is no kind."""

    kind = "Shouting!"

    def lower(self, config: Any) -> Lowered:
        return Lowered(event_types=("x",))


class Liar(Channel):
    """Says that everything was accepted, and claims a class that it has not got."""

    kind = "liar"
    delivery_class = DeliveryClass.DEDUPES
    capabilities = Capabilities(address=AddressKind.NONE, receipts=True)

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        return [Accepted() for _ in batch]


class Careless(ZaloZns):
    """Claims that Zalo drops repeated keys, which it does not."""

    kind = "careless"
    delivery_class = DeliveryClass.DEDUPES
    dedupe_seconds = 60


class Short(Webhook):
    """Loses outcomes."""

    kind = "short"

    async def send(self, batch: Sequence[Message], timeout: float) -> Sequence[Outcome]:
        return list(await super().send(batch, timeout))[:1]


@pytest.mark.parametrize(
    ("cls", "finding"),
    [
        (Vague, "config_type does not describe its field 'to'"),
        (Mute, "the class has no docstring"),
        (Mute, "names no event type"),
        (Moody, "the same Lowered twice"),
        (Shouting, "has the kind 'Shouting!'"),
    ],
)
def test_a_broken_trigger_is_caught(cls: type[Trigger], finding: str) -> None:
    with pytest.raises(Nonconforming, match=finding):
        check_trigger(cls, {"to": ["x"]} if cls is not Shouting else {})


def test_a_configuration_that_does_not_fit_is_caught() -> None:
    with pytest.raises(Nonconforming, match="does not fit"):
        check_trigger(Moody, {"from": []})


def test_a_channel_that_contradicts_itself_is_caught() -> None:
    with pytest.raises(Nonconforming) as error:
        check_channel(Liar)
    assert len(error.value.findings) == 2


async def test_a_channel_that_lies_is_caught() -> None:
    class Silent(WebhookStandIn):
        def config(self) -> dict[str, str]:
            return {}

        def secrets(self) -> dict[str, str]:
            return {}

    async with Silent() as provider:
        with pytest.raises(Nonconforming, match="is accepted and had 0 effects"):
            await check_delivery(Liar, provider, lambda key: message("x", key, text="y"))


async def test_a_channel_that_claims_to_dedupe_is_caught() -> None:
    async with ZaloStandIn() as zalo:
        with pytest.raises(Nonconforming, match="2 effects; it should dedupe"):
            await check_delivery(
                Careless, zalo, lambda key: message("+84987654321", key, provider_template_id="1", params={"a": "b"})
            )


async def test_a_channel_that_loses_outcomes_is_caught() -> None:
    async with WebhookStandIn() as endpoint:
        with pytest.raises(Nonconforming, match="3 messages have 1 outcomes"):
            await check_delivery(Short, endpoint, lambda key: message("x", key, text="y"))


@pytest.mark.parametrize("check", [check_condition, check_action, check_channel, check_record_type, check_bundle])
def test_a_plugin_of_another_sort_is_caught(check: Callable[[Any], None]) -> None:
    with pytest.raises(Nonconforming, match="does not extend"):
        check(Vague)
