"""The report in HTML: what stands in it, and what a browser makes of it."""

from __future__ import annotations

import re
import struct
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.browser import browser

from valiza.cli.page import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.browser import Browser
    from tests.support.cli import World

DAY: Final = 86400
# What somebody writes as a reason who wants his text to be more than text.
INJECTED: Final = (
    "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\"><style>body{display:none}</style>"
    "</details></main><a href='javascript:1'>x</a><link rel=stylesheet href=http://evil.example/> \u202e &amp; \"'"
)


class _Tags(HTMLParser):
    """The elements of a page, and whether they are closed in order."""

    VOID: Final = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def reported(world: World, travel: Callable[[int], None]) -> Path:
    """A report of three envelopes: one delivered, one overdue, one withdrawn for a wicked reason."""
    _, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    world.seal("--due=1", name="2.vlz")
    world.kz.works("withdraw", world.seal(name="3.vlz"), f"--reason={INJECTED}")
    travel(3 * DAY)
    path = world.path("report.html")
    facts = world.kz.works("register", "report", "-o", path, "--json").facts
    assert (facts["envelopes"], facts["overdue"]) == (3, 1)
    return path


def test_page_is_well_formed_and_needs_nothing_else(reported: Path) -> None:
    text = reported.read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "audio", "video", "svg"}
    assert [tag for tag, _ in tags.found].count("style") == 1
    for tag, attributes in tags.found:
        assert not {name for name in attributes if name.startswith("on")} | attributes.keys() & {"src", "style", "srcset", "action"}, tag
        assert (attributes.get("href") or "#").startswith("#")
    anchors = {attributes["id"] for _, attributes in tags.found if "id" in attributes}
    assert {(attributes.get("href") or "#all")[1:] for _, attributes in tags.found} <= anchors
    assert {"lang": "en"} in [attributes for tag, attributes in tags.found if tag == "html"]
    assert "url(" not in text.split("</style>")[0]
    assert "@import" not in text.split("</style>")[0]


def test_tables_and_headings_can_be_read_aloud(reported: Path) -> None:
    text = reported.read_text(encoding="utf-8")
    assert text.count("<table") == text.count("<caption>") == text.count("<thead>") == 2
    assert text.count("<h1>") == 1
    for cell in re.findall(r"<th\b[^>]*>", text):
        assert "scope=" in cell


def test_what_stands_in_it(reported: Path) -> None:
    text = reported.read_text(encoding="utf-8")
    assert text.count("<details ") == 3
    assert "<b>1</b> overdue" in text
    assert "<b>1</b> delivered" in text
    assert "Aigul Serik (KZ/KZ-MFA)" in text
    assert "not the whole register" not in text
    assert "&lt;script&gt;" in text
    assert r"\u{202E}" in text


def test_report_of_some(reported: Path, world: World) -> None:
    some = world.path("some.html")
    assert world.kz.works("register", "report", "--open", "-o", some, "--json").facts["envelopes"] == 1
    assert "not the whole register" in some.read_text(encoding="utf-8")
    world.kz.fails(6, "register", "report", "-o", reported)


def test_report_of_an_empty_register(world: World) -> None:
    world.kz.works("register", "report", "-o", world.path("empty.html"))
    assert world.path("empty.html").read_text(encoding="utf-8").count("There is none.") == 5


def test_a_thousand_envelopes_take_a_few_megabytes() -> None:
    story = {
        "number": "KZ-MFA/2026/out/1",
        "envelope_id": "0" * 64,
        "dispatch": "0" * 64,
        "verdict": "delivered",
        "direction": "out",
        "since": "2026-01-01T00:00:00Z",
        "other": "BY/BY-MFA",
        "facts": {str(n): "x" * 60 for n in range(12)},
        "entries": [("2026-01-01T00:00:00Z", "x" * 200)] * 5,
    }
    told: dict[str, Any] = {
        "body": "KZ/KZ-MFA",
        "names": {"en": "x"},
        "as_of": "2026-01-01T00:00:00Z",
        "whole": True,
        "count": 1000,
        "waiting": [],
        "months": {},
        "counts": {},
        "stories": [story] * 1000,
    }
    assert sum(len(line) for line in page(told)) < 4_000_000


# -- in a browser ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser."""
    with browser(tmp_path_factory.mktemp("profile")) as shown:
        yield shown


@pytest.mark.slow
def test_browser_shows_it_runs_nothing_and_fetches_nothing(reported: Path, chromium: Browser) -> None:
    chromium.asked.clear()
    chromium.complaints.clear()
    chromium.show(reported)
    assert chromium.evaluate("document.title") == "Register of KZ/KZ-MFA"
    assert chromium.evaluate("document.querySelectorAll('script, img, link').length") == 0
    assert chromium.evaluate("[...document.querySelectorAll('h2')].map(h => h.innerText)") == [
        *("Overdue", "Outstanding", "Waiting here", "By month", "The story of each envelope"),
    ]
    row = chromium.evaluate("document.querySelector('#overdue tbody tr').innerText")
    assert re.search(r"/out/2\s+BY/BY-MFA\s+kz-by\s+receipt\s.*\s2$", row)
    bars = "[...document.querySelectorAll('.bar span')].map(b => b.getBoundingClientRect().width)"
    assert max(chromium.evaluate(bars)) > 100, "the style counts, and the bars have their lengths"
    told = "(d => { d.open = true; return d.innerText })(document.querySelectorAll('details')[2])"
    assert "<script>document.title='run'</script><img src=x" in chromium.evaluate(told)
    assert "withdrawn" in chromium.evaluate(told)
    assert chromium.asked == [reported.as_uri()]
    assert chromium.complaints == []


@pytest.mark.slow
def test_policy_of_the_page_stops_what_got_in(reported: Path, chromium: Browser) -> None:
    """Even were something not escaped: neither scripts, nor pictures, nor other styles count."""
    bad = reported.with_name("bad.html")
    put_in = '<script>document.title="run"</script><img src="http://evil.example/x" onerror="document.title=1"><style>h1{display:none}</style>'
    bad.write_text(reported.read_text(encoding="utf-8").replace("<main>", f"<main>{put_in}", 1), encoding="utf-8")
    chromium.complaints.clear()
    chromium.show(bad)
    assert chromium.evaluate("document.title") == "Register of KZ/KZ-MFA"
    assert chromium.evaluate("getComputedStyle(document.querySelector('h1')).display") == "block"
    complaints = " ".join(chromium.complaints)
    for what in ("script", "image", "style"):
        assert what in complaints, "the browser tells that it did not let it"


@pytest.mark.slow
def test_light_dark_and_printed(reported: Path, chromium: Browser) -> None:
    chromium.show(reported)
    grounds = []
    for dark in (False, True):
        chromium.media(dark=dark)
        grounds.append(chromium.evaluate("getComputedStyle(document.body).backgroundColor"))
        picture = chromium.picture(800, 600)
        assert struct.unpack(">II", picture[16:24]) == (800, 600)
    assert grounds[0] != grounds[1]
    shown = "document.querySelector('details ol').checkVisibility()"
    assert chromium.evaluate(shown) is False
    chromium.media(printed=True)
    assert chromium.evaluate(shown) is True, "on paper nobody can open anything"
    assert chromium.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    chromium.media()
