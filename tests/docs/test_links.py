"""Every link within the repository leads somewhere, to the heading it names."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
_HIDDEN = re.compile(r"^(\.|node_modules$|nhip-data$)")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *#*$", re.MULTILINE)
_MENTION = re.compile(r"`((?:docs|core|plugins|admin_api|tests|bench)/[\w./-]+[\w-])")


def pages() -> list[Path]:
    """Every Markdown file that is ours."""
    return sorted(
        path for path in ROOT.rglob("*.md") if not any(_HIDDEN.match(part) for part in path.relative_to(ROOT).parts)
    )


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    made = set()
    for match in _HEADING.finditer(_FENCE.sub("", page.read_text())):
        text = re.sub(r"\]\([^)]*\)", "]", match["text"]).replace("`", "").lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = found.get(anchor, 0)
        found[anchor] = count + 1
        made.add(f"{anchor}-{count}" if count else anchor)
    return made


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    text = _CODE.sub("", _FENCE.sub("", page.read_text()))
    lost = []
    for match in _LINK.finditer(text):
        target = match["target"]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page
        is_ours = file.exists() and ROOT in (file, *file.parents)
        if not is_ours or (anchor and (file.suffix != ".md" or anchor not in anchors(file))):
            lost.append(target)
    return lost


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_mentioned_exist(page: Path) -> None:
    text = _FENCE.sub("", page.read_text())
    said = [match[1] for code in _CODE.findall(text) if (match := _MENTION.match(code))]
    assert [mention for mention in said if not (ROOT / mention).exists()] == []


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    listed = {(ROOT / "docs" / match["target"]).resolve() for match in _LINK.finditer(index)}

    assert {page for page in (ROOT / "docs").rglob("*.md") if page.name != "README.md"} <= listed


def test_a_broken_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "a.md"
    links = "[a](#đơn-hàng-to) [b](#gone) [c](gone.md) [d](a.md#x) [e](../..) `[f](g.md)` [h](https://h)"
    page.write_text(f"# Đơn hàng: `to`\n{links}\n")

    assert broken(page) == ["#gone", "gone.md", "a.md#x", "../.."]
