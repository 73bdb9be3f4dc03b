"""Ceremonies of every kind, one after the other, in the life of one party; and what comes of each is used by the commands of every day."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import ORDER, fails, works
from tests.support.table import Table

from valiza.keys.sheet import read_sheet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES: Final = {"aliya": "Aliya Serik", "bolat": "Bolat Omar", "dana": "Dana Akhmet", "erlan": "Erlan Nur"}
WITNESS: Final = "--witness=saule:Saule Zhan"


def passphrase(table: Table, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Type it for the commands that follow."""
    monkeypatch.setenv("VALIZA_PASSPHRASE", f"secret of {table.keys[name].name}")


def fingerprint(root: Path) -> str:
    return str(shown(root)["fingerprint"])


def shown(root: Path) -> dict[str, Any]:
    """What a file with one root says."""
    (found,) = works("root", "show", root, "--json").facts["roots"]
    return dict(found)


def copied(path: Path, table: Table, name: str) -> Path:
    """A file beside the plans."""
    return shutil.copyfile(path, table.path(name))


def by(option: str, *names: str) -> list[str]:
    """People for an option."""
    return [f"--{option}={name}:{NAMES[name]}" for name in names]


def first_root(table: Table) -> Path:
    """Two of three custodians speak for the party."""
    said = ("--party=KZ", "--name=en=Kazakhstan", "--degrees=1,2,3", "--threshold=2", "--entropy=dice")
    plan = table.plan("new-root", "first.toml", *said[:-1], *by("custodian", "aliya", "bolat", "dana"), WITNESS)
    return copied(table.held(plan, "first") / "root.vls", table, "root-1.vls")


def signed_by(names: tuple[str, str], table: Table, statement: Path, roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Custodians add their signatures, by the command."""
    for number, name in enumerate(names):
        passphrase(table, name, monkeypatch)
        target = table.path(f"{number}.{statement.name}")
        works("custodian", "sign", statement, "--key", table.keys[name], *[f"--root={root}" for root in roots], "-o", target)
        statement = target
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    return statement


def office_of_a_body(table: Table, root: Path) -> Path:
    """The ministry makes its keys, the custodians certify them in a ceremony, and it publishes a roster."""
    kz = table.path("kz")
    works("office", "join", kz, "--party=KZ", "--body=KZ-MFA", f"--roster={root}", f"--root={fingerprint(root)}", "--name=en=Ministry")
    works("credential", "request", "office:certify,roster", "--home", kz, "--unprotected", "-o", table.path("ministry.vls"))
    words = (*by("custodian", "aliya", "bolat"), f"--request={table.path('ministry.vls')}", "--clearance=1", "--certifies-bodies")
    plan = table.plan("new-body", "ministry.toml", f"--root={root}", *words, WITNESS)
    body = table.held(plan, "ministry", root=fingerprint(root))
    issued = [body / "credential-1.vls", body / "credential-2.vls"]
    works("credential", "accept", *issued, "--home", kz)
    works("roster", "publish", "--home", kz, "-o", table.path("KZ-0.roster.vls"))
    works("credential", "issue", "aigul:seal,open:1:Aigul Serik", "--home", kz, "--unprotected")
    works("credential", "issue", "wanda:act::Wanda", "--home", kz, "--unprotected")
    works("roster", "publish", "--home", kz, "-o", table.path("KZ-1.roster.vls"))
    copied(issued[0], table, "ministry.certify.vls")
    return kz


def other_party(table: Table, kz: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another party, with which an agreement is made; the custodians sign with the keys that they made in the ceremony."""
    other = table.path("by")
    works("office", "init", other, "--party=BY", "--body=BY-MFA", "--degrees=1,2,3", "--unprotected", "--officer=yanka:open,acknowledge:1:Yanka")
    works("roster", "export", "--home", other, "-o", table.path("BY.roster.vls"))
    fails(4, "roster", "import", table.path("KZ-1.roster.vls"), "--home", other, f"--root={'0' * 64}")
    works("roster", "import", table.path("KZ-1.roster.vls"), "--home", other, f"--root={fingerprint(root)}")
    theirs = works("office", "show", "--home", other, "--json").facts["root"]
    works("roster", "import", table.path("BY.roster.vls"), "--home", kz, f"--root={theirs}")
    works("agreement", "sign", "kz-by", "--home", other, "-o", table.path("half.vls"))
    agreed = signed_by(("aliya", "dana"), table, table.path("half.vls"), [root, table.path("BY.roster.vls")], monkeypatch)
    for home in (kz, other):
        works("agreement", "adopt", agreed, "--home", home)
    return other


def vouching(table: Table, kz: Path, name: str) -> list[Path]:
    """The credentials of the ministry's keys, all of which vouch for its requests."""
    return [copied(path, table, f"{name}.{path.name}") for path in sorted((kz / "credentials" / "office").glob("*.vls"))]


def publish(table: Table, kz: Path, roots: list[Path], *names: str) -> Path:
    """A new version of the root needs a new key for rosters, of which a ceremony makes a credential; then there is a roster with both."""
    version = len(roots)
    asked = table.path(f"roster-{version}.request.vls")
    works("credential", "renew", "office:roster", "--home", kz, "--unprotected", "-o", asked)
    known = [f"--root={root}" for root in roots] + [f"--known={path}" for path in vouching(table, kz, f"roster-{version}")]
    plan = table.plan("new-body", f"roster-{version}.toml", *known, *by("custodian", *names), f"--request={asked}", WITNESS)
    made = table.held(plan, f"roster-{version}", root=fingerprint(roots[-1]))
    works("credential", "accept", made / "credential-1.vls", roots[-1], "--home", kz)
    roster = table.path(f"KZ-{version}.roster.vls")
    works("roster", "publish", "--home", kz, "-o", roster)
    return roster


def require_exchange(table: Table, kz: Path, other: Path, name: str, *more: str) -> None:
    """An envelope goes to the other side and is opened there."""
    carrier = table.path(f"{name}.txt")
    carrier.write_text(name, encoding="utf-8")
    works("seal", carrier, *ORDER, "--single", *more, "--home", kz, "-o", table.path(f"{name}.vlz"))
    works("open", table.path(f"{name}.vlz"), "--home", other, "-o", table.path(f"{name}.opened"))
    assert [path.read_text(encoding="utf-8") for path in table.path(f"{name}.opened").rglob(carrier.name)] == [name]


def words_of_sheets(folder: Path) -> list[str]:
    """The words on each sheet, by its number."""
    return [" ".join(read_sheet(sheet.read_text(encoding="utf-8")).share.words) for sheet in sorted(folder.glob("*.txt"))]


def compromised(table: Table, kz: Path, roots: list[Path]) -> Path:
    """The ministry's key is compromised: the root revokes, and certifies a new one. Returns the roster that says so."""
    works("credential", "renew", "office:certify", "--home", kz, "--unprotected", "-o", table.path("anew.vls"))
    revoke = (f"--revoke={table.path('ministry.certify.vls')}", "--kind=compromised", "--reason=stolen", "--number=1")
    known = [f"--known={path}" for path in vouching(table, kz, "anew")]
    words = (*by("custodian", "aliya", "erlan"), f"--request={table.path('anew.vls')}", *known, *revoke, "--clearance=1", "--certifies-bodies")
    plan = table.plan("compromise", "compromise.toml", *[f"--root={root}" for root in roots], *words, WITNESS)
    made = table.held(plan, "compromise", root=fingerprint(roots[-1]))
    assert sorted(path.name for path in made.glob("*.vls")) == ["credential-1.vls", "revocation-1.vls", "transcript.vls"]
    works("credential", "accept", made / "credential-1.vls", "--home", kz)
    works("roster", "publish", f"--add={made / 'revocation-1.vls'}", "--home", kz, "-o", table.path("KZ-4.roster.vls"))
    works("credential", "issue", "asel:seal,open:1:Asel Kim", "--home", kz, "--unprotected")
    works("roster", "publish", "--home", kz, "-o", table.path("KZ-5.roster.vls"))
    return table.path("KZ-5.roster.vls")


def recovered(table: Table, roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliya's key comes back from her shares."""
    passphrase(table, "aliya", monkeypatch)
    works("key", "backup", table.keys["aliya"], "--shares=3", "--threshold=2", "-o", table.path("sheets"))
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    table.shares = dict(zip(("boris", "vera"), words_of_sheets(table.path("sheets"))[1:], strict=True))
    table.keys["aliya"].unlink()
    words = (*by("custodian", "aliya"), "--shareholder=boris:Boris", "--shareholder=vera:Vera", WITNESS)
    plan = table.plan("recovery", "recovery.toml", *[f"--root={root}" for root in roots], *words)
    table.held(plan, "recovery", root=fingerprint(roots[-1]))


def test_life_of_a_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(tmp_path)
    first = first_root(table)
    assert set(table.keys) == {"aliya", "bolat", "dana", "saule"}
    kz = office_of_a_body(table, first)
    other = other_party(table, kz, first, monkeypatch)
    require_exchange(table, kz, other, "one")

    # A rotation: Dana leaves, Erlan comes, Bolat makes a new key.
    words = (*by("keeps", "aliya"), *by("custodian", "bolat", "erlan"), *by("leaves", "dana"), WITNESS)
    plan = table.plan("rotation", "rotation.toml", f"--root={first}", *words)
    second = copied(table.held(plan, "rotation", root=fingerprint(first)) / "root.vls", table, "root-2.vls")
    assert (shown(second)["version"], shown(second)["threshold"]) == (2, 2)
    assert {one["name"] for one in shown(second)["custodians"]} == {NAMES[name] for name in ("aliya", "bolat", "erlan")}
    works("root", "compare", second, fingerprint(second))
    fails(4, "root", "compare", second, fingerprint(first))
    works("roster", "import", publish(table, kz, [first, second], "aliya", "bolat"), "--home", other)
    require_exchange(table, kz, other, "two")

    # Erlan loses his key and gets another one. A witness comes whom the ministry certified.
    wanda = copied(kz / "credentials" / "wanda" / "act.vls", table, "wanda.act.vls")
    table.keys["wanda"] = kz / "keys" / "wanda" / "act.key"
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "secret of act.key")
    works("key", "passphrase", "--as=wanda", "--home", kz)
    before = [f"--root={path}" for path in (first, second)]
    words = (*by("keeps", "aliya", "bolat"), *by("custodian", "erlan"), "--lost=erlan", f"--witness=wanda={wanda.name},ministry.certify.vls")
    plan = table.plan("replacement", "replacement.toml", *before, *words)
    third = copied(table.held(plan, "replacement", root=fingerprint(second)) / "root.vls", table, "root-3.vls")
    assert shown(third)["version"] == 3
    works("roster", "import", publish(table, kz, [first, second, third], "bolat", "erlan"), "--home", other)
    require_exchange(table, kz, other, "three")

    roots = [first, second, third]
    works("roster", "import", compromised(table, kz, roots), "--yes", "--home", other)
    (revoked,) = works("revocation", "list", "--home", other, "--json").facts["revocations"]
    assert (revoked["kind"], revoked["reason"], revoked["number"]) == ("compromised", "stolen", 1)
    require_exchange(table, kz, other, "four", "--as=asel")

    recovered(table, roots, monkeypatch)
    works("custodian", "new", "--party=KZ", "--name=en=Gulnar", "--unprotected", "-o", table.path("gulnar"))
    passphrase(table, "aliya", monkeypatch)
    asked = ("--custodian", table.path("gulnar") / "request.vls", "--threshold=2")
    works("root", "draft", "--previous", third, *asked, "--key", table.keys["aliya"], "-o", table.path("root-4.1.vls"))
