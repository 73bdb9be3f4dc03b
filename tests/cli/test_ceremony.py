"""Key ceremonies on the command line: at a terminal, by a script, in rehearsal; and what becomes of what a rehearsal made."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pexpect
import pytest
from tests.support.ceremony import TOOL, body_request, certified_body, forged_root, later_request, root_before, shares_of, witness_request
from tests.support.cli import VALIZA, Outcome, World, listing, run, works
from tests.support.keys import signing_key

from valiza.keys.fingerprint import in_words
from valiza.keys.keyfile import load_key
from valiza.keys.realm import Realm
from valiza.office.ceremony.matter import read_matter
from valiza.office.ceremony.plan import read_plan

VECTORS: Final = Path(__file__).resolve().parents[2] / "specs" / "vectors"
PLAN: Final = (
    *("ceremony", "plan", "new-root", "--title=The first root", "--place=Astana", "--party=KZ", "--name=en=Kazakhstan", "--degrees=1,2,3"),
    *("--threshold=1", "--operator=olzhas:Olzhas", "--custodian=aliya:Aliya Serik", "--witness=wanda:Wanda"),
)
SECRET: Final = {"aliya": "сакрэт 7 ☂", "wanda": "another secret"}


def planned(folder: Path, *more: str) -> tuple[Path, dict[str, Any]]:
    """A plan with one custodian and one witness, and what was said of it."""
    path = folder / "root.toml"
    return path, works(*PLAN, *more, "-o", path, "--json").facts


def answers(folder: Path, digest: str, descriptors: dict[str, int], **changes: str) -> Path:
    """A file of answers that are all right, but for the tables changed."""
    tables = {
        "passphrase": "".join(f"{name} = {number}\n" for name, number in descriptors.items()),
        "open": f'present = true\nplan = "{digest}"\ncode = true\ntime = true\n',
        "draft.root": 'fingerprint = "shown"\n',
        "sign.root.aliya": "sign = true\n",
        **{f"key.{name}": f'file = "{folder}/{name}.key"\nheard = true\n' for name in SECRET},
        **{f"attest.{name}": "sign = true\n" for name in SECRET},
        **changes,
    }
    path = folder / "answers.toml"
    path.write_text("".join(f"[{name}]\n{table}" for name, table in tables.items()), encoding="utf-8")
    return path


def scripted(folder: Path, *words: str | Path, digest: str, secrets: Any = SECRET, **changes: Any) -> Outcome:
    """Run the program with a file of answers and a pipe for each passphrase."""
    descriptors = {}
    for name, secret in secrets.items():
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(secret.encode())
        descriptors[name] = reading
    path = answers(folder, digest, descriptors, **changes)
    try:
        done = subprocess.run(
            [VALIZA, *words, "--answers", path, "--json"],
            pass_fds=list(descriptors.values()), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)
    return Outcome(done.returncode, done.stdout, done.stderr)


def made(folder: Path, *more: str, name: str = "root") -> dict[str, Any]:
    """A first root, made by a script; what was said of it."""
    folder.mkdir()
    plan, facts = planned(folder)
    done = scripted(folder, "ceremony", "run", plan, "--dir", folder / name, *more, digest=facts["digest"])
    assert done.code == 0, done.err
    found: dict[str, Any] = done.facts
    return found


@pytest.fixture(scope="module")
def practised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a rehearsal."""
    folder = tmp_path_factory.mktemp("practised") / "x"
    made(folder, "--rehearsal")
    return folder


@pytest.fixture(scope="module")
def meant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ceremony."""
    folder = tmp_path_factory.mktemp("meant") / "x"
    made(folder)
    return folder


# -- by a script ----------------------------------------------------------------------------------------------------------


def test_script(tmp_path: Path) -> None:
    facts = made(tmp_path / "x")
    assert facts["written"] == ["root.vls", "transcript.vls"]
    assert [(one["id"], one["signed"]) for one in facts["participants"]] == [("olzhas", False), ("aliya", True), ("wanda", True)]
    verified = works("ceremony", "verify", tmp_path / "x" / "root" / "transcript.vls", "--root", facts["roots"][0], "--json").facts["verified"]
    assert verified["root_compared"] is True
    assert {key: value for key, value in verified.items() if key != "root_compared"} == {
        key: value for key, value in facts.items() if key not in {"folder", "written"}
    }


def test_secrets_are_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    plan, facts = planned(tmp_path / "x")
    done = scripted(tmp_path / "x", "ceremony", "run", plan, "--dir", tmp_path / "x" / "root", digest=facts["digest"])
    assert done.code == 0
    for secret in SECRET.values():
        assert secret not in done.out + done.err
        assert [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []


def test_what_stops_a_script_and_where_it_goes_on(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    words = ("ceremony", "run", plan, "--dir", tmp_path / "root")
    digest = facts["digest"]
    assert scripted(tmp_path, *words, digest="0" * 64).code == 4
    missing = scripted(tmp_path, *words, digest=digest, **{"key.wanda": ""})
    assert (missing.code, missing.error) == (8, "no answer to 'file' in step 'key.wanda'")
    assert works("ceremony", "show", tmp_path / "root", "--json").facts["state"] == "unfinished"
    denied = scripted(tmp_path, *words, digest=digest, **{"sign.root.aliya": "sign = false\n"})
    assert denied.code == 6
    wrong = scripted(tmp_path, *words, digest=digest, secrets={**SECRET, "aliya": "wrong"})
    assert (wrong.code, wrong.error) == (5, "wrong passphrase")
    done = scripted(tmp_path, *words, digest=digest)
    assert done.code == 0
    assert done.facts["sittings"] == 5
    assert works("ceremony", "show", tmp_path / "root", "--json").facts["state"] == "complete"
    again = scripted(tmp_path, *words, digest=digest)
    assert again.facts["transcript"] == done.facts["transcript"]


def test_nobody_to_ask(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path)
    done = run("ceremony", "run", plan, "--dir", tmp_path / "root")
    assert (done.code, "--answers" in done.hint) == (2, True)
    assert not (tmp_path / "root").exists()


def test_another_plan_in_the_same_folder(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    assert scripted(tmp_path, "ceremony", "run", plan, "--dir", tmp_path / "root", digest="0" * 64).code == 4
    plan.write_bytes(plan.read_bytes() + b"# altered\n")
    done = scripted(tmp_path, "ceremony", "run", plan, "--dir", tmp_path / "root", digest=facts["digest"])
    assert (done.code, "another plan" in done.error) == (2, True)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    (tmp_path / "root").mkdir()
    before = listing(tmp_path / "root")
    assert scripted(tmp_path, "ceremony", "run", plan, "--dir", tmp_path / "root", digest=facts["digest"]).code == 2
    assert run("ceremony", "void", tmp_path / "root", "--reason=x", "--answers", tmp_path / "answers.toml").code == 2
    assert run("ceremony", "show", tmp_path / "root").code == 2
    assert listing(tmp_path / "root") == before


# -- plans ----------------------------------------------------------------------------------------------------------------


def test_plan_for_this_program_only(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path, "--this-code")
    assert scripted(tmp_path, "ceremony", "run", plan, "--dir", tmp_path / "root", digest=facts["digest"]).code == 0
    other = plan.read_text(encoding="utf-8")
    at = other.index('code = "') + 8
    plan.write_text(other[:at] + ("1" if other[at] == "0" else "0") + other[at + 1 :], encoding="utf-8")
    assert works("ceremony", "show", plan).code == 0
    assert scripted(tmp_path, "ceremony", "run", plan, "--dir", tmp_path / "other", digest=facts["digest"]).code == 6
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "more",
    [
        ["--threshold=2"],
        ["--custodian=aliya:Again"],
        ["--witness=Wanda:Wanda"],
        ["--custodian=bolat"],
        ["--custodian=bolat:"],
        ["--degrees=top secret"],
        ["--degrees="],
        ["--party=kz"],
        ["--name=English=x"],
        ["--validity=0"],
        ["--valid-from=yesterday"],
        ["--entropy=hope"],
        ["--title="],
    ],
    ids=lambda more: more[0],
)
def test_what_makes_no_plan(more: list[str], tmp_path: Path) -> None:
    done = run(*PLAN, *more, "-o", tmp_path / "root.toml")
    assert done.code == 2
    assert done.error
    assert not (tmp_path / "root.toml").exists()


@pytest.mark.parametrize("missing", ["--party=KZ", "--degrees=1,2,3", "--threshold=1", "--operator=olzhas:Olzhas", "--witness=wanda:Wanda"])
def test_what_a_plan_needs(missing: str, tmp_path: Path) -> None:
    assert run(*[word for word in PLAN if word != missing], "-o", tmp_path / "root.toml").code == 2


@pytest.fixture
def party_of_three(tmp_path: Path) -> Path:
    """A folder with a root of three custodians, a body's request, its credential, and a witness's request."""
    for name, raw in (
        ("root.vls", root_before().raw),
        ("mfa.vls", body_request(made_at=int(time.time())).raw),
        ("old.vls", certified_body().raw),
        ("anew.vls", later_request().raw),
        ("wanda.vls", witness_request().raw),
    ):
        (tmp_path / name).write_bytes(raw)
    return tmp_path


EVERY: Final = ("--title=A ceremony", "--operator=olzhas:Olzhas", "--witness=saule:Saule", "--root={}/root.vls", "--valid-from=2026-01-01T00:00:00Z")
PLANS: Final[dict[str, tuple[list[str], list[str]]]] = {
    "rotation": (
        ["--keeps=aliya:Aliya", "--custodian=bolat:Bolat", "--leaves=dana:Dana", "--custodian=erlan:Erlan", "--threshold=3"],
        ["key.aliya", "key.previous.bolat", "key.bolat", "key.previous.dana", "key.erlan", "sign.root.erlan"],
    ),
    "replacement": (["--keeps=aliya:Aliya", "--keeps=bolat:Bolat", "--custodian=dana:Dana", "--lost=dana"], ["key.dana", "sign.root.dana"]),
    "new-body": (
        [
            "--custodian=aliya:Aliya",
            "--custodian=bolat:Bolat",
            "--request={}/mfa.vls",
            "--clearance=1",
            "--certifies-bodies",
            "--witness=wanda=wanda.vls",
        ],
        ["key.wanda", "draft.credential-1", "sign.credential-1.aliya", "draft.credential-2", "finish.credential-2"],
    ),
    "compromise": (
        ["--custodian=aliya:Aliya", "--custodian=bolat:Bolat", "--revoke={}/old.vls", "--number=1", "--kind=retired", "--reason=closed"],
        ["draft.revocation-1", "sign.revocation-1.bolat"],
    ),
    "recovery": (
        ["--custodian=dana:Dana", "--shareholder=boris:Boris", "--shareholder=vera:Vera", "--sealed-backup"],
        ["recover.dana", "attest.dana"],
    ),
}


@pytest.mark.parametrize("kind", PLANS)
def test_plan_of_every_kind(kind: str, party_of_three: Path) -> None:
    more, steps = PLANS[kind]
    words = [word.format(party_of_three) for word in (*EVERY, *more)]
    facts = works("ceremony", "plan", kind, *words, "-o", party_of_three / "plan.toml", "--json").facts
    found = [step["id"] for step in facts["steps"]]
    assert [step for step in steps if step not in found] == []
    shown = works("ceremony", "show", party_of_three / "plan.toml", "--json").facts
    assert (shown["kind"], shown["digest"]) == (kind, facts["digest"])
    inputs = {name: (party_of_three / name).read_bytes() for name in read_plan((party_of_three / "plan.toml").read_bytes()).inputs}
    assert read_matter((party_of_three / "plan.toml").read_bytes(), inputs, Realm.ORDINARY, TOOL).party == "KZ"


def test_a_later_root_alone(tmp_path: Path) -> None:
    """Nothing says where it comes from: its fingerprint is typed for the plan, and again by whoever verifies the transcript."""
    (tmp_path / "root-2.vls").write_bytes(forged_root().raw)
    words = (
        *("ceremony", "plan", "recovery", "--title=x", "--operator=olzhas:Olzhas", "--witness=saule:Saule", "--custodian=dana:Dana"),
        *("--shareholder=boris:Boris", f"--root={tmp_path}/root-2.vls", "-o", str(tmp_path / "plan.toml")),
    )
    done = run(*words)
    assert (done.code, "stands alone" in done.error) == (6, True)
    assert run(*words, f"--root-fingerprint={root_before().fingerprint}").code == 4
    assert run(*words, "--root-fingerprint=3f5a").code == 2
    assert run(*PLAN, f"--root-fingerprint={root_before().fingerprint}", "-o", tmp_path / "first.toml").code == 2
    works(*words, f"--root-fingerprint={in_words(forged_root().digest)}")
    assert read_plan((tmp_path / "plan.toml").read_bytes()).fingerprint == forged_root().digest


@pytest.mark.parametrize("words", [["run", "--dir={}/x"], ["show"], ["verify"]], ids=lambda words: words[0])
def test_what_is_no_plan_or_transcript_is_named(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "strange"
    path.write_bytes(b"no plan")
    done = run("ceremony", words[0], path, *(word.format(tmp_path) for word in words[1:]))
    assert done.code == 3
    assert repr(str(path)) in done.error
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.checkout
def test_a_transcript_of_a_later_root_alone(tmp_path: Path) -> None:
    path = tmp_path / "transcript.vls"
    path.write_bytes((VECTORS / "transcript_root_alone.vector").read_bytes().partition(b"\n\n")[2])
    done = run("ceremony", "verify", path, "--json")
    assert (done.code, done.facts["verified"]["outcome"], "follows the versions before it" in done.error) == (8, "complete", True)
    before, after = done.facts["verified"]["roots"]
    for root in (before, after):
        assert works("ceremony", "verify", path, "--root", root, "--json").facts["verified"]["root_compared"] is True
    assert run("ceremony", "verify", path, "--root", root_before().fingerprint).code == 4


MISSING: Final[dict[str, tuple[str, list[str]]]] = {
    "no root": ("rotation", ["--keeps=aliya:Aliya"]),
    "a root before the first": ("new-root", ["--root={}/root.vls", "--party=KZ", "--degrees=1", "--threshold=1", "--custodian=a:A"]),
    "a stranger keeps": ("rotation", ["--root={}/root.vls", "--keeps=zoya:Zoya"]),
    "a stranger leaves": ("rotation", ["--root={}/root.vls", "--leaves=zoya:Zoya"]),
    "a party again": ("rotation", ["--root={}/root.vls", "--keeps=aliya:Aliya", "--party=KZ"]),
    "degrees again": ("rotation", ["--root={}/root.vls", "--keeps=aliya:Aliya", "--degrees=1"]),
    "nobody absent": ("rotation", ["--root={}/root.vls", "--keeps=aliya:Aliya", "--absent=zoya"]),
    "nobody lost": ("rotation", ["--root={}/root.vls", "--keeps=aliya:Aliya", "--lost=zoya"]),
    "no request": ("new-body", ["--root={}/root.vls", "--custodian=aliya:Aliya"]),
    "a request of nobody": ("new-body", ["--root={}/root.vls", "--custodian=aliya:Aliya", "--request={}/wanda.vls"]),
    "a file elsewhere": ("new-body", ["--root={}/root.vls", "--custodian=aliya:Aliya", "--request=/dev/null"]),
    "nothing to revoke": ("compromise", ["--root={}/root.vls", "--custodian=aliya:Aliya", "--number=1"]),
    "no number": ("compromise", ["--root={}/root.vls", "--custodian=aliya:Aliya", "--revoke={}/old.vls"]),
    "no shares": ("recovery", ["--root={}/root.vls", "--custodian=dana:Dana"]),
}


@pytest.mark.parametrize(("kind", "more"), MISSING.values(), ids=MISSING.keys())
def test_what_a_plan_of_another_kind_needs(kind: str, more: list[str], party_of_three: Path) -> None:
    words = ["--title=x", "--operator=olzhas:Olzhas", "--witness=saule:Saule", *[word.format(party_of_three) for word in more]]
    done = run("ceremony", "plan", kind, *words, "-o", party_of_three / "plan.toml")
    assert done.code == 2, done.err
    assert not (party_of_three / "plan.toml").exists()


QUORUM: Final = ["--root={}/root.vls", "--custodian=aliya:Aliya", "--custodian=bolat:Bolat"]
FORESEEN: Final[dict[str, tuple[str, list[str], int]]] = {
    "one custodian of two": ("new-body", [*QUORUM[:2], "--request={}/mfa.vls"], 6),
    "valid before the root": ("new-body", [*QUORUM, "--request={}/mfa.vls", "--valid-from=2020-01-01T00:00:00Z"], 6),
    "valid for longer than the root": ("new-body", [*QUORUM, "--request={}/mfa.vls", "--validity=36500"], 6),
    "a degree that there is not": ("new-body", [*QUORUM, "--request={}/mfa.vls", "--clearance=9"], 6),
    "the request of another": ("new-body", [*QUORUM, "--request={}/wanda.vls"], 2),
    "nobody known vouches": ("new-body", [*QUORUM, "--request={}/anew.vls"], 4),
    "effective in the future": (
        "compromise",
        [*QUORUM, "--revoke={}/old.vls", "--number=1", "--kind=compromised", "--effective=2090-01-01T00:00:00Z"],
        2,
    ),
    "a root valid before the one that it replaces": (
        "rotation",
        ["--root={}/root.vls", "--keeps=aliya:Aliya", "--keeps=bolat:Bolat", "--leaves=dana:Dana", "--valid-from=2020-01-01T00:00:00Z"],
        6,
    ),
    "a replacement for longer": (
        "replacement",
        ["--root={}/root.vls", "--keeps=aliya:Aliya", "--keeps=bolat:Bolat", "--custodian=dana:Dana", "--validity=3650"],
        2,
    ),
    "a replacement of nobody": ("replacement", ["--root={}/root.vls", "--keeps=aliya:Aliya", "--keeps=bolat:Bolat", "--keeps=dana:Dana"], 6),
    "a custodian forgotten": ("rotation", ["--root={}/root.vls", "--keeps=aliya:Aliya", "--keeps=bolat:Bolat"], 6),
}


@pytest.mark.parametrize(("kind", "more", "code"), FORESEEN.values(), ids=FORESEEN.keys())
def test_what_could_only_fail_is_not_planned(kind: str, more: list[str], code: int, party_of_three: Path) -> None:
    words = ["--title=x", "--operator=olzhas:Olzhas", "--witness=saule:Saule", *[word.format(party_of_three) for word in more]]
    done = run("ceremony", "plan", kind, *words, "-o", party_of_three / "plan.toml")
    assert done.code == code, done.err
    assert not (party_of_three / "plan.toml").exists()


@pytest.mark.parametrize(("option", "code"), [("--root={}/mfa.vls", 3), ("--root={}/missing", 7), ("--request={}/root.vls", 3)])
def test_a_file_that_is_something_else(option: str, code: int, party_of_three: Path) -> None:
    words = ["--title=x", "--operator=olzhas:Olzhas", "--witness=saule:Saule", "--custodian=aliya:Aliya", "--custodian=bolat:Bolat"]
    given = ["--root={}/root.vls", "--request={}/mfa.vls", option]
    given = [word for word in given[:2] if not option.startswith(word.partition("=")[0])] + [option]
    done = run("ceremony", "plan", "new-body", *words, *[word.format(party_of_three) for word in given], "-o", party_of_three / "plan.toml")
    assert done.code == code, done.err


# -- at a terminal --------------------------------------------------------------------------------------------------------


def at_terminal(*words: str | Path) -> pexpect.spawn[str]:
    terminal = pexpect.spawn(str(VALIZA), [str(word) for word in words], encoding="utf-8", timeout=60, dimensions=(50, 160))
    terminal.setecho(state=False)
    return terminal


def told(terminal: pexpect.spawn[str], *exchanges: tuple[str, str]) -> str:
    """Wait for each text, and type the answer; everything that was shown."""
    shown = ""
    for expected, typed in exchanges:
        terminal.expect_exact(expected)
        shown += (terminal.before or "") + expected
        terminal.sendline(typed)
    return shown


def ended(terminal: pexpect.spawn[str]) -> tuple[int | None, str]:
    terminal.expect(pexpect.EOF)
    shown = terminal.before or ""
    terminal.close()
    return terminal.exitstatus, shown


def digest_shown(shown: str, label: str) -> str:
    """The digest that is to be read aloud under a label."""
    lines = shown.rpartition(f"write down: {label}:")[2].splitlines()[1:5]
    return " ".join(line.strip() for line in lines)


@pytest.mark.slow
def test_terminal(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path, "--entropy=dice")
    terminal = at_terminal("ceremony", "run", plan, "--dir", tmp_path / "root")
    shown = told(
        terminal,
        ("who was named? [yes/no]", "yes"),
        ("digits or words", "3f5a"),
        ("has 64 hexadecimal digits", ""),
        ("digits or words", " ".join(facts["digest"][at : at + 4] for at in range(0, 64, 4)).upper()),
        ("agreed on? [yes/no]", "yes"),
        ("in UTC? [yes/no]", "y"),
        ("neither yes nor no", ""),
        ("in UTC? [yes/no]", "yes"),
    )
    assert facts["digest"][:4] in shown
    for name in SECRET:
        shown += told(
            terminal,
            ("File of the key", str(tmp_path / "root")),
            ("exists already", ""),
            ("File of the key", str(tmp_path / f"{name}.key")),
            ("Passphrase of", SECRET[name]),
            ("Repeat for confirmation", SECRET[name]),
            ("(100 more; not shown)", "1 2 3 4 5 6 " * 10),
            ("(40 more; not shown)", "123456" * 7),
            ("read back? [yes/no]", "yes"),
        )
    shown += told(terminal, ("digits or words", "shown"))
    fingerprint = digest_shown(shown, "fingerprint")
    assert len("".join(fingerprint.split())) == 64
    shown += told(
        terminal,
        ("digits or words", fingerprint[:-1]),
        ("digits or words", in_words(bytes.fromhex("".join(fingerprint.split())))),
        ("do you sign? [yes/no]", "yes"),
        ("Passphrase of Aliya Serik", "wrong"),
        ("wrong passphrase", ""),
        ("Passphrase of Aliya Serik", SECRET["aliya"]),
        ("press Enter", ""),
        ("do you sign? [yes/no]", "yes"),
        ("Passphrase of Aliya Serik", SECRET["aliya"]),
        ("do you sign? [yes/no]", "yes"),
        ("Passphrase of Wanda", SECRET["wanda"]),
    )
    code, rest = ended(terminal)
    assert code == 0, rest
    assert [secret for secret in (*SECRET.values(), "1 2 3 4 5 6", "123456") if secret in shown + rest] == []
    assert re.search(r"custodian id: ([0-9a-f]{4} ){7}[0-9a-f]{4}\s", shown)
    assert digest_shown(shown.partition("custodian id")[2], "custodian key") == digest_shown(shown.partition("key.wanda")[0], "key")
    root = "".join(fingerprint.split())
    assert works("ceremony", "verify", tmp_path / "root" / "transcript.vls", "--root", root).code == 0


@pytest.mark.slow
def test_terminal_interrupted_and_gone_on_with(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    words = ("ceremony", "run", plan, "--dir", tmp_path / "root")
    start = (("who was named? [yes/no]", "yes"), ("digits or words", facts["digest"]), ("agreed on? [yes/no]", "yes"), ("in UTC? [yes/no]", "yes"))
    terminal = at_terminal(*words)
    told(terminal, *start, ("File of the key", str(tmp_path / "aliya.key")))
    terminal.expect_exact("Passphrase of")
    terminal.sendintr()
    assert ended(terminal)[0] == 130
    terminal = at_terminal(*words)
    key = (("File of the key", str(tmp_path / "aliya.key")), ("Passphrase of", "a"), ("Repeat for confirmation", "a"))
    shown = told(terminal, *key, ("read back? [yes/no]", "no"))
    assert "open: done in an earlier sitting" in shown
    assert ended(terminal)[0] == 6
    assert not (tmp_path / "aliya.key").exists()
    terminal = at_terminal(*words)
    told(terminal, *key, ("read back? [yes/no]", "yes"))
    terminal.expect_exact("File of the key")
    terminal.kill(9)
    terminal.close()
    assert (tmp_path / "aliya.key").exists()
    assert works("ceremony", "show", tmp_path / "root", "--json").facts["done"] == 2
    terminal = at_terminal("ceremony", "void", tmp_path / "root", "--reason", "fire")
    told(terminal, ("do you sign? [yes/no]", "yes"), ("Passphrase of Aliya Serik", "a"))
    assert ended(terminal)[0] == 0
    assert not (tmp_path / "aliya.key").exists()
    done = run("ceremony", "verify", tmp_path / "root" / "void.vls")
    assert (done.code, "fire" in done.error) == (8, True)
    terminal = at_terminal(*words)
    code, said = ended(terminal)
    assert code == 6
    assert "declared void" in said


@pytest.mark.slow
def test_terminal_in_a_rehearsal_says_so_at_every_step(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    terminal = at_terminal("ceremony", "run", plan, "--dir", tmp_path / "root", "--rehearsal")
    shown = told(terminal, ("who was named? [yes/no]", "yes"), ("digits or words", facts["digest"]), ("agreed on? [yes/no]", "yes"))
    shown += told(terminal, ("in UTC? [yes/no]", "yes"), ("File of the key", str(tmp_path / "a.key")))
    assert "REHEARSAL  --- Step 1 of" in shown
    assert "REHEARSAL  --- Step 2 of" in shown
    assert "counts for nothing" in shown
    terminal.sendintr()
    terminal.close()


@pytest.mark.slow
def test_shares_typed_at_a_terminal(tmp_path: Path) -> None:
    """By their holders, one after the other; what is wrong is told at once, and nothing of it is shown."""
    (tmp_path / "root.vls").write_bytes(root_before().raw)
    shares = shares_of("dana", "a secret of the backup")
    plan = tmp_path / "recovery.toml"
    people = ("--operator=olzhas:Olzhas", "--custodian=dana:Dana", "--shareholder=boris:Boris", "--shareholder=vera:Vera", "--witness=wanda:Wanda")
    words = ("--title=Dana's key", f"--root={tmp_path / 'root.vls'}", "--sealed-backup", *people)
    facts = works("ceremony", "plan", "recovery", *words, "-o", plan, "--json").facts
    terminal = at_terminal("ceremony", "run", plan, "--dir", tmp_path / "recovery")
    shown = told(
        terminal,
        ("who was named? [yes/no]", "yes"),
        ("digits or words", facts["digest"]),
        ("digits or words", "0" * 64),
        ("is not what stands here", ""),
        ("digits or words", root_before().fingerprint),
        ("agreed on? [yes/no]", "yes"),
        ("in UTC? [yes/no]", "yes"),
        ("Dana's key is recovered from its shares", ""),
        ("File of the key", str(tmp_path / "dana.key")),
        ("Passphrase of Dana", SECRET["aliya"]),
        ("Repeat for confirmation", SECRET["aliya"]),
        ("Boris, the words of your share", shares[0].rpartition(" ")[0] + " zzyzx"),
        ("valiza: error:", ""),
        ("Boris, the words of your share", shares_of("aliya")[0].rpartition(" ")[0]),
        ("valiza: error:", ""),
        ("Boris, the words of your share", shares[0]),
        ("Vera, the words of your share", shares[0]),
        ("was given already", ""),
        ("Vera, the words of your share", shares[2].upper()),
        ("Passphrase of the backup", "a wrong one"),
        ("valiza: error:", ""),
        ("Passphrase of the backup", "a secret of the backup"),
        ("read back? [yes/no]", "yes"),
        ("File of the key", str(tmp_path / "wanda.key")),
        ("Passphrase of Wanda", SECRET["wanda"]),
        ("Repeat for confirmation", SECRET["wanda"]),
        ("read back? [yes/no]", "yes"),
        ("press Enter", "it went well"),
        ("do you sign? [yes/no]", "yes"),
        ("Passphrase of Dana", SECRET["aliya"]),
        ("do you sign? [yes/no]", "yes"),
        ("Passphrase of Wanda", SECRET["wanda"]),
    )
    code, rest = ended(terminal)
    assert code == 0, rest
    said = " ".join((shown + rest).lower().split())
    words_of = [share.split() for share in (shares[0], shares[2])]
    runs = [" ".join(some[at : at + 3]) for some in words_of for at in range(len(some) - 2)]  # two in a row may be those of a digest, now and then
    assert [secret for secret in (*runs, "a secret of the backup", *SECRET.values()) if secret in said] == []
    assert load_key(tmp_path / "dana.key", lambda: SECRET["aliya"]).seed == signing_key("dana").seed
    facts = works("ceremony", "verify", tmp_path / "recovery" / "transcript.vls", f"--root={root_before().fingerprint}", "--json").facts["verified"]
    assert (facts["kind"], facts["remark"], facts["statements"]) == ("recovery", "it went well", [])


# -- void -----------------------------------------------------------------------------------------------------------------


def test_void_by_a_script(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    stopped = scripted(tmp_path, "ceremony", "run", plan, "--dir", tmp_path / "root", digest=facts["digest"], **{"draft.root": ""})
    assert stopped.code == 8
    path = tmp_path / "void.toml"
    path.write_text("", encoding="utf-8")
    done = works("ceremony", "void", tmp_path / "root", "--reason=fire", "--answers", path, "--json")
    assert done.facts == {
        "folder": str(tmp_path / "root"),
        "reason": "fire",
        "signed_by": [],
        "removed": [str(tmp_path / "aliya.key"), str(tmp_path / "wanda.key")],
        "missing": [],
    }
    assert "nobody signed" in done.err
    assert works("ceremony", "show", tmp_path / "root", "--json").facts["state"] == "void"


def test_void_with_a_medium_away(tmp_path: Path) -> None:
    plan, facts = planned(tmp_path)
    (tmp_path / "stick").mkdir()
    key = f'file = "{tmp_path}/stick/aliya.key"\nheard = true\n'
    words = ("ceremony", "run", plan, "--dir", tmp_path / "root")
    assert scripted(tmp_path, *words, digest=facts["digest"], **{"draft.root": "", "key.aliya": key}).code == 8
    (tmp_path / "stick").rename(tmp_path / "away")
    path = tmp_path / "void.toml"
    path.write_text("", encoding="utf-8")
    done = run("ceremony", "void", tmp_path / "root", "--reason=fire", "--answers", path, "--json")
    assert (done.code, done.facts["missing"]) == (7, [str(tmp_path / "stick" / "aliya.key")])
    (tmp_path / "away").rename(tmp_path / "stick")
    assert works("ceremony", "void", tmp_path / "root", "--reason=fire", "--answers", path, "--json").facts["missing"] == []


def test_a_complete_ceremony_is_not_void(meant: Path) -> None:
    before = listing(meant)
    done = run("ceremony", "void", meant / "root", "--reason=x", "--answers", meant / "answers.toml")
    assert (done.code, "complete" in done.error) == (6, True)
    assert listing(meant) == before


# -- verify ---------------------------------------------------------------------------------------------------------------


def test_what_came_of_it_is_written_out(meant: Path, tmp_path: Path) -> None:
    works("ceremony", "verify", meant / "root" / "transcript.vls", "-o", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["root.vls"]
    assert (tmp_path / "out" / "root.vls").read_bytes() == (meant / "root" / "root.vls").read_bytes()
    assert run("ceremony", "verify", meant / "root" / "transcript.vls", "-o", tmp_path / "out").code == 6


def test_another_root(meant: Path) -> None:
    done = run("ceremony", "verify", meant / "root" / "transcript.vls", "--root", "0" * 64)
    assert done.code == 4
    assert run("ceremony", "verify", meant / "root" / "transcript.vls", "--root", "3f5a").code == 2


def test_an_altered_transcript(meant: Path, tmp_path: Path) -> None:
    raw = (meant / "root" / "transcript.vls").read_bytes()
    path = tmp_path / "transcript.vls"
    codes = set()
    for index in range(0, len(raw), len(raw) // 40):
        path.write_bytes(raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :])
        codes.add(run("ceremony", "verify", path).code)
    assert codes == {3, 4}
    for other in (raw[:-1], raw + b"\0", b"", (meant / "root" / "root.vls").read_bytes()):
        path.write_bytes(other)
        assert run("ceremony", "verify", path).code == 3


# -- what a rehearsal made ------------------------------------------------------------------------------------------------


def test_rehearsal_is_verified_as_one(practised: Path) -> None:
    transcript = practised / "root" / "transcript.vls"
    facts = works("ceremony", "verify", transcript, "--rehearsal", "--json").facts["verified"]
    assert facts["rehearsal"] is True
    done = run("ceremony", "verify", transcript)
    assert (done.code, "rehearsal" in done.hint) == (3, True)


def test_what_is_meant_is_no_rehearsal(meant: Path) -> None:
    done = run("ceremony", "verify", meant / "root" / "transcript.vls", "--rehearsal")
    assert (done.code, "rehearsal" in done.hint) == (3, True)


def test_a_rehearsal_is_not_gone_on_with_as_if_it_were_meant(practised: Path, meant: Path) -> None:
    for folder, more in ((practised, ()), (meant, ("--rehearsal",))):
        digest = works("ceremony", "show", folder / "root.toml", "--json").facts["digest"]
        done = scripted(folder, "ceremony", "run", folder / "root.toml", "--dir", folder / "root", *more, digest=digest)
        assert (done.code, "rehearsal" in done.error) == (2, True)


def test_every_command_refuses_what_a_rehearsal_made(practised: Path, world: World) -> None:
    """As malformed, whatever it is given for: roots, transcripts and keys."""
    root, transcript, key = practised / "root" / "root.vls", practised / "root" / "transcript.vls", practised / "aliya.key"
    out = ("-o", world.path("out"))
    envelope = world.seal()
    before = listing(world.folder)
    for made_ in (root, transcript, key):
        for words in (
            ["inspect", made_],
            ["verify", made_],
            ["open", made_, *out, "--as=yanka"],
            ["open", envelope, *out, "--as=yanka", "--rewrap", made_],
            ["acknowledge", made_, *out, "--as=yanka"],
            ["refuse", made_, "--reason=other", *out, "--as=yanka"],
            ["countersign", made_, "--envelope", envelope, *out, "--as=maryna"],
            ["receipt", "show", made_],
            ["receipt", "verify", made_],
            ["credential", "verify", made_],
            ["roster", "import", made_],
            ["agreement", "adopt", made_],
            ["agreement", "sign", str(made_), *out],
            ["agreement", "show", str(made_)],
            ["ceremony", "verify", made_],
        ):
            home = (
                () if words[0] in {"inspect", "ceremony"} or words[:2] in (["receipt", "show"], ["agreement", "show"]) else ("--home", world.by.home)
            )
            done = run(*words, *home)
            assert done.code == 3, (words, done.err)
            assert listing(world.folder) == before, words


def test_a_key_of_a_rehearsal_in_an_office(practised: Path, world: World) -> None:
    """In the place of every key of the office."""
    for path in sorted(world.by.home.glob("keys/*/*.key")):
        kept = path.read_bytes()
        path.write_bytes((practised / "aliya.key").read_bytes())
        done = run("key", "passphrase", "--all", "--unprotected", "--yes", "--home", world.by.home)
        assert done.code == 3
        assert "rehearsal" in done.hint
        path.write_bytes(kept)
