"""Somebody of the same body who uses the office's folder as he likes: with keys of his own, with an editor, with SQLite, with a backup."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import Office, World, found_world, works
from tests.support.world import seeded

from valiza.envelope.agreement import sign_agreement
from valiza.envelope.draft import packaged_draft, read_draft
from valiza.envelope.journal import Opening
from valiza.keys.credential import CredentialDraft, issue_credential
from valiza.keys.fields import Body
from valiza.keys.keyfile import load_key
from valiza.keys.recipient import Identity
from valiza.keys.root import make_root, sole_root
from valiza.keys.roster import Roster, make_roster, read_roster
from valiza.keys.signing import SigningKey, VerifyKey

if TYPE_CHECKING:
    from pathlib import Path


def _rewritten(office: Office, *statements: str) -> None:
    """The register, after somebody with SQLite and no scruples was at it."""
    with closing(sqlite3.connect(office.home / "register.db", isolation_level=None)) as register:
        for (trigger,) in register.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            register.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            register.execute(statement)


# -- in another's name ----------------------------------------------------------------------------------------------------


def test_own_key_and_credential_in_a_colleague_s_folder(world: World) -> None:
    """The envelope names whose credential it is, whatever the folder is called."""
    world.kz.works("credential", "issue", "nurlan:seal:1:Nurlan", "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
    world.by.works("roster", "import", world.path("KZ-2.vls"))
    for folder, suffix in (("credentials", "vls"), ("keys", "key")):
        shutil.copy(world.kz.home / folder / "nurlan" / f"seal.{suffix}", world.kz.home / folder / "aigul" / f"seal.{suffix}")
    envelope = world.seal("--as=aigul")
    assert world.by.works("verify", envelope, "--json").facts["verified"]["sealer"]["name"] == "Nurlan"


def test_keys_without_passphrase_are_everybody_s_who_has_the_folder(world: World) -> None:
    """The limit: with `--unprotected` two officers are two words on a command line."""
    envelope, _, receipt = world.exchange()
    facts = world.kz.works("receipt", "verify", receipt, "--envelope", envelope, "--json").facts
    assert facts["verdict"] == "delivered"
    assert facts["verified"]["answer"]["answered_by"]["subject"] != facts["verified"]["countersigned_by"]["subject"]


def test_one_person_with_two_subjects_answers_and_countersigns_alone(world: World) -> None:
    """The limit: "another person" is another subject, and whoever certifies decides who is one."""
    world.by.works("credential", "issue", "second:countersign:1:Yanka Kupava", "--unprotected")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    envelope = world.seal()
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope, officer="second")
    facts = world.kz.works("receipt", "verify", receipt, "--json").facts
    assert facts["verdict"] == "delivered"
    assert facts["verified"]["answer"]["answered_by"]["name"] == facts["verified"]["countersigned_by"]["name"] == "Yanka Kupava"


def test_office_that_says_it_is_another_body(world: World) -> None:
    """`office.toml` is believed by the office alone; credentials say what body they are of."""
    envelope = world.seal()
    for office in (world.kz, world.by):
        config = office.home / "office.toml"
        config.write_text(config.read_text(encoding="utf-8").replace(f'"{office.body}"', f'"{office.party}-BANK"', 1), encoding="utf-8")
    world.by.fails(6, "open", envelope, "-o", world.path("out"), "--as=yanka")
    world.kz.fails(6, *world.order("-o", world.path("other.vlz")))
    assert not world.path("other.vlz").exists()


# -- the register ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    ["UPDATE entry SET note = 'delivered'", "DELETE FROM entry", "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE seq = 1"],
    ids=["changed", "removed", "replaced"],
)
def test_register_with_its_triggers_is_not_rewritten(statement: str, world: World) -> None:
    world.seal()
    with closing(sqlite3.connect(world.kz.home / "register.db", isolation_level=None)) as register, pytest.raises(sqlite3.IntegrityError):
        register.execute(statement)


def test_register_without_its_triggers_is_rewritten_and_nothing_tells(world: World) -> None:
    """The limit where no head was ever signed: an envelope that was sent is gone, and its receipt was never asked for."""
    _, _, receipt = world.exchange()
    _rewritten(world.kz, "DELETE FROM entry")
    assert world.kz.works("register", "list", "--json").facts["envelopes"] == []
    done = world.kz.run("receipt", "verify", receipt, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "unsolicited")


def test_register_that_is_made_to_say_delivered_makes_no_receipt(world: World) -> None:
    """For others it is nothing: there is no receipt to show."""
    envelope = world.seal()
    said = "seq + 1, at, 'receipt', direction, number, agreement, place + 1, origin_party, origin_body, envelope_id, dispatch_digest, 'delivered'"
    kept = "x'00', x'', blind, leaf_hash, link, leaf_hash"
    _rewritten(world.kz, f"INSERT INTO entry SELECT {said}, {kept} FROM entry WHERE kind = 'sealed'")  # noqa: S608 - constant text
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "delivered"
    world.open(envelope)
    right = world.countersign(world.acknowledge(envelope), envelope)
    assert world.kz.run("receipt", "verify", right, "--json").facts["verdict"] == "conflict"


def test_opening_that_is_written_into_the_register_is_countersigned_and_the_origin_tells(world: World) -> None:
    """A countersigner whose register was rewritten confirms an opening of other contents; what the origin sealed is compared there."""
    envelope = world.seal()
    world.open(envelope)
    with closing(sqlite3.connect(world.by.home / "register.db")) as register:
        (record,) = register.execute("SELECT record FROM entry WHERE kind = 'opened'").fetchone()
    opening = Opening.read(record)
    (right,) = opening.expectation.openings
    assert right is not None
    false = record.replace(right, bytes(32))
    assert false != record
    _rewritten(world.by, f"UPDATE entry SET record = x'{false.hex()}' WHERE kind = 'opened'")  # noqa: S608 - hexadecimal digits
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    assert "another openings" in world.kz.fails(4, "receipt", "verify", receipt).error


# -- whom the office trusts -----------------------------------------------------------------------------------------------


def test_other_party_s_root_and_roster_replaced(world: World, tmp_path: Path) -> None:
    """By those of somebody who calls himself BY: the agreement is not signed by that root, so nothing is sealed to him."""
    false = found_world(tmp_path / "false")
    shutil.copy(false.by.home / "roots" / "BY", world.kz.home / "roots" / "BY")
    shutil.copy(false.by.home / "rosters" / "BY-000001.vls", world.kz.home / "rosters" / "BY-000001.vls")
    world.kz.fails(4, *world.order("-o", world.path("out.vlz")))
    shutil.rmtree(world.kz.home / "agreements")
    shutil.copytree(false.kz.home / "agreements", world.kz.home / "agreements")
    world.kz.fails(4, *world.order("-o", world.path("out.vlz")))
    assert not world.path("out.vlz").exists()


def test_both_roots_replaced(world: World, tmp_path: Path) -> None:
    """Rosters and agreement with them: then the officer's own credential is in none of it."""
    false = found_world(tmp_path / "false")
    for folder in ("roots", "rosters", "agreements"):
        shutil.rmtree(world.kz.home / folder)
        shutil.copytree(false.kz.home / folder, world.kz.home / folder)
    assert "not in the roster" in world.kz.fails(6, *world.order("-o", world.path("out.vlz"))).error


def _false_party(party: str, root_key: SigningKey, officers: dict[str, tuple[str, bytes]]) -> Roster:
    """A party by somebody who likes to be one: with the right names, and officers with whatever public keys."""
    draw = seeded(f"false {party}")
    span = {"valid_from": 1, "valid_until": 4_000_000_000}
    alone = VerifyKey(root_key.public)
    sole = sole_root(party_id=party, party_names={"en": party}, degrees=("1", "2", "3"), custodian=bytes(16), key=alone, **span)
    root = make_root(sole, [root_key])
    body, certify, publish = Body(party, f"{party}-MFA"), SigningKey.generate(draw), SigningKey.generate(draw)

    def draft(name: str, purpose: str, public: bytes) -> CredentialDraft:
        return CredentialDraft(
            subject=draw(16),
            body=body,
            names={"en": name},
            purpose=purpose,
            public_key=public,
            clearance="1",
            valid_from=1,
            valid_until=4_000_000_000,
        )

    issuer = issue_credential(draft("body", "certify", certify.public), issuer=root, keys=[root_key])
    signer = issue_credential(draft("body", "roster", publish.public), issuer=root, keys=[root_key])
    people = [issue_credential(draft(name, purpose, public), issuer=issuer, keys=[certify]) for name, (purpose, public) in officers.items()]
    now = int(time.time())
    return make_roster(
        version=1, issued_at=now, expires_at=now + 365 * 86400, roots=[root], credentials=[issuer, *people], signer=signer, key=publish
    )


def test_whole_folder_replaced_but_for_the_keys(world: World) -> None:
    """The limit: who can write all of the folder has an officer seal with the right key to readers of his choice, under a treaty of his own."""
    home = world.kz.home
    own = read_roster(world.kz.roster.read_bytes(), bytes.fromhex(world.kz.root))
    (aigul,) = [c for c in own.credentials.values() if c.purpose == "seal"]
    thief = Identity.generate(seeded("thief"))
    keys = {party: SigningKey.generate(seeded(f"root {party}")) for party in ("KZ", "BY")}
    rosters = {
        "KZ": _false_party("KZ", keys["KZ"], {"Aigul Serik": ("seal", aigul.verify_key.raw)}),
        "BY": _false_party("BY", keys["BY"], {"Yanka Kupava": ("open", thief.public)}),
    }
    profile = read_draft(packaged_draft("kz-by"))
    half = sign_agreement(profile, root=rosters["BY"].root, keys=[keys["BY"]])
    agreement = sign_agreement(profile, root=rosters["KZ"].root, keys=[keys["KZ"]], begun=half)
    for party, roster in rosters.items():
        (home / "roots" / party).write_text(roster.root.fingerprint, encoding="ascii")
        (home / "rosters" / f"{party}-000001.vls").write_bytes(roster.raw)
    for adopted in (home / "agreements").iterdir():
        adopted.write_bytes(agreement.raw)
    (sealing,) = [c for c in rosters["KZ"].credentials.values() if c.purpose == "seal"]
    (home / "credentials" / "aigul" / "seal.vls").write_bytes(sealing.raw)
    (home / "credentials" / "aigul" / "open.vls").unlink()
    assert load_key(home / "keys" / "aigul" / "seal.key", str).public == aigul.verify_key.raw
    envelope = world.seal("--single")
    world.by.fails(4, "verify", envelope)  # no other office takes it: fingerprints are compared between people
    shown = works("office", "show", "--home", home, "--json").facts
    assert shown["root"] == rosters["KZ"].root.fingerprint != own.root.fingerprint


def test_newer_roster_taken_away(world: World) -> None:
    """The limit: an office knows of a roster what lies in its folder. A backup of the folder brings the older one back."""
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    (world.kz.home / "rosters" / "BY-000002.vls").unlink()
    assert world.kz.works("roster", "show", "--json").facts["BY"]["version"] == 1


def test_end_of_the_agreement_taken_away(world: World) -> None:
    """The limit, as above: this office seals on. Those who have adopted the end refuse it."""
    end = world.path("end.vls")
    world.by.works("agreement", "terminate", "kz-by", "--takes-effect=2040-01-01T00:00:00Z", "-o", end)
    for office in (world.kz, world.by):
        office.works("agreement", "adopt", end)
    (adopted,) = (world.kz.home / "agreements").glob("termination-*")
    adopted.unlink()
    assert world.kz.works("agreement", "list", "--json").facts["adopted"][0]["terminated_at"] is None
    assert world.by.works("agreement", "list", "--json").facts["adopted"][0]["terminated_at"] == "2040-01-01T00:00:00Z"
