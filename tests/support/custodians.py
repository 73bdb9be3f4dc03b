"""Custodians of a root as files, for tests of the command line: made once by the commands, and signing by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.cli import Office, Outcome, run, works

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FIVE", "Custodians", "five_of", "office_under"]

FIVE = ("aliya", "bolat", "dana", "erlan", "gulnar")


@dataclass(frozen=True)
class Custodians:
    """A folder with a folder for each custodian, in which are his key and request."""

    folder: Path
    party: str = "KZ"

    def new(self, name: str, *options: str) -> str:
        """Make a custodian's key and request; returns his id."""
        made = works("custodian", "new", "--party", self.party, f"--name=en={name}", "--unprotected", "-o", self.folder / name, *options, "--json")
        subject: str = made.facts["subject"]
        return subject

    def key(self, name: str) -> Path:
        """A custodian's key file."""
        return self.folder / name / "custodian.key"

    def request(self, name: str) -> Path:
        """A custodian's request."""
        return self.folder / name / "request.vls"

    def asking(self, *names: str) -> list[str]:
        """The option `--custodian` for each of them."""
        return [f"--custodian={self.request(name)}" for name in names]

    def path(self, name: str) -> Path:
        """A path in the folder."""
        return self.folder / name

    def draft(self, out: str, *options: str | Path, names: tuple[str, ...] = FIVE, key: str = FIVE[0]) -> Outcome:
        """Draft the first version with three of five as quorum."""
        first = ("--party", self.party, f"--name=en={self.party}", "--degrees=1,2,3", "--threshold=3")
        return run("root", "draft", *first, *self.asking(*names), "--key", self.key(key), "-o", self.path(out), *options, "--json")

    def sign(self, statement: Path, out: str, key: str, *roots: Path) -> Outcome:
        """Add a custodian's signature."""
        known = [f"--root={root}" for root in roots]
        return run("custodian", "sign", statement, "--key", self.key(key), *known, "-o", self.path(out), "--json")

    def finish(self, statement: Path, out: str, *keys: str, roots: tuple[Path, ...] = ()) -> Path:
        """Sign by these custodians one after the other; what comes out must be complete."""
        facts: Any = {}
        for number, key in enumerate(keys):
            target = out if number == len(keys) - 1 else f"{out}.{number}"
            done = self.sign(statement, target, key, *roots)
            assert done.code == 0, done.err
            statement, facts = self.path(target), done.facts
        assert facts["complete"]
        return statement


def five_of(folder: Path, party: str = "KZ") -> tuple[Custodians, Path]:
    """Five custodians in a folder, and a root of which three are a quorum."""
    folder.mkdir(exist_ok=True)
    people = Custodians(folder, party)
    for name in FIVE:
        people.new(name)
    begun = people.draft("root.1.vls")
    assert begun.code == 0, begun.err
    return people, people.finish(people.path("root.1.vls"), "root.vls", "bolat", "dana")


def office_under(people: Custodians, root: Path) -> Office:
    """The office of a body that these custodians certified, `<party>-MFA`, with the key of the roster and without one of the root."""
    party = people.party
    office = Office(home=people.path("office"), party=party, roster=people.path(f"{party}.roster.vls"))
    fingerprint = works("root", "show", root, "--json").facts["roots"][-1]["fingerprint"]
    works("office", "join", office.home, "--party", party, "--body", f"{party}-MFA", "--roster", root, "--root", fingerprint, "--name=en=MFA")
    certified = []
    for purpose, clearance in (("certify", ["--clearance=1"]), ("roster", [])):
        request, begun = people.path(f"{purpose}.request.vls"), people.path(f"{purpose}.1")
        office.works("credential", "request", f"office:{purpose}", "--unprotected", "-o", request)
        works("credential", "issue", "--request", request, *clearance, "--root", root, "--key", people.key(FIVE[0]), "-o", begun)
        certified.append(people.finish(begun / f"{purpose}.vls", f"{purpose}.vls", *FIVE[1:3], roots=(root,)))
    office.works("credential", "accept", *certified)
    office.works("roster", "publish", "-o", office.roster)
    return office
