"""Requests, credentials on request, renewals and offices that join, at the command line; and what is wider than its issuer's is refused at use."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, Office, World, fails, listing, run, works
from tests.support.custodians import Custodians, five_of

from valiza.keys.credential import CredentialDraft, issuer_signs
from valiza.keys.fields import Body
from valiza.keys.keyfile import load_key
from valiza.keys.signing import SigningKey
from valiza.keys.statement import sign_statement
from valiza.office.home import Office as Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

YEAR: Final = 365 * 86400


def ask(office: Office, keys: str, out: Path, *options: str) -> dict[str, Any]:
    facts: dict[str, Any] = office.works("credential", "request", keys, "-o", out, "--unprotected", *options, "--json").facts
    return facts


def issue(office: Office, request: Path, out: Path, *options: str | Path) -> dict[str, Any]:
    facts: dict[str, Any] = office.works("credential", "issue", "--request", request, "-o", out, *options, "--json").facts
    return facts


# -- request, issue, accept -----------------------------------------------------------------------------------------------


def test_an_officer_comes_to_his_credentials_by_request(world: World) -> None:
    """In an office of his own, without the body's keys; and seals."""
    officer = Office(home=world.path("daria"), party="KZ", roster=world.kz.roster)
    works("office", "join", officer.home, "--party=KZ", "--body=KZ-MFA", "--roster", world.kz.roster, "--root", world.kz.root)
    asked = ask(officer, "daria:seal,open,acknowledge", world.path("daria.vls"), "--name=en=Daria Kim")
    assert (asked["body"], asked["name"], asked["subject"], sorted(asked["keys"])) == (
        "KZ/KZ-MFA",
        "Daria Kim",
        None,
        ["acknowledge", "open", "seal"],
    )
    made = issue(world.kz, world.path("daria.vls"), world.path("issued"), "--clearance=1")
    assert {c["purpose"] for c in made["issued"]} == {"acknowledge", "open", "seal"}
    assert {(c["name"], c["clearance"]) for c in made["issued"]} == {("Daria Kim", "1")}
    accepted = officer.works("credential", "accept", *made["files"].values(), "--json").facts["accepted"]
    assert [(one["officer"], one["new"], one["in_roster"]) for one in accepted] == [("daria", True, False)] * 3
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
    for office in (officer, world.by):
        office.works("roster", "import", world.path("KZ-2.vls"))
    officer.works("roster", "import", world.by.roster, "--root", world.by.root)
    officer.works("agreement", "adopt", world.agreement)
    officer.works(*world.order(), "-o", world.path("from-daria.vlz"))
    assert world.by.works("verify", world.path("from-daria.vlz"), "--json").facts["verified"]["sealer"]["name"] == "Daria Kim"


def test_keys_are_made_and_credentials_accepted_without_an_office(world: World) -> None:
    made = works("credential", "request", "daria:seal", "--party=KZ", "--body=KZ-MFA", "--unprotected", "-o", world.path("keys"), "--json").facts
    assert made["request"] == str(world.path("keys") / "request.vls")
    files = issue(world.kz, world.path("keys") / "request.vls", world.path("issued"), "--clearance=none")["files"]
    given: list[str | Path] = ["credential", "accept", *files.values(), "--keys", world.path("keys")]
    fails(2, *given)
    fails(4, *given, "--root", world.by.roster)
    (one,) = works(*given, "--root", world.kz.roster, "--json").facts["accepted"]
    assert (one["officer"], one["file"], one["clearance"]) == (None, str(world.path("keys") / "seal.vls"), None)
    joined = works(
        "office", "join", world.path("new"), "--party=KZ", "--body=KZ-MFA", "--roster", world.kz.roster, "--root", world.kz.root,
        f"--officer=daria={world.path('keys')}", "--json",
    ).facts  # fmt: skip
    assert joined["officers"] == {"daria": ["seal"]}


def test_issuing_gives_what_is_said_and_no_more(world: World) -> None:
    ask(world.kz, "daria:seal,act", world.path("d.vls"))
    given: list[str | Path] = ["credential", "issue", "--request", world.path("d.vls"), "-o", world.path("x")]
    for options, code in (
        ([], 2),
        (["--clearance=9"], 6),
        (["--clearance=1", "--purpose=open"], 2),
        (["--clearance=1", "--purpose="], 2),
        (["--clearance=1", "--validity=3650"], 6),
        (["--clearance=1", "--from=2020-01-01T00:00:00Z"], 6),
        (["--clearance=1", "--from=soon"], 2),
        (["--clearance=1", "--root", world.kz.roster], 2),
        (["daria:seal:1", "--clearance=1"], 2),
        (["--clearance=1", "--unprotected"], 2),
    ):
        world.kz.fails(code, *given, *options)
        assert not world.path("x").exists(), options
    (only,) = issue(world.kz, world.path("d.vls"), world.path("x"), "--clearance=1", "--purpose=act", "--validity=30")["issued"]
    assert only["purpose"] == "act"
    world.kz.fails(6, *given, "--clearance=1")


@pytest.mark.parametrize("option", ["--purpose=seal", "--clearance=1", "--from=2026-01-01", "-o=x", "--certifies-bodies", "--lost", "--yes"])
def test_what_belongs_to_a_request_is_refused_without_one(option: str, world: World) -> None:
    done = world.kz.fails(2, "credential", "issue", "daria:seal:1", "--unprotected", option)
    assert "only with --request" in done.error


def test_whoever_issues_is_shown_the_request_and_asked(world: World) -> None:
    words = ask(world.kz, "daria:seal", world.path("d.vls"))["words"]
    for answer, code in (("n", 6), ("y", 0)):
        out = world.path(answer)
        arguments = ["credential", "issue", "--request", world.path("d.vls"), "--clearance=1", "-o", out, "--home", world.kz.home]
        child = pexpect.spawn(str(VALIZA), [str(argument) for argument in arguments], encoding="utf-8", timeout=30, dimensions=(60, 400))
        child.expect_exact(words)
        child.expect("vouched for by: nobody but you")
        child.expect("Issue this")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert (child.exitstatus, out.exists()) == (code, code == 0)


def test_a_damaged_request_is_not_granted(world: World) -> None:
    ask(world.kz, "daria:seal", world.path("d.vls"))
    raw = bytearray(world.path("d.vls").read_bytes())
    raw[-1] ^= 1
    world.path("d.vls").write_bytes(raw)
    world.kz.fails(4, "credential", "issue", "--request", world.path("d.vls"), "--clearance=1", "-o", world.path("x"))
    world.kz.fails(3, "credential", "issue", "--request", world.agreement, "--clearance=1", "-o", world.path("x"))


def test_a_stranger_gets_no_officer_s_name(world: World) -> None:
    """He asks with a subject that he read in the roster, and no key of it vouches."""
    stranger = world.copy(world.path("stranger"))
    for purpose in ("seal", "open"):
        (stranger.kz.home / "keys" / "aigul" / f"{purpose}.key").unlink()
    ask(stranger.kz, "aigul:act", world.path("act.vls"))
    given: list[str | Path] = ["credential", "issue", "--request", world.path("act.vls"), "--clearance=1", "-o", world.path("x")]
    done = world.kz.fails(6, *given)
    assert "no earlier key of 'Aigul Serik' vouches for the request" in done.error
    world.kz.works(*given, "--lost")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["aigul:certify"], 2),
        (["office:seal"], 2),
        (["aigul"], 2),
        (["aigul:"], 2),
        ([":seal"], 2),
        (["aigul:seal:1"], 2),
        (["daria:open"], 2),
        (["daria:seal", "--same-key"], 2),
        (["daria:seal", "--party=KZ"], 2),
        (["daria:seal", "--party=KZ", "--body=kz"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_requests_that_cannot_be(words: list[str], code: int, world: World) -> None:
    before = listing(world.folder)
    world.kz.fails(code, "credential", "request", *words, "--unprotected", "-o", world.path("x"))
    assert listing(world.folder) == before


def test_accepting_what_is_not_for_this_office(world: World) -> None:
    ask(world.kz, "daria:seal", world.path("d.vls"))
    files = list(issue(world.kz, world.path("d.vls"), world.path("x"), "--clearance=1")["files"].values())
    world.by.fails(4, "credential", "accept", *files)
    other = world.copy(world.path("other"))
    shutil.rmtree(other.kz.home / "keys" / "daria")
    other.kz.fails(5, "credential", "accept", *files)
    world.kz.fails(3, "credential", "accept", world.carrier)
    world.kz.fails(2, "credential", "accept", *files, "--root", world.kz.roster)
    fails(2, "credential", "accept", *files)


# -- renewing -------------------------------------------------------------------------------------------------------------


def test_after_a_renewal_old_envelopes_are_opened_and_new_ones_are_sealed_to_the_new_key(world: World, travel: Callable[[int], None]) -> None:
    before = world.seal(name="before.vlz")
    travel(60)
    renewed = world.by.works("credential", "renew", "yanka", "--unprotected", "--json").facts["renewed"]
    assert {c["purpose"] for c in renewed} == {"open", "acknowledge", "countersign"}
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    travel(120)
    after = world.seal("--addressee=Yanka Kupava", "--addressee=Maryna Bor", name="after.vlz")
    verified = world.by.works("verify", after, "--json").facts["verified"]
    assert {c["credential"] for c in verified["addressees"]} >= {c["credential"] for c in renewed if c["purpose"] == "open"}
    for number, envelope in enumerate((before, after)):
        world.open(envelope, name=f"opened-{number}")
        answer = world.acknowledge(envelope, name=f"{number}.ack.vls")
        receipt = world.countersign(answer, envelope, name=f"{number}.receipt.vls")
        assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


def test_everybody_addressed_is_addressed_once_after_a_renewal(world: World, travel: Callable[[int], None]) -> None:
    travel(60)
    world.by.works("credential", "renew", "yanka:open", "--unprotected")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    travel(120)
    verified = world.by.works("verify", world.seal(), "--json").facts["verified"]
    assert sorted(c["name"] for c in verified["addressees"]) == ["Alena Kish", "Maryna Bor", "Yanka Kupava"]


def test_a_manifest_that_was_kept_is_read_after_a_renewal(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal()
    travel(60)
    world.kz.works("credential", "renew", "aigul", "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
    travel(120)
    shown = world.kz.works("register", "show", envelope, "--manifest", "--json").facts
    assert shown["manifest"]["purpose"] == "joint exercise"


def test_a_renewal_by_request_goes_to_another_office(world: World, travel: Callable[[int], None]) -> None:
    travel(60)
    asked = world.kz.works("credential", "renew", "aigul:seal", "--unprotected", "-o", world.path("r.vls"), "--json").facts
    assert asked["subject"] == next(c["subject"] for c in credentials(world.kz) if c["name"] == "Aigul Serik")
    made = issue(world.kz, world.path("r.vls"), world.path("i"), "--clearance=1")
    (one,) = world.kz.works("credential", "accept", *made["files"].values(), "--json").facts["accepted"]
    assert (one["officer"], one["file"]) == ("aigul", str(world.kz.home / "credentials" / "aigul" / "seal-2.vls"))


def credentials(office: Office) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = office.works("credential", "list", "--json").facts[office.party]
    return found


def test_the_same_key_is_renewed_only_for_the_time_after(world: World) -> None:
    """The officer's credential ends with his body's: so his body's is renewed first."""
    done = world.kz.fails(6, "credential", "renew", "aigul:seal", "--same-key")
    assert "leaves no time" in done.error
    ask(world.kz, "aigul:seal", world.path("r.vls"), "--same-key")
    given: list[str | Path] = ["credential", "issue", "--request", world.path("r.vls"), "--clearance=1", "-o", world.path("x")]
    assert "is in a live credential of 'Aigul Serik'" in world.kz.fails(6, *given).error
    assert len(list((world.kz.home / "keys" / "aigul").iterdir())) == 2, "no key was made"


@pytest.mark.parametrize(("words", "code"), [(["nobody"], 5), (["dana"], 5), (["aigul:countersign"], 5), (["aigul:certify"], 2), (["aigul:"], 2)])
def test_who_has_nothing_renews_nothing(words: list[str], code: int, world: World) -> None:
    before = listing(world.kz.home)
    world.kz.fails(code, "credential", "renew", *words, "--unprotected")
    assert listing(world.kz.home) == before


# -- a party with a quorum ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A party with a root of five custodians, and its competent body's office with a first roster."""
    folder = tmp_path_factory.mktemp("party") / "it"
    people, root = five_of(folder)
    fingerprint = works("root", "show", root, "--json").facts["roots"][0]["fingerprint"]
    works("office", "join", folder / "KZ", "--party=KZ", "--body=KZ-MFA", "--roster", root, "--root", fingerprint)
    body = Office(home=folder / "KZ", party="KZ", roster=folder / "KZ.roster.vls")
    ask(body, "office:certify,roster", folder / "body.vls")
    begun = works(
        "credential", "issue", "--request", folder / "body.vls", "--clearance=1", "--certifies-bodies", "--root", root,
        "--key", people.key("aliya"), "-o", folder / "begun", "--json",
    ).facts  # fmt: skip
    assert (begun["issued"], [one["says"]["purpose"] for one in begun["unfinished"]]) == ([], ["certify", "roster"])
    whole = [
        people.finish(folder / "begun" / f"{purpose}.vls", f"{purpose}.vls", "bolat", "dana", roots=(root,)) for purpose in ("certify", "roster")
    ]
    body.works("credential", "accept", *whole)
    body.works("roster", "publish", "-o", body.roster)
    return folder


@pytest.fixture
def own(party: Path, tmp_path: Path) -> tuple[Custodians, Office]:
    folder = shutil.copytree(party, tmp_path / "it")
    return Custodians(folder), Office(home=folder / "KZ", party="KZ", roster=folder / "KZ.roster.vls")


def test_what_a_root_begins_is_not_accepted_below_its_quorum(own: tuple[Custodians, Office]) -> None:
    people, body = own
    done = body.fails(4, "credential", "accept", people.path("begun") / "certify.vls")
    assert "1 custodians of the root of KZ signed, and 3 of 5 are needed" in done.error
    body.fails(4, "roster", "publish", "--add", people.path("begun") / "certify.vls", "-o", people.path("x"))


def test_a_custodian_issues_only_what_a_root_may(own: tuple[Custodians, Office]) -> None:
    people, body = own
    ask(body, "daria:seal", people.path("d.vls"))
    given: list[str | Path] = ["credential", "issue", "--clearance=1", "--root", body.roster, "-o", people.path("x")]
    fails(6, *given, "--request", people.path("d.vls"), "--key", people.key("aliya"))
    people.new("stranger")
    fails(6, *given, "--request", people.path("body.vls"), "--key", people.key("stranger"))
    done = fails(6, *given, "--request", people.path("body.vls"), "--key", people.key("aliya"))
    assert "was granted before" in done.error, "the roster is known, and has these keys"
    fails(6, *given, "--request", people.request("bolat"), "--key", people.key("aliya"))


def test_a_custodian_s_key_is_certified_for_nothing_else(own: tuple[Custodians, Office]) -> None:
    """He copies it into an office, and asks for it to be certified there: one key in two roles."""
    people, body = own
    stolen = Home(body.home, lambda: "")
    (stolen.home / "keys" / "daria").mkdir()
    shutil.copy(people.key("erlan"), stolen.home / "keys" / "daria" / "seal.key")
    from valiza.keys.request import RequestDraft, make_request  # noqa: PLC0415 - beside its only use

    key = load_key(people.key("erlan"), lambda: "")
    assert isinstance(key, SigningKey)
    at = int(time.time())
    draft = RequestDraft(subject=None, party="KZ", body_id="KZ-MFA", names={"en": "Daria"}, keys={"seal": key.public}, made_at=at)
    people.path("two.vls").write_bytes(make_request(draft, [key]).raw)
    done = body.fails(6, "credential", "issue", "--request", people.path("two.vls"), "--clearance=1", "-o", people.path("x"))
    assert done.error == "the key of a custodian is certified for nothing else"


def test_an_authorised_body_without_a_roster_key_is_published_by_the_competent_one(own: tuple[Custodians, Office]) -> None:
    people, body = own
    fingerprint = body.works("office", "show", "--json").facts["root"]
    other = Office(home=people.path("knb"), party="KZ", roster=body.roster)
    works("office", "join", other.home, "--party=KZ", "--body=KZ-KNB", "--roster", body.roster, "--root", fingerprint)
    ask(other, "office:certify", people.path("knb.vls"))
    body.fails(6, "credential", "issue", "--request", people.path("knb.vls"), "--clearance=1", "--certifies-bodies", "-o", people.path("x"))
    files = issue(body, people.path("knb.vls"), people.path("c"), "--clearance=2")["files"]
    other.works("credential", "accept", *files.values())
    other.fails(5, "roster", "publish", "-o", people.path("x"))
    body.works("roster", "publish", "-o", people.path("2.vls"))
    other.works("roster", "import", people.path("2.vls"))
    ask(other, "timur:seal,open", people.path("timur.vls"))
    other.fails(6, "credential", "issue", "--request", people.path("timur.vls"), "--clearance=1", "-o", people.path("x"))
    made = issue(other, people.path("timur.vls"), people.path("t"), "--clearance=2")["files"]
    other.works("credential", "accept", *made.values())
    added = [f"--add={path}" for path in made.values()]
    assert body.works("roster", "publish", *added, "-o", people.path("3.vls"), "--json").facts["credentials"] == 5
    other.works("roster", "import", people.path("3.vls"))
    assert other.works("office", "show", "--json").facts["officers"] == {"timur": ["seal", "open"]}


# -- wider than the issuer's ----------------------------------------------------------------------------------------------

WIDER: Final[dict[str, dict[str, Any]]] = {
    "purpose": {"purpose": "roster"},
    "another body": {"body": Body("KZ", "KZ-KNB")},
    "another party": {"body": Body("BY", "BY-MFA")},
    "clearance": {"clearance": "9"},
    "validity after": {"valid_until": "later"},
    "validity before": {"valid_from": "earlier"},
}


@pytest.mark.parametrize("change", WIDER.values(), ids=WIDER.keys())
def test_what_is_wider_than_its_issuer_s_is_refused_at_use_however_well_it_is_signed(change: dict[str, Any], world: World) -> None:
    """By a body with its own good key, and a program of its own: nobody verifies, accepts or publishes it."""
    office = Home(world.kz.home, lambda: "")
    issuer, key = office.credential("office", "certify"), office.signing_key("office", "certify")
    own = office.credential("aigul", "seal")
    times = {"later": issuer.valid_until + 1, "earlier": issuer.valid_from - 1}
    said: dict[str, Any] = {
        "subject": own.subject, "body": own.body, "names": own.names, "purpose": "seal", "public_key": SigningKey(bytes(64)).public,
        "clearance": own.clearance, "valid_from": own.valid_from, "valid_until": own.valid_until,
        **{field: times.get(value, value) if isinstance(value, str) else value for field, value in change.items()},
    }  # fmt: skip
    forged = sign_statement("valiza/v1/credential", CredentialDraft(**said).packed(), issuer_signs(issuer, [key]))
    path = world.path("forged.vls")
    path.write_bytes(forged.raw)
    world.by.fails(6, "credential", "verify", path)
    world.kz.fails(6, "credential", "accept", path)
    world.kz.fails(6, "roster", "publish", "--add", path, "-o", world.path("x"))
    shutil.copy(path, world.kz.home / "credentials" / "aigul" / "seal.vls")
    world.kz.fails(6, "roster", "publish", "-o", world.path("x"))
    world.kz.fails(6, *world.order(), "-o", world.path("x.vlz"))


# -- joining and publishing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["--root=" + "a" * 64], 4),
        (["--root=abc"], 2),
        (["--party=BY", "--body=BY-NEW"], 6),
        (["--party=kz"], 2),
        (["--body=kz"], 2),
        (["--officer=daria"], 2),
        (["--officer=daria="], 2),
        (["--officer=Daria=."], 2),
        (["--officer=daria=nowhere"], 7),
        (["--name=Ministry"], 2),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else str(value),
)
def test_an_office_that_cannot_join_leaves_nothing(wrong: list[str], code: int, world: World) -> None:
    before = listing(world.folder)
    given: list[str | Path] = ["--party=KZ", "--body=KZ-NEW", "--roster", world.kz.roster, "--root", world.kz.root]
    fails(code, "office", "join", world.path("new"), *given, *wrong)
    assert listing(world.folder) == before


def test_an_office_joins_by_words_and_never_over_another(world: World) -> None:
    words = works("root", "show", world.kz.roster, "--json").facts["roots"][0]["words"]
    given: list[str | Path] = ["--party=KZ", "--body=KZ-NEW", "--roster", world.kz.roster, "--root", words]
    facts = works("office", "join", world.path("new"), *given, "--json").facts
    assert (facts["root"], facts["roster"]["version"], facts["officers"]) == (world.kz.root, 1, {})
    fails(6, "office", "join", world.path("new"), *given)
    fails(3, "office", "join", world.path("other"), *given, "--roster", world.agreement)


def test_an_office_without_a_roster_shows_what_it_has(own: tuple[Custodians, Office]) -> None:
    people, body = own
    root = body.works("office", "show", "--json").facts["root"]
    facts = works(
        "office", "join", people.path("new"), "--party=KZ", "--body=KZ-NEW", "--roster", people.path("root.vls"), "--root", root, "--json"
    ).facts
    assert (facts["roster"], facts["root"], facts["roots"]) == (None, root, {"KZ": root})
    done = run("doctor", "--home", people.path("new"))
    assert "no roster of KZ is here" in done.out


def test_published_additions_are_told_apart_by_their_type(world: World) -> None:
    for wrong, code in ((world.agreement, 3), (world.by.roster, 3), (world.carrier, 3), (world.path("missing"), 7)):
        world.kz.fails(code, "roster", "publish", "--add", wrong, "-o", world.path("x"))
    assert not world.path("x").exists()
    assert world.kz.works("roster", "show", "--json").facts["KZ"]["version"] == 1
