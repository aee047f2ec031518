"""A world to tell stories in: one engine on a database of its own, a clock that a test moves, channels that write down.

It is synchronous, for plain test functions::

    with World() as world:
        world.contact("KH-1", name="Hoa", phone="0987654321")
        world.channel("zns-main")
        world.template("hello", text="Chào {{ contact.name }}")
        world.workflow({"name": "thanks", "triggers": […], "steps": […]})
        world.event("order.updated", contact="KH-1", order={"external_id": "DH-1", "status": "delivered"})
        world.advance(days=90)
        assert [message.text for message in world.sent("zns-main")] == ["Chào Hoa"]

Nothing happens in the background: what an event starts is done before :meth:`World.event` answers, and what time sets
off is done by :meth:`World.advance`, which jumps from one moment with work to the next.
"""

from nhip.testing.happening import Happening
from nhip.testing.making import Making


class World(Making, Happening):
    """One workspace of one engine, open inside ``with``.

    Args:
        start: when the story begins: an aware datetime or RFC 3339; see :data:`nhip.testing.clock.START`.
        plugins: modules with plugins, or their names, beside those that are installed.
        allow, deny: which installed plugins load, as ``NHIP_PLUGINS_ALLOW`` and ``NHIP_PLUGINS_DENY`` say it.
        patience: real seconds that the work of one moment may take.
    """
