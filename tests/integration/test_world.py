"""The public world of the test kit: what it says happens, happens, and when it says."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nhip import ActionFailed, LocalAction, hookimpl
from nhip.domain.errors import InvalidInput, NotFound, PluginRefused
from nhip.testing import EndlessWork, World, clockwork
from nhip.testing.clock import START
from nhip.testing.conformance import check_channel
from nhip.testing.plain_yaml import read_yaml
from nhip.testing.recording import KINDS


@pytest.fixture
def story() -> Iterator[World]:
    """A world with a customer, a channel and a template."""
    with World() as story:
        story.contact("KH-1", name="Hoa", phone="0987654321")
        story.channel("zns-main")
        story.template("hello", text="Chào {{ contact.name }}")
        yield story


def send(channel: str = "zns-main", template: str = "hello", **rest: Any) -> dict[str, Any]:
    config = {"channel": channel, "template": template}
    return {"id": f"tell_{channel.replace('-', '_')}", "action": "send_message", "config": config, **rest}


def pause(duration: str) -> dict[str, Any]:
    return {"id": f"wait_{duration.lower()}", "wait": {"for": duration}}


def workflow(*steps: dict[str, Any], name: str = "greet", on: str = "shop.opened") -> dict[str, Any]:
    return {
        "name": name,
        "triggers": [{"id": "start", "type": "event", "config": {"type": on}}],
        "steps": list(steps),
    }


# --- time -------------------------------------------------------------------------------------------------------------


def test_ninety_days_pass_in_a_moment(story: World) -> None:
    story.workflow(workflow(send(), pause("P90D"), {**send(), "id": "again"}))
    began = time.perf_counter()

    story.event("shop.opened", contact="KH-1")
    assert [message.text for message in story.sent("zns-main")] == ["Chào Hoa"]
    due = story.next_due
    assert due == START + timedelta(days=90)
    story.advance(days=89, hours=23)
    assert len(story.sent()) == 1
    story.advance(hours=1)

    assert [message.at for message in story.sent()] == [START, START + timedelta(days=90)]
    assert story.now == START + timedelta(days=90)
    assert story.next_due is None
    assert time.perf_counter() - began < 5  # it takes a twentieth of a second where nothing else runs


def test_a_day_on_which_a_scan_finds_nobody_costs_four_units(story: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is not counted, because others may use the machine; a unit takes some tenths of a millisecond."""
    story.workflow({**workflow(send()), "triggers": [{"id": "asleep", "type": "dormancy", "config": {"bands": [80]}}]})
    story.event("order.created", contact="KH-1", order={"external_id": "DH-1", "status": "new"})
    database, counted = type(story.engine.database), 0

    def count(door: Any) -> Any:
        def counting(*args: Any, **kwargs: Any) -> Any:
            nonlocal counted
            counted += 1
            return door(*args, **kwargs)

        return counting

    for name in ("transact", "read"):
        monkeypatch.setattr(database, name, count(getattr(database, name)))

    story.advance(days=79)
    assert counted <= 4 * 79 + 1
    assert story.sent() == []
    story.advance(days=11)
    assert [(message.at - START).days for message in story.sent()] == [80]


def test_what_falls_due_happens_at_its_own_moment(story: World) -> None:
    story.workflow(workflow(pause("P1D"), send(), pause("PT6H"), {**send(), "id": "again"}))
    story.event("shop.opened", contact="KH-1")

    story.advance("P30D")

    assert [message.at - START for message in story.sent()] == [timedelta(days=1), timedelta(days=1, hours=6)]
    assert [run.ended_at for run in story.runs()] == [START + timedelta(days=1, hours=6)]


@pytest.mark.parametrize("start", ["2026-12-31T23:00:00+07:00", datetime(2026, 12, 31, 16, tzinfo=UTC)])
def test_a_story_begins_when_it_says_and_goes_on_to_a_moment(start: str | datetime) -> None:
    with World(start=start) as story:
        story.contact("KH-1", name="Hoa")
        story.advance(to="2027-01-01T00:00:00+07:00")

        assert story.now == datetime(2026, 12, 31, 17, tzinfo=UTC)
        assert story.contact_facts("KH-1")["created_at"] == "2026-12-31T16:00:00Z"
        with pytest.raises(ValueError, match="does not run backwards"):
            story.advance(to="2026-12-31T00:00:00+07:00")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        World(start=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="offset"):
        World(start="2026-01-01T00:00:00")


def test_work_without_an_end_is_an_error_that_says_where(story: World, monkeypatch: pytest.MonkeyPatch) -> None:
    story.workflow(workflow(pause("P1D")))
    story.event("shop.opened", contact="KH-1")
    now = story.now
    monkeypatch.setattr(clockwork, "_ROUNDS", 20)
    monkeypatch.setattr(clockwork, "next_moments", lambda connection, workspace_id: {"steps": 0})

    with pytest.raises(
        EndlessWork, match=rf"the work at {now.isoformat()[:10]}.* does not end: greet at wait_p1d \(KH-1\)"
    ):
        story.advance(days=1)


def test_the_same_story_has_the_same_times(story: World) -> None:
    """Retries are jittered, and the jitter is the same in every world."""

    def times() -> list[timedelta]:
        with World() as other:
            other.contact("KH-1", phone="0987654321")
            other.channel("sms")
            other.template("hello", text="Chào")
            other.unavailable("sms", times=3)
            other.workflow(workflow(send("sms")))
            other.event("shop.opened", contact="KH-1")
            other.advance(hours=1)
            assert len(other.attempts()) == 4
            assert len(other.sent()) == 1
            return [attempt.at - START for attempt in other.attempts()]

    assert times() == times()


# --- providers --------------------------------------------------------------------------------------------------------


def test_a_refusal_leads_to_the_fallback(story: World) -> None:
    story.channel("sms")
    story.contact("KH-2", name="Bình", phone="0987654322")
    story.workflow(workflow(send(fallback=[{"channel": "sms"}])))
    story.refuses("zns-main", "no_zalo_account", contact="KH-2")

    story.event("shop.opened", contact="KH-1")
    story.event("shop.opened", contact="KH-2")

    assert [(message.channel, message.to, message.contact) for message in story.sent()] == [
        ("zns-main", "+84987654321", "KH-1"),
        ("sms", "+84987654322", "KH-2"),
    ]
    [refused, sent] = story.deliveries(contact="KH-2")
    assert (refused.state, refused.reason, refused.detail) == ("rejected", "unreachable", "no_zalo_account")
    assert (sent.state, sent.channel) == ("accepted", "sms")

    story.accepts("zns-main")
    story.event("shop.opened", contact="KH-2")
    assert story.sent()[-1].channel == "zns-main"


@pytest.mark.parametrize(
    ("reason", "state"), [("refused", "completed"), ("invalid", "failed"), ("configuration", "failed")]
)
def test_the_reason_of_a_refusal_decides(story: World, reason: str, state: str) -> None:
    story.workflow(workflow(send()))
    story.refuses("zns-main", "-1", reason=reason, times=1)
    story.event("shop.opened", contact="KH-1")

    assert [run.state for run in story.runs("greet")] == [state]
    assert story.sent() == []
    assert len(story.attempts("zns-main")) == 1


def test_a_message_without_an_address_has_a_reason(story: World) -> None:
    story.contact("KH-3", name="Chi", phone=None)
    story.workflow(workflow(send()))
    story.event("shop.opened", contact="KH-3")

    assert story.attempts() == []
    assert [(one.state, one.reason, one.to) for one in story.deliveries()] == [("suppressed", "no_address", None)]


def test_a_lost_message_is_unknown_until_a_receipt_says_what_became_of_it(story: World) -> None:
    story.workflow(workflow(send(), {"id": "tag", "action": "update_contact", "config": {"add_tags": ["told"]}}))
    story.times_out("zns-main", arrives=True, times=1)
    story.event("shop.opened", contact="KH-1")
    [run] = story.runs()
    assert (run.state, run.stands_on, story.deliveries()[0].state) == ("running", ("tell_zns_main",), "unknown")

    story.advance(minutes=1)
    story.receipt("zns-main", "delivered")

    assert [one.state for one in story.deliveries()] == ["delivered"]
    assert len(story.attempts()) == len(story.sent()) == 1
    assert story.contact_facts("KH-1")["tags"] == ["told"]
    story.receipt("zns-main", "read", contact="KH-1")
    assert [one.state for one in story.deliveries()] == ["read"]
    assert [event.contact for event in story.events("message.delivered")] == ["KH-1"]


def test_a_lost_message_that_nobody_hears_of_is_given_up(story: World) -> None:
    story.workflow(workflow(send()))
    story.times_out("zns-main")
    story.event("shop.opened", contact="KH-1")
    story.advance(hours=1)

    assert story.sent() == []
    assert [run.state for run in story.runs()] == ["completed"]
    assert [one.state for one in story.deliveries()] == ["unknown"]
    with pytest.raises(ValueError, match="no message went out"):
        story.receipt("zns-main", "delivered")


def test_a_channel_in_the_place_of_an_installed_one_has_its_rules(story: World) -> None:
    story.channel("zns", type="zalo_zns")
    story.channel("mail", type="email")
    story.contact("KH-1", email="Hoa@Example.com")
    with pytest.raises(InvalidInput, match="provider_template_id"):
        story.template("order", channel="zns", text="Đơn hàng")
    story.template("order", channel="zns", provider_template_id="268321", params={"name": "{{ contact.name }}"})
    story.template("letter", channel="mail", subject="Chào", text="Chào {{ contact.name }}")
    story.workflow(workflow(send("zns", "order"), send("mail", "letter")))

    story.event("shop.opened", contact="KH-1")

    [order, letter] = story.sent()
    assert (order.to, order.params, order.workflow, order.template) == (
        "+84987654321",
        {"name": "Hoa"},
        "greet",
        "order",
    )
    assert (letter.to, letter.subject, letter.text) == ("hoa@example.com", "Chào", "Chào Hoa")


def test_a_provider_that_drops_repeated_keys_takes_a_message_once(story: World) -> None:
    story.channel("sms", type="sms_esms")
    story.template("short", channel="sms", text="Chào")
    story.workflow(workflow(send("sms", "short")))
    story.times_out("sms", arrives=True, times=1)

    story.event("shop.opened", contact="KH-1")
    story.advance(minutes=5)

    assert len(story.attempts("sms")) == 2
    assert len(story.sent("sms")) == 1
    assert len({attempt.key for attempt in story.attempts()}) == 1
    assert [one.state for one in story.deliveries()] == ["accepted"]


@pytest.mark.parametrize("address", ["phone", "email", "zalo_user", "none"])
def test_a_recording_channel_sends_to_what_it_says(address: str) -> None:
    with World() as story:
        story.contact("KH-1", phone="0987654321", email="hoa@example.com", zalo_user_id="z-1")
        story.channel("main", address=address)
        story.template("hello", text="Chào")
        story.workflow(workflow(send("main")))
        story.event("shop.opened", contact="KH-1")

        expected = {"phone": "+84987654321", "email": "hoa@example.com", "zalo_user": "z-1", "none": "KH-1"}
        assert [message.to for message in story.sent("main")] == [expected[address]]


def test_the_recording_channels_conform(story: World) -> None:
    for kind in (*KINDS.values(), "zalo_zns"):
        check_channel(story.engine.catalog.channels[kind])


# --- what is there ----------------------------------------------------------------------------------------------------


def test_a_definition_that_is_wrong_is_refused_with_every_problem(story: World) -> None:
    with pytest.raises(InvalidInput) as caught:
        story.workflow(workflow(send("fax"), send("zns-main", "letter")))

    said = str(caught.value)
    assert "steps[0].config.channel: there is no channel 'fax'" in said
    assert "steps[1].config.template: there is no template 'letter'" in said


@pytest.mark.parametrize("name", ["greet.json", "greet.yaml"])
def test_a_definition_may_stand_in_a_file(story: World, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    definition = """
      name: greet
      triggers:
        - {id: t, type: ticket, config: {on: created}}
      steps:
        - {id: tag, action: update_contact, config: {add_tags: [worried]}}
    """
    file.write_text(definition if name.endswith("yaml") else json.dumps(read_yaml(definition, name)))
    assert story.workflow(file) == ()
    story.record("ticket", "TK-1", contact="KH-1")
    assert [run.trigger for run in story.runs("greet")] == ["t"]


def test_contacts_and_records_that_change_start_workflows(story: World) -> None:
    story.workflow(
        {
            "name": "won",
            "triggers": [{"id": "won", "type": "deal", "config": {"on": "status_changed", "to": ["won"]}}],
            "steps": [{"id": "call", "action": "create_task", "config": {"title": "Gọi {{ contact.name }}"}}],
        }
    )
    story.record("deal", "DEAL-1", contact="KH-1", status="open")
    assert story.runs() == []
    story.record("deal", "DEAL-1", status="won")

    assert [(run.workflow, run.contact, run.state) for run in story.runs()] == [("won", "KH-1", "completed")]
    assert [(task["title"], task["contact"]) for task in story.records("task")] == [("Gọi Hoa", "KH-1")]
    assert story.records("task", contact="KH-2") == []
    with pytest.raises(NotFound):
        story.records("taks")


def test_why_nothing_happened_can_be_asked(story: World) -> None:
    story.workflow({**workflow(send()), "conditions": {"field": "contact.tags", "op": "has_any", "value": ["VIP"]}})
    receipt = story.event("shop.opened", contact="KH-1")

    for explained in (story.explain(), story.explain(receipt), story.explain(receipt.id, workflow="greet")):
        assert explained.reason == "conditions"
        assert [reason.field for reason in explained.workflows[0].triggers[0].reasons if reason.code != "holds"] == [
            "contact.tags"
        ]


def test_how_long_somebody_was_away_is_remembered(story: World) -> None:
    back = {"id": "back", "type": "site_return", "config": {"days": 7}}
    story.workflow({**workflow(send()), "triggers": [back]})
    seen = []
    for days in (0, 3, 9):
        story.advance(days=days)
        story.event("site.visited", contact="KH-1")
        [found] = story.explain().workflows
        seen.append((found.outcome, found.triggers[0].holds, found.triggers[0].reasons[0].actual))
    assert seen == [("conditions", False, None), ("conditions", False, 3), ("started", True, 9)]


def test_a_pause_holds_back_and_a_resume_goes_on(story: World) -> None:
    story.workflow(workflow(pause("P1D"), send()))
    story.event("shop.opened", contact="KH-1")
    story.pause("greet")
    story.advance(days=2)
    assert story.sent() == []
    assert story.next_due is None
    [run] = story.runs()
    assert (run.stands_on, run.steps[-1].due_at) == (("tell_zns_main",), None)

    story.resume("greet")
    assert len(story.sent()) == 1


def test_staff_and_companies(story: World) -> None:
    story.staff("NV-1", name="Lan", phone="0912345678")
    story.account("ACME", name="Acme")
    story.contact("KH-1", owner="NV-1", account="ACME")
    story.template("tell", text="{{ contact.name }} of {{ account.name }}")
    step = send(template="tell")
    step["config"]["to"] = "owner"
    story.workflow(workflow(step))
    story.event("shop.opened", contact={"external_id": "KH-1"}, visits=3)

    assert [(message.to, message.text) for message in story.sent()] == [("+84912345678", "Hoa of Acme")]
    assert story.events("shop.opened")[0].data["visits"] == 3
    with pytest.raises(InvalidInput, match="phone"):
        story.staff("NV-2", name="Tú", phone="12")


def test_what_is_not_there_is_said(story: World) -> None:
    story.channel("mail", address="email")
    with pytest.raises(ValueError, match="say channel="):
        story.template("letter", text="Chào")
    with pytest.raises(NotFound, match="fax"):
        story.sent("fax")
    with pytest.raises(NotFound, match="fax"):
        story.refuses("fax")
    with pytest.raises(ValueError, match="sulky"):
        story.refuses("zns-main", reason="sulky")
    with pytest.raises(InvalidInput, match="unknown field"):
        story.contact("KH-1", shoe_size=38)
    with pytest.raises(NotFound):
        story.contact_facts("KH-9")


# --- life -------------------------------------------------------------------------------------------------------------


class Grumble(LocalAction):
    """Fails for people of one name."""

    kind = "grumble"

    def run(self, context: Any, config: Any) -> dict[str, Any]:
        if context.facts["contact"]["name"] == "Hoa":
            raise ActionFailed("not her again")
        return {}


class Plugins:
    """Stands in for a module of the one who tests."""

    __name__ = "plugins_of_this_test"

    @hookimpl
    def nhip_register_actions(self) -> list[type[LocalAction]]:
        return [Grumble]


def test_plugins_of_ones_own_are_given_by_hand() -> None:
    with World(plugins=[Plugins()]) as story:  # type: ignore[list-item]
        story.workflow(workflow({"id": "grumble", "action": "grumble"}))
        story.event("shop.opened", contact={"external_id": "KH-1", "name": "Hoa"})

        [run] = story.runs()
        assert (run.state, run.steps[0].reason) == ("failed", "not her again")


def test_a_plugin_that_cannot_be_loaded_is_an_error() -> None:
    with pytest.raises(PluginRefused, match=r"no\.such\.module.*cannot be imported"), World(plugins=["no.such.module"]):
        pass


def test_worlds_know_nothing_of_each_other(story: World) -> None:
    with World() as other:
        with pytest.raises(NotFound):
            other.contact_facts("KH-1")
        other.channel("zns-main")
        story.workflow(workflow(send()))
        story.event("shop.opened", contact="KH-1")
        assert len(story.sent()) == 1
        assert other.sent() == []


def test_nothing_is_left_behind() -> None:
    story = World()
    with pytest.raises(RuntimeError, match="open inside"):
        story.contact("KH-1")
    with story:
        folder = story.engine.settings.data_dir
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="open inside"):
        story.runs()
    with pytest.raises(RuntimeError, match="once"), story:
        pass


def test_a_world_in_an_async_test_says_what_is_wrong() -> None:
    async def test() -> None:
        with World():
            pass

    with pytest.raises(RuntimeError, match="plain function"):
        asyncio.run(test())
