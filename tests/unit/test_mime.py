"""Emails as bytes, read back by the standard library's parser."""

import email.header
import email.policy
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage

import pytest
from hypothesis import given, strategies as st

from nhip_channels.mime import Email, Mailbox, encoded_words, one_line, read_address, read_mailbox, write

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)


def build(**fields: object) -> Email:
    defaults: dict[str, object] = {
        "sender": Mailbox("Nhịp", "care@nhip.example"),
        "to": "anh@example.com",
        "subject": "Đơn hàng DH-1001 đã giao",
        "text": "Cảm ơn chị Anh.",
        "html": None,
        "message_id": "key-1@nhip.example",
        "date": NOW,
    }
    return Email(**(defaults | fields))  # type: ignore[arg-type]


def parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=email.policy.default)


def test_a_text_is_one_part() -> None:
    content = write(build())
    message = parse(content)
    assert message["Subject"] == "Đơn hàng DH-1001 đã giao"
    assert message["From"] == "Nhịp <care@nhip.example>"
    assert message["Message-ID"] == "<key-1@nhip.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == NOW
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "Cảm ơn chị Anh."
    assert not message.defects
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert content.isascii()


def test_text_and_html_are_alternatives_with_the_text_first() -> None:
    message = parse(write(build(html="<p>Cảm ơn</p>")))
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert not message.defects
    body = message.get_body(("html",))
    assert body is not None
    assert body.get_content() == "<p>Cảm ơn</p>"


def test_html_alone_is_one_part() -> None:
    message = parse(write(build(text=None, html="<p>ok</p>")))
    assert (message.get_content_type(), message.get_content().strip()) == ("text/html", "<p>ok</p>")


def test_unsubscribing_takes_one_click() -> None:
    url = "https://nhip.example/u/token"
    message = parse(write(build(unsubscribe_url=url, list_domain="news.nhip.example")))
    assert message["List-Unsubscribe"] == f"<{url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<news.nhip.example>"


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "mailto:a@b", "https://a/>, <https://b", "https://ế/"])
def test_what_is_no_url_makes_no_header(url: str) -> None:
    assert parse(write(build(unsubscribe_url=url)))["List-Unsubscribe"] is None


def test_one_click_needs_https() -> None:
    message = parse(write(build(unsubscribe_url="http://nhip.example/u/token")))
    assert message["List-Unsubscribe"]
    assert message["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize("field", ["subject", "unsubscribe_url", "list_domain"])
def test_a_line_break_adds_no_header(field: str) -> None:
    values = {
        "unsubscribe_url": "https://nhip.example/u",
        field: "https://x.example/\r\nBcc: evil@example.com\r\n\r\nbody",
    }
    message = parse(write(build(**values)))
    assert message["Bcc"] is None
    assert message.get_content() == "Cảm ơn chị Anh."


def test_a_line_break_in_a_display_name_adds_no_header() -> None:
    sender = read_mailbox('"a\r\nBcc: evil@example.com" <care@nhip.example>')
    assert parse(write(build(sender=sender, reply_to="x\r\nBcc: y <help@nhip.example>")))["Bcc"] is None


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("care@nhip.example", "care@nhip.example"),
        ("Care <care@nhip.example>", "Care <care@nhip.example>"),
        ('"Care, Ltd." <care@nhip.example>', '"Care, Ltd." <care@nhip.example>'),
        ("Nhịp <care@nhip.example>", "=?utf-8?b?Tmjhu4tw?= <care@nhip.example>"),
        ("care@bücher.example", "care@xn--bcher-kva.example"),
    ],
)
def test_a_mailbox_is_written_as_a_header(text: str, header: str) -> None:
    assert read_mailbox(text).header() == header


@pytest.mark.parametrize(
    "text",
    [
        *("", "care", "@nhip.example", "care@", "a b@nhip.example", "ế@nhip.example", ".a@nhip.example"),
        *("a@b@c", "a@nhip..example", "a@" + "x" * 260 + ".example", "a@[127.0.0.1]"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an email address|label"):
        read_mailbox(text)
    with pytest.raises(ValueError, match=r"is not an email address|label"):
        read_address(text)


def test_a_recipient_is_a_bare_address() -> None:
    assert read_address("anh@bücher.example") == "anh@xn--bcher-kva.example"
    for text in ("Anh <anh@example.com>", "anh@example.com\r\nRCPT TO:<b@example.com>", "a@b.example, c@d.example"):
        with pytest.raises(ValueError, match="is not an email address"):
            read_address(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_every_subject_reads_back(subject: str) -> None:
    content = write(build(subject=subject))
    head = content.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    lines = head.decode().replace("\r\n ", " ").split("\r\n")
    [raw] = [line.removeprefix("Subject: ") for line in lines if line.startswith("Subject: ")]
    read = str(email.header.make_header(email.header.decode_header(raw)))
    assert read.strip() == one_line(subject)


def test_encoded_words_stay_within_their_length() -> None:
    words = encoded_words("ế" * 200).split("\r\n ")
    assert all(len(word) <= 75 for word in words)
    assert len(words) > 1


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=500), st.text(max_size=200))
def test_every_text_reads_back(text: str, html: str) -> None:
    message = parse(write(build(text=text, html=html)))
    parts = [part.get_payload(decode=True) for part in message.iter_parts()]
    wanted = [part.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace") for part in (text, html)]
    read = [part.replace(b"\r\n", b"\n") for part in parts if isinstance(part, bytes)]
    assert [part.rstrip(b"\n") for part in read] == [part.rstrip(b"\n") for part in wanted]
