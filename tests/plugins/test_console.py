"""The channel ``console``."""

import io

import msgspec
import pytest

from nhip import Accepted, Ambiguous
from nhip.testing.contexts import message, open_channel
from nhip_channels.console import Console


async def test_a_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_channel(Console, {"prefix": "> "}, name="screen") as channel:
        batch = [message("+84987654321", "k1", text="Dòng một\nDòng hai"), message("a@example.com", "k2", subject="x")]
        assert list(await channel.send(batch, 1)) == [Accepted(), Accepted()]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "Dòng một" in lines[0]
    fields = msgspec.json.decode(lines[0].removeprefix("> "))
    assert fields == {"channel": "screen", "key": "k1", "to": "+84987654321", "text": "Dòng một\nDòng hai"}


async def test_a_closed_output_is_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stdout", closed)
    async with open_channel(Console, {}) as channel:
        [outcome] = await channel.send([message("x", text="y")], 1)
    assert isinstance(outcome, Ambiguous)


async def test_a_line_break_in_the_prefix_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        async with open_channel(Console, {"prefix": "a\nb"}):
            pass
