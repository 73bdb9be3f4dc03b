"""Seeds: what specs/vectors holds, taken apart for each target. Nothing is copied into the repository."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fuzz import world
from fuzz.targets import TARGETS

from valiza.envelope.acknowledgement import Refusal, peek_answer
from valiza.envelope.container import Container, read_container
from valiza.envelope.draft import packaged_draft
from valiza.envelope.header import PREFIX
from valiza.envelope.journal import Opening
from valiza.envelope.manifest import Manifest, pack_manifest
from valiza.envelope.manifest_copy import make_manifest_copy
from valiza.envelope.opening import unseal_manifest
from valiza.envelope.receipt import peek_receipt
from valiza.envelope.verifying import VerifiedDispatch
from valiza.gateway.rules import DEFAULT
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import ValizaError
from valiza.keys.external import ExternalSigner, ExternalSigningKey
from valiza.keys.keyfile import Argon2Cost, save_key
from valiza.keys.log_key import LogSigningKey
from valiza.keys.recipient import Identity
from valiza.keys.signing import SigningKey
from valiza.keys.statement import LIMITS, Statement, read_statement
from valiza.register.bundle import ANSWER, RECEIPT, Bundle, LoggedEntry, LogPart, pack_bundle
from valiza.register.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HERE: Final = Path(__file__).resolve().parent
CORPUS: Final = HERE / "corpus"
REGRESSIONS: Final = HERE / "regressions"

_ROUTE: Final = b'channel = "courier"\ntransport = "air"\nescort = "courier"\nreference = "No. 1"\n\n[[leg]]\nfrom = "Astana"\nto = "Minsk"\n'
_BASIS: Final = b'[[basis]]\nkind = "decision"\nreference = "No. 12"\nissued_by = "Government"\ndate = 2026-11-20\n'
_INVENTORY: Final = (
    b'[[carrier]]\nfile = "map.txt"\nmark = "2"\nmedia_type = "text/plain"\nregistration = "5/1"\ncopy = 1\nsheets = 0x10\n'
    b'classified_by = "A"\nground = "list"\n\n[[carrier]]\nphysical = true\nname = "parcel 1"\nmark = "1"\n'
)
_CSV: Final = (
    b"file,name,physical,mark,media_type,registration,copy,sheets,classified_by,ground\n"
    b'map.txt,,,2,text/plain,5/1,1,3,A,list\n,"parcel, 1",yes,1,,,,,,\n'
)
_OFFICE: Final = 'party = "KZ"\nbody = "KZ-MFA"\n\n[names]\nen = "Ministry"\nkk = "Министрлік"\n'.encode()
_SIGNERS: Final = b'[[key]]\nofficer = "aigul"\npurpose = "seal"\nreference = "pkcs11:object=a"\ncommand = ["/bin/sh", "-c", "true"]\n'
_ANSWERS: Final = (
    b'[passphrase]\naliya = 3\n[dice]\naliya = 4\n[open]\npresent = true\nplan = "3f5a"\n[draft.root]\nfingerprint = "shown"\n'
    b'[key.aliya]\nfile = "a.key"\nheard = true\n[sign.root.aliya]\nsign = false\n[attest.saule]\nsign = true\n[close]\nremark = "it snowed"\n'
)
_OPTIONS: Final = ("2026-01-01T00:00:00Z", "2026-01-01", "Astana:Minsk", "20260101T000000+0500", "9999-12-31T23:59:59-23:59")


def raws(*kinds: str) -> list[bytes]:
    """Vectors of some kinds."""
    return [raw for kind, raw in world.vectors() if kind in kinds]


@cache
def statements() -> tuple[Statement, ...]:
    """Every well-formed statement among the vectors, inside envelopes, answers and receipts too, each once."""
    found: dict[bytes, Statement] = {}
    pending = [raw for _, raw in world.vectors()] + [one.dispatch_raw for one in containers()]
    while pending:
        raw = pending.pop()
        if raw in found:
            continue
        try:
            found[raw] = read_statement(raw, *LIMITS)
            items = unpack(found[raw].body, max_bytes=max(LIMITS.values()), what="body")
        except ValizaError:
            continue
        for item in items if isinstance(items, list) else []:
            pending += [part for part in (item if isinstance(item, list) else [item]) if isinstance(part, bytes)]
    return tuple(found.values())


@cache
def containers() -> tuple[Container, ...]:
    """Every well-formed container among the vectors."""
    found = []
    for raw in raws("envelope", "rewrap"):
        try:
            found.append(read_container(io.BytesIO(raw)))
        except ValizaError:
            continue
    return tuple(found)


def bodies(type_: str) -> list[bytes]:
    """Bodies of all statements of a type."""
    return [one.body for one in statements() if one.type == type_]


@cache
def unsealed() -> tuple[tuple[bytes, bytes, list[bytes], int], ...]:
    """Core, manifest, carriers and time of the envelopes in the world."""
    found = []
    for name in ("letter", "bag", "closed"):
        verified = world.envelope(name).verified
        manifest = _manifest(verified)
        plains = [bytes(entry.size or 0) for entry in manifest.carriers if not entry.physical]  # their sizes matter here, not what they say
        found.append((verified.core.raw, pack(manifest.packed()), plains, verified.signed.body.sealed_at))
    return tuple(found)


def _handovers() -> list[bytes]:
    """Bodies of hand-overs: each by itself, and those that the vectors of custody judge together."""
    together = []
    for raw in raws("custody"):
        items = unpack(raw, max_bytes=1 << 20, what="custody")
        together.append([read_statement(one, labels.HANDOVER).body for one in items[0]] if isinstance(items, list) else [])
    return [pack([body]) for body in bodies(labels.HANDOVER)] + [pack(one) for one in together]


@cache
def _evidence() -> tuple[Bundle, ...]:
    """Bundles about receipts and answers of the world, made at the origin, with entries that are in no checkpoint."""
    found = []
    for raw in raws("receipt", "acknowledgement", "refusal"):
        try:
            statement = read_statement(raw, labels.RECEIPT, labels.ACKNOWLEDGEMENT, labels.REFUSAL)
            kind = RECEIPT if statement.type == labels.RECEIPT else ANSWER
            bare = Bundle(kind=kind, made_at=world.LATE, statement=raw, core=None, rosters=(), agreements=(), logs=())
            answer, core = peek_answer(peek_receipt(raw).answer if kind == RECEIPT else raw)
        except ValizaError:
            continue
        about = {"sealed": answer.dispatch, **({"receipt": raw} if kind == RECEIPT else {})}
        named = {"origin": core.origin, "envelope_id": core.envelope_id, "agreement": core.agreement}
        named["dispatch_digest"] = digest(labels.DIGEST_STATEMENT, answer.dispatch)
        notes = {"sealed": str(core.stamp.due_at), "receipt": "refused" if isinstance(answer, Refusal) else "delivered"}
        entries = [
            Entry(at=world.AT, kind=one, direction="out", statement=said, blind=bytes(16), note=notes[one], **named)  # type: ignore[arg-type]
            for one, said in about.items()
        ]
        logged = tuple(LoggedEntry(leaf=entry.leaf(), standing="entered", proof=b"") for entry in entries)
        known = [one.raw for one in map(world.agreement, world.AGREEMENTS) if one.digest == core.agreement]
        rosters = tuple(roster.raw for roster in sorted(world.rosters(), key=lambda roster: roster.party))
        found.append(replace(bare, rosters=rosters, agreements=tuple(known), logs=(LogPart(body=core.origin, entries=logged),)))
    return tuple(found)


def _manifest(verified: VerifiedDispatch) -> Manifest:
    keys, trust = world.identities(), world.trust()
    return unseal_manifest(verified, own=verified.core.destination, identities=keys, trust=trust, trust_rewrap=None, at=world.AT).manifest


def _manifest_streams() -> list[bytes]:
    found = []
    for name in ("letter", "bag", "closed"):
        verified = world.envelope(name).verified
        found.append(pack_manifest(_manifest(verified)))
    return found


def _copies() -> list[bytes]:
    credential, _ = next(iter(world.identities().items()))
    known = world.known(credential)
    copies = [make_manifest_copy(plain, bytes(32), [known] if known else [], lambda size: bytes(range(size))) for plain in _manifest_streams()]
    return [copy for copy in copies if copy is not None]


def _key_files() -> list[bytes]:
    found = []
    signer = ExternalSigner(reference="pkcs11:token=a;object=b", command=("/bin/signer", "--module", "/lib/a.so"))
    half = SigningKey(bytes(range(64))).public[-32:]
    seed = bytes(range(64))
    for key in (SigningKey(seed), LogSigningKey(seed), Identity(seed[:32]), ExternalSigningKey(seed[:32], half, signer)):
        for passphrase in (None, world.PASSPHRASE):
            path = world.folder() / "seed.key"
            path.unlink(missing_ok=True)
            with world.cheap_passphrases():
                save_key(path, key, passphrase=passphrase, random=bytes, cost=Argon2Cost(1, 8192))
            found.append(path.read_bytes())
            path.unlink()
    return found


def _public_keys() -> list[bytes]:
    return [c.key.raw for c in world.credentials()][:8]


def _opening_records() -> list[bytes]:
    return [
        Opening(expectation=world.record(name), credential=bytes(32), opened_at=world.AT, rewrap=rewrap).packed()
        for name, rewrap in (("letter", None), ("closed", b"rewrap"))
    ]


def _stamps() -> list[bytes]:
    return [pack(unpack(raw[len(PREFIX) :], max_bytes=1 << 20, what="core")[6]) for raw in _cores() if _decodes(raw)]


def _cores() -> list[bytes]:
    return [one.core_raw for one in containers()]


def _decodes(raw: bytes) -> bool:
    try:
        return isinstance(unpack(raw[len(PREFIX) :], max_bytes=1 << 20, what="core"), list)
    except ValizaError:
        return False


def _in_rosters(place: int, type_: str) -> list[bytes]:
    """Bodies of the statements of a type in the rosters of KZ and BY, whose issuers the world of the targets has."""
    found = []
    for path in sorted({*world.WORLD.glob("[kb][zy]-*.vls")} - {world.WORLD / "kz-ts.vls"}):
        roster = unpack(read_statement(path.read_bytes(), labels.ROSTER).body, max_bytes=LIMITS[labels.ROSTER], what="roster")
        found += [read_statement(raw, type_).body for raw in roster[place]]
    return found


def _statement_parts() -> list[bytes]:
    halves = [pack([s.type, s.body, [[s.signatures[0].header_bytes, s.signatures[0].signature]]]) for s in statements() if len(s.signatures) > 1]
    return [raw for kind, raw in world.vectors() if kind not in {"encoding", "envelope", "roster", "backup", "standing", "role"}] + halves


def _stanza_lists() -> list[bytes]:
    return [one.header_raw[one.core_length :] for one in containers()]


def _messages() -> list[bytes]:
    """Messages of every form that is taken apart, with objects that are only begun: what is in them matters elsewhere."""
    envelope, receipt = labels.MAGIC + bytes(range(40)), b"\x93\xb1" + labels.RECEIPT.encode("ascii") + bytes(range(20))
    top = b"From: a@b.example\r\nMIME-Version: 1.0\r\n"
    encoded = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(envelope)
    printable = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + binascii.b2a_qp(receipt, istext=False)
    named = b"Content-Type: a/b; name*0*=utf-8''%D0; name*1=a.vls\r\nContent-Disposition: attachment; filename=\"=?utf-8?B?0LA=?=\"\r\n"
    uu = b"\r\nbegin 644 a.vlz\r\n" + binascii.b2a_uu(envelope[:45]) + b"`\nend\r\n"
    yenc = b"\r\n=ybegin line=128 size=9 name=a\r\n" + bytes((byte + 42) % 256 for byte in receipt) + b"\r\n=yend\r\n"

    def parts(*inner: bytes, kind: bytes = b"mixed", boundary: bytes = b"x") -> bytes:
        body = b"".join(b"--%b\r\n%b\r\n" % (boundary, one) for one in inner)
        return b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n%b--%b--\r\n' % (kind, boundary, body, boundary)

    found = [
        top + encoded,
        top + parts(encoded, named + printable, uu, yenc),
        top + parts(parts(encoded, boundary=b"y"), b"Content-Type: message/rfc822\r\n\r\n" + top + parts(printable, boundary=b"z")),
        top + parts(b"\r\n" + top + encoded, kind=b"digest", boundary=b"=_1"),
        top + parts(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(top + encoded)),
        top + parts(b"Content-Type: application/ms-tnef; name=winmail.dat\r\n" + encoded, b"Content-Type: message/partial\r\n\r\n" + encoded),
        top + parts(encoded, boundary=b"x").replace(b"\r\n", b"\r"),
    ]
    return found + [one.replace(b"\r\n", b"\n") for one in found]


def _plans() -> list[bytes]:
    """Those in transcripts."""
    found = []
    for body in bodies(labels.TRANSCRIPT):
        try:
            items = unpack(body, max_bytes=1 << 23, what="transcript")
        except ValizaError:
            continue
        found += [item for item in items[2:3] if isinstance(item, bytes)]
    return found


def _single_stanzas() -> list[bytes]:
    found = []
    for raw in _stanza_lists():
        try:
            items = unpack(raw, max_bytes=1 << 20, what="stanzas")
        except ValizaError:
            continue
        found += [pack(item) for item in items if isinstance(items, list)]
    return found


_SEEDS: Final[dict[str, Callable[[], Iterable[bytes]]]] = {
    "encoding": lambda: raws("encoding"),
    "statement": _statement_parts,
    "signer-header": lambda: [entry.header_bytes for one in statements() for entry in one.signatures],
    "public-key": _public_keys,
    "root": lambda: bodies(labels.ROOT),
    "credential": lambda: bodies(labels.CREDENTIAL),
    "request": lambda: bodies(labels.REQUEST),
    "roster": lambda: bodies(labels.ROSTER),
    "key-file": lambda: _key_files() + raws("key-file"),
    "signer-question": lambda: raws("signer-question"),
    "signer-reply": lambda: raws("signer-reply"),
    "sheet": lambda: [sheet for raw in raws("backup") for sheet in re.split(rb"(?m)^(?=VALIZA)", raw) if sheet],
    "fingerprint": lambda: [bytes(range(32)).hex().encode(), b"AB:cd " * 16, bytes(32).hex(" ").encode()],
    "agreement": lambda: bodies(labels.AGREEMENT),
    "revocation": lambda: bodies(labels.REVOCATION) + _in_rosters(6, labels.REVOCATION),
    "standing": lambda: raws("standing"),
    "designation": lambda: _in_rosters(7, labels.DESIGNATION),
    "role": lambda: raws("role"),
    "termination": lambda: bodies(labels.TERMINATION),
    "clearance-enquiry": lambda: bodies(labels.CLEARANCE_ENQUIRY),
    "clearance-confirmation": lambda: bodies(labels.CLEARANCE_CONFIRMATION),
    "draft": lambda: [packaged_draft("kz-by")],
    "core": _cores,
    "stamp": _stamps,
    "route": lambda: [pack(items[3]) for raw in _stamps() if isinstance((items := unpack(raw, max_bytes=1 << 20, what="stamp")), list)],
    "stanzas": _stanza_lists,
    "stanza": _single_stanzas,
    "container": lambda: raws("envelope"),
    "dispatch": lambda: bodies(labels.DISPATCH),
    "manifest": _manifest_streams,
    "manifest-body": lambda: [body for _, body, _, _ in unsealed()],
    "manifest-copy": _copies,
    "name": lambda: [b"map.txt", "письмо.txt".encode(), b"..", b"CON.txt", b"a/b", "a\u202eb".encode()],
    "rewrap": lambda: bodies(labels.REWRAP),
    "transport-notice": lambda: bodies(labels.TRANSPORT_NOTICE),
    "handovers": _handovers,
    "overdue": lambda: bodies(labels.OVERDUE),
    "opening": lambda: [pack(list(parts)) for parts in unsealed()],
    "acknowledgement": lambda: bodies(labels.ACKNOWLEDGEMENT),
    "refusal": lambda: bodies(labels.REFUSAL),
    "receipt": lambda: bodies(labels.RECEIPT),
    "expectation": lambda: [world.record(name).packed() for name in ("letter", "closed", "bag")],
    "opening-record": _opening_records,
    "route-file": lambda: [_ROUTE],
    "basis-file": lambda: [_BASIS],
    "inventory-toml": lambda: [_INVENTORY],
    "inventory-csv": lambda: [_CSV],
    "signers-file": lambda: [_SIGNERS],
    "office-file": lambda: [_OFFICE],
    "options": lambda: [text.encode() for text in _OPTIONS],
    "terminal": lambda: ["Құпия\n\u202e\x1b[31m".encode(), b"\xff\xfe"],
    "inspect": lambda: [raw for kind, raw in world.vectors() if kind != "encoding"],
    "mail": _messages,
    "rules": lambda: [DEFAULT.encode(), DEFAULT.replace("\n# ", "\n").partition("\n")[2].encode()],
    "marks": lambda: ["Құпия\n".encode(), "Гриф: секретно".encode(), b"<b>top</b>&nbsp;secret<!-- x -->", b"\xe2\x80\x8b(\xd0\xa1)"],
    "plan": _plans,
    "answers": lambda: [_ANSWERS],
    "transcript": lambda: bodies(labels.TRANSCRIPT),
    "leaf": lambda: [entry.leaf for bundle in _evidence() for entry in bundle.logs[0].entries],
    "evidence": lambda: [replace(bundle, rosters=()).packed() for bundle in _evidence()],
    "signed-note": lambda: raws("checkpoint"),
    "checkpoint": lambda: raws("checkpoint"),
    "tlog-proof": lambda: raws("tlog-proof"),
    "cosign-request": lambda: raws("cosign-request"),
    "whole-transcript": lambda: raws("transcript"),
    "whole-envelope": lambda: raws("envelope"),
    "whole-answer": lambda: raws("acknowledgement", "refusal"),
    "whole-receipt": lambda: raws("receipt"),
    "whole-roster": lambda: raws("roster"),
    "whole-agreement": lambda: raws("agreement"),
    "whole-dispatch": lambda: raws("statement"),
    "whole-clearance": lambda: raws("clearance-confirmation"),
    "whole-evidence": lambda: [pack_bundle(bundle) for bundle in _evidence()[:8]],
    "whole-transport": lambda: raws("transport-notice", "handover", "overdue"),
}


def seeds(name: str) -> list[bytes]:
    """Seeds of a target from the vectors, each once, none longer than the target takes."""
    found = dict.fromkeys(_SEEDS[name]())
    return [data for data in found if len(data) <= TARGETS[name].max_bytes]


def kept(folder: Path, name: str) -> list[bytes]:
    """Inputs of a target in the repository: of the corpus or the regressions."""
    return [path.read_bytes() for path in sorted((folder / name).glob("*")) if path.is_file()]


def everything(name: str) -> list[bytes]:
    """All inputs of a target, each once."""
    return list(dict.fromkeys([*seeds(name), *kept(CORPUS, name), *kept(REGRESSIONS, name)]))
