"""A step becomes one message, or says why not."""

import pytest

from nhip import Accepted, Ambiguous, Money, NotSent, Rejected, RejectionReason
from nhip.domain.ids import idempotency_key
from tests.support.scripted_actions import Calling
from tests.support.scripted_channels import scripts
from tests.support.world import World, send, tag

PHONE = "0987654321"
REFUSED = Rejected(reason=RejectionReason.REFUSED, code="-114")
INVALID = Rejected(reason=RejectionReason.INVALID, code="-1122", detail="a parameter is missing")
BUSY = NotSent(code="busy")
NIGHT = NotSent(code="night", retry_after=3_600, counts=False)
SILENCE = Ambiguous(code="timeout", detail="silence")


@pytest.fixture
async def shop(world: World) -> World:
    """A shop that can reach KH-1 by phone over three channels."""
    for name in ("first", "second", "third"):
        await world.channel(name)
    await world.channel("deduping", "scripted_dedupes")
    await world.template("hello")
    await world.template("hello-deduping", "scripted_dedupes")
    await world.template("hello-console", "console")
    await world.knows("KH-1", name="Anh", phone=PHONE)
    return world


async def test_a_message_goes_out_once_with_its_words_and_its_key(shop: World, world: World) -> None:
    script = await world.channel("fourth")
    await world.workflow("greet", send("fourth"), tag("greeted"))
    await world.happens()
    await world.work()

    (message,) = script.sent
    assert (message.to, message.content.text) == ("+84987654321", "Chào Anh")
    run_id = await world.value("SELECT id FROM runs")
    assert message.idempotency_key == idempotency_key(world.workspace_id, run_id, "tell", 0, 0)
    assert await world.steps() == [("tell", "done", "accepted"), ("mark", "done", "done")]
    assert await world.run_states() == ["completed"]
    assert (await world.contact())["tags"] == ["greeted"]


class TestTheLadder:
    async def test_a_refusal_tries_the_next_alternative_under_a_new_key(self, shop: World) -> None:
        first, second, third = (scripts[name] for name in ("first", "second", "third"))
        first.answer(REFUSED)
        second.answer(REFUSED)
        await shop.workflow("greet", send("first", fallback=[{"channel": "second"}, {"channel": "third"}]))
        await shop.happens()
        await shop.work()
        assert await shop.deliveries() == [
            ("first", "rejected", "refused"), ("second", "rejected", "refused"), ("third", "accepted", None),
        ]  # fmt: skip
        keys = [*first.keys, *second.keys, *third.keys]
        assert len(set(keys)) == 3
        row = await shop.row("SELECT generation, alternative, attempt FROM steps")
        assert tuple(row) == (2, 2, 1)

    async def test_a_refusal_at_its_end_lets_the_run_go_on_with_the_outcome(self, shop: World) -> None:
        scripts["first"].answer(REFUSED)
        await shop.workflow("greet", send("first"), tag("after"))
        await shop.happens()
        await shop.work()
        assert await shop.steps() == [("tell", "done", "rejected"), ("mark", "done", "done")]

    async def test_a_wrong_message_is_wrong_on_every_channel(self, shop: World) -> None:
        scripts["first"].answer(INVALID)
        await shop.workflow("greet", send("first", fallback=[{"channel": "second"}]))
        await shop.happens()
        await shop.work()
        assert scripts["second"].sent == []
        assert await shop.steps() == [("tell", "dead", "failed")]
        assert await shop.run_states() == ["failed"]

    async def test_who_has_no_address_is_not_written_to(self, shop: World) -> None:
        await shop.workflow("greet", send("first"), tag("after"))
        await shop.happens(contact="KH-2")
        await shop.work()
        assert await shop.deliveries() == [("first", "suppressed", "no_address")]
        assert await shop.steps() == [("tell", "done", "suppressed"), ("mark", "done", "done")]

    async def test_or_is_written_to_where_there_is_one(self, shop: World) -> None:
        await shop.channel("console", "console", config={})
        await shop.workflow("greet", send("first", fallback=[{"channel": "console", "template": "hello-console"}]))
        await shop.happens(contact={"external_id": "KH-2", "name": "Bình"})
        await shop.work()
        assert await shop.deliveries() == [("first", "suppressed", "no_address"), ("console", "accepted", None)]

    async def test_an_address_that_goes_away_between_two_attempts_changes_nothing(self, shop: World) -> None:
        """What is sent again is the intent as it was stored: the same key must mean the same message."""
        scripts["first"].answer(BUSY)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        await shop.knows("KH-1", phone=None, name="Bình")
        await shop.later(minutes=1)
        again = scripts["first"].sent[1]
        assert (again.to, again.content.text) == ("+84987654321", "Chào Anh")
        assert await shop.deliveries() == [("first", "accepted", None)]

    async def test_a_template_that_cannot_be_filled_in_says_where(self, shop: World) -> None:
        await shop.template("hello", text="{{ order.external_id }}")
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        assert await shop.deliveries() == [("first", "failed", "template_error")]
        assert await shop.run_states() == ["failed"]
        assert "order" in await shop.value("SELECT reason FROM steps")

    async def test_a_channel_that_is_gone_is_a_dead_step(self, shop: World) -> None:
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.change("DELETE FROM channels WHERE name = 'first'")
        await shop.work()
        assert await shop.value("SELECT reason FROM steps") == "no channel 'first'"

    async def test_what_it_costs_is_kept(self, shop: World) -> None:
        scripts["first"].answer(Accepted(provider_id="p-1", price=Money(amount=300)))
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        row = await shop.row("SELECT provider_id, price_amount, price_currency FROM deliveries")
        assert tuple(row) == ("p-1", 300, "VND")

    async def test_a_nul_in_what_a_provider_says_is_no_reason_to_forget_it(self, shop: World) -> None:
        scripts["first"].answer(Rejected(reason=RejectionReason.REFUSED, code="\0", detail="a\0b"))
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        assert await shop.deliveries() == [("first", "rejected", "refused")]


class TestTryingAgain:
    async def test_what_was_not_sent_is_tried_again_under_the_same_key(self, shop: World) -> None:
        script = scripts["first"]
        script.answer(BUSY, BUSY)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        assert await shop.steps() == [("tell", "ready", None)]
        assert await shop.deliveries() == [("first", "deferred", "busy")]
        await shop.later(minutes=1)
        await shop.later(minutes=1)
        assert len(script.sent) == 3
        assert len(set(script.keys)) == 1
        assert await shop.deliveries() == [("first", "accepted", None)]
        assert await shop.value("SELECT attempts FROM deliveries") == 3

    async def test_until_the_attempts_are_used_up(self, shop: World) -> None:
        script = scripts["first"]
        script.answer(*[BUSY] * 20)
        await shop.workflow("greet", send("first", fallback=[{"channel": "second"}]))
        await shop.happens()
        await shop.work()
        for _ in range(8):
            await shop.later(minutes=16)
        assert len(script.sent) == 8
        assert await shop.deliveries() == [("first", "failed", "attempts_exhausted"), ("second", "accepted", None)]

    async def test_a_first_attempt_that_does_not_count_is_followed_by_another(self, shop: World) -> None:
        script = scripts["first"]
        script.answer(NIGHT, NIGHT)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        await shop.later(minutes=59)
        assert len(script.sent) == 1
        await shop.later(minutes=1)
        await shop.later(hours=1)
        assert len(script.sent) == 3
        assert len(set(script.keys)) == 1
        assert await shop.deliveries() == [("first", "accepted", None)]

    @pytest.mark.parametrize("first", [(), (BUSY,)], ids=["at once", "after an attempt that counts"])
    async def test_what_does_not_count_makes_no_step_older(self, shop: World, first: tuple[NotSent, ...]) -> None:
        quota = NotSent(code="quota", retry_after=86_400, counts=False)
        script = scripts["first"]
        script.answer(*first, *[quota] * 21, BUSY, BUSY)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        await shop.later(minutes=1)
        for _ in range(21):
            await shop.later(days=1)
        assert await shop.deliveries() == [("first", "deferred", "busy")]
        for _ in range(2):
            await shop.later(minutes=1)
        assert await shop.deliveries() == [("first", "accepted", None)]

    async def test_but_for_five_weeks_at_most(self, shop: World) -> None:
        quota = NotSent(code="quota", detail="monthly", retry_after=86_400, counts=False)
        scripts["first"].answer(*[quota] * 40)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        for _ in range(34):
            await shop.later(days=1)
        assert await shop.deliveries() == [("first", "deferred", "quota")]
        await shop.later(days=1)
        assert await shop.deliveries() == [("first", "failed", "attempts_exhausted")]
        assert await shop.run_states() == ["failed"]

    async def test_a_rate_limit_queues_and_drops_nobody(self, shop: World) -> None:
        script = await shop.channel("slow", per_second=2)
        await shop.workflow("greet", send("slow"))
        for n in range(10):
            await shop.happens(contact={"external_id": f"KH-{n}", "name": "Anh", "phone": f"098765432{n}"})
        await shop.work()
        sent_at_once = len(script.sent)
        assert 1 <= sent_at_once <= 2
        for _ in range(60):
            await shop.later(milliseconds=100)
        assert len(script.sent) == 10
        assert await shop.value("SELECT MAX(attempt) FROM steps") == 1
        assert await shop.value("SELECT MAX(attempts) FROM deliveries") == 1

    async def test_a_rate_limit_lets_no_more_than_its_rate_through(self, shop: World) -> None:
        script = await shop.channel("slow", per_second=10)
        await shop.workflow("greet", send("slow"))
        for n in range(30):
            await shop.happens(contact={"external_id": f"KH-{n}", "name": "Anh", "phone": f"09876543{n:02}"})
        await shop.work()
        for _ in range(10):
            await shop.later(milliseconds=100)
        assert 8 <= len(script.sent) <= 12

    async def test_remote_actions_too(self, shop: World) -> None:
        Calling.outcomes[:] = ["unavailable", "unavailable"]
        await shop.workflow("call", {"id": "call", "action": "scripted_remote"}, tag("called"))
        await shop.happens()
        await shop.work()
        await shop.later(seconds=6)
        assert len(Calling.keys) == 1
        await shop.later(seconds=2)
        await shop.later(minutes=1)
        assert len(Calling.keys) == 3
        assert len(set(Calling.keys)) == 1
        assert await shop.steps() == [("call", "done", "done"), ("mark", "done", "done")]

    @pytest.mark.parametrize(
        ("outcome", "state", "run"),
        [("fails", "dead", "failed"), ("ambiguous", "unknown", "running"), ("raises", "unknown", "running")],
    )
    async def test_a_remote_actions_other_ends(self, shop: World, outcome: str, state: str, run: str) -> None:
        Calling.outcomes[:] = [outcome]
        await shop.workflow("call", {"id": "call", "action": "scripted_remote"})
        await shop.happens()
        await shop.work()
        assert [step[1] for step in await shop.steps()] == [state]
        assert await shop.run_states() == [run]


class TestUnknown:
    @pytest.fixture
    async def unsure(self, shop: World) -> World:
        """A message of which nobody knows whether it arrived."""
        scripts["first"].answer(SILENCE)
        await shop.workflow("greet", send("first"), tag("after"))
        await shop.happens()
        await shop.work()
        assert await shop.steps() == [("tell", "unknown", None)]
        assert await shop.deliveries() == [("first", "unknown", "timeout")]
        return shop

    async def test_it_is_never_blindly_sent_again(self, unsure: World) -> None:
        for _ in range(5):
            await unsure.later(minutes=1)
        assert len(scripts["first"].sent) == 1

    @pytest.mark.parametrize(
        ("answer", "state", "sent"),
        [
            (Accepted(provider_id="p-9"), "accepted", 1),
            (Rejected(reason=RejectionReason.UNREACHABLE, code="-118"), "rejected", 1),
            (NotSent(code="unheard"), "accepted", 2),
        ],
        ids=["accepted", "rejected", "never arrived"],
    )
    async def test_its_provider_is_asked(self, unsure: World, answer: object, state: str, sent: int) -> None:
        script = scripts["first"]
        script.look_ups[script.keys[0]] = answer  # type: ignore[assignment]
        await unsure.later(seconds=1)
        await unsure.later(seconds=1)
        assert [one[1] for one in await unsure.deliveries()] == [state]
        assert len(script.sent) == sent
        assert len(set(script.keys)) == 1
        assert await unsure.run_states() == ["completed"]

    async def test_a_provider_that_cannot_tell_yet_is_asked_again(self, unsure: World) -> None:
        script = scripts["first"]
        await unsure.later(seconds=6)
        await unsure.later(seconds=6)
        assert len(script.looked_up) == 2

    async def test_after_a_time_the_run_goes_on_without_knowing(self, unsure: World) -> None:
        await unsure.later(minutes=9)
        assert await unsure.run_states() == ["running"]
        await unsure.later(minutes=2)
        assert await unsure.steps() == [("tell", "done", "unknown"), ("mark", "done", "done")]
        assert await unsure.deliveries() == [("first", "unknown", "timeout")]

    @pytest.mark.parametrize("given_up", [False, True], ids=["in time", "after the run went on"])
    @pytest.mark.parametrize("sent", [True, False], ids=["sent", "not sent"])
    async def test_a_person_says_what_became_of_it(self, unsure: World, sent: bool, given_up: bool) -> None:
        if given_up:
            await unsure.later(minutes=11)
        delivery_id = await unsure.value("SELECT id FROM deliveries")
        await unsure.engine.database.transact(
            unsure.engine.receipts.settle, unsure.workspace_id, delivery_id, sent=sent, actor="tester"
        )
        await unsure.later(seconds=1)
        script = scripts["first"]
        if sent:
            assert await unsure.deliveries() == [("first", "accepted", "resolved_sent")]
        else:
            assert await unsure.deliveries() == [("first", "failed", "resolved_not_sent"), ("first", "accepted", None)]
        assert len(set(script.keys)) == len(script.keys) == (1 if sent else 2)
        assert await unsure.run_states() == ["completed"]
        assert (await unsure.contact())["tags"] == ["after"]

    async def test_where_the_provider_drops_a_repeated_key_it_is_repeated(self, shop: World) -> None:
        script = scripts["deduping"]
        script.answer(SILENCE, SILENCE)
        await shop.workflow("greet", send("deduping", "hello-deduping"))
        await shop.happens()
        await shop.work()
        await shop.later(minutes=1)
        await shop.later(minutes=1)
        assert len(script.sent) == 3
        assert len(set(script.keys)) == 1
        assert await shop.run_states() == ["completed"]

    async def test_but_only_as_long_as_it_remembers(self, shop: World) -> None:
        script = scripts["deduping"]
        script.answer(SILENCE)
        await shop.workflow("greet", send("deduping", "hello-deduping"))
        await shop.happens()
        await shop.work()
        await shop.later(minutes=56)
        assert len(script.sent) == 1
        assert await shop.steps() == [("tell", "unknown", None)]
        assert await shop.deliveries() == [("deduping", "unknown", "too_late")]

    async def test_which_counts_from_what_may_have_gone_out(self, shop: World) -> None:
        """Held back for hours first, a message may still be repeated after the silence of its first real attempt."""
        script = scripts["deduping"]
        script.answer(NIGHT, NIGHT, SILENCE, BUSY)
        await shop.workflow("greet", send("deduping", "hello-deduping"))
        await shop.happens()
        await shop.work()
        for _ in range(2):
            await shop.later(hours=1)
        assert await shop.deliveries() == [("deduping", "deferred", "timeout")]
        for _ in range(2):
            await shop.later(minutes=1)
        assert len(script.sent) == 5
        assert await shop.deliveries() == [("deduping", "accepted", None)]

    async def test_what_may_have_gone_out_waits_for_no_night(self, shop: World) -> None:
        """The provider would have forgotten the key by the time at which the message may go."""
        script = scripts["deduping"]
        script.answer(SILENCE, NIGHT)
        await shop.workflow(
            "greet", send("deduping", "hello-deduping", fallback=[{"channel": "second", "template": "hello"}])
        )
        await shop.happens()
        await shop.work()
        await shop.later(minutes=1)
        assert await shop.deliveries() == [("deduping", "unknown", "night")]
        await shop.later(hours=2)
        assert len(script.sent) == 2


class TestReplay:
    async def test_a_replay_is_a_new_generation_and_the_run_does_not_fork(self, shop: World) -> None:
        """What came after the message came already: the run stands elsewhere, and must go on from there once."""
        branch = {
            "id": "who", "if": {"field": "contact.tags", "op": "has_any", "value": ["VIP"]},
            "then": [], "else": [{"id": "long", "wait": {"for": "P9D"}}, tag("later")],
        }  # fmt: skip
        await shop.workflow("greet", send("first"), branch)
        await shop.happens()
        await shop.work()
        await shop.knows("KH-1", tags=["VIP"])
        delivery_id = await shop.value("SELECT id FROM deliveries")
        await shop.engine.database.transact(shop.engine.receipts.replay, shop.workspace_id, delivery_id, actor="tester")
        await shop.later(seconds=1)
        assert len(set(scripts["first"].keys)) == 2
        assert await shop.run_states() == ["running"]
        await shop.later(days=9)
        assert await shop.run_states() == ["completed"]
        assert (await shop.contact())["tags"] == ["VIP", "later"]


class TestPauses:
    async def test_a_paused_workflow_holds_its_steps_and_a_resume_frees_them(self, shop: World) -> None:
        script = scripts["first"]
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.pause("greet")
        await shop.work()
        assert script.sent == []
        assert [tuple(row) for row in await shop.rows("SELECT state, reason FROM steps")] == [("waiting", "paused")]
        await shop.later(days=30)
        assert script.sent == []
        await shop.resume("greet")
        await shop.work()
        assert len(script.sent) == 1
        assert await shop.run_states() == ["completed"]

    async def test_a_pause_takes_no_attempt_and_no_time_from_a_message(self, shop: World) -> None:
        script = scripts["first"]
        script.answer(BUSY)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.pause("greet")
        await shop.work()
        await shop.later(days=30)
        await shop.resume("greet")
        await shop.work()
        assert await shop.deliveries() == [("first", "deferred", "busy")]
        await shop.later(minutes=1)
        assert await shop.deliveries() == [("first", "accepted", None)]

    async def test_a_run_that_is_put_away_while_its_message_waits_sends_nothing_more(self, shop: World) -> None:
        script = scripts["first"]

        async def archived_meanwhile(_: object) -> NotSent:
            await shop.archive("greet")
            return BUSY

        script.answer(archived_meanwhile)
        await shop.workflow("greet", send("first"))
        await shop.happens()
        await shop.work()
        await shop.later(minutes=20)
        assert len(script.sent) == 1
        assert await shop.run_states() == ["cancelled"]
        assert await shop.steps() == [("tell", "cancelled", None)]
        assert await shop.deliveries() == [("first", "suppressed", "run_cancelled")]


class TestLocalActions:
    async def test_its_effects_and_its_step_are_one(self, shop: World) -> None:
        await shop.workflow("greet", {"id": "say", "action": "scripted_local"}, tag("after", id="after"))
        await shop.workflow("heard", tag("heard", id="heard"), on="greeting.made")
        await shop.happens()
        await shop.work()
        contact = await shop.contact()
        assert contact["status"] == "greeted"
        assert sorted(contact["tags"]) == ["after", "heard", "seen"]
        row = await shop.row("SELECT cause_run_id, depth FROM events WHERE type = 'greeting.made'")
        assert row[0] in [one[0] for one in await shop.rows("SELECT id FROM runs WHERE workflow = 'greet'")]
        assert row[1] == 1

    @pytest.mark.parametrize("mood", ["fails", "raises", "returns_nothing", "returns_unencodable"])
    async def test_an_action_that_fails_leaves_nothing_but_its_reason(self, shop: World, mood: str) -> None:
        await shop.workflow("greet", {"id": "say", "action": "scripted_local", "config": {"mood": mood}})
        await shop.workflow("other", tag("other"))
        await shop.happens()
        await shop.work()
        assert sorted(await shop.run_states()) == ["completed", "failed"]
        contact = await shop.contact()
        assert "status" not in contact
        assert contact["tags"] == ["other"]
        assert await shop.value("SELECT COUNT(*) FROM events WHERE type = 'greeting.made'") == 0

    async def test_a_branch_reads_what_earlier_steps_left(self, shop: World) -> None:
        branch = {
            "id": "well", "if": {"field": "steps.say.output.greeted", "op": "equals", "value": True},
            "then": [tag("greeted", id="a")], "else": [tag("missed", id="b")],
        }  # fmt: skip
        await shop.workflow("greet", {"id": "say", "action": "scripted_local"}, branch)
        await shop.happens()
        await shop.work()
        assert (await shop.contact())["tags"] == ["seen", "greeted"]

    async def test_a_wait_ends_when_its_time_has_come_and_not_before(self, shop: World) -> None:
        await shop.workflow("greet", {"id": "pause", "wait": {"for": "P90D"}}, tag("after"))
        await shop.happens()
        await shop.later(days=90, microseconds=-1)
        assert await shop.steps() == [("pause", "waiting", None)]
        await shop.later(microseconds=1)
        assert await shop.steps() == [("pause", "done", "elapsed"), ("mark", "done", "done")]
