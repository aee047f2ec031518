"""What providers report later: early, late, twice, out of order, forged."""

import asyncio

import pytest

from nhip import Accepted, Ambiguous, Outcome, Rejected, RejectionReason, SignatureMismatch
from nhip.domain.errors import NotFound
from tests.support.scripted_channels import Held, scripts
from tests.support.world import World, receipt, send, tag

SILENCE = Ambiguous(code="timeout")


@pytest.fixture
async def shop(world: World) -> World:
    """A shop whose only workflow sends one message and then tags."""
    await world.channel("first")
    await world.channel("second")
    await world.template("hello")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("greet", send("first", fallback=[{"channel": "second"}]), tag("after"))
    return world


async def sent(shop: World, outcome: Outcome | None = None) -> str:
    """Send the message; answers with its key."""
    scripts["first"].answer(outcome or Accepted(provider_id="p-1"))
    await shop.happens()
    await shop.work()
    return scripts["first"].keys[-1]


async def states(shop: World) -> list[str]:
    return [one[1] for one in await shop.deliveries()]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (["delivered"], "delivered"),
        (["delivered", "read"], "read"),
        (["read", "delivered"], "read"),
        (["delivered", "accepted"], "delivered"),
        (["failed"], "failed"),
        (["failed", "delivered"], "delivered"),
        (["failed", "accepted"], "failed"),
        (["delivered", "failed"], "delivered"),
        (["read", "failed"], "read"),
        (["accepted"], "accepted"),
    ],
    ids="-".join,
)
async def test_a_delivery_only_climbs(shop: World, told: list[str], state: str) -> None:
    key = await sent(shop)
    for number, status in enumerate(told):
        assert await shop.is_told("first", receipt(number, status, key=key)) == 1
    assert await states(shop) == [state]


async def test_the_same_receipt_twice_has_one_effect(shop: World) -> None:
    await shop.workflow("delivered", tag("delivered"), on="message.delivered")
    await sent(shop)
    told = receipt(1, "delivered", provider_id="p-1")
    assert [await shop.is_told("first", told) for _ in range(3)] == [1, 0, 0]
    counts = await asyncio.gather(*(shop.is_told("first", receipt(2, "read", provider_id="p-1")) for _ in range(5)))
    assert sum(counts) == 1
    assert await shop.value("SELECT COUNT(*) FROM events WHERE type = 'message.delivered'") == 1
    await shop.work()
    assert (await shop.contact())["tags"] == ["after", "delivered"]


async def test_a_forged_receipt_has_none(shop: World) -> None:
    key = await sent(shop)
    with pytest.raises(SignatureMismatch):
        await shop.is_told("first", receipt(1, "delivered", key=key), signature="forged")
    with pytest.raises(NotFound):
        await shop.hooks.account("first", "guessed")
    assert await states(shop) == ["accepted"]


async def test_a_receipt_of_another_account_finds_nothing(shop: World) -> None:
    key = await sent(shop)
    await shop.is_told("second", receipt(1, "delivered", key=key, provider_id="p-1"))
    assert await states(shop) == ["accepted"]


async def test_a_receipt_settles_what_was_unknown_and_the_run_goes_on(shop: World) -> None:
    key = await sent(shop, SILENCE)
    assert await states(shop) == ["unknown"]
    await shop.is_told("first", receipt(1, "delivered", key=key))
    await shop.work()
    assert await shop.steps() == [("tell", "done", "delivered"), ("mark", "done", "done")]


async def test_a_late_receipt_still_says_what_became_of_it(shop: World) -> None:
    key = await sent(shop, SILENCE)
    await shop.later(minutes=11)
    assert await shop.run_states() == ["completed"]
    await shop.is_told("first", receipt(1, "failed", key=key))
    assert await states(shop) == ["failed"]


async def test_a_receipt_that_comes_before_the_answer_is_parked(shop: World) -> None:
    held = Held()
    scripts["first"].answer(held)
    await shop.happens()
    working = asyncio.create_task(shop.work())
    await held.entered.wait()
    await shop.is_told("first", receipt(1, "delivered", provider_id="p-7"))
    assert await states(shop) == ["sending"]
    held.end(Accepted(provider_id="p-7"))
    await working
    assert await states(shop) == ["delivered"]
    assert await shop.value("SELECT COUNT(*) FROM receipts WHERE delivery_id IS NULL") == 0


@pytest.mark.parametrize(
    ("told", "outcome", "state", "step"),
    [
        ("delivered", SILENCE, "delivered", "delivered"),
        ("delivered", Accepted(provider_id="p-7"), "delivered", "delivered"),
        ("failed", Accepted(provider_id="p-7"), "failed", "failed"),
        ("failed", SILENCE, "failed", "failed"),
        ("read", Rejected(reason=RejectionReason.REFUSED, code="-1"), "read", "read"),
    ],
    ids=["delivered, silence", "delivered, accepted", "failed, accepted", "failed, silence", "read, rejected"],
)
async def test_what_it_said_stands_when_the_answer_comes(
    shop: World, told: str, outcome: Outcome, state: str, step: str
) -> None:
    held = Held()
    scripts["first"].answer(held)
    await shop.happens()
    working = asyncio.create_task(shop.work())
    await held.entered.wait()
    await shop.is_told("first", receipt(1, told, key=scripts["first"].keys[0]))
    held.end(outcome)
    await working
    assert await states(shop) == [state]
    assert (await shop.steps())[0] == ("tell", "done", step)


async def test_what_a_receipt_ended_is_not_sent_again(world: World) -> None:
    await world.channel("first", "scripted_dedupes")
    await world.template("hello", "scripted_dedupes")
    await world.knows("KH-1", name="Anh", phone="0987654321")
    await world.workflow("greet", send("first"))
    scripts["first"].answer(SILENCE)
    await world.happens()
    await world.work()
    await world.is_told("first", receipt(1, "delivered", key=scripts["first"].keys[0]))
    await world.later(minutes=1)
    assert len(scripts["first"].sent) == 1
    assert await states(world) == ["delivered"]
    assert await world.steps() == [("tell", "done", "delivered")]


async def test_a_receipt_parked_in_the_very_moment_of_the_answer_is_found_later(shop: World) -> None:
    """Neither transaction saw the other: the delivery has its id, and the receipt is still parked."""
    await sent(shop)
    await shop.is_told("first", receipt(1, "delivered", provider_id="p-unknown"))
    assert await states(shop) == ["accepted"]
    await shop.change("UPDATE receipts SET provider_id = 'p-1'")
    await shop.later(seconds=1)
    assert await states(shop) == ["delivered"]


async def test_a_nul_in_a_receipt_is_stored_without_it(shop: World) -> None:
    key = await sent(shop)
    await shop.is_told("first", receipt("\0", "delivered", key=key))
    assert await states(shop) == ["delivered"]


async def test_a_workflow_that_answers_its_own_receipts_is_cut(shop: World) -> None:
    await shop.workflow("echo", send("second"), on="message.delivered")
    await shop.is_told("first", receipt(0, "delivered", key=await sent(shop)))
    for number in range(1, 30):
        await shop.later(seconds=1)
        if len(scripts["second"].keys) < number:
            break
        await shop.is_told("second", receipt(number, "delivered", key=scripts["second"].keys[-1]))
    assert len(scripts["second"].keys) == 20
    assert [row[0] for row in await shop.rows("SELECT reason FROM refusals")] == ["chain_too_long"]
