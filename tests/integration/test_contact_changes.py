"""What `update_contact` changes, the events that follow, and what it refuses."""

from typing import Any

import msgspec
import pytest

from nhip.domain.customers import Staff
from nhip.domain.errors import InvalidInput
from nhip.services.desk import staff
from tests.support.world import World


async def works(world: World, name: str, **said: Any) -> None:
    person = msgspec.convert({"external_id": name, "name": name, **said}, Staff)
    await world.engine.database.transact(staff.put, world.workspace_id, "tester", person, world.clock.micros())


def update(**config: Any) -> dict[str, Any]:
    return {"id": "do", "action": "update_contact", "config": config}


async def test_every_part_changes_and_each_change_is_an_event_with_what_was_before(world: World) -> None:
    await works(world, "NV-1")
    await world.knows(
        status="Mới", tags=["Quan tâm"], owner="NV-0", source="facebook", custom={"notes": "Gọi lần 1", "size": "M"}
    )
    changed = update(
        set={"status": "Lost", "owner": "NV-1", "source": "zalo", "industry": "retail", "custom.size": "L"},
        add_tags=["Không phản hồi"],
        remove_tags=["Quan tâm"],
        append={"notes": "Không nghe máy", "products": ["A"]},
        replace={"need": "Bảo hành"},
    )
    await world.workflow("lost", changed)
    await world.happens()
    await world.work()

    contact = await world.contact()
    assert {name: contact[name] for name in ("status", "owner", "source", "industry", "tags", "custom")} == {
        "status": "Lost",
        "owner": "NV-1",
        "source": "zalo",
        "industry": "retail",
        "tags": ["Không phản hồi"],
        "custom": {"notes": "Gọi lần 1\nKhông nghe máy", "size": "L", "products": ["A"], "need": "Bảo hành"},
    }
    kinds = [row[0] for row in await world.rows("SELECT type FROM events WHERE cause_run_id IS NOT NULL ORDER BY type")]
    assert kinds == ["contact.tag_added", "contact.tag_removed", "contact.updated"]
    facts = await world.value("SELECT facts FROM events WHERE facts IS NOT NULL AND cause_run_id IS NOT NULL")
    assert msgspec.json.decode(facts)["previous"]["contact"] == {
        "status": "Mới",
        "owner": "NV-0",
        "source": "facebook",
        "industry": None,
        "tags": ["Quan tâm"],
        "custom": {"notes": "Gọi lần 1", "size": "M", "products": None, "need": None},
    }


@pytest.mark.parametrize("part", ["set", "replace"])
@pytest.mark.parametrize("known", [False, True], ids=["does not exist", "left"])
async def test_an_owner_who_is_not_here_is_refused_when_it_is_published(world: World, part: str, known: bool) -> None:
    if known:
        await works(world, "NV-9", active=False)
    with pytest.raises(InvalidInput) as refused:
        await world.workflow("hand-over", update(**{part: {"owner": "NV-9"}}))
    assert [(one.path, one.code) for one in refused.value.problems] == [
        (f"steps[0].config.{part}.owner", "unknown_staff")
    ]


@pytest.mark.parametrize(
    ("known", "reason"), [(False, "there is no employee 'NV-9'"), (True, "the employee 'NV-9' has left")]
)
async def test_an_owner_who_is_filled_in_is_refused_in_time_and_nothing_is_half_done(
    world: World, known: bool, reason: str
) -> None:
    if known:
        await works(world, "NV-9", active=False)
    await world.workflow("hand-over", update(set={"owner": "{{ event.data.who }}", "status": "VIP"}, add_tags=["VIP"]))
    await world.happens(who="NV-9")
    await world.work()

    assert await world.value("SELECT reason FROM steps") == reason
    contact = await world.contact()
    assert (contact.get("owner"), contact.get("status"), contact["tags"]) == (None, None, [])


@pytest.mark.parametrize("nobody", [None, "{{ event.data.who }}"], ids=["null", "empty"])
async def test_no_owner_at_all_may_be_set(world: World, nobody: str | None) -> None:
    await world.knows(owner="NV-9")
    await world.workflow("free", update(set={"owner": nobody}))
    await world.happens(who="")
    await world.work()

    assert "owner" not in await world.contact()
