"""Evidence bundles for tests: a whole exchange in two offices that cosign each other's logs, and ways to take a bundle apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.support.cli import Office, World, found_world

from valiza.keys.errors import ValizaError
from valiza.office.evidence import Evidence, verify_evidence
from valiza.register.bundle import Bundle, LoggedEntry, pack_bundle, read_bundle_file, read_leaf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """Two offices, an envelope with two carriers that was delivered, and another one that was.

    The bundles: `origin` shows the manifest, `destination` manifest and both carriers, `other` is about the other envelope.
    """

    world: World
    envelope: Path
    origin: Path
    destination: Path
    other: Path

    @property
    def fingerprints(self) -> list[bytes]:
        """Of both roots."""
        return [bytes.fromhex(office.root) for office in (self.world.kz, self.world.by)]

    @property
    def roots(self) -> list[str]:
        """The same as options."""
        return [f"--root={office.root}" for office in (self.world.kz, self.world.by)]


def cosign(one: Office, other: Office, world: World) -> None:
    """An office signs the head of its log, and the other one cosigns it."""
    request, note = world.path(f"{one.party}.request"), world.path(f"{one.party}.cosigned")
    one.works("register", "checkpoint", "--agreement=kz-by", "--for", other.body, "-o", request)
    other.works("register", "cosign", request, "-o", note)
    one.works("register", "import", note)


def make_case(folder: Path) -> Case:
    """The whole exchange, twice."""
    world = found_world(folder)
    second = world.path("list.csv")
    second.write_text("name;number\n" * 3000, encoding="utf-8")
    envelopes = [world.seal(files=[world.carrier, second], name=f"{name}.vlz") for name in ("first", "second")]
    for envelope in envelopes:
        world.open(envelope, name=f"{envelope.stem}.opened")
        answer = world.acknowledge(envelope, name=f"{envelope.stem}.ack.vls")
        world.kz.works("receipt", "verify", world.countersign(answer, envelope, name=f"{envelope.stem}.receipt.vls"))
    cosign(world.kz, world.by, world)
    cosign(world.by, world.kz, world)
    case = Case(world, envelopes[0], *(world.path(f"{name}.vle") for name in ("origin", "destination", "other")))
    world.kz.works("evidence", "make", envelopes[0], "--disclose=manifest", "-o", case.origin)
    shown = ("--disclose=manifest", "--disclose=0", "--disclose=list.csv", "--as=yanka")
    world.by.works("evidence", "make", envelopes[0], *shown, "-o", case.destination)
    world.kz.works("evidence", "make", envelopes[1], "--disclose=manifest", "-o", case.other)
    return case


def taken_apart(path: Path) -> tuple[Bundle, bytes]:
    """A bundle, and the streams behind it."""
    with path.open("rb", buffering=0) as source:
        found = read_bundle_file(source)
        source.seek(found.streams_at)
        return found.bundle, source.read()


def write(path: Path, bundle: Bundle, streams: bytes = b"") -> Path:
    """Put one together again."""
    path.write_bytes(pack_bundle(bundle) + streams)
    return path


def outcome(case: Case, path: Path) -> Evidence | ValizaError:
    """What comes of a bundle."""
    try:
        return verify_evidence(path, case.fingerprints)
    except ValizaError as error:
        return error


def entries(bundle: Bundle, change: Callable[[LoggedEntry], LoggedEntry | None], kind: str, part: int = 0) -> Bundle:
    """A bundle in whose log every entry of a kind is another one, or none."""
    changed = []
    for entry in bundle.logs[part].entries:
        new = change(entry) if read_leaf(entry.leaf).facts.kind == kind else entry
        changed += [] if new is None else [new]
    parts = list(bundle.logs)
    parts[part] = replace(parts[part], entries=tuple(changed))
    return replace(bundle, logs=tuple(parts))


def edited(entry: LoggedEntry, **changes: Any) -> LoggedEntry:
    """Another entry."""
    return replace(entry, **changes)
