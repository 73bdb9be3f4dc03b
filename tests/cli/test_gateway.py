"""`valiza gateway check` and `valiza gateway rules`, as scripts, mail systems and administrators call them."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import World, fails, program, run, works
from tests.support.post import BY_SENDER, mail, make_post, plain

if TYPE_CHECKING:
    from pathlib import Path

DAY: Final = 86400


@pytest.fixture(scope="module")
def made_post(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_post(tmp_path_factory.mktemp("post"))


@pytest.fixture
def post(made_post: World, tmp_path: Path) -> World:
    return made_post.copy(tmp_path / "post")


def written(world: World, name: str, raw: bytes) -> Path:
    """A message in a file."""
    world.path(name).write_bytes(raw)
    return world.path(name)


def bad(world: World, name: str = "bad.eml") -> Path:
    """A message with a receipt whose signature does not hold."""
    raw = world.path("second.receipt.vls").read_bytes()
    return written(world, name, mail(raw[:-1] + bytes([raw[-1] ^ 1])))


def good(world: World, name: str = "good.eml") -> Path:
    """A message with a receipt."""
    return written(world, name, mail(world.path("good.receipt.vls").read_bytes()))


def said(world: World, text: str) -> Path:
    """A file of rules."""
    return written(world, "rules.toml", b"version = 1\n" + text.encode())


# -- one and many ---------------------------------------------------------------------------------------------------------


def test_one_message(post: World) -> None:
    facts = post.kz.works("gateway", "check", good(post), "--json").facts
    (found,) = facts["objects"]
    assert (facts["action"], facts["reply"], found["verdict"], found["part"], found["exit_code"]) == ("accept", "", "delivered", "3", 0)
    assert facts["headers"] == [f"X-Valiza-Verdict: delivered; envelope={found['envelope_id']}"]
    assert [row["verdict"] for row in post.kz.works("register", "list", "--json").facts["envelopes"]].count("delivered") == 1


def test_for_people(post: World) -> None:
    done = post.kz.run("gateway", "check", bad(post))
    assert done.code == 4
    assert "not-authentic" in done.out
    assert "valiza: error: not-authentic: part 3: " in done.err


def test_bare_objects_and_standard_input(post: World) -> None:
    receipt = post.path("good.receipt.vls")
    assert post.kz.works("gateway", "check", receipt, "--dry-run", "--json").facts["objects"][0]["part"] == ""
    assert post.kz.works("gateway", "check", "-", "--dry-run", "--json", stdin=receipt.read_bytes()).facts["objects"][0]["verdict"] == "delivered"
    assert post.kz.works("gateway", "check", "-", "--json", stdin=good(post).read_bytes()).facts["objects"][0]["verdict"] == "delivered"


def test_object_that_says_it_is_one_only_by_its_name(post: World) -> None:
    done = post.kz.run("gateway", "check", written(post, "letter.vls", b"no statement"), "--json")
    assert (done.code, done.facts["objects"][0]["verdict"]) == (3, "malformed")


def test_many_with_one_that_is_bad_and_one_that_is_missing(post: World) -> None:
    files = [good(post), bad(post), post.path("nothing.eml"), good(post, "again.eml"), written(post, "letter.eml", plain())]
    done = post.kz.run("gateway", "check", *files, "--json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.out.splitlines()]
    assert [line["exit_code"] for line in lines] == [0, 4, 7, 0, 0]
    assert done.code == 4, "that of the first that is not 0"
    assert [[one["verdict"] for one in line.get("objects", [])] for line in lines] == [["delivered"], ["not-authentic"], [], ["duplicate"], ["none"]]
    told = post.kz.run("gateway", "check", *files)
    assert f"{files[3]}: accept: duplicate" in told.out
    assert "valiza: 2 of 5 messages ended in an error" in told.err


def test_dry_run_enters_nothing(post: World) -> None:
    before = post.kz.works("register", "list", "--json").facts
    assert post.kz.works("gateway", "check", good(post), "--dry-run", "--json").facts["objects"][0]["verdict"] == "delivered"
    assert post.kz.works("register", "list", "--json").facts == before


def test_pipe_instead_of_a_file(post: World) -> None:
    pipe = post.path("pipe")
    os.mkfifo(pipe)
    raw = good(post).read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(raw))
    writer.start()
    assert post.kz.works("gateway", "check", pipe, "--json").facts["objects"][0]["verdict"] == "delivered"
    writer.join()


def test_standard_input_that_is_longer_than_may_be(post: World) -> None:
    rules = said(post, '[limits]\nmessage = "64 KiB"')
    done = post.kz.run("gateway", "check", "-", "--rules", rules, "--json", stdin=plain("x" * 100_000))
    assert (done.code, done.facts["reply"]) == (6, "552 5.3.4 valiza: too-large")


def test_what_cannot_be_asked(post: World) -> None:
    post.kz.fails(2, "gateway", "check")
    post.kz.fails(2, "gateway", "check", "-", "-")
    post.kz.fails(2, "gateway", "check", "-", good(post))
    fails(2, "gateway", "check", good(post))
    post.kz.fails(7, "gateway", "check", good(post), "--rules", post.path("no-rules.toml"))
    post.kz.fails(3, "gateway", "check", good(post), "--rules", said(post, "mod = 1"))


# -- mail systems ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rules", "code"),
    [
        ("good.receipt.vls", "", 0),
        ("good.ack.vls", "", 0),
        ("good.vlz", "", 0),
        ("other.receipt.vls", "", 0),
        ("late.receipt.vls", '[actions]\nlate = "quarantine"', 75),
        ("late.receipt.vls", '[actions]\nlate = "reject"', 77),
        ("good.vlz", 'channel = "agreed"', 77),
        ("good.vlz", 'channel = "agreed"\nmode = "observe"', 0),
        ("map.txt", "", 0),
    ],
)
def test_sysexits(name: str, rules: str, code: int, post: World) -> None:
    done = post.kz.run("gateway", "check", "-", "--sysexits", "--rules", said(post, rules), "--dry-run", stdin=post.path(name).read_bytes())
    assert done.code == code


def test_sysexits_of_what_is_wrong(post: World) -> None:
    raw = post.path("good.receipt.vls").read_bytes()
    check = ("gateway", "check", "--sysexits")
    assert post.kz.run(*check, "-", stdin=raw[:-1]).code == 65
    assert post.kz.run(*check, "-", stdin=raw[:-1] + bytes([raw[-1] ^ 1])).code == 77
    assert post.kz.run(*check, post.path("nothing")).code == 75
    assert post.kz.run(*check, post.path("nothing"), good(post)).code == 75
    assert post.kz.run(*check).code == 64
    assert post.kz.run(*check, "-", "--no-such-option", stdin=raw).code == 64
    assert run(*check, "-", stdin=raw).code == 64
    assert run(*check, "-", "--home", post.path("nowhere"), stdin=raw).code == 64
    assert post.kz.run(*check, "-", "--rules", said(post, "mod = 1"), stdin=raw).code == 78
    assert post.kz.run(*check, "-", "--rules", post.path("no-rules.toml"), stdin=raw).code == 75


def test_sysexits_where_nothing_can_be_said_now(post: World) -> None:
    raw = good(post).read_bytes()
    for path in (post.kz.home / "rosters").glob("BY-*"):
        path.rename(post.path(path.name))
    done = post.kz.run("gateway", "check", "-", "--sysexits", "--json", stdin=raw)
    assert (done.code, done.facts["action"], done.facts["reply"]) == (75, "defer", "451 4.3.0 valiza: unavailable")
    (post.kz.home / "register.db").write_bytes(b"no database" * 1000)
    assert post.kz.run("gateway", "check", "-", "--sysexits", stdin=raw).code == 75


def test_sysexits_of_a_fault_of_ours(post: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("valiza.gateway.checking.Checker.check", fail)
    done = post.kz.run("gateway", "check", "-", "--sysexits", stdin=good(post).read_bytes())
    assert done.code == 75
    assert "a fault of ours: RuntimeError" in done.err


def test_as_a_program_of_its_own(post: World) -> None:
    done = program("gateway", "check", "-", "--sysexits", "--sender", BY_SENDER, "--home", post.kz.home, stdin=good(post).read_bytes())
    assert done.code == 0, done.err


# -- rules ----------------------------------------------------------------------------------------------------------------


def test_what_is_shown_can_be_followed(post: World) -> None:
    path = written(post, "shown.toml", works("gateway", "rules", "show").raw)
    facts = post.kz.works("gateway", "rules", "check", path, "--json").facts
    assert facts == {"rules": str(path), "mode": "enforce", "office": str(post.kz.home), "problems": []}
    assert works("gateway", "rules", "check", path, "--json").facts["office"] is None


def test_wrong_rules_name_file_and_key(post: World) -> None:
    path = said(post, "[limits]\nparts = 0")
    assert fails(3, "gateway", "rules", "check", path).error == f"{str(path)!r}: limits.parts: 0 is not between 1 and 100000"
    assert fails(3, "gateway", "rules", "check", said(post, "limit = 1")).hint.startswith("there are: version, ")


def test_rules_that_fit_nothing_here(post: World) -> None:
    path = said(
        post,
        'channel = "pigeon"\nmarks = { KZ = ["3", "9"], RU = ["1"] }\npass_for = ["KZ-KNB", "KZ-NSC"]\n[senders]\n"gov.by" = ["BY-MFA", "BY-XXX"]\n',
    )
    done = post.kz.run("gateway", "rules", "check", path, "--json")
    assert done.code == 6
    assert [problem.partition(": ")[0] for problem in done.facts["problems"]] == ["channel", "marks.KZ", "marks.RU", "pass_for", 'senders."gov.by"']
    assert "'KZ-NSC'" in done.facts["problems"][3]
    assert done.hint == "and 4 more"
    assert works("gateway", "rules", "check", path, "--json").facts["problems"] == []


def test_trying_rules_enters_nothing(post: World) -> None:
    rules = said(post, '[senders]\n"mfa.by.example" = ["BY-MFA"]')
    before = post.kz.works("register", "list", "--json").facts
    assert post.kz.works("gateway", "rules", "try", rules, good(post), "--json").facts["action"] == "accept"
    done = post.kz.run("gateway", "rules", "try", rules, good(post), "--sender=x@evil.example", "--json")
    assert (done.code, done.facts["action"], done.facts["objects"][0]["verdict"]) == (6, "reject", "sender")
    assert post.kz.works("register", "list", "--json").facts == before


def test_nothing_from_outside_reaches_a_terminal_as_it_is(post: World) -> None:
    raw = mail(post.path("good.receipt.vls").read_bytes()).replace(b"Subject: ", b"Subject: \x1b[31m\xe2\x80\xae")
    done = post.kz.run("gateway", "check", written(post, "a\x1b[31m.eml", raw), written(post, "b.eml", b"\x1b[31m"))
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err
