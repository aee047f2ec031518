"""Log lines for people and for programs keep what a log call gave beside its text."""

import json
import logging

import pytest

from nhip import logs


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("nhip.test").makeRecord(
        "nhip.test", logging.WARNING, "file.py", 1, message, arguments, None, extra=extra or None
    )
    made.created = 1_795_305_600.25
    made.msecs = 250
    return made


def test_a_line_for_people() -> None:
    line = logs.TextLines().format(record("claimed %d", 3, queue="default"))
    assert line == "2026-11-22T00:00:00Z WARNING nhip.test: claimed 3 queue=default"


def test_a_line_for_programs() -> None:
    said = json.loads(logs.JsonLines().format(record("đã gửi", steps=[1, 2], folder=pytest)))
    assert said["message"] == "đã gửi"
    assert said["steps"] == [1, 2]
    assert said["at"] == "2026-11-22T00:00:00.250Z"
    assert said["level"] == "warning"
    assert isinstance(said["folder"], str)


def test_an_exception_is_in_the_line() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        made = record("failed")
        made.exc_info = (type(error), error, error.__traceback__)
    assert "ValueError: no" in json.loads(logs.JsonLines().format(made))["exception"]
    assert "ValueError: no" in logs.TextLines().format(made)
