"""What must not travel outside an envelope: which texts carry a mark and which only use its words, and files by name and media type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.post import gateway_at, mail, plain, rules, verdicts

from valiza.envelope.draft import packaged_draft, read_draft
from valiza.gateway.rules import MarkTexts
from valiza.gateway.unsealed import MarkFinder

if TYPE_CHECKING:
    from tests.support.cli import World

PROFILE = read_draft(packaged_draft("kz-by"))
TEXTS = sorted({text for party in PROFILE.parties for mark in party.marks for text in (mark.text, *mark.names.values())})
STANDING = MarkFinder([*TEXTS, "С", "ДСП"], MarkTexts.STANDING)
ANYWHERE = MarkFinder([*TEXTS, "С", "ДСП"], MarkTexts.ANYWHERE)


@pytest.mark.parametrize("mark", TEXTS)
@pytest.mark.parametrize(
    "form", ["{}", "\n  {}\nletter", "{} ", "({})", "«{}»", "{}\nЭкз. № 1", "{}. Экз. № 1", "{} экз. 2", "Гриф: {}", "[{}] план", "> {}", "-- {} --"]
)
def test_mark_that_stands_as_one(mark: str, form: str) -> None:
    for text in (form.format(mark), form.format(mark.upper()), form.format(mark.replace(" ", "\u00a0\n ")), form.format("\u00ad".join(mark))):
        assert STANDING.in_text(text), text
        assert ANYWHERE.in_text(text), text


@pytest.mark.parametrize(
    "text",
    [
        "It is no secret that we meet.",
        "дело особой важности для обеих сторон",
        "Он вошёл секретно и вышел",
        "matters of special importance to us",
        "бұл құпия емес",
    ],
)
def test_words_of_a_mark_inside_a_sentence(text: str) -> None:
    assert not STANDING.in_text(text)
    assert ANYWHERE.in_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secretary",
        "несекретно",
        "Секретность\n",
        "SECRETARIAT",
        "top\nsecretary",
        "С уважением",
        "с",
        "А и С были там",
        "письмо с ДСП и без",
        "toр sесrеt",
    ],
)
def test_no_mark_at_all(text: str) -> None:
    if text != "с":
        assert not STANDING.in_text(text)
        assert not ANYWHERE.in_text(text)


@pytest.mark.parametrize("text", ["С", "(С)", "№ 12 С\n", "ДСП", "план (ДСП)", "1. ДСП 2."])
def test_short_mark_alone_or_in_brackets(text: str) -> None:
    assert STANDING.in_text(text)
    assert ANYWHERE.in_text(text)


def test_capitals_inside_a_sentence() -> None:
    assert STANDING.in_text("This is TOP SECRET, mind you")
    assert STANDING.in_text("ｓｅｃｒｅｔ"), "compatible forms are the same"
    assert STANDING.in_text("СОВЕРШЕННО \t СЕКРЕТНО это")


@pytest.mark.parametrize(
    "markup",
    [
        "<p>Секретно</p>",
        "<b>СЕК</b>РЕТНО и так далее",
        "&#1057;екретно",
        "письмо<br>Сек<!-- x -->ретно<br/>дальше",
        "<td class='a'>Сек\u00adрет&shy;но</td>",
        "<div>top&nbsp;secret</div>",
    ],
)
def test_mark_in_html(markup: str) -> None:
    assert STANDING.in_text(markup, is_html=True)


@pytest.mark.parametrize(
    "text", ["<" * 300_000, "<!--" * 100_000, "< " * 200_000, "<" + " " * 300_000, "top " + " " * 300_000, "secret x" * 50_000, "top\n" * 100_000]
)
def test_hostile_text_is_looked_at_in_time(text: str) -> None:
    """Were the work to grow with the square of the length, this would not end within the time limit of any test runner."""
    assert not STANDING.in_text(text, is_html=True)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("план_секретно.docx", True),
        ("Секретно-план.PDF", True),
        ("top.secret.txt", True),
        ("секретность.txt", False),
        ("С.txt", True),
        ("С уважением.txt", False),
        ("ДСП.pdf", True),
        ("план ДСП.pdf", False),
        ("", False),
        (".", False),
        ("a.secret", True),
    ],
)
def test_mark_in_the_name_of_a_file(name: str, found: bool) -> None:  # noqa: FBT001 - what is expected
    assert STANDING.in_name(name) is found


@given(st.text())
def test_any_text_and_name(text: str) -> None:
    for finder in (STANDING, ANYWHERE):
        assert finder.in_text(text) in {True, False}
        assert finder.in_text(text, is_html=True) in {True, False}
        assert finder.in_name(text) in {True, False}


@given(st.text(), st.text(), st.sampled_from(TEXTS))
def test_mark_on_a_line_of_its_own_is_found_in_any_text(before: str, after: str, mark: str) -> None:
    assert STANDING.in_text(f"{before}\n\n{mark}\n\n{after}")


def test_nothing_to_look_for() -> None:
    assert not MarkFinder(TEXTS, MarkTexts.IGNORED)
    assert not MarkFinder([], MarkTexts.STANDING).in_text("Секретно")


# -- in messages ----------------------------------------------------------------------------------------------------------

MARKS = "[unsealed]\nmarks = true"


def found(post: World, said: str, message: bytes) -> list[str]:
    (decision,) = gateway_at(post.path("KZ"), rules(said)).check(message)
    assert (decision.action == "reject") == ("unsealed" in verdicts(decision))
    assert "екретно" not in decision.reply + str(decision.headers)
    return verdicts(decision)


@pytest.mark.parametrize(
    "message",
    [
        plain("Секретно\nЭкз. № 1\n\nПлан."),
        plain(subject="[Секретно] план"),
        plain(files=[("план секретно.txt", "text/plain", b"x")]),
        plain(files=[("a.txt", "text/plain", "Құпия\n".encode())]),
        plain(files=[("a.html", "text/html", "<html><body><p>Зусім сакрэтна</p>".encode())]),
        plain().replace(b"Good morning.", "Секретно".encode("cp1251")).replace(b'charset="utf-8"', b"").replace(b"7bit", b"8bit"),
        plain().replace(b"Good morning.", "Секретно".encode("koi8-r")).replace(b'charset="utf-8"', b'charset="nonsense"').replace(b"7bit", b"8bit"),
        plain().replace(b"Good morning.", "Секретно".encode("cp1251")).replace(b"7bit", b"8bit"),
    ],
)
def test_marks_in_messages(message: bytes, post: World) -> None:
    assert found(post, MARKS, message) == ["unsealed"]
    assert found(post, "", message) == ["none"]


def test_mark_beside_an_object(post: World) -> None:
    receipt = post.path("good.receipt.vls").read_bytes()
    message = plain("Секретно", files=[("a.vls", "application/vnd.valiza.statement", receipt)])
    assert found(post, MARKS, message) == ["unsealed", "delivered"]
    assert gateway_at(post.path("KZ")).kinds().count("receipt") == 0


def test_words_for_people_in_our_own_messages_carry_no_mark(post: World) -> None:
    for name, verdict in (("good.receipt.vls", "delivered"), ("good.vlz", "outgoing"), ("good.ack.vls", "acknowledged")):
        raw = post.path(name).read_bytes()
        assert found(post, MARKS, mail(raw, languages=["kk", "ru", "be", "en"])) == [verdict]


@pytest.mark.parametrize(
    ("said", "name", "media_type", "hit"),
    [
        ('names = ["*.dsp.*"]', "Plan.DSP.docx", "application/msword", True),
        ('names = ["*.dsp.*"]', "plan.d\u200bsp.docx", "application/msword", True),
        ('names = ["*.dsp.*"]', "plan.docx", "application/msword", False),
        ('media_types = ["application/VND.secret*"]', "a.bin", "application/vnd.secret-plan", True),
        ('media_types = ["application/vnd.secret*"]', "a.bin", "application/octet-stream", False),
        ('names = ["*.vlz"]', "a.bin", "application/octet-stream", False),
    ],
)
def test_files_by_name_and_media_type(said: str, name: str, media_type: str, hit: bool, post: World) -> None:  # noqa: FBT001 - what is expected
    message = plain(files=[(name, media_type, b"x")])
    assert found(post, f"[unsealed]\n{said}", message) == (["unsealed"] if hit else ["none"])


def test_patterns_are_not_for_what_is_sealed(post: World) -> None:
    raw = post.path("good.vlz").read_bytes()
    assert found(post, '[unsealed]\nnames = ["*.vlz"]\nmedia_types = ["application/*"]', mail(raw)) == ["outgoing"]


def test_long_text_is_looked_at_to_its_end(post: World) -> None:
    long = ("Good morning, dear colleague.\n" * 50_000) + "Секретно\n"
    assert found(post, f'{MARKS}\n[limits]\nmessage = "50 MiB"'.replace("[limits]", "[limits]"), plain(long)) == ["unsealed"]
