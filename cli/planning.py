"""What somebody typed of a ceremony that is to be planned, and what the files say that he named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from valiza.cli.options import now, parse_time, typed
from valiza.cli.people import parse_names
from valiza.keys import labels
from valiza.keys.errors import Usage
from valiza.keys.files import read_file
from valiza.keys.fingerprint import parse_fingerprint
from valiza.keys.request import read_request
from valiza.keys.root import Root, read_root
from valiza.keys.statement import LIMITS, read_statement
from valiza.office.ceremony.code import this_tool
from valiza.office.ceremony.plan import GRANTED, ROOT_KINDS, Grant, NewRoot, Revoke
from valiza.office.ceremony.planning import Named, Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.keys.fields import Names
    from valiza.keys.root import Custodian

__all__ = ["wanted"]

_DAY: Final = 86400
_ROOT_DAYS, _CREDENTIAL_DAYS = 3650, 1825
_MAX: Final = LIMITS[labels.ROOT]


@dataclass(frozen=True)
class _Files:
    """Files beside a plan, read as they are named."""

    folder: Path
    read: dict[str, bytes]

    def name(self, path: Path) -> str:
        """What the plan calls a file."""
        if path.parent.resolve() != self.folder.resolve():
            message = f"{str(path)!r} does not lie beside the plan"
            raise Usage(message, "the files that a plan names lie in its folder: copy it there")
        self.read[path.name] = read_file(path, _MAX)
        return path.name


def wanted(folder: Path, given: dict[str, Any]) -> Wanted:
    """What a plan in a folder is to say, by the options given.

    Raises:
        Usage: something is missing, or does not belong to this kind. Malformed, NotAuthentic: a file is not what it is named for.
    """
    kind, files = given["kind"], _Files(folder, {})
    roots = tuple(files.name(path) for path in given["roots"])
    if bool(roots) == (kind == "new-root"):
        message = "a first root has none before it" if roots else f"a {kind} needs the root before it"
        raise Usage(message, "leave out --root" if roots else "give --root FILE")
    with typed("--root-fingerprint"):
        fingerprint = None if given["root_fingerprint"] is None else parse_fingerprint(given["root_fingerprint"])
    if fingerprint is not None and not roots:
        message = "a first root has none before it"
        raise Usage(message, "leave out --root-fingerprint")
    root = read_root(files.read[roots[-1]]) if roots else None
    begin = now() if given["valid_from"] is None else parse_time(given["valid_from"])
    validity = (begin, _until(given, root, begin))
    return Wanted(
        kind=kind,
        title=given["title"],
        place=given["place"],
        code=this_tool().code if given["this_code"] else None,
        entropy=tuple(sorted(set(given["entropy"]))),
        operator=_person(given["operator"], "--operator"),
        custodians=_custodians(given, root, files),
        witnesses=[_witness(one, files) for one in given["witnesses"]],
        shareholders=[_person(one, "--shareholder") for one in given["shareholders"]],
        sealed_backup=given["sealed_backup"],
        roots=roots,
        fingerprint=fingerprint,
        new_root=_new_root(given, root, validity) if kind in ROOT_KINDS else None,
        revokes=_revokes(given, files) if kind == "compromise" else (),
        grants=_grants(given, files, validity) if kind == "new-body" or given["request"] is not None else (),
        inputs=files.read,
    )


def _until(given: dict[str, Any], root: Root | None, begin: int) -> int:
    """Until when what is made is valid; a credential without another word never longer than the root, and a replacement as long as that."""
    if root is not None and given["kind"] == "replacement":
        if given["validity"] is not None:
            message = "a replacement is valid for as long as the root before"
            raise Usage(message, "leave out --validity, or plan a rotation")
        return root.valid_until
    if given["validity"] is not None:
        return int(begin + given["validity"] * _DAY)
    if root is None or given["kind"] in ROOT_KINDS:
        return begin + _ROOT_DAYS * _DAY
    return min(begin + _CREDENTIAL_DAYS * _DAY, root.valid_until)


def _person(written: str, option: str, key: str = "none", **more: Any) -> Named:  # noqa: ANN401 - fields of Named
    id_, colon, name = written.partition(":")
    if not colon or not name:
        message = f"{option}: {written!r} is nobody"
        raise Usage(message, "write ID:NAME, for example aliya:Aliya Serik")
    return Named(id=id_, names=more.pop("names", {"en": name}), key=key, **more)


def _custodians(given: dict[str, Any], root: Root | None, files: _Files) -> list[Named]:
    kind = given["kind"]
    key = "new" if kind in ROOT_KINDS else "recover" if kind == "recovery" else "previous"
    options = [("--custodian", key, one) for one in given["custodians"]]
    options += [("--keeps", "previous", one) for one in given["keeps"]]
    options += [("--leaves", "none", one) for one in given["leaves"]]
    ids = {one.partition("=" if "=" in one.partition(":")[0] else ":")[0] for _, _, one in options}
    unknown = sorted({*given["absent"], *given["lost"]} - ids)
    if unknown:
        message = f"nobody is called {', '.join(unknown)}"
        raise Usage(message, "--absent and --lost take the ID of a custodian")
    return [_custodian(option, key, one, root, files, given) for option, key, one in options]


def _custodian(option: str, key: str, written: str, root: Root | None, files: _Files, given: dict[str, Any]) -> Named:
    id_, equals, file = written.partition("=")
    more: dict[str, Any] = {}
    if equals and ":" not in id_:
        name = files.name(files.folder / file)
        asked = read_request(files.read[name])
        called = asked.names
        more = {"key": "request", "files": (name,)}
        before = next((c for c in _of(root) if c.id == asked.subject), None)
    else:
        person = _person(written, option)
        id_, called = person.id, person.names
        before = _before(person.names["en"], root)
        more = {"key": key}
        if before is None and key != "new":
            message = f"{option}: the root has no custodian {person.names['en']!r}"
            raise Usage(message, f"it has {', '.join(repr(_title(c.names)) for c in _of(root))}" if root else "")
    if before is not None:
        called = before.names
        more["person"] = before.id
    return Named(id=id_, names=called, present=id_ not in given["absent"], lost=id_ in given["lost"], **more)


def _of(root: Root | None) -> tuple[Custodian, ...]:
    return () if root is None else root.custodians


def _before(name: str, root: Root | None) -> Custodian | None:
    """The custodian of the root before who has a name, in any language."""
    found = [c for c in _of(root) if name in c.names.values()]
    if len(found) > 1:
        message = f"{len(found)} custodians of the root are called {name!r}"
        raise Usage(message, "write the plan with other names, and put the right person into it by hand")
    return found[0] if found else None


def _title(names: Names) -> str:
    return names.get("en", next(iter(names.values())))


def _witness(written: str, files: _Files) -> Named:
    id_, equals, listed = written.partition("=")
    if not equals or ":" in id_:
        return _person(written, "--witness", key="new")
    names = tuple(files.name(files.folder / name) for name in listed.split(","))
    statement = read_statement(files.read[names[0]], labels.REQUEST, labels.CREDENTIAL)
    if statement.type == labels.REQUEST:
        return Named(id=id_, names=read_request(statement.raw).names, key="request", files=names)
    from valiza.keys.encoding import unpack

    called = unpack(statement.body, max_bytes=len(statement.body), what="credential")[3]  # the plan's reader has the last word on it
    return Named(id=id_, names=called, key="act", files=names)


def _new_root(given: dict[str, Any], root: Root | None, validity: tuple[int, int]) -> NewRoot:
    degrees = None if given["degrees"] is None else tuple(given["degrees"].split(","))
    if root is None and (given["party"] is None or degrees is None or given["threshold"] is None):
        message = "a first root needs a party, its degrees and a threshold"
        raise Usage(message, "give --party, --degrees and --threshold")
    if root is not None and (given["party"] is not None or degrees is not None):
        message = "party and degrees of a root stay as they are"
        raise Usage(message, "leave out --party and --degrees")
    return NewRoot(
        party=given["party"],
        degrees=degrees,
        names=root.names if root is not None and not given["names"] else parse_names(given["names"], given["party"] or ""),
        threshold=given["threshold"] or (0 if root is None else root.threshold),
        valid_from=validity[0],
        valid_until=validity[1],
    )


def _revokes(given: dict[str, Any], files: _Files) -> list[Revoke]:
    if not given["revoke"] or given["number"] is None:
        message = "a compromise needs the credential that is to be revoked, and the number of the revocation"
        raise Usage(message, "give --revoke FILE and --number N; valiza roster show tells how many there are")
    named = tuple(files.name(path) for path in given["revoke"])
    effective = None if given["effective"] is None else parse_time(given["effective"])
    return [Revoke(files=named, kind=given["revocation"], reason=given["reason"], number=given["number"], effective_at=effective)]


def _grants(given: dict[str, Any], files: _Files, validity: tuple[int, int]) -> list[Grant]:
    if given["request"] is None:
        message = "a new body needs its request"
        raise Usage(message, "give --request FILE")
    name = files.name(given["request"])
    asked = read_request(files.read[name])
    known = tuple(files.name(path) for path in given["known"])
    found = [
        Grant(
            purpose=purpose,
            body=asked.body_id or "",
            names=asked.names,
            clearance=given["clearance"] if purpose == "certify" else None,
            certifies_bodies=given["certifies_bodies"] and purpose == "certify",
            valid_from=validity[0],
            valid_until=validity[1],
            request=name,
            known=known,
        )
        for purpose in GRANTED
        if purpose in asked.keys
    ]
    if not found:
        message = f"the request of {asked.title!r} asks for nothing that a root certifies: {', '.join(GRANTED)}"
        raise Usage(message)
    return found
