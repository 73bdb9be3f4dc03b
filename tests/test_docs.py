"""The documentation against the program: fields of --json, man page, examples in the specifications, stories of README and tutorial."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import click
import pytest
from tests.support import signers
from tests.support.postgresql import OWNER, running

from valiza.cli.exporting import ENTRY, STATE
from valiza.cli.following import STANDINGS
from valiza.cli.main import cli, run
from valiza.envelope.agreement import Agreement, agreement_digest
from valiza.envelope.draft import packaged_draft, read_draft
from valiza.keys.credential import CredentialDraft
from valiza.keys.fields import Body
from valiza.keys.keyfile import load_key
from valiza.keys.root import read_root
from valiza.keys.signing import SigningKey
from valiza.office.quorum import begin_credential, begin_termination

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tests.support.postfix import Postfix
    from tests.support.postgresql import Cluster

pytestmark = pytest.mark.checkout

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"

# --- the fields of --json ---------------------------------------------------------------------------------------------------------------------------

_HEX: Final = "[0-9a-f]"
_PARTY: Final = "[A-Z][A-Z0-9]{0,15}"
_WRITTEN: Final = {
    "text": r"(?s:.*)",
    "path": r".+",
    "word": r"[a-z][a-z0-9-]*",
    "code": r"[A-Za-z0-9._-]{1,16}",
    "mark": rf"{_PARTY}:[A-Za-z0-9._-]{{1,16}}",
    "body": rf"{_PARTY}/[A-Z][A-Z0-9-]{{0,31}}",
    "digest": rf"{_HEX}{{64}}",
    "subject": rf"{_HEX}{{32}}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
}


def _is_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in (*value, *value.values()))


def _is_written(form: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(form, value) is not None


_JUDGED: Final[dict[str, Callable[[Any], bool]]] = {
    **{name: _is_written(form) for name, form in _WRITTEN.items()},
    "integer": lambda value: type(value) is int,
    "bytes": lambda value: type(value) is int and value >= 0,
    "seconds": lambda value: type(value) in {int, float} and value >= 0,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
    "names": _is_names,
    "anything": lambda _: True,
}


@dataclass(frozen=True)
class Row:
    """A field of a table: its type, when it is there (empty: always), and the words that it may be (empty: any)."""

    kind: str
    when: str
    words: frozenset[str]


@dataclass
class Page:
    """docs/json.md, read: the fields of every shape and command, and what was printed of them."""

    shapes: dict[str, dict[str, Row]] = field(default_factory=dict)
    commands: dict[str, dict[str, Row] | str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    printed: set[tuple[str, str]] = field(default_factory=set)

    def fields(self, name: str) -> dict[str, Row]:
        """Fields of a shape or command, those of the shapes that it includes among them."""
        table = self.shapes[name] if name in self.shapes else self.commands[name]
        assert isinstance(table, dict)
        found: dict[str, Row] = {}
        for key, row in table.items():
            included = re.fullmatch(r"\[([a-z ]+)\]\(#[a-z-]+\)", key)
            if included:
                found |= {inner: Row(r.kind, r.when or row.when, r.words) for inner, r in self.fields(included[1]).items()}
            else:
                found[key] = row
        return found

    def owner(self, name: str, key: str) -> tuple[str, str]:
        """The table in which a field stands."""
        table = self.shapes[name] if name in self.shapes else self.commands[name]
        assert isinstance(table, dict)
        if key in table:
            return name, key
        included = [m[1] for k in table if (m := re.fullmatch(r"\[([a-z ]+)\]\(#[a-z-]+\)", k))]
        return next(self.owner(inner, key) for inner in included if key in self.fields(inner))

    def judge_object(self, name: str, value: Any, where: str) -> None:
        """Compare an object with its table."""
        if not isinstance(value, dict):
            self.faults.append(f"{where} is no object")
            return
        fields = self.fields(name)
        self.faults += [f"{where}.{key} is printed, and not documented" for key in value if key not in fields]
        self.faults += [
            f"{where}.{key} is documented as always there, and missing" for key, row in fields.items() if not row.when and key not in value
        ]
        for key, row in fields.items():
            if key in value:
                self.printed.add(self.owner(name, key))
                self.judge(row.kind, value[key], f"{where}.{key}")
                said = value[key] if isinstance(value[key], list) else [value[key]]
                self.faults += [f"{where}.{key} is {word!r}" for word in said if row.words and word not in row.words]

    def judge(self, kind: str, value: Any, where: str) -> None:
        """Compare a value with its type."""
        alternatives = re.split(r", or | or (?=null)", kind)
        if len(alternatives) > 1:
            fitting = [one for one in alternatives if self._fits(one, value)]
            if not fitting:
                self.faults.append(f"{where} is no {kind}: {value!r}")
            for one in fitting[:1]:
                self.judge(one, value, where)
        elif kind.startswith("list of ") and isinstance(value, list):
            for index, item in enumerate(value):
                self.judge(kind.removeprefix("list of "), item, f"{where}[{index}]")
        elif kind.startswith("map of ") and isinstance(value, dict):
            for key, item in value.items():
                self.judge(kind.removeprefix("map of "), item, f"{where}.{key}")
        elif shape := re.fullmatch(r"\[([a-z ]+)\]\(#([a-z-]+)\)", kind):
            assert shape[1].replace(" ", "-") == shape[2]
            self.judge_object(shape[1], value, where)
        elif kind.startswith(("list of ", "map of ")) or not _JUDGED[kind](value):
            self.faults.append(f"{where} is no {kind}: {value!r}")

    def _fits(self, kind: str, value: Any) -> bool:
        trial = Page(self.shapes, self.commands)
        trial.judge(kind, value, "")
        return not trial.faults


def _read_page() -> Page:
    page = Page()
    tables: dict[str, Any] = {}
    name = ""
    for line in (DOCS / "json.md").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"## `valiza ([a-z ]+)`", line):
            name, tables = heading[1], page.commands
        elif heading := re.fullmatch(r"### ([a-z ]+)", line):
            name, tables = heading[1], page.shapes
        elif line.startswith("#"):
            name = ""
        elif name and (whole := re.fullmatch(r"A (map of .+), by [a-z]+\.", line)):
            tables[name] = whole[1]
        elif name and line.startswith("| ") and not line.startswith("| field |"):
            key, kind, when, what = (cell.strip() for cell in line.strip("|").split("|"))
            assert key.strip("`") not in tables.setdefault(name, {}), f"{name}: {key} stands twice"
            words = re.findall("`([^`]+)`", what) if kind in {"word", "list of word"} else []
            tables[name][key.strip("`")] = Row(kind, when, frozenset(words))
    return page


@dataclass
class Desk:
    """Types commands in this process, in one folder, and keeps what they print with --json."""

    folder: Path
    results: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def type(self, command: str, *, code: int = 0) -> Any:
        """Run a command line, with --json, and return what it printed."""
        printed = self._printed(command, code)
        result = json.loads(printed)
        assert printed == json.dumps(result, indent=2) + "\n"
        self.results[_command_name(shlex.split(command))].append(result)
        return result

    def type_many(self, command: str, codes: list[int]) -> list[Any]:
        """Run a command line on many objects, with --json, and return its lines, which end with these exit codes."""
        printed = self._printed(command, next((code for code in codes if code), 0))
        found = [json.loads(line) for line in printed.splitlines()]
        assert printed == "".join(json.dumps(line) + "\n" for line in found)
        assert [line["exit_code"] for line in found] == codes, command
        self.lines[_command_name(shlex.split(command))] += found
        return found

    def _printed(self, command: str, code: int) -> str:
        out, err = io.StringIO(), io.StringIO()
        words = shlex.split(command)
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            done = run([*words, "--json"])
        assert done == code, f"{command}: exit {done}\n{err.getvalue()}"
        assert out.getvalue().isascii()
        return out.getvalue()


def _leaves(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from _leaves(child, (*path, name))


def _command_name(words: list[str]) -> str:
    return next(" ".join(path) for path, _ in _leaves() if tuple(words[: len(path)]) == path)


SEAL: Final = (
    "seal papers/report.txt --to BY-MFA --agreement kz-by --mark 3 --channel courier --transport air --escort courier --leg Astana:Minsk "
    "--decision 'No. 12' --conclusion 'No. 7' --purpose exercise --home kz --yes "
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Desk:
    """Two offices in one folder, and every command typed at least once."""
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VALIZA_")]:
            patch.delenv(name)
        at = Desk(folder)
        _sign_by_quorum(at)
        trust = _found(at)
        _send(at)
        _answer(at, trust)
        _evidence(at)
        _do_many(at, trust)
        _look_up(at)
        _log(at)
        _share(at, cluster)
        _clear(at, trust)
        _gather(at)
        _enrol(at)
        _carry(at)
        _mail(at)
    return at


def _mail(at: Desk) -> None:
    """Messages with an envelope, a receipt and others, and what is taken out of them."""
    head = "--from a@kz.example --to b@by.example"
    at.type(f"mail wrap first.receipt.vls {head} -o receipt.eml")
    at.type(f"mail wrap first.vlz KZ.vls second.vle {head} -o several.eml")
    at.type("mail unwrap receipt.eml -o receipt.taken")
    at.type("mail unwrap several.eml -o several.taken")
    message = "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\n"
    (at.folder / "bare.eml").write_bytes(message.encode() + base64.encodebytes((at.folder / "first.vlz").read_bytes()))
    at.type("mail unwrap bare.eml -o bare.taken")
    (at.folder / "rules.toml").write_text('version = 1\nmode = "observe"\npass_for = ["KZ-NONE"]\n', encoding="utf-8")
    at.type("gateway check receipt.eml --home kz", code=6)  # delivered before, with something damaged
    at.type_many("gateway check first.vlz several.eml x.txt no.eml --home kz --dry-run", [0, 6, 0, 7])
    at.type("gateway rules check rules.toml")
    at.type("gateway rules check rules.toml --home kz", code=6)
    at.type("gateway rules try rules.toml first.vlz --home by")
    at.type_many("gateway rules try rules.toml first.vlz rules.toml --home by", [0, 0])


def _share(at: Desk, cluster: Cluster) -> None:
    """A register in a database."""
    address = shlex.quote(cluster.url(cluster.make_database()))
    at.type(f"register migrate {address}")
    at.type(f"register migrate {address}")
    at.type(f"register roles {address}")


def _enrol(at: Desk) -> None:
    """An officer with an office of his own, whose keys are certified on request, and renewed."""
    at.type("roster export --home kz -o KZ.now.vls")
    root = at.type("office show --home kz")["root"]
    at.type(f"office join own --party KZ --body KZ-MFA --roster KZ.now.vls --root {root}")
    at.type("credential request nurlan:seal,act --name en=Nurlan --home own --unprotected -o nurlan.vls")
    issued = at.type("credential issue --request nurlan.vls --clearance 2 --home kz -o issued")
    assert issued
    files = " ".join(str(path.relative_to(at.folder)) for path in sorted((at.folder / "issued").rglob("*.vls")))
    at.type(f"credential accept {files} --home own")
    at.type("credential renew aigul:open --home kz --unprotected")
    at.type("credential renew aigul:seal --home kz --unprotected -o renewed.vls")
    at.type("credential request gulnar:seal --party KZ --body KZ-MFA --name en=Gulnar --unprotected -o gulnar")


def _log(at: Desk) -> None:
    """Heads of both registers, signed, cosigned, and sent with an envelope."""
    at.type("register checkpoint --home kz")
    at.type("register checkpoint --agreement kz-by --for BY-MFA --home kz -o log.request")
    at.type("register cosign log.request --home by -o log.cosigned")
    at.type("register import log.cosigned --home kz")
    at.type(SEAL + "-o logged.vlz")
    at.type("open logged.vlz --home by --as yanka -o logged")
    at.type("register cosign --seen --home by")
    at.type("register heads --home kz")
    at.type("register heads --home by")
    at.type("register heads --vkeys --home kz")
    at.type("register prove first.vlz --home kz")
    at.type("register prove first.vlz --home kz -o proofs")
    for log_file in ("log.request", "log.cosigned", next((at.folder / "proofs").glob("*proof*")).relative_to(at.folder)):
        at.type(f"inspect {log_file}")
    at.type("register verify --home kz")
    at.type("register verify --home by")
    at.type("register backup --home kz -o kz.register")
    at.type("register restore kz.register --home kz --replace")
    with contextlib.closing(sqlite3.connect(at.folder / "kz" / "register.db")) as register:
        register.execute("DROP TRIGGER entry_never_changes")
        register.execute("UPDATE entry SET note = 'other' WHERE seq = 1")
        register.commit()
        at.type("register verify --home kz", code=4)
        register.execute("UPDATE entry SET note = '' WHERE seq = 1")
        register.commit()


def _carry(at: Desk) -> None:
    """Couriers of both bodies, whom the other party knows; an envelope of two legs, told of twice, and taken over with a leg left out."""
    homes = {"kz": "aqyl", "by": "uladz"}
    for home, name in homes.items():
        at.type(f"credential issue {name}:transport:1:{name.title()} --home {home} --unprotected")
        at.type(f"roster publish --home {home} -o {home}.carrying.vls")
    for home, other in (("kz", "by"), ("by", "kz")):
        at.type(f"roster import {other}.carrying.vls --home {home} --yes")
    at.type(SEAL.replace("--leg Astana:Minsk", "--leg Astana:Moscow --leg Moscow:Minsk") + "-o bag.vlz")
    told = "transport notice bag.vlz --leaves 2098-01-01T08:00:00Z --expected 2098-01-02T08:00:00Z --home kz"
    at.type(f"{told} --escorted-by 'order 7' -o bag.notice.vls")
    at.type(f"{told} --leg Astana:Orsha --leg Orsha:Minsk --reason flood --reference 'order 8' -o second.notice.vls")
    at.type("transport show bag.vlz --home kz", code=8)
    at.type("transport handover bag.vlz --giver Aigul --home kz -o one.vls")
    at.type("transport show bag.vlz --home kz", code=8)
    at.type("transport enter second.notice.vls --home by")
    at.type_many("transport enter one.vls bag.vlz --home by", [0, 3])
    at.type("transport handover bag.vlz --leg 3 --damaged --remark wet --home by -o three.vls")
    at.type("transport show bag.vlz --home by", code=6)
    at.type("transport show bag.vlz --home by -o told", code=6)
    at.type("transport enter three.vls --home kz")
    at.type("evidence make bag.vlz --home kz -o bag.vle")


def _clear(at: Desk, trust: str) -> None:
    """Competent bodies of both parties, offices of their own under the same roots, ask and answer."""
    at.type("office init knb --party KZ --body KZ-KNB --root-office kz --officer serik:act:1:Serik --unprotected")
    at.type("office init kgb --party BY --body BY-KGB --root-office by --officer uladz:act:1:Uladz --unprotected")
    roots = [at.type(f"roster export --home {home} -o {home}.now.vls")["root"] for home in ("kz", "by")]
    at.type(f"roster import by.now.vls --home knb --root {roots[1]}")
    at.type(f"roster import kz.now.vls --home kgb --root {roots[0]}")
    for home in ("knb", "kgb"):
        at.type(f"agreement adopt whole.vls --home {home}")
    at.type("clearance enquire --to BY-MFA --agreement kz-by --mark 2 --purpose exercise --home knb -o enquiry.vls")
    at.type("clearance answer enquiry.vls --cleared Yanka --home kgb -o partly.vls")
    at.type("clearance answer partly.vls --all --until 2099-01-01T00:00:00Z --home kgb -o confirmation.vls")
    now = trust.replace("KZ.vls", "kz.now.vls").replace("BY.vls", "by.now.vls")
    for file, code in (("enquiry", 0), ("partly", 6), ("confirmation", 0)):
        at.type(f"clearance show {file}.vls")
        at.type(f"clearance verify {file}.vls {now}", code=code)
    at.type_many(f"clearance verify confirmation.vls x.txt partly.vls {now}", [0, 3, 6])
    at.type("roster import by.now.vls --home kz")
    at.type(SEAL.replace("--mark 3", "--mark 2") + "--clearance confirmation.vls -o cleared.vlz")


def _gather(at: Desk) -> None:
    """A ceremony and its rehearsal, by a script; and one that is void."""
    shown = at.type(
        "ceremony plan new-root -o root.toml --title 'A root' --place Astana --party KZ --name en=Kazakhstan --degrees 1,2 --threshold 1 "
        "--operator timur:Timur --custodian aliya:Aliya --witness saule:Saule"
    )
    at.type("ceremony show root.toml")
    for name, more, missing, code in (("led", "", "", 0), ("practised", "--rehearsal", "", 0), ("stopped", "", "heard", 8)):
        answers = f'[open]\npresent = true\nplan = "{shown["digest"]}"\ncode = true\ntime = true\n[draft.root]\nfingerprint = "shown"\n'
        for person in ("aliya", "saule"):
            key = f'[key.{person}]\nfile = "{name}-{person}.key"\n'
            answers += f"{key}{'heard = true' if person == 'aliya' or not missing else ''}\n[attest.{person}]\nsign = true\n"
        answers += "[sign.root.aliya]\nsign = true\n[passphrase]\n"
        answers += "".join(f"{person} = {_pipe()}\n" for person in ("aliya", "saule"))
        (at.folder / f"{name}.toml").write_text(answers, encoding="utf-8")
        words = f"ceremony run root.toml --dir {name} --answers {name}.toml {more}"
        if code:
            assert at._printed(words, code) == ""
        else:
            at.type(words)
            at.type(f"ceremony verify {name}/transcript.vls {more}")
        at.type(f"ceremony show {name}")
    (at.folder / "void.toml").write_text(f"[void.aliya]\nsign = true\n[passphrase]\naliya = {_pipe()}\n", encoding="utf-8")
    at.type("ceremony void stopped --reason fire --answers void.toml")
    at.type("ceremony verify stopped/void.vls", code=8)
    at.type("ceremony show stopped")


def _pipe() -> int:
    """A descriptor from which a passphrase comes."""
    reading, writing = os.pipe()
    os.write(writing, b"secret\n")
    os.close(writing)
    return reading


def _found(at: Desk) -> str:
    """Two offices that trust each other; returns the options of a reader who has none."""
    papers = at.folder / "papers"
    papers.mkdir()
    (papers / "report.txt").write_text("report\n", encoding="utf-8")
    (papers / "list.toml").write_text(
        '[[carrier]]\nfile = "report.txt"\nmark = "3"\nregistration = "12/s"\ncopy = 1\nsheets = 4\nclassified_by = "KZ-MFA"\nground = "item 4"\n'
        '[[carrier]]\nphysical = true\nname = "parcel 1"\nmark = "3"\n',
        encoding="utf-8",
    )
    (at.folder / "signers.toml").write_text(signers.toml(("aigul", "seal", signers.command())), encoding="utf-8")
    kz = at.type(
        "office init kz --party KZ --body KZ-MFA --degrees 1,2,3 --officer aigul:seal,open:1:Aigul --officer rustem:register "
        "--external signers.toml --unprotected"
    )
    by = at.type(
        "office init by --party BY --body BY-MFA --degrees 1,2,3 --unprotected "
        "--officer yanka:open,acknowledge:1:Yanka --officer maryna:open,countersign:1:Maryna --officer raman:register"
    )
    at.type("credential issue alena:open,acknowledge:1:Alena --home by --unprotected")
    at.type("roster publish --home by -o BY.vls")
    at.type("roster export --home kz -o KZ.vls")
    at.type(f"roster import BY.vls --home kz --root {by['root']}")
    at.type(f"roster import KZ.vls --home by --root {kz['root']}")
    at.type("root show BY.vls")
    at.type(f"root compare BY.vls {by['root']}")
    at.type("agreement check kz-by")
    at.type("agreement sign kz-by --home kz -o half.vls")
    at.type("agreement sign half.vls --home by -o whole.vls")
    at.type("agreement adopt whole.vls --home kz")
    at.type("agreement adopt whole.vls --home by")
    for source in ("kz-by", "half.vls", "whole.vls"):
        at.type(f"agreement show {source}")
    at.type("roster show --home kz")
    at.type("office show --home kz")
    at.type("credential list --home kz")
    at.type("credential verify kz/credentials/aigul/seal.vls --home by")
    _revoke(at)
    return f"--root {kz['root']} --root {by['root']} --roster KZ.vls --roster BY.vls --agreement whole.vls"


def _revoke(at: Desk) -> None:
    """A revocation by a body, and one by its root; what the next roster changes."""
    at.type("credential issue leaver:act:1:Leaver --home by --unprotected")
    at.type("roster publish --home by -o BY.1.vls")
    at.type("revocation make leaver --kind retired --reason left --home by")
    at.type("revocation list --home by")
    at.type("roster publish --home by -o BY.2.vls")
    at.type("revocation make by/credentials/leaver/act.vls --kind suspended --reason other --by-root --home by -o root.1.vls")
    at.type("revocation list --home by")
    at.type("credential verify by/credentials/leaver/act.vls --home by", code=6)
    at.type("designation make BY-MFA --role competent --replaces BY-NSC --until 2099-01-01T00:00:00Z --by-root --home by -o d.1.vls")
    at.type("designation make BY-NSC --role confirming --name en=Committee --number 2 --by-root --home by -o d.2.vls")
    at.type("roster publish --home by --add d.1.vls --add d.2.vls -o BY.3.vls")
    at.type("designation list --home by")
    at.type("roster diff BY.3.vls --home kz")
    at.type("roster diff BY.2.vls --home kz")
    at.type("roster import BY.2.vls --home kz")


def _sign_by_quorum(at: Desk) -> None:
    """Custodians, a root, and everything that they sign one after the other."""
    for name in ("aliya", "bolat", "dana"):
        at.type(f"custodian new --party KZ --name en={name} --unprotected -o {name}")
    asking = "--custodian aliya/request.vls --custodian bolat/request.vls"
    at.type(f"root draft --party KZ --name en=KZ --degrees 1,2,3 --threshold 2 {asking} --key aliya/custodian.key -o q1.vls")
    at.type("custodian sign q1.vls --key bolat/custodian.key -o quorum.vls")
    at.type("root draft --previous quorum.vls --custodian dana/request.vls --key aliya/custodian.key -o q2.vls")
    at.type("root show q2.vls")
    _begin(at)
    for name in ("certify", "ending"):
        at.type(f"custodian sign {name}.1.vls --key bolat/custodian.key --root quorum.vls -o {name}.vls")
    at.type("agreement sign kz-by --key aliya/custodian.key --root quorum.vls -o a1.vls")
    at.type("custodian sign a1.vls --key bolat/custodian.key --root quorum.vls -o a2.vls")


def _begin(at: Desk) -> None:
    """What the first custodian signed: a credential, and the end of an agreement."""
    root = read_root((at.folder / "quorum.vls").read_bytes())
    key = load_key(at.folder / "aliya" / "custodian.key", lambda: "")
    assert isinstance(key, SigningKey)
    draft = CredentialDraft(
        subject=bytes(16),
        body=Body("KZ", "KZ-MFA"),
        names={"en": "Ministry"},
        purpose="certify",
        public_key=SigningKey(bytes(64)).public,
        clearance="1",
        valid_from=root.valid_from,
        valid_until=root.valid_until,
    )
    (at.folder / "certify.1.vls").write_bytes(begin_credential(draft, root, key).statement.raw)
    profile = read_draft(packaged_draft("kz-by"))
    ended = Agreement(raw=b"", digest=agreement_digest(profile.body), signers=(), profile=profile)
    begun = begin_termination(ended, root, key, given_at=root.valid_from, takes_effect_at=root.valid_until)
    (at.folder / "ending.1.vls").write_bytes(begun.statement.raw)


def _send(at: Desk) -> None:
    first = at.type(SEAL + "--dry-run")
    assert not (at.folder / "first.vlz").exists(), first
    first = at.type(SEAL + "--inventory papers/list.toml --caveat 'do not copy' --term '2 years' -o first.vlz")
    at.type(f"{SEAL} --refers-to reply-to:{first['dispatch']} --addressee Yanka --addressee Maryna -o second.vlz")
    for name in ("third", "fourth"):
        at.type(f"{SEAL} -o {name}.vlz")
    at.type("withdraw third.vlz --reason 'wrong annex' --home kz")


def _answer(at: Desk, trust: str) -> None:
    at.type("verify first.vlz --home by")
    at.type(f"verify first.vlz {trust}")
    at.type("open first.vlz --home by --as yanka -o first")
    at.type("open first.vlz --home by --as maryna -o again")
    at.type("acknowledge first.vlz --home by --damaged 1 -o first.ack.vls")
    at.type("countersign first.ack.vls --envelope first.vlz --home by -o first.receipt.vls")
    at.type("rewrap second.vlz --home by --as yanka --to-officer alena -o second.rewrap.vls")
    at.type("open second.vlz --home by --as alena --rewrap second.rewrap.vls -o second")
    at.type("acknowledge second.vlz --home by -o second.ack.vls")
    at.type("countersign second.ack.vls --envelope second.vlz --home by -o second.receipt.vls")
    at.type("refuse fourth.vlz --reason route --comment 'came by rail' --home by --as yanka -o fourth.refusal.vls")
    at.type("countersign fourth.refusal.vls --envelope fourth.vlz --home by -o fourth.receipt.vls")
    at.type("receipt verify second.ack.vls --home kz", code=8)
    for name, code in (("first", 6), ("second", 0), ("fourth", 6)):
        at.type(f"receipt show {name}.receipt.vls")
        at.type(f"receipt verify {name}.receipt.vls --home kz", code=code)
        at.type(f"receipt verify {name}.receipt.vls --envelope {name}.vlz {trust}", code=code)


def _evidence(at: Desk) -> None:
    roots = " ".join(
        f"--root {(at.folder / office / 'roots' / party).read_text(encoding='ascii').strip()}" for office, party in (("kz", "KZ"), ("by", "BY"))
    )
    at.type("evidence make first.vlz --home kz --disclose manifest -o first.vle")
    at.type("evidence make second.vlz --home by --disclose 0 --as alena -o second.vle")
    at.type("evidence make third.vlz --home kz -o third.vle")
    at.type(f"evidence verify first.vle {roots}", code=6)
    at.type(f"evidence verify second.vle {roots} -o shown")
    at.type(f"evidence verify third.vle {roots}", code=8)  # nobody signed yet that it is withdrawn
    for name in ("first", "second", "third"):
        at.type(f"evidence show {name}.vle")
    at.type("inspect second.vle")


def _do_many(at: Desk, trust: str) -> None:
    for name in ("x", "y", "z"):
        (at.folder / f"{name}.txt").write_text(name, encoding="utf-8")
    order = SEAL.replace("papers/report.txt", "x.txt missing.txt y.txt z.txt") + "--each "
    at.type_many(order + "--dry-run", [0, 7, 0, 0])
    at.type_many(order + "-o sealed", [0, 7, 0, 0])
    sealed = "sealed/x.txt.vlz sealed/y.txt.vlz"
    at.type_many(f"verify {sealed} x.txt --home by", [0, 0, 3])
    at.type_many(f"verify sealed/x.txt.vlz --each {trust}", [0])
    at.type_many(f"open {sealed} z.txt --home by --as yanka -o opened", [0, 0, 3])
    at.type_many(f"acknowledge {sealed} sealed/z.txt.vlz --home by -o acks", [0, 0, 6])
    at.type("refuse sealed/z.txt.vlz --reason other --home by --as yanka -o z.refusal.vls")
    answers = "acks/x.txt.ack.vls acks/y.txt.ack.vls z.refusal.vls"
    at.type_many(f"countersign {answers} x.txt --envelope sealed --home by -o receipts", [0, 0, 0, 3])
    receipts = "receipts/x.txt.receipt.vls receipts/z.receipt.vls acks/y.txt.ack.vls x.txt"
    at.type_many(f"receipt verify {receipts} --home kz", [0, 6, 8, 3])
    at.type_many(f"receipt verify {receipts} --envelope sealed {trust}", [0, 6, 8, 3])


def _look_up(at: Desk) -> None:
    for name in ("first.vlz", "KZ.vls", "whole.vls", "first.receipt.vls"):
        at.type(f"inspect {name}")
    at.type("register list --home kz")
    at.type("register list --home by")
    at.type("register show first.vlz --manifest --home kz")
    at.type("register show first.vlz --home by")
    at.type(f"{SEAL} -o late.vlz")
    at.type("register remind late.vlz --home kz -o reminder.txt")
    at.type("register report --home by -o report.html")
    at.type("register export --format csv --home kz -o register.csv")
    later = SimpleNamespace(time=lambda: time.time() + 31 * 86400)
    with patch("valiza.cli.options.time", later):
        at.type("register overdue --remind reminders --home kz", code=8)
    at.type("agreement terminate kz-by --home kz --takes-effect 2099-01-01T00:00:00Z --key kz/keys/office/root.key -o end0.vls")
    at.type("agreement terminate kz-by --home kz --takes-effect 2099-06-01T00:00:00Z -o end.vls")
    at.type("agreement adopt end.vls --home kz")
    at.type("agreement list --home kz")
    at.type("key show --home kz")
    at.type("key check --home kz")
    at.type("key external signers.toml --home kz")
    at.type("key passphrase --as aigul --home kz --unprotected --yes")
    at.type("key backup kz/keys/office/root.key --shares 3 --threshold 2 -o sheets")
    at.type("key recover sheets/share-01.txt sheets/share-03.txt --dry-run")
    at.type("key recover sheets/share-02.txt sheets/share-03.txt -o recovered.key --unprotected")
    at.type("doctor --home kz")
    at.type("config show --home kz")
    at.type("demo --dir demo")


@pytest.mark.slow
def test_every_field_printed_is_documented_and_every_field_documented_is_printed(desk: Desk) -> None:
    page = _read_page()
    for name, results in desk.results.items():
        table = page.commands[name]
        for result in results:
            if isinstance(table, str):
                page.judge(table, result, name)
            else:
                page.judge_object(name, result, name)
    for name, lines in desk.lines.items():
        for line in lines:
            judge_line(page, name, line)
    assert page.faults == []
    tables = {**page.shapes, **{name: table for name, table in page.commands.items() if isinstance(table, dict)}}
    documented = {(name, key) for name, table in tables.items() for key in table if not key.startswith("[")}
    assert sorted(documented - page.printed) == []


def judge_line(page: Page, name: str, line: dict[str, Any]) -> None:
    """Compare a line of a command on many objects with the page: what is of the line comes first, and then what is of the command."""
    own = [key for key in line if key in page.shapes["line"]]
    assert list(line)[: len(own)] == own == list(page.shapes["line"])[: len(own)]
    page.judge_object("line", {key: line[key] for key in own}, name)
    failed = line["exit_code"] != 0
    assert (len(own) == len(page.shapes["line"])) == failed
    rest = {key: value for key, value in line.items() if key not in own}
    assert rest or failed
    if rest:
        assert not failed or name in {"receipt verify", "clearance verify", "gateway check", "gateway rules try"}
        page.judge_object(name, rest, name)


@pytest.mark.slow
def test_every_command_with_many_objects_is_named_and_was_typed(desk: Desk) -> None:
    page = (DOCS / "json.md").read_text(encoding="utf-8")
    many = re.search(r"^## Many objects\n\n(.+?)\n\n", page, re.DOTALL | re.MULTILINE)
    assert many is not None
    with_each = {" ".join(path) for path, command in _leaves() if any("--each" in parameter.opts for parameter in command.params)}
    assert set(desk.lines) == with_each
    sentence, _, _ = " ".join(many[1].split()).partition(" Then ")
    assert {name.removesuffix(" --each") for name in re.findall(r"`([a-z -]+)`", sentence) if not name.startswith("-")} == with_each


@pytest.mark.slow
def test_every_command_that_prints_json_was_typed(desk: Desk) -> None:
    with_json = {" ".join(path) for path, command in _leaves() if any("--json" in parameter.opts for parameter in command.params)}
    assert set(desk.results) == with_json
    assert set(_read_page().commands) == with_json


# --- pages that are made ----------------------------------------------------------------------------------------------------------------------------


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_columns_of_exports_are_documented() -> None:
    text = (DOCS / "json.md").read_text(encoding="utf-8").partition("## Exported entries\n")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `([a-z_]+)` \|", text, flags=re.MULTILINE)) == ENTRY
    assert tuple(key for key in _read_page().shapes["state"]) == STATE


def test_standings_of_the_register_are_documented() -> None:
    assert _read_page().shapes["state"]["verdict"].words == set(STANDINGS)


def test_man_page_is_what_the_help_says() -> None:
    make_man = _script("make_man")
    page = make_man.MARKDOWN.read_text(encoding="utf-8")
    assert make_man.make_markdown(page) == page, "run: python docs/make_man.py"
    made = make_man.man_pages(page)
    assert sorted(path.name for path in make_man.MAN.iterdir()) == sorted(made), "run: python docs/make_man.py"
    assert [name for name, text in made.items() if (make_man.MAN / name).read_text(encoding="utf-8") != text] == [], "run: python docs/make_man.py"


MANDOC: Final = shutil.which("mandoc")


def _page_readers() -> dict[str, list[str]]:
    """Programs that read man pages, called so that they complain of everything."""
    return {
        "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
        "groff": ["groff", "-man", "-ww", "-Tutf8", "-rLL=100n"],
        "man": ["man", "--warnings=w", "-l"],
    }


@pytest.mark.parametrize("reader", ["mandoc", "groff", "man"])
def test_man_pages_are_read_without_a_warning(reader: str) -> None:
    if shutil.which(reader) is None:
        pytest.skip(f"{reader} is not installed")
    for page in sorted((DOCS / "man").glob("*.1")):
        done = subprocess.run(
            [*_page_readers()[reader], page], capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100"}, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, ""), page.name
        if reader == "mandoc":
            assert done.stdout == "", page.name
        else:
            assert page.stem in done.stdout


def test_man_page_of_a_command_says_what_its_help_says() -> None:
    """Seen through a formatter, every option of every command is on its page."""
    if MANDOC is None:
        pytest.skip("mandoc is not installed")
    for path, command in _leaves():
        page = DOCS / "man" / f"valiza-{path[0]}.1"
        done = subprocess.run([MANDOC or "mandoc", "-T", "ascii", "-O", "width=200", page], capture_output=True, text=True, check=True, timeout=60)
        shown = re.sub(r".\x08", "", done.stdout)
        assert [option for parameter in command.params for option in parameter.opts if option.startswith("--") and option not in shown] == []


@pytest.mark.parametrize(
    "name",
    [
        "statement",
        "credential",
        "request",
        "revocation",
        "designation",
        "agreement",
        "clearance",
        "envelope",
        "receipt",
        "backup",
        "external-signer",
        "log",
        "mail",
        "transport",
    ],
)
def test_example_on_top_of_a_specification_is_a_real_object(name: str) -> None:
    make_examples = _script("make_examples")
    assert name in make_examples.EXAMPLES
    assert make_examples.make_page(name) == (ROOT / "specs" / f"{name}.md").read_text(encoding="utf-8"), "run: python docs/make_examples.py"


# --- what pages name --------------------------------------------------------------------------------------------------------------------------------

PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "specs").rglob("*.md"), ROOT / "tests" / "vectors" / "README.md")
)


def _anchors(page: Path) -> set[str]:
    """The anchors that a Markdown renderer gives to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_security_names_tests_and_vectors_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    tests = re.findall(r"`(tests/[^`]+\.py)`", text)
    vectors = re.findall(
        r"`((?:acknowledgement|agreement|backup|clearance|credential|encoding|envelope|receipt|refusal|request|rewrap|root|roster|statement)_\w+)`",
        text,
    )
    assert tests
    assert vectors
    assert [name for name in tests if not (ROOT / name).is_file()] == []
    assert [name for name in vectors if not (ROOT / "specs" / "vectors" / f"{name}.vector").is_file()] == []


# --- stories ----------------------------------------------------------------------------------------------------------------------------------------
# A page tells a story between `<!-- story: NAME -->` and the next such line. Its ```console blocks are typed into one shell in an empty folder, and
# what appears has to be what the block shows: `…` stands for anything within a line, and alone on a line for any lines. A block below
# `<!-- file: NAME -->` is written to that file. A command may fail where the story shows its error, or asks for `$?` next.

_MARK: Final = "\x1e"


@dataclass
class Typed:
    """A command of a story, and the lines that it is to print."""

    command: str
    shown: list[str] = field(default_factory=list)


def _stories() -> dict[str, list[Typed]]:
    found: dict[str, list[Typed]] = {}
    pages = ("tutorial", "tutorial-quorum", "hardware-keys", "register-postgresql", "gateway")
    for page in ("README.md", *(f"docs/{name}.md" for name in pages)):
        parts = re.split(r"<!-- story: (.+?) -->\n", (ROOT / page).read_text(encoding="utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            found[f"{page}-{name}"] = list(_story(text))
    return found


def _story(text: str) -> Iterator[Typed]:
    for file, language, block in re.findall(r"(?:<!-- file: (\S+) -->\n)?```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if file:
            yield Typed(f"cat > {shlex.quote(file)} <<'{_MARK}'\n{block}{_MARK}")
        elif language == "console":
            yield from _typed(block.splitlines())


def _typed(lines: list[str]) -> Iterator[Typed]:
    current: Typed | None = None
    for line in lines:
        if current is not None and current.command.endswith("\\") and not current.shown:
            current.command += f"\n{line}"
        elif line.startswith("$ "):
            if current is not None:
                yield current
            current = Typed(line[2:])
        else:
            assert current is not None
            current.shown.append(line)
    if current is not None:
        yield current


def _pattern(shown: list[str]) -> str:
    lines = ["(?:.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".*") + "\n" for line in shown]
    return "".join(lines)


STORIES: Final = (
    "README.md-readme",
    "README.md-offices",
    "docs/tutorial.md-exchange",
    "docs/tutorial-quorum.md-quorum",
    "docs/hardware-keys.md-token",
    "docs/register-postgresql.md-administrator",
    "docs/gateway.md-gateway",
)  # a checkout is not at hand while tests are collected


def test_every_story_is_played() -> None:
    assert set(_stories()) == set(STORIES)


@pytest.fixture
def new_cluster() -> Iterator[Cluster]:
    """A server with no database and no role of anybody's."""
    with running() as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_story_happens_as_it_is_told(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    story = _stories()[name]
    if name.endswith("-token") and None in (shutil.which("softhsm2-util"), shutil.which("pkcs11-tool")):
        pytest.skip("SoftHSM2 or OpenSC is not installed")
    programs, home = tmp_path / "programs", tmp_path / "home"
    programs.mkdir()
    home.mkdir()
    for program, module in (("valiza", "valiza.cli"), ("valiza-pkcs11-signer", "valiza.cli.pkcs11")):
        shim = programs / program
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    script = "".join(f"{typed.command}\ns=$?; printf '{_MARK}%d{_MARK}' $s; (exit $s)\n" for typed in story)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VALIZA_")}
    environment = kept | {"PATH": f"{programs}:{kept['PATH']}", "LC_ALL": "C.UTF-8", "HOME": str(home)}
    if name.endswith(("-administrator", "-gateway")):  # who has a server at hand, as its programs find it; each story a new one
        server: Cluster = request.getfixturevalue("new_cluster")
        environment |= {"PATH": f"{environment['PATH']}:{server.binaries}", "PGHOST": str(server.folder), "PGUSER": OWNER}
    if name.endswith("-gateway"):
        mail: Postfix = request.getfixturevalue("postfix")
        mail.configure(virtual_mailbox_domains="mfa.example")
        environment |= {"MAIL_CONFIG": str(mail.folder / "etc")}
    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / "story").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [bash, tmp_path / "story"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        cwd=home,
        env=environment,
        check=False,
        timeout=600,
    )
    printed = done.stdout.split(_MARK)
    assert len(printed) == 2 * len(story) + 1, done.stdout[-2000:]
    for index, typed in enumerate(story):
        text, status = printed[2 * index], int(printed[2 * index + 1])
        text += "" if text.endswith("\n") or not text else "\n"
        assert re.fullmatch(_pattern(typed.shown), text), f"$ {typed.command}\n{text}"
        may_fail = index + 1 < len(story) and story[index + 1].command == "echo $?"
        assert status == 0 or may_fail or any(line.startswith("valiza: error: ") for line in typed.shown), f"$ {typed.command}: exit {status}\n{text}"
