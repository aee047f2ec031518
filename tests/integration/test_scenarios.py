"""Scenario files: what is wrong with one, and what differs in one, is told with its file and its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nhip.cli import main
from nhip.domain.errors import InvalidInput
from nhip.testing.scenario import Scenario, ScenarioFailed, find_scenarios

GIVEN = """
given:
  contacts:
    KH-1: {name: Hoa, phone: 0987654321}
    KH-2: {name: Bình, phone: 0987654322}
  channels:
    zns-main: {}
    sms-main: {}
  templates:
    hello: {text: "Chào {{ contact.name }}, mừng bạn trở lại"}
  workflows:
    - name: greet
      triggers: [{id: start, type: event, config: {type: shop.opened}}]
      steps:
        - id: tell
          action: send_message
          config: {channel: zns-main, template: hello}
          fallback: [{channel: sms-main}]
        - {id: pause, wait: {for: P1D}}
        - {id: mark, action: update_contact, config: {add_tags: [greeted], set: {custom: {visits: 1}}}}
        - {id: call, action: create_task, config: {title: "Gọi {{ contact.name }}", type: call}}
"""
SENT = 'hello by zns-main to KH-1 at 2026-03-02T09:00:00+07:00: "Chào Hoa, mừng bạn trở lại"'
OPENED = "  - event: {type: shop.opened, contact: KH-1}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "greet.scenario.yaml"


def failures(file: Path, text: str) -> list[str]:
    """What a scenario tells that fails, without the name of its file."""
    file.write_text(text)
    with pytest.raises(ScenarioFailed) as caught:
        Scenario(file).run()
    assert str(caught.value) == "\n".join(f"{file}: {failure}" for failure in caught.value.failures)
    return [str(failure) for failure in caught.value.failures]


def problem(file: Path, text: str) -> str:
    """The one fault of a scenario that cannot be told, without the name of its file."""
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        Scenario(file).run()
    [problem] = caught.value.problems
    assert problem.path.startswith(str(file))
    return f"{problem.path.removeprefix(str(file))}: {problem.message}"


def expecting(said: str, before: str = OPENED) -> str:
    return f"{GIVEN}\nthen:\n{before}  - expect:\n      {said}\n"


# --- what is so -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "sent: [{}]",
        "sent: [{channel: zns-main, to: 0987654321, contact: KH-1, workflow: greet, template: hello}]",
        'sent: [{to: "+84987654321", text: "Chào Hoa, mừng bạn trở lại", at: 2026-03-02T02:00:00Z}]',
        "sent: [{contains: [Chào, trở lại], message_class: care, count: 1}]",
        "runs: [{workflow: greet, contact: KH-1, state: running, stands_on: pause}, {contact: KH-2, count: 0}]",
        "contacts: {KH-1: {phone: 0987 654 321, tags: [], activity.shop.count: 1, custom.visits: null}}",
        "contacts: {KH-1: {lacks_tags: [greeted], activity: {shop: {count: 1}}}, KH-2: {activity.shop: null}}",
        "records: [{type: task, count: 0}]",
        "deliveries: [{channel: zns-main, contact: KH-1, state: accepted, reason: null}]",
        "events: [{type: shop.opened, contact: KH-1, source: world}, {type: contact.created, source: nhip, count: 2}]",
    ],
)
def test_what_is_so_passes(file: Path, said: str) -> None:
    file.write_text(expecting(said))
    Scenario(file).run()


def test_messages_are_those_since_the_last_look(file: Path) -> None:
    look = "  - expect: {nothing_sent: true}\n"
    one = "  - expect: {sent: [{contact: KH-1}]}\n"
    two = "  - expect: {sent: [{contact: KH-2}, {contact: KH-1}], runs: [{count: 3}]}\n"
    other = OPENED.replace("KH-1", "KH-2")
    file.write_text(f"{GIVEN}\nthen:\n{look}{OPENED}{one}{look}{OPENED}{other}{two}")
    Scenario(file).run()


# --- what differs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("nothing_sent: true", [
            f"then[1].expect.nothing_sent: expected no message, seen {SENT}",
        ]),
        ("sent: [{channel: sms-main, contact: KH-1}]", [
            'then[1].expect.sent[0].channel: expected "sms-main", seen "zns-main"',
        ]),
        ("sent: [{contact: KH-1, contains: tạm biệt, at: 2026-03-03T09:00:00+07:00}]", [
            'then[1].expect.sent[0].contains: expected a text with "tạm biệt", seen "Chào Hoa, mừng bạn trở lại"',
            "then[1].expect.sent[0].at: expected 2026-03-03T02:00:00+00:00, seen 2026-03-02T09:00:00+07:00",
        ]),
        ("sent: [{contact: KH-1}, {contact: KH-2}]", [
            f'then[1].expect.sent[1]: expected 1 message with contact "KH-2", seen no messages among {SENT}',
        ]),
        ("sent: []", [
            f"then[1].expect.sent: expected no other message, seen {SENT}",
        ]),
        ("runs: [{workflow: greet, state: completed}]", [
            'then[1].expect.runs[0].state: expected "completed", seen "running"',
        ]),
        ("runs: [{workflow: greet, count: 2}, {workflow: part}]", [
            'then[1].expect.runs[0]: expected 2 runs with workflow "greet", seen 1 run among greet of KH-1 is running',
            'then[1].expect.runs[1]: expected 1 run with workflow "part", seen no runs among greet of KH-1 is running',
        ]),
        ("contacts: {KH-1: {name: Lan, tags: [a, b], has_tags: [vip], custom.visits: 2}, KH-9: {}}", [
            'then[1].expect.contacts.KH-1.has_tags: expected the tag "vip", seen []',
            'then[1].expect.contacts.KH-1.name: expected "Lan", seen "Hoa"',
            'then[1].expect.contacts.KH-1.tags: expected ["a","b"], seen []',
            "then[1].expect.contacts.KH-1.custom.visits: expected 2, seen nothing",
            "then[1].expect.contacts.KH-9: expected a contact KH-9, seen none",
        ]),
        ("records: [{type: task, contact: KH-1, fields: {title: Gọi Hoa}}]", [
            'then[1].expect.records[0]: expected 1 record with contact "KH-1", title "Gọi Hoa", seen no records',
        ]),
        ("deliveries: [{contact: KH-1, state: read}]", [
            'then[1].expect.deliveries[0].state: expected "read", seen "accepted"',
        ]),
        ("events: [{type: shop.opened, contact: KH-1, count: 0}]", [
            'then[1].expect.events[0]: expected no events with type "shop.opened", contact "KH-1", seen 1 event',
        ]),
    ],
)  # fmt: skip
def test_what_differs_is_told_with_its_place(file: Path, said: str, told: list[str]) -> None:
    assert failures(file, expecting(said)) == told


def test_a_scenario_ends_at_the_first_expectation_that_fails(file: Path) -> None:
    text = f"{GIVEN}\nthen:\n  - expect: {{sent: [{{}}]}}\n  - expect: {{runs: [{{count: 5}}]}}\n"
    assert failures(file, text) == ["then[0].expect.sent[0]: expected 1 message, seen no messages"]


# --- what is wrong with the file --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("then: []", ": then: Expected `array` of length >= 1"),
        ("given: {}\n", ": then: Object missing required field `then`"),
        ("- 1\n", ": Expected `object`, got `array`"),
        ("then: [{}]\n", ": then[0]: one of event, contact, record,"),
        ("then: [{advance: P1D, pause: greet}]\n", "seen: advance, pause"),
        ("then: [{sleep: P1D}]\n", ": then[0].sleep: Object contains unknown field `sleep`"),
        ("then: [{expect: {sent: [{chanel: a}]}}]\n", ": then[0].expect.sent[0].chanel: Object contains unknown field"),
        ("then: [{expect: {sent: [{count: many}]}}]\n", ": then[0].expect.sent[0].count: Expected `int`, got `str`"),
        ("then: [{expect: {sent: [], nothing_sent: true}}]\n", ": then[0].expect: say sent or nothing_sent, not both"),
        ("then: [{advance: P1M}]\n", ": then[0].advance: 'P1M' is not an ISO 8601 duration"),
        ("then: [{advance: 2020-01-01T00:00:00Z}]\n", ": then[0].advance: it is 2026-03-02T09:00:00+07:00 already"),
        ("then: [{contact: {name: Hoa}}]\n", ": then[0].contact.external_id: a text is expected here"),
        ("then: [{contact: {external_id: KH-1, phone: '12'}}]\n", ": then[0].contact.phone: '12' is not a valid phone"),
        ("then: [{record: {type: ship, external_id: S-1}}]\n", ": then[0].record: no record type named 'ship'"),
        ("then: [{event: {type: Opened}}]\n", ": then[0].event.type: a type is lower-case words"),
        (
            "then: [{event: {type: shop.opened, contact: {phone: x}}}]\n",
            ": then[0].event.data.contact.phone: 'x' is not a valid phone number",
        ),
        ("then: [{refuses: {channel: fax}}]\n", ": then[0].refuses: no channel named 'fax'"),
        ("then: [{receipt: {channel: zns, status: lost}}]\n", ": then[0].receipt: no channel named 'zns'"),
        ("then: [{pause: greet}]\n", ": then[0].pause: no workflow named 'greet'"),
        ("then: [{expect: {records: [{type: ship}]}}]\n", ": then[0].expect: no record type named 'ship'"),
        ("then: [{expect: {sent: [{at: noon}]}}]\n", ": then[0].expect: Invalid isoformat string: 'noon'"),
        ("start: noon\nthen: [{expect: {}}]\n", ": start: Invalid isoformat string: 'noon'"),
        ("plugins: [no.such]\nthen: [{expect: {}}]\n", ": plugins: no.such: cannot be imported"),
        ("given: {channels: {a: {typ: x}}}\nthen: [{expect: {}}]\n", ": given.channels.a.typ: Object contains unknown"),
        ("given: {channels: {a: {type: fax}}}\nthen: [{expect: {}}]\n", ": given.channels.a.type: no channel plugin"),
        (
            "given: {channels: {a: {address: moon}}}\nthen: [{expect: {}}]\n",
            ": given.channels.a: 'moon' is not a valid",
        ),
        ("given: {templates: {t: {text: '{{'}}}\nthen: [{expect: {}}]\n", ": given.templates.t.text: "),
        ("given: {templates: {t: lost.json}}\nthen: [{expect: {}}]\n", "lost.json: No such file"),
        ("given: {staff: {NV-1: {phone: '1'}}}\nthen: [{expect: {}}]\n", ": given.staff.NV-1.name: Object missing"),
        ("given: {contacts: {KH-1: {shoe: 1}}}\nthen: [{expect: {}}]\n", ": given.contacts.KH-1.shoe: Object contains"),
        ("given: {records: [{type: order}]}\nthen: [{expect: {}}]\n", ": given.records[0].external_id: a text is"),
        (
            f"{GIVEN.replace('template: hello', 'template: bye')}\nthen: [{{expect: {{}}}}]\n",
            ": given.workflows[0].steps[0].config.template: there is no template 'bye'",
        ),
        ("then:\n  - expect: [\n", ", line 3: "),
    ],
)
def test_what_is_wrong_is_told_with_its_place(file: Path, text: str, told: str) -> None:
    said = problem(file, text)
    assert told in said
    if told.startswith(": then["):
        assert said.startswith(told)


def test_a_workflow_in_a_file_is_told_with_the_name_of_that_file(file: Path) -> None:
    file.with_name("greet.json").write_text('{"name": "greet", "triggers": [], "steps": []}')
    file.write_text("given: {workflows: [greet.json]}\nthen: [{expect: {}}]\n")
    with pytest.raises(InvalidInput) as caught:
        Scenario(file).run()
    assert all(one.path.startswith(f"{file}: given.workflows[0] (greet.json).") for one in caught.value.problems)


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario that passes, one that fails and one that cannot be told."""
    file.write_text(expecting("sent: [{}]"))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "late.scenario.yaml").write_text(f"title: Too late\n{expecting('nothing_sent: true')}")
    (tmp_path / "wrong.scenario.yaml").write_text("then: [{sleep: P1D}]\n")
    (tmp_path / "other.yaml").write_text("not: ours\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NHIP_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_scenarios_are_found(folder: Path) -> None:
    names = ["deeper/late.scenario.yaml", "greet.scenario.yaml", "wrong.scenario.yaml"]
    assert find_scenarios([Path()]) == [Path(name) for name in names]
    assert find_scenarios([Path("greet.scenario.yaml"), Path()])[0] == Path("greet.scenario.yaml")
    (folder / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no file"):
        find_scenarios([folder / "empty"])


def test_the_command_says_one_line_for_each_and_what_failed(folder: Path) -> None:
    done = CliRunner().invoke(main, ["workflows", "test", "."])

    assert done.exit_code == 1, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("FAILED  deeper/late.scenario.yaml  Too late  (")
    assert lines[1].startswith("  then[1].expect.nothing_sent: expected no message, seen hello by zns-main")
    assert lines[2].startswith("passed  greet.scenario.yaml  greet  (")
    assert lines[3].startswith("FAILED  wrong.scenario.yaml")
    assert lines[4] == "  then[0].sleep: Object contains unknown field `sleep` [unknown_field]"
    assert lines[5:] == ["1 passed, 2 failed"]


def test_the_command_answers_as_json(folder: Path) -> None:
    def told(*paths: str) -> tuple[int, Any]:
        done = CliRunner().invoke(main, ["workflows", "test", "--json", *paths])
        return done.exit_code, json.loads(done.stdout)

    code, [good] = told("greet.scenario.yaml")
    assert (code, good["file"], good["title"], good["passed"], good["problems"]) == (
        0, "greet.scenario.yaml", "greet", True, [],
    )  # fmt: skip

    code, [late, wrong] = told("deeper", "wrong.scenario.yaml")
    assert code == 1
    assert [one["passed"] for one in (late, wrong)] == [False, False]
    assert late["problems"][0]["place"] == "then[1].expect.nothing_sent"
    assert late["problems"][0]["expected"] == "no message"
    assert wrong["problems"] == [
        {"place": "then[0].sleep", "message": "Object contains unknown field `sleep` [unknown_field]"}
    ]


def test_the_command_says_where_there_is_nothing(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert CliRunner().invoke(main, ["workflows", "test", "empty"]).exit_code == 1
