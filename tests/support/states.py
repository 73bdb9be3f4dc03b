"""States with quorums, for tests: a root of five custodians, a competent body, two authorised bodies and ten officers, all by commands.

Custodians, bodies and officers make their keys themselves, each in a folder of his own, and only requests, credentials, rosters and what custodians
sign go from one to the other. Eight officers have an office each. Two confirm what others acknowledged, which takes the journal in which the opening
stands: they bring their keys into the offices of those who read in their body.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tests.support.cli import ORDER, fails, works
from tests.support.custodians import FIVE, Custodians, five_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["BODIES", "COMPETENT", "OFFICERS", "SEALS", "Seat", "State", "found_states", "order", "sign_agreement"]

COMPETENT: Final = {"KZ": "KNB", "BY": "KGB"}  # as the agreement names them
BODIES: Final = ("MFA", "MOD")
SEALS: Final = "seal,open"
ANSWERS: Final = "open,acknowledge"
CONFIRMS: Final = "open,countersign"
OFFICERS: Final = {
    "MFA": {"madina": CONFIRMS, "aigul": SEALS, "askar": SEALS, "dana": ANSWERS, "daulet": ANSWERS},
    "MOD": {"marat": CONFIRMS, "serik": SEALS, "sania": SEALS, "timur": ANSWERS, "talgat": ANSWERS},
}


@dataclass(frozen=True)
class Seat:
    """An office of one body or officer."""

    home: Path
    party: str
    body: str
    name: str = "office"

    def works(self, *arguments: str | Path) -> Any:
        """Run a command here that must end well; returns what it told."""
        done = works(*arguments, "--home", self.home, "--json")
        return done.facts

    def fails(self, code: int, *arguments: str | Path) -> str:
        """Run a command here that must end with that code, one error and no result; returns the error."""
        return fails(code, *arguments, "--home", self.home).error

    def acts(self, *arguments: str | Path) -> Any:
        """The same, for what the officer himself does."""
        return self.works(*arguments, "--as", self.name)

    def beside(self, name: str) -> Seat:
        """The office as it is for another officer who has keys in it."""
        return replace(self, name=name)

    def request(self, purposes: str, out: Path, *options: str) -> Path:
        """Make keys, and ask for them to be certified."""
        self.works("credential", "request", f"{self.name}:{purposes}", f"--name=en={self.name.title()}", "--unprotected", "-o", out, *options)
        return out

    def issue(self, request: Path, out: Path, *options: str) -> list[str]:
        """Certify what somebody asks for."""
        return sorted(self.works("credential", "issue", "--request", request, "-o", out, *options)["files"].values())

    def accept(self, *files: str | Path) -> None:
        """Take credentials in."""
        self.works("credential", "accept", *files)


@dataclass
class State:
    """A party. `root` and `roster` are the latest; `others` are known to custodians who sign for the party."""

    folder: Path
    party: str
    people: Custodians
    root: Path
    fingerprint: str
    roster: Path
    seats: dict[str, Seat] = field(default_factory=dict)
    count: int = 0

    @property
    def competent(self) -> Seat:
        """The office of the competent body, which publishes."""
        return self.seats[COMPETENT[self.party]]

    @property
    def everybody(self) -> Iterable[Seat]:
        """All offices."""
        return self.seats.values()

    def path(self, name: str) -> Path:
        """A new path in the folder of the party."""
        self.count += 1
        return self.folder / f"{self.count:03}-{name}"

    def join(self, body: str, name: str = "office", *brought: str) -> Seat:
        """An office for a body, or for an officer of one, into which others bring their keys."""
        seat = Seat(self.folder / "offices" / (body if name == "office" else name), self.party, f"{self.party}-{body}", name)
        seat.home.parent.mkdir(exist_ok=True)
        pinned = ("--roster", self.roster, "--root", self.fingerprint)
        keys = [f"--officer={other}={self.folder / other}.keys" for other in brought]
        works("office", "join", seat.home, f"--party={self.party}", f"--body={seat.body}", *pinned, *keys)
        self.seats[body if name == "office" else name] = seat
        return seat

    def by_quorum(self, statement: Path, *custodians: str, known: Sequence[Path] = ()) -> Path:
        """Custodians sign one after the other what another one began; it must be complete then."""
        roots = tuple(known) or (self.root,)
        return self.people.finish(statement, self.path(statement.name).name, *custodians, roots=roots)

    def certify_competent(self, request: Path, custodians: Sequence[str], *known: Path) -> list[Path]:
        """Three custodians issue the credentials of the competent body."""
        begun, first = self.path("begun"), self.people.key(custodians[0])
        given = [f"--root={root}" for root in (self.root, *known)]
        works("credential", "issue", "--request", request, "--clearance=1", "--certifies-bodies", *given, "--key", first, "-o", begun)
        return [self.by_quorum(path, *custodians[1:]) for path in sorted(begun.iterdir())]

    def publish(self, *add: str | Path) -> Path:
        """The competent body publishes the next roster; all offices of the party import it."""
        self.roster = self.path(f"{self.party}.roster.vls")
        self.competent.works("roster", "publish", *(f"--add={path}" for path in add), "-o", self.roster)
        for seat in self.everybody:
            if seat is not self.competent:
                seat.works("roster", "import", self.roster)
        return self.roster

    def enrol(self, body: str, name: str, purposes: str, clearance: str = "1") -> list[str]:
        """An officer makes keys, asks, is certified by his body, and accepts; in an office of his own unless he confirms in those of others."""
        if purposes == CONFIRMS:
            keys = self.folder / f"{name}.keys"
            whose = (f"--party={self.party}", f"--body={self.party}-{body}", f"--name=en={name.title()}")
            works("credential", "request", f"{name}:{purposes}", *whose, "--unprotected", "-o", keys)
            issued = self.seats[body].issue(keys / "request.vls", self.path(name), f"--clearance={clearance}")
            works("credential", "accept", *issued, "--keys", keys, "--root", self.roster)
            return issued
        brought = [other for other, what in OFFICERS[body].items() if what == CONFIRMS] if purposes == ANSWERS else []
        seat = self.join(body, name, *brought)
        issued = self.seats[body].issue(seat.request(purposes, self.path(f"{name}.request.vls")), self.path(name), f"--clearance={clearance}")
        seat.accept(*issued)
        return issued

    def learn(self, other: State) -> None:
        """Every office imports the roster of the other party; it gives the fingerprint, which it needs the first time."""
        for seat in self.everybody:
            seat.works("roster", "import", other.roster, f"--root={other.fingerprint}")


def _found(folder: Path, party: str) -> State:
    people, root = five_of(folder, party)
    fingerprint = works("root", "show", root, "--json").facts["roots"][0]["fingerprint"]
    state = State(folder, party, people, root, fingerprint, roster=root)
    competent = state.join(COMPETENT[party])
    competent.accept(*state.certify_competent(competent.request("certify,roster", state.path("request.vls")), FIVE[:3]))
    state.publish()
    for body in BODIES:
        seat = state.join(body)
        seat.accept(*competent.issue(seat.request("certify", state.path(f"{body}.request.vls")), state.path(body), "--clearance=1"))
    state.publish()
    state.publish(*(file for body in BODIES for name, purposes in OFFICERS[body].items() for file in state.enrol(body, name, purposes)))
    return state


def found_states(folder: Path) -> tuple[State, State, Path]:
    """Two states that trust each other, and the agreement that six custodians signed and everybody adopted."""
    kz, by = (_found(folder / party, party) for party in ("KZ", "BY"))
    kz.learn(by)
    by.learn(kz)
    agreement = sign_agreement(folder / "agreement", [(kz, name) for name in FIVE[:3]] + [(by, name) for name in FIVE[2:]])
    for seat in (*kz.everybody, *by.everybody):
        seat.works("agreement", "adopt", agreement)
    return kz, by, agreement


def sign_agreement(folder: Path, custodians: Sequence[tuple[State, str]]) -> Path:
    """Custodians of both parties sign the agreement one after the other, in the names of the latest roots; it is complete with the last one."""
    folder.mkdir()
    roots = [f"--root={root}" for root in dict.fromkeys(state.root for state, _ in custodians)]
    signed = folder / "1.vls"
    works("agreement", "sign", "kz-by", "--key", custodians[0][0].people.key(custodians[0][1]), *roots, "-o", signed)
    for number, (state, name) in enumerate(custodians[1:], 2):
        begun, signed = signed, folder / f"{number}.vls"
        done = works("custodian", "sign", begun, "--key", state.people.key(name), *roots, "-o", signed, "--json")
        assert done.facts["complete"] is (number == len(custodians))
    return signed


def order(sealer: Seat, to: str) -> list[str]:
    """Options of a `seal` that is permitted in either direction."""
    rest = [option for option in ORDER if not option.startswith(("--to=", "--leg=", "--conclusion="))]
    if sealer.party == "KZ":
        return [*rest, f"--to={to}", "--leg=Astana:Minsk", "--conclusion=expert conclusion No. 7"]
    return [*rest, f"--to={to}", "--leg=Minsk:Astana"]
