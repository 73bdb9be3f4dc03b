"""Messages made and taken apart on the command line."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import fails, leaves, listing, program, run, works
from tests.support.mail import ENVELOPE, RECEIPT, STATEMENT, message

from valiza.keys import labels
from valiza.keys.encoding import pack

if TYPE_CHECKING:
    from pathlib import Path

HEAD: Final = ("--from=registry@mfa.by.example", "--to=registry@mfa.kz.example")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, raw in {"e.vlz": ENVELOPE, "r.vls": RECEIPT, "n.vls": STATEMENT}.items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


def test_there_and_back(here: Path) -> None:
    facts = works("mail", "wrap", "e.vlz", "r.vls", "n.vls", *HEAD, "-o", "m.eml", "--json").facts
    assert facts["report"] is False
    assert [one["type"] for one in facts["objects"]] == [None, "receipt", "transport-notice"]
    assert (here / "m.eml").stat().st_size == facts["bytes"]
    taken = works("mail", "unwrap", "m.eml", "-o", "taken", "--json").facts
    assert [one["file"] for one in taken["objects"]] == ["1-envelope.vlz", "2-receipt.vls", "3-transport-notice.vls"]
    assert [(here / "taken" / one["file"]).read_bytes() for one in taken["objects"]] == [ENVELOPE, RECEIPT, STATEMENT]
    assert (taken["believed"], taken["from"], taken["message_id"]) == (False, "registry@mfa.by.example", facts["message_id"])


def test_streams(here: Path) -> None:
    made = run("mail", "wrap", "-", *HEAD, "-o", "-", stdin=RECEIPT)
    assert made.code == 0
    assert "message id:" in made.err
    works("mail", "unwrap", "-", "-o", "taken", stdin=made.raw)
    assert (here / "taken" / "1-receipt.vls").read_bytes() == RECEIPT
    assert "can be one object" in fails(2, "mail", "wrap", "-", "-", *HEAD, "-o", "x", stdin=RECEIPT).error


def test_pipes_of_the_shell(here: Path) -> None:
    made = program("mail", "wrap", "e.vlz", *HEAD, "-o", "-", cwd=here)
    assert made.code == 0
    assert program("mail", "unwrap", "/dev/stdin", "-o", "taken", stdin=made.raw, cwd=here).code == 0
    assert (here / "taken" / "1-envelope.vlz").read_bytes() == ENVELOPE


def test_what_the_head_says(here: Path) -> None:
    given = ("--subject=Растау", "--cc=Archive <archive@mfa.kz.example>", "--message-id=<1@a>", "--in-reply-to=<0@b>", "--lang=en", "--lang=kk")
    works("mail", "wrap", "r.vls", *HEAD, "--to=second@mfa.kz.example", *given, "-o", "m.eml")
    found = message_from_bytes((here / "m.eml").read_bytes(), policy=policy.default)
    assert found["To"] == "registry@mfa.kz.example, second@mfa.kz.example"
    assert (found["Subject"], found["Cc"], found["Message-ID"]) == ("Растау", "Archive <archive@mfa.kz.example>", "<1@a>")
    assert found["In-Reply-To"] == "<0@b>"
    body = found.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "countersigned receipt" in text
    assert "екінші қол" in text
    assert "Это" not in text


def test_two_messages_of_one_receipt_have_nothing_in_common_that_is_drawn(here: Path) -> None:
    works("mail", "wrap", "r.vls", *HEAD, "-o", "1.eml")
    works("mail", "wrap", "r.vls", *HEAD, "-o", "2.eml")
    first, second = (message_from_bytes((here / name).read_bytes()) for name in ("1.eml", "2.eml"))
    assert first["Message-ID"] != second["Message-ID"]
    assert first.get_boundary() != second.get_boundary()


@pytest.mark.parametrize(
    "option",
    ["--from=nobody", "--to=a@b, c@d", "--cc=x y", "--to=a@b\r\nBcc: c@d", "--message-id=1", "--in-reply-to=<a b@c>", "--lang=fr", "--subject= "],
)
def test_what_is_no_head(here: Path, option: str) -> None:
    before = listing(here)
    fails(2, "mail", "wrap", "r.vls", *HEAD, option, "-o", "m.eml")
    assert listing(here) == before


def test_subject_cannot_bring_fields_in(here: Path) -> None:
    done = run("mail", "wrap", "r.vls", *HEAD, "--subject=a\r\nBcc: evil@x.example", "-o", "m.eml")
    assert done.code == 2
    assert "control characters" in done.err


def test_a_key_is_not_sent(here: Path) -> None:
    (here / "a.key").write_bytes(pack([labels.KEY_FILE, b"", b""]))
    assert "keys are never sent by mail" in fails(6, "mail", "wrap", "a.key", *HEAD, "-o", "m.eml").hint
    raw = b"MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes((here / "a.key").read_bytes())
    assert "private key" in fails(6, "mail", "unwrap", "-", "-o", "taken", stdin=raw).error


BAD: Final = {
    "nothing in it": (b"Subject: hello\n\nhello\n", "no Valiza object"),
    "an object": (RECEIPT, "is no message, but itself a statement"),
    "declared": (b"Content-Type: application/vnd.valiza.statement\n\nhello\n", "is said to be"),
    "two readings": (message(RECEIPT).replace(b"multipart/report", b"multipart/report; boundary=x"), "mail programs may see different things"),
    "too deep": (b"Content-Type: message/rfc822\n\n" * 20, "one inside the other"),
}


@pytest.mark.parametrize("name", BAD)
def test_messages_that_are_refused(here: Path, name: str) -> None:
    raw, words = BAD[name]
    before = listing(here)
    done = fails(6 if name == "too deep" else 3, "mail", "unwrap", "-", "-o", "taken", stdin=raw)
    assert words in done.error
    assert listing(here) == before


def test_names_of_the_sender_name_no_file(here: Path) -> None:
    raw = message(RECEIPT)
    for number, name in enumerate((b"../../x.vls", b"/etc/passwd", b".bashrc", b"a\x1b[2J\xe2\x80\xaeslv.exe", b"CON")):
        odd = raw.replace(b"receipt-6088e0ca507f58ab.vls", name)
        shown = works("mail", "unwrap", "-", "-o", f"taken{number}", stdin=odd)
        assert "\x1b" not in shown.out
        assert [path.name for path in (here / f"taken{number}").iterdir()] == ["1-receipt.vls"]


def test_many_objects_are_no_mail(here: Path) -> None:
    small = message(ENVELOPE, *[STATEMENT] * 64)
    assert "more than 64" in fails(6, "mail", "unwrap", "-", "-o", "taken", stdin=small).error
    assert not (here / "taken").exists()


def test_help_of_both_is_there() -> None:
    assert {("mail", "wrap"), ("mail", "unwrap")} <= set(leaves())
