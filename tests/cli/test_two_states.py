"""Two states from nothing to envelopes, and through the life of their keys: roots and custodians change, officers are revoked, bodies get new keys.

Each root is of five custodians, of whom three are a quorum; below it stand a competent body, two authorised bodies and ten officers, all with
keys of their own making (tests/support/states.py). Whatever is signed goes root, competent body, authorised body, officer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import fails, works
from tests.support.custodians import FIVE
from tests.support.states import BODIES, COMPETENT, OFFICERS, SEALS, Seat, State, found_states, order, sign_agreement

from valiza.keys.credential import Credential
from valiza.office.home import Office as Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.keys.root import Root

pytestmark = pytest.mark.slow

DAY: Final = 86400


@dataclass
class Life:
    """Both states, their agreement, and everything that was exchanged: envelope and receipt of each."""

    folder: Path
    kz: State
    by: State
    agreement: Path
    travel: Callable[[int], None]
    day: int = 0
    exchanged: list[tuple[Path, Path, Seat]] = field(default_factory=list)
    doubtful: set[Path] = field(default_factory=set)

    def next_day(self) -> None:
        """What is signed from here on is a day later."""
        self.day += 1
        self.travel(self.day * DAY)

    def seal(self, sealer: Seat, to: str) -> Path:
        """Seal a file; returns the envelope."""
        carrier, envelope = self.folder / "map.txt", self.folder / f"{sealer.name}-{self.day}-{len(list(self.folder.iterdir()))}.vlz"
        carrier.write_text("56.1N 28.5E assembly area\n", encoding="utf-8")
        sealer.works("seal", carrier, *order(sealer, to), "-o", envelope)
        return envelope

    def answer(self, envelope: Path, reader: Seat, second: str, sealer: Seat) -> None:
        """Open, acknowledge, countersign, and verify the receipt at the origin."""
        opened, acknowledged, receipt = (envelope.with_suffix(suffix) for suffix in (".opened", ".ack", ".receipt"))
        if not opened.exists():
            reader.acts("open", envelope, "-o", opened)
        assert (opened / "map.txt").read_text(encoding="utf-8") == "56.1N 28.5E assembly area\n"
        reader.acts("acknowledge", envelope, "-o", acknowledged)
        reader.beside(second).acts("countersign", acknowledged, "--envelope", envelope, "-o", receipt)
        assert sealer.works("receipt", "verify", receipt)["verdict"] == "delivered"
        self.exchanged.append((envelope, receipt, sealer))

    def exchange(self) -> None:
        """From MFA to MFA, and from MOD to MOD the other way."""
        self.answer(self.seal(self.kz.seats["askar"], "BY-MFA"), self.by.seats["dana"], "madina", self.kz.seats["askar"])
        self.answer(self.seal(self.by.seats["sania"], "KZ-MOD"), self.kz.seats["timur"], "marat", self.by.seats["sania"])

    def tell(self, state: State) -> None:
        """A party hands its roster to the other."""
        (self.by if state is self.kz else self.kz).learn(state)

    def everything_still_verifies(self) -> None:
        """What was exchanged, at its origin; and for an arbiter, who has rosters, agreement and the first fingerprints.

        Without a register he cannot know that what was answered after a key was stolen had been sealed before.
        """
        trust = [f"--root={self.kz.fingerprint}", f"--root={self.by.fingerprint}", f"--roster={self.kz.roster}", f"--roster={self.by.roster}"]
        for envelope, receipt, sealer in self.exchanged:
            assert sealer.works("receipt", "verify", receipt)["verdict"] == "delivered"
            words: list[str | Path] = ["receipt", "verify", receipt, "--envelope", envelope, *trust, f"--agreement={self.agreement}"]
            if envelope in self.doubtful:
                assert "the seal credential of 'Aigul' (KZ/KZ-MFA) was compromised" in fails(6, *words).error
            else:
                assert works(*words, "--json").facts["verdict"] == "attested"
        assert len(self.exchanged) == 13


@pytest.fixture
def life(tmp_path: Path, travel: Callable[[int], None]) -> Life:
    kz, by, agreement = found_states(tmp_path)
    return Life(tmp_path, kz, by, agreement, travel)


def ids(root: Path) -> dict[str, str]:
    """Ids of custodians by name."""
    (shown,) = works("root", "show", root, "--json").facts["roots"]
    return {one["name"]: one["id"] for one in shown["custodians"]}


def test_two_states_from_nothing_through_the_life_of_their_keys(life: Life) -> None:
    what_they_are(life)
    life.exchange()
    what_too_few_custodians_sign_is_nothing(life)
    every_custodian_gets_a_new_key(life)
    life.exchange()
    a_custodian_is_lost_and_replaced(life)
    life.exchange()
    an_officer_s_key_is_stolen(life)
    life.exchange()
    a_body_gets_a_new_key(life)
    life.exchange()
    life.everything_still_verifies()


def what_they_are(life: Life) -> None:
    """Nobody has another's key, and chains are three credentials long."""
    for state in (life.kz, life.by):
        officers = {name for body in BODIES for name in OFFICERS[body]}
        assert len(officers) == 10
        assert len(state.seats) == 3 + 8
        for name, seat in state.seats.items():
            whose = {path.parent.name for path in (seat.home / "keys").rglob("*.key")}
            assert whose - {"madina", "marat"} == ({name} if name in officers else {"office"})
        listed = state.competent.works("credential", "list")[state.party]
        assert len({one["subject"] for one in listed if one["name"].lower() in officers}) == 10
        found: Credential | Root = Home(state.seats["aigul"].home, str).credential("aigul", "seal")
        chain = []
        while isinstance(found, Credential):
            chain.append(found.body.id.removeprefix(f"{state.party}-"))
            found = found.issuer
        assert chain == ["MFA", "MFA", COMPETENT[state.party]]
        assert found.digest.hex() == works("root", "show", state.root, "--json").facts["roots"][0]["fingerprint"]


def what_too_few_custodians_sign_is_nothing(life: Life) -> None:
    """A body that two custodians made is accepted nowhere, nor by an office that knows the root; no officer certifies a body."""
    kz = life.kz
    rogue = kz.join("ROGUE")
    asked = rogue.request("certify", kz.path("rogue.vls"))
    begun = kz.path("rogue")
    works("credential", "issue", "--request", asked, "--clearance=1", f"--root={kz.root}", "--key", kz.people.key("aliya"), "-o", begun)
    two = kz.path("two.vls")
    assert not kz.people.sign(begun / "certify.vls", two.name, "bolat", kz.root).facts["complete"]
    assert "2 custodians of the root of KZ signed, and 3 of 5 are needed" in rogue.fails(4, "credential", "accept", two)
    kz.competent.fails(4, "roster", "publish", "--add", two, "-o", kz.path("x"))
    fails(6, "custodian", "sign", two, "--key", life.by.people.key("dana"), "--root", kz.root, "--root", life.by.root, "-o", kz.path("x"))
    kz.seats["MFA"].fails(6, "credential", "issue", "--request", asked, "--clearance=1", "-o", kz.path("x"))
    del kz.seats["ROGUE"]


def every_custodian_gets_a_new_key(life: Life) -> None:
    """Rotation of KZ's root: five new keys, signed by three of them and three of the old ones; the competent body's credentials follow."""
    life.next_day()
    kz, known = life.kz, ids(life.kz.root)
    under_way = life.seal(kz.seats["aigul"], "BY-MFA")
    new = [f"{name}-2" for name in FIVE]
    for name in FIVE:
        kz.people.new(f"{name}-2", f"--id={known[name]}")
    old, begun = kz.root, kz.path("root.vls")
    words: list[str | Path] = ["root", "draft", "--previous", old, *kz.people.asking(*new), "--key", kz.people.key(new[0]), "-o", begun]
    assert sorted(works(*words, "--json").facts["changes"]["replaced"]) == sorted(new)
    halfway = begun
    for name in new[1:3]:
        signed = kz.path("root.vls")
        assert not kz.people.sign(halfway, signed.name, name, old).facts["complete"]
        halfway = signed
    assert "0 custodians" in kz.competent.fails(4, "roster", "publish", "--add", halfway, "-o", kz.path("x"))
    fails(6, "custodian", "sign", halfway, "--key", kz.people.key(new[3]), "--root", old, "-o", kz.path("x"))
    kz.root = kz.by_quorum(halfway, *FIVE[:3], known=[old])
    assert "of an earlier version of the root of KZ" in kz.competent.fails(6, "roster", "publish", "--add", kz.root, "-o", kz.path("x"))

    request = kz.path("renewal.vls")
    kz.competent.works("credential", "renew", "office:certify,roster", "--unprotected", "-o", request)
    words = ["credential", "issue", "--request", request, "--clearance=1", "--certifies-bodies", "--root", kz.root, "--root", kz.roster]
    fails(6, *words, "--key", kz.people.key("aliya"), "-o", kz.path("x"))
    before = kz.roster
    kz.competent.accept(kz.root, *kz.certify_competent(request, new[2:], before))
    kz.publish()
    life.tell(kz)
    for seat in (kz.seats["aigul"], life.by.seats["dana"]):
        seat.fails(6, "roster", "import", before)
    (shown,) = works("root", "show", kz.root, "--root", old, "--json").facts["roots"]
    assert (shown["version"], shown["complete"]) == (2, True)
    life.answer(under_way, life.by.seats["daulet"], "madina", kz.seats["aigul"])


def a_custodian_is_lost_and_replaced(life: Life) -> None:
    """Gulnar and her key are gone in BY: the four others replace her. She signs nothing more, and the replacement takes three of each version."""
    life.next_day()
    by, known = life.by, ids(life.by.root)
    by.people.new("hanna")
    old, begun = by.root, by.path("root.vls")
    words: list[str | Path] = ["root", "draft", "--previous", old, f"--remove={known['gulnar']}", *by.people.asking("hanna")]
    fails(6, *words, "--key", life.kz.people.key("aliya"), "-o", by.path("x"))
    works(*words, "--key", by.people.key("hanna"), "-o", begun)
    few = begun
    for name in ("aliya", "bolat"):
        signed = by.path("root.vls")
        assert not by.people.sign(few, signed.name, name, old).facts["complete"]
        few = signed
    done = by.competent.fails(4, "roster", "publish", "--add", few, "-o", by.path("x"))
    assert "2 custodians of the root of BY signed, and 3 of 5 are needed" in done
    by.root = by.by_quorum(few, "dana", known=[old])
    request = by.path("renewal.vls")
    by.competent.works("credential", "renew", "office:certify,roster", "--unprotected", "-o", request)
    words = ["credential", "issue", "--request", request, "--clearance=1", "--certifies-bodies", "--root", by.root, "--root", by.roster]
    fails(6, *words, "--key", by.people.key("gulnar"), "-o", by.path("x"))
    by.competent.accept(by.root, *by.certify_competent(request, ["hanna", "erlan", "bolat"], by.roster))
    by.publish()
    life.tell(by)
    words = ["agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z"]
    by.competent.fails(6, *words, "--key", by.people.key("gulnar"), "-o", by.path("x"))


def an_officer_s_key_is_stolen(life: Life) -> None:
    """Aigul's keys are compromised: what BY had stands, what comes now does not, and she can do nothing more. Her colleague goes on."""
    life.next_day()
    kz, by, aigul = life.kz, life.by, life.kz.seats["aigul"]
    had, withheld = life.seal(aigul, "BY-MFA"), life.seal(aigul, "BY-MFA")
    by.seats["dana"].acts("open", had, "-o", had.with_suffix(".opened"))
    life.next_day()
    revocations = kz.path("revocations")
    seat = kz.seats["MFA"]
    issued = [seat.home / "issued" / path.name for path in (seat.home / "issued").iterdir() if path.read_bytes() in files_of(aigul)]
    assert len(issued) == 2
    kz.seats["MOD"].fails(6, "revocation", "make", *issued, "--kind=compromised", "--reason=stolen", "-o", kz.path("x"))
    seat.works("revocation", "make", *issued, "--kind=compromised", "--reason=stolen", "-o", revocations)
    kz.publish(*sorted(revocations.iterdir()))
    assert "compromised" in aigul.fails(6, "seal", life.folder / "map.txt", *order(aigul, "BY-MFA"), "-o", kz.path("x"))
    late = by.seats["daulet"]
    late.works("verify", withheld)  # the news is not there yet
    life.tell(kz)
    assert "compromised" in late.fails(6, "open", withheld, "-o", withheld.with_suffix(".opened"), "--as=daulet")
    assert "compromised" in late.fails(6, "verify", withheld)
    life.answer(had, by.seats["dana"], "madina", aigul)
    life.doubtful.add(had)
    sealer = by.seats["serik"]
    words: list[str | Path] = ["seal", life.folder / "map.txt", *order(sealer, "KZ-MFA"), "-o", by.path("x")]
    assert "the open credential of 'Aigul' (KZ/KZ-MFA) was compromised" in sealer.fails(6, *words, "--addressee=Aigul")


def files_of(seat: Seat) -> set[bytes]:
    """An officer's own credentials."""
    return {path.read_bytes() for path in (seat.home / "credentials" / seat.name).iterdir()}


def a_body_gets_a_new_key(life: Life) -> None:
    """BY's MOD: a new certify key by request, vouched for by the old one, which is retired. Whom it certified goes on; it certifies nobody more."""
    life.next_day()
    by, seat = life.by, life.by.seats["MOD"]
    request = by.path("renewal.vls")
    seat.works("credential", "renew", "office:certify", "--unprotected", "-o", request)
    life.by.seats["MFA"].fails(6, "credential", "issue", "--request", request, "--clearance=1", "-o", by.path("x"))
    first = seat.home / "credentials" / "office" / "certify.vls"
    seat.accept(*by.competent.issue(request, by.path("MOD"), "--clearance=1"))
    by.publish()
    life.next_day()
    by.competent.works("revocation", "make", first, "--kind=retired", "--reason=replaced")
    by.publish()
    newest = by.enrol("MOD", "tolkyn", SEALS, "2")
    by.publish(*newest)
    life.tell(by)
    life.tell(life.kz)
    newcomer = by.seats["tolkyn"]
    assert "is signed by an old version of the root" in newcomer.fails(6, "agreement", "adopt", life.agreement)
    three = [(life.kz, "aliya-2"), (life.kz, "dana-2"), (life.kz, "erlan-2"), (by, "aliya"), (by, "hanna"), (by, "erlan")]
    newcomer.works("agreement", "adopt", sign_agreement(life.folder / "again", three))
    envelope = life.seal(newcomer, "KZ-MOD")
    life.answer(envelope, life.kz.seats["talgat"], "marat", newcomer)
    (seat.home / "credentials" / "office" / "certify-2.vls").rename(by.path("away"))
    asked = by.join("MOD", "ainur").request("seal", by.path("ainur.vls"))
    assert "retired" in seat.fails(6, "credential", "issue", "--request", asked, "--clearance=2", "-o", by.path("x"))
