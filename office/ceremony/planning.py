"""Writing plans: TOML for people to read and agree on, from what is known. What is written is read once more before it is handed out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.fields import utc
from valiza.office.ceremony.plan import read_plan
from valiza.office.home import toml_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from valiza.keys.fields import Names
    from valiza.office.ceremony.plan import Grant, NewRoot, Plan, Revoke

__all__ = ["Named", "Wanted", "write_plan"]


@dataclass(frozen=True, kw_only=True)
class Named:
    """Somebody whom a plan is to name; the attributes are those of `plan.Person`."""

    id: str
    names: Names
    key: str = "none"
    person: bytes | None = None
    present: bool = True
    lost: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a plan is to say."""

    kind: str
    title: str
    place: str
    code: bytes | None
    entropy: tuple[str, ...]
    operator: Named
    custodians: Sequence[Named]
    witnesses: Sequence[Named]
    roots: tuple[str, ...] = ()
    fingerprint: bytes | None = None
    new_root: NewRoot | None = None
    grants: Sequence[Grant] = ()
    revokes: Sequence[Revoke] = ()
    shareholders: Sequence[Named] = ()
    sealed_backup: bool = False
    inputs: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def write_plan(wanted: Wanted) -> Plan:
    """A plan as TOML.

    Raises:
        Malformed: what is wanted makes no plan.
    """
    return read_plan("\n".join(_lines(wanted)).encode("utf-8") + b"\n")


def _lines(wanted: Wanted) -> Iterable[str]:
    yield "# A ceremony, step by step: valiza ceremony show FILE. Its digest covers every byte of this file."
    yield f"ceremony = {toml_string(wanted.kind)}"
    yield f"title = {toml_string(wanted.title)}"
    if wanted.place:
        yield f"place = {toml_string(wanted.place)}"
    if wanted.code is not None:
        yield f'code = "{wanted.code.hex()}"  # of the program that was agreed on'
    if wanted.entropy:
        yield f"entropy = {_strings(wanted.entropy)}"
    if wanted.roots:
        yield from _root_before(wanted.roots, wanted.fingerprint)
    if wanted.sealed_backup:
        yield "sealed_backup = true  # the shares need a passphrase"
    if wanted.new_root is not None:
        yield from _new_root(wanted.new_root)
    yield from _people(wanted)
    for revoke in wanted.revokes:
        yield from _revoke(revoke)
    for grant in wanted.grants:
        yield from _grant(grant)
    if wanted.inputs:
        yield from ("", "[inputs]")
        yield from (f'{toml_string(name)} = "{digest(labels.DIGEST_STATEMENT, raw).hex()}"' for name, raw in sorted(wanted.inputs.items()))


def _root_before(files: tuple[str, ...], fingerprint: bytes | None) -> Iterable[str]:
    yield f"root = {toml_string(files[0]) if len(files) == 1 else _strings(files)}"
    if fingerprint is not None:
        yield f'root_fingerprint = "{fingerprint.hex()}"'


def _people(wanted: Wanted) -> Iterable[str]:
    yield from _person("[operator]", wanted.operator, key=None)
    for one in wanted.custodians:
        yield from _person("[[custodian]]", one, key="request")
    for one in wanted.shareholders:
        yield from _person("[[shareholder]]", one, key=None)
    for one in wanted.witnesses:
        yield from _person("[[witness]]", one, key="request" if one.key == "request" else "credential")


def _new_root(new: NewRoot) -> Iterable[str]:
    yield from ("", "[new_root]")
    if new.party is not None:
        yield f"party = {toml_string(new.party)}"
    yield f"names = {_names(new.names)}"
    if new.degrees is not None:
        yield f"degrees = {_strings(new.degrees)}  # the most secret first"
    yield f"threshold = {new.threshold}"
    yield f"valid_from = {utc(new.valid_from)}"
    yield f"valid_until = {utc(new.valid_until)}"


def _grant(grant: Grant) -> Iterable[str]:
    yield from (
        "",
        "[[credential]]",
        f"purpose = {toml_string(grant.purpose)}",
        f"body = {toml_string(grant.body)}",
        f"names = {_names(grant.names)}",
    )
    if grant.clearance is not None:
        yield f"clearance = {toml_string(grant.clearance)}"
    if grant.certifies_bodies:
        yield "certifies_bodies = true"
    yield f"valid_from = {utc(grant.valid_from)}"
    yield f"valid_until = {utc(grant.valid_until)}"
    yield f"request = {toml_string(grant.request)}"
    if grant.known:
        yield f"known = {_strings(grant.known)}"


def _revoke(revoke: Revoke) -> Iterable[str]:
    yield from ("", "[[revocation]]", f"credential = {toml_string(revoke.files[0])}")
    if revoke.files[1:]:
        yield f"issuers = {_strings(revoke.files[1:])}"
    yield f"kind = {toml_string(revoke.kind)}"
    yield f"reason = {toml_string(revoke.reason)}"
    yield f"number = {revoke.number}  # in the series of the root"
    if revoke.effective_at is not None:
        yield f"effective_at = {utc(revoke.effective_at)}"


def _person(heading: str, one: Named, *, key: str | None) -> Iterable[str]:
    yield from ("", heading, f"id = {toml_string(one.id)}", f"names = {_names(one.names)}")
    if key is None:
        return
    yield f"key = {toml_string(one.key)}"
    if one.person is not None:
        yield f'person = "{one.person.hex()}"'
    if not one.present:
        yield "present = false"
    if one.lost:
        yield "lost = true"
    if one.files:
        yield f"{key} = {toml_string(one.files[0])}"
    if one.files[1:]:
        yield f"issuers = {_strings(one.files[1:])}"


def _names(names: Names) -> str:
    return "{ " + ", ".join(f"{tag} = {toml_string(text)}" for tag, text in names.items()) + " }"


def _strings(values: Iterable[str]) -> str:
    return "[" + ", ".join(toml_string(value) for value in values) + "]"
