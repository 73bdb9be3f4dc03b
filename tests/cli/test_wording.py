"""What others wrote is shown harmlessly: no escape sequence, no character that turns or hides text reaches the terminal, in no command."""

from __future__ import annotations

import ast
import re
import unicodedata
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import Outcome, World, found_world, run

from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import ValizaError
from valiza.keys.statement import LIMITS, ROLES, SIGNATURE_BYTES, SignerHeader

if TYPE_CHECKING:
    from collections.abc import Iterator

# Clear the screen, title of the window, bell, backspace, a forged line, override and isolate of direction, zero width, C1 control,
# separators of lines and paragraphs, soft hyphen, tag, delete, private use, byte order mark.
EVIL: Final = "☠\x1b[2J\x1b]0;title\x07\b\rvaliza: error: forged\n\u202etxt\u2066\u200b\x9b31m\u2028\u2029\u00ad\U000e0041\x7f\ue000\ufeff"
UNSAFE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def harmful(done: Outcome) -> list[str]:
    """Characters of an output that could do something to a terminal."""
    return sorted({f"U+{ord(c):04X}" for c in done.out + done.err if c != "\n" and unicodedata.category(c) in UNSAFE})


def test_the_test_would_notice() -> None:
    assert {unicodedata.category(c) for c in EVIL} >= UNSAFE - {"Cs", "Cn"}
    assert harmful(Outcome(0, EVIL, "")) == harmful(Outcome(0, "", EVIL)) != []


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices, whose people and bodies have such names."""
    return found_world(tmp_path_factory.mktemp("evil"), flourish=EVIL)


@pytest.fixture
def here(evil: World, tmp_path: Path) -> World:
    """The same, this test's own."""
    return evil.copy(tmp_path / "world")


def _spelled(text: str) -> str:
    """A text inside a TOML string, by its code points."""
    return "".join(f"\\U{ord(c):08x}" for c in text)


def _sealed(world: World) -> Path:
    """An envelope with something evil in every field that takes text."""
    fields = "\n".join(f'{key} = "{key}{_spelled(EVIL)}"' for key in ("registration", "classified_by", "ground"))
    inventory = world.path("list.toml")
    inventory.write_text(
        f'[[carrier]]\nfile = "map.txt"\n{fields}\n\n[[carrier]]\nphysical = true\nname = "parcel{_spelled(EVIL)}"\n{fields}\n', encoding="utf-8"
    )
    names = [f"--addressee={name}{EVIL}" for name in ("Yanka Kupava", "Maryna Bor")]
    return world.seal(
        "--inventory", inventory, f"--purpose=purpose{EVIL}", f"--term=term{EVIL}", f"--caveat=caveat{EVIL}", f"--decision=decision{EVIL}",
        f"--contract=contract{EVIL}", f"--leg=Minsk:Brest{EVIL}", f"--reference=reference{EVIL}", f"--package=bag{EVIL[:30]}", *names,
    )  # fmt: skip


BOTH: Final = pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])


@BOTH
def test_office_and_roster(form: list[str], here: World) -> None:
    for words in (["office", "show"], ["credential", "list"], ["roster", "show"], ["agreement", "list"], ["register", "list"]):
        assert harmful(here.kz.works(*words, *form)) == [], words
    credential = here.kz.home / "credentials" / "aigul" / "seal.vls"
    assert harmful(here.by.works("credential", "verify", credential, *form)) == []
    assert harmful(here.kz.works("credential", "issue", f"nurlan:seal:1:N{EVIL}", "--unprotected", *form)) == []
    assert harmful(here.kz.works("roster", "publish", "-o", here.path("KZ-2.vls"), *form)) == []
    assert harmful(here.by.works("roster", "import", here.path("KZ-2.vls"), *form)) == []
    assert (
        harmful(run("office", "init", here.path("new"), "--party=KZ", "--body=K", "--degrees=1", f"--name=en={EVIL}", "--unprotected", *form)) == []
    )


@BOTH
def test_agreement(form: list[str], here: World) -> None:
    draft = (resources.files("valiza.envelope") / "agreements" / "kz-by.toml").read_text(encoding="utf-8")
    spelled = _spelled(EVIL)
    draft = re.sub(r'\ben = "([^"\n]+)"', lambda match: f'en = "{match[1]}{spelled}"', draft).replace('text = "Құпия"', f'text = "Құпия{spelled}"')
    source = here.path("draft.toml")
    source.write_text(draft.replace('id = "kz-by"', 'id = "other"'), encoding="utf-8")
    for command in ("show", "check"):
        assert harmful(run("agreement", command, source, *form)) == []
    half, whole = here.path("h.vls"), here.path("w.vls")
    assert harmful(here.kz.works("agreement", "sign", source, "-o", half, *form)) == []
    assert harmful(here.by.works("agreement", "sign", half, "-o", whole, *form)) == []
    for office in (here.kz, here.by):
        assert harmful(office.works("agreement", "adopt", whole, *form)) == []
    assert harmful(here.kz.works(*here.order("--agreement=other", "--dry-run", *form))) == []


@BOTH
def test_exchange(form: list[str], here: World) -> None:
    envelope = _sealed(here)
    out = here.path("out")
    for done in (
        here.kz.works(*here.order(f"--purpose={EVIL}", "--dry-run", *form)),
        run("inspect", envelope, *form),
        here.by.works("verify", envelope, *form),
        here.by.works("rewrap", envelope, "--to-officer=alena", "-o", out, "--as=yanka", *form),
        run("inspect", out, *form),
        here.by.works("open", envelope, "-o", here.path(f"opened{EVIL[1:]}".replace("/", "")), "--as=yanka", *form),
        here.by.works("acknowledge", envelope, "-o", here.path("a.vls"), f"--number=in{EVIL[:30]}", "--missing=1", "--as=yanka", *form),
        run("inspect", here.path("a.vls"), *form),
        here.by.works("countersign", here.path("a.vls"), "--envelope", envelope, "-o", here.path("r.vls"), "--as=maryna", *form),
        run("inspect", here.path("r.vls"), *form),
        run("receipt", "show", here.path("r.vls"), *form),
        here.kz.run("receipt", "verify", here.path("r.vls"), *form),
        run("receipt", "verify", here.path("r.vls"), *here.strangers_trust, *form),
        here.kz.works("register", "list", *form),
        here.kz.works("register", "show", envelope, "--manifest", *form),
        here.by.works("register", "list", *form),
        here.by.works("register", "show", envelope, *form),
    ):
        assert done.code in {0, 6}, done.err
        assert harmful(done) == [], done.out


@BOTH
def test_refusal_and_withdrawal(form: list[str], here: World) -> None:
    envelope, other = _sealed(here), here.seal(name="other.vlz")
    for done in (
        here.by.works(
            "refuse", envelope, "--reason=other", f"--comment=comment{EVIL}", f"--number={EVIL[:30]}", "-o", here.path("f.vls"), "--as=yanka", *form
        ),
        here.by.works("countersign", here.path("f.vls"), "--envelope", envelope, "-o", here.path("r.vls"), "--as=maryna", *form),
        run("receipt", "show", here.path("r.vls"), *form),
        here.kz.run("receipt", "verify", here.path("r.vls"), *form),
        here.kz.works("withdraw", other, f"--reason=reason{EVIL}", *form),
        here.kz.works("register", "show", other, *form),
    ):
        assert done.code in {0, 6}, done.err
        assert harmful(done) == [], done.out


def test_what_is_shown_is_there_all_the_same(here: World) -> None:
    """Escaped, not dropped: what was written can be read."""
    text = here.by.works("open", _sealed(here), "-o", here.path("out"), "--as=yanka").out
    for field in ("purpose", "term", "caveat", "decision", "contract"):
        assert f"{field}☠\\u{{001B}}[2J" in text


def test_question_before_sealing(here: World) -> None:
    order = [word for word in here.order(f"--purpose={EVIL}", f"--leg=Minsk:{EVIL}", "-o", here.path("e.vlz")) if word != "--yes"]
    done = here.kz.run(*order)
    assert done.code == 2
    assert harmful(done) == []


@BOTH
@pytest.mark.parametrize("type_", LIMITS)
def test_inspect_of_a_made_up_statement(type_: str, form: list[str], tmp_path: Path) -> None:
    """Nothing of it is checked, so anybody can make one."""
    body = pack([EVIL, {EVIL: [EVIL, b"\x1b[2J"], f"~{EVIL}": {EVIL: 1}}, [[EVIL]], None, True])
    signatures = [
        [SignerHeader(role=ROLES[type_][0], signer_digest=bytes([n]) * 32, key_digest=bytes(32)).packed(), bytes(SIGNATURE_BYTES)]
        for n in range(ROLES[type_][1])
    ]
    path = tmp_path / "made-up.vls"
    path.write_bytes(pack([type_, body, signatures]))
    done = run("inspect", path, *form)
    assert done.code == 0, done.err
    assert harmful(done) == []


def test_remarks_of_a_made_up_envelope(tmp_path: Path, here: World) -> None:
    """Extensions that begin with `~` are shown and ignored; here by `inspect`, which believes nothing."""
    raw = here.seal().read_bytes()
    footer = raw[-44:]
    core, header, manifest, dispatch = (int.from_bytes(footer[at : at + 8], "big") for at in (12, 20, 28, 36))
    remark = pack({f"~{EVIL}": EVIL})
    assert raw[core - 1] == 0x80  # the empty map that ends core
    longer = len(remark) - 1
    new = raw[: core - 1] + remark + raw[core:-32] + b"".join((at + longer).to_bytes(8, "big") for at in (core, header, manifest, dispatch))
    path = tmp_path / "e.vlz"
    path.write_bytes(new)
    for form in ([], ["--json"]):
        done = run("inspect", path, *form)
        assert done.code == 0, done.err
        assert "☠" in done.out or "\\u2620" in done.out
        assert harmful(done) == []


INIT: Final = ("office", "init", "x", "--party=P", "--body=B", "--degrees=1", "--unprotected")
TYPED: Final = {
    "file": ["inspect", f"x{EVIL}"],
    "file that is no text": ["inspect", f"x{EVIL}".encode().decode("ascii", "surrogateescape")],
    "office": ["verify", f"x{EVIL}", "--home", f"y{EVIL}"],
    "command": [f"x{EVIL}"],
    "command of a group": ["receipt", f"x{EVIL}"],
    "option": ["inspect", f"--x{EVIL}"],
    "argument too many": ["inspect", "a", f"x{EVIL}"],
    "reason": ["refuse", "x", f"--reason={EVIL}", "-o", "y"],
    "verdict": ["register", "list", f"--verdict={EVIL}"],
    "agreement": ["agreement", "show", f"x{EVIL}"],
    "party": [*INIT, f"--party={EVIL}"],
    "body": [*INIT, f"--body={EVIL}"],
    "degrees": [*INIT, f"--degrees={EVIL}"],
    "name": [*INIT, f"--name={EVIL}"],
    "officer": [*INIT, f"--officer={EVIL}"],
    "purposes": [*INIT, f"--officer=a:{EVIL}"],
    "clearance": [*INIT, f"--officer=a:seal:{EVIL}"],
    "trust": ["verify", "x", f"--root={EVIL}", f"--roster={EVIL}", f"--agreement={EVIL}"],
    "carrier": ["demo", f"x{EVIL}", "--dir", "y"],
    "template": ["seal", "--inventory-template", "--mark", EVIL],
}


@pytest.mark.parametrize("what", TYPED)
def test_what_was_typed_comes_back_harmless(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*TYPED[what])
    assert done.code in {0, 2, 3, 6, 7}, done.err
    assert harmful(done) == []
    assert len([line for line in done.err.splitlines() if line.startswith("valiza: error: ")]) == (done.code != 0)


ORDERED: Final = (
    *("--to", "--agreement", "--mark", "--channel", "--leg", "--refers-to", "--addressee", "--keep-for", "--confirming", "--as"),
    *("--inventory", "--route", "--basis"),
)


@pytest.mark.parametrize("option", ORDERED)
def test_order_that_is_refused_is_told_harmlessly(option: str, here: World) -> None:
    done = here.kz.run(*here.order(f"{option}={EVIL}", "-o", here.path("e.vlz")))
    assert done.code in {2, 3, 5, 6, 7}, done.err
    assert harmful(done) == []
    assert done.error


@pytest.mark.parametrize("paper", ["route", "basis", "inventory"])
def test_paper_that_is_refused_is_told_harmlessly(paper: str, here: World) -> None:
    spelled = _spelled(EVIL)
    path = here.path("paper.toml")
    for text in (f'"{spelled}" = 1', f"{EVIL} = 1", f'[[carrier]]\nfile = "{spelled}"', f'[[basis]]\nkind = "{spelled}"', f'channel = "{spelled}"'):
        path.write_text(text, encoding="utf-8")
        done = here.kz.run(*here.order(f"--{paper}", path, "-o", here.path("e.vlz"), files=[] if paper == "inventory" else None))
        if done.code:
            assert harmful(done) == []
            assert done.error


# -- the messages themselves -----------------------------------------------------------------------------------------------

FAMILIES: Final = {family.__name__ for family in ValizaError.__subclasses__()}


def _messages() -> Iterator[tuple[str, str]]:
    """Where each error of the product is raised, and its message as far as it is written there; what is put in is shown as `{}`."""
    for package in ("keys", "envelope", "register", "office", "gateway", "cli"):
        for path in sorted(Path(str(resources.files(f"valiza.{package}"))).rglob("*.py")):
            tree = ast.parse(path.read_bytes())
            for body in (node.body for node in ast.walk(tree) if isinstance(node, ast.If | ast.FunctionDef | ast.ExceptHandler | ast.For | ast.With)):
                said: ast.expr | None = None
                for statement in body:
                    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "message":
                        said = statement.value
                    raised = statement.exc if isinstance(statement, ast.Raise) else None
                    if isinstance(raised, ast.Call) and ast.unparse(raised.func) in FAMILIES and raised.args:
                        first = said if ast.unparse(raised.args[0]) == "message" else raised.args[0]
                        for text in _texts(first):
                            yield f"{path.name}:{statement.lineno}", text


def _texts(value: ast.expr | None) -> list[str]:
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    if isinstance(value, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in value.values)]
    if isinstance(value, ast.IfExp):
        return [*_texts(value.body), *_texts(value.orelse)]
    return []


def test_every_error_is_one_small_sentence_without_full_stop() -> None:
    found = list(_messages())
    assert len(found) > 150
    assert [(where, text) for where, text in found if "\n" in text or text.endswith((".", "!", "…")) or re.match("[A-Z][a-z]", text)] == []


def test_labels_of_statements_are_all_tried() -> None:
    assert {labels.ROSTER, labels.RECEIPT} <= set(LIMITS) == set(ROLES)
