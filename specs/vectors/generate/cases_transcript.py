"""Vectors of transcripts (transcript.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import spoil
import wire
import world as w
from cases import Cases, Topic
from cases_request import Request
from ceremony import OPERATOR, START, WITNESS, Ceremony, Paper, Person
from wire import Item, Signer

TOPIC = Topic("transcript", "transcript", {})
PRACTISED = Topic("transcript_rehearsal", "transcript", {"mode": ("rehearsal",)})

FIRST = Ceremony("new-root", [OPERATOR, Person("aliya"), Person("bolat"), WITNESS])
BEFORE = w.Root("TR", ["1", "2"], custodians=("a", "b", "c"), threshold=2)
ALIYA, BOLAT, DANA = Person("aliya", key="previous", tag="a"), Person("bolat", tag="b"), Person("dana", key="none", tag="c")


def asking(name: str, purpose: str, **fields: Item) -> Request:
    """A request of somebody of TR, whose key is drawn by name."""
    said: dict[str, Item] = {"party": "TR", "body id": None, "names": w.names(name.capitalize()), **fields}
    return Request(f"tr {name}", (purpose,), wire.draw(f"custodian/ceremony {name}", 16), fields=said)


ASKED = asking("saule", "witness")
ERLAN = Person("erlan")
ROTATION = Ceremony("rotation", [OPERATOR, ALIYA, BOLAT, DANA, ERLAN, WITNESS], BEFORE)
KEEPERS = [replace(ALIYA, id="aliya"), Person("bolat", key="previous", tag="b")]
ASKED_DAUREN = asking("dauren", "custodian")


def as_before(one: Person) -> Person:
    """A custodian with the name that he has in the root before."""
    return replace(one, called=f"Custodian{one.tag} of TR")


DAUREN = Person("dauren", key="request", request=ASKED_DAUREN, lines=["present = false"])


@dataclass(frozen=True)
class OfDana(Request):
    """A request for the key, or for one half of it, that Dana has in the root before."""

    hers: int = 64

    def seed(self, purpose: str) -> bytes:
        """So many bytes of hers; the first 32 are the seed of the ML-DSA half."""
        return BEFORE.key("c")[: self.hers] + super().seed(purpose)[self.hers :]


def returning(hers: int, *lines: str) -> Ceremony:
    """A rotation in which Dana leaves, and her key comes back by a request, as another person's."""
    asked = ASKED_DAUREN
    key = OfDana(asked.name, asked.purposes, asked.subject, fields=asked.fields, hers=hers)
    return replace(ROTATION, people=[OPERATOR, *KEEPERS, replace(DANA, lines=lines), replace(DAUREN, request=key), WITNESS])


ABSENT = replace(ROTATION, people=[OPERATOR, ALIYA, BOLAT, DANA, DAUREN, WITNESS])
REPLACED = replace(
    ROTATION, kind="replacement", people=[OPERATOR, *map(as_before, [*KEEPERS, Person("dana", tag="c", lines=["lost = true"])]), WITNESS]
)
RECOVERY = Ceremony(
    "recovery",
    [OPERATOR, Person("dana", key="recover", tag="c"), Person("boris", "shareholder"), Person("vera", "shareholder"), WITNESS],
    BEFORE,
)

BODY_ASKS = Request(
    "tr ministry", ("certify", "roster"), None, fields={"party": "TR", "body id": "TR-MFA", "names": w.names("Ministry"), "made at": START}
)
GRANTED = (w.FROM, w.UNTIL)
DRAWN = wire.draw("subject/ceremony", 16)


def credential_items(purpose: str, subject: bytes, key: Request = BODY_ASKS) -> dict[str, Item]:
    """A body's credential."""
    certify = purpose == "certify"
    return {
        "subject": subject,
        "party": "TR",
        "body id": "TR-MFA",
        "names": w.names("Ministry"),
        "purpose": purpose,
        "public key": key.key(purpose)[1],
        "clearance": "1" if certify else None,
        "certifies bodies": certify,
        "valid from": GRANTED[0],
        "valid until": GRANTED[1],
        "extensions": {},
    }


def credential(number: int, purpose: str, subject: bytes, *, drawn: bool, key: Request = BODY_ASKS) -> Paper:
    """A credential that is certified in a ceremony."""
    certify = purpose == "certify"
    aloud: list[Item] = [
        ["body", "TR/TR-MFA"],
        ["name", "Ministry"],
        ["purpose", purpose],
        ["clearance", "1" if certify else ""],
        ["certifies-bodies", "yes" if certify else "no"],
        ["valid-from", w.stamp_of(GRANTED[0])],
        ["valid-until", w.stamp_of(GRANTED[1])],
        ["request", wire.digest("request", key.body()).hex()],
    ]
    body = wire.encode(list(credential_items(purpose, subject, key).values()))
    return Paper(f"credential-{number}", "credential", lambda _: aloud, lambda _: body, subject if drawn else None)


def grant(purpose: str, more: str = "", request: str = "asked.vls") -> str:
    """A credential in a plan."""
    certify = 'clearance = "1"\ncertifies_bodies = true\n' if purpose == "certify" else ""
    valid = f"valid_from = {w.stamp_of(GRANTED[0])}\nvalid_until = {w.stamp_of(GRANTED[1])}\n"
    said = f'[[credential]]\npurpose = "{purpose}"\nbody = "TR-MFA"\nnames = {{ en = "Ministry" }}\nrequest = "{request}"\n'
    return said + certify + valid + more


BODY = Ceremony(
    "new-body",
    [OPERATOR, *KEEPERS, WITNESS],
    BEFORE,
    tables=grant("certify") + grant("roster"),
    papers=[credential(1, "certify", DRAWN, drawn=True), credential(2, "roster", DRAWN, drawn=False)],
    inputs={"asked.vls": BODY_ASKS.statement()},
)

TWICE = replace(BODY, tables=grant("certify") + grant("roster", request="same.vls"), inputs={**BODY.inputs, "same.vls": BODY_ASKS.statement()})
ASKS_AGAIN = replace(BODY_ASKS, fields={**BODY_ASKS.fields, "made at": START + 1})
APART = replace(
    BODY,
    tables=grant("certify") + grant("roster", request="other.vls"),
    papers=[BODY.papers[0], credential(2, "roster", wire.draw("subject/another", 16), drawn=True, key=ASKS_AGAIN)],
    inputs={**BODY.inputs, "other.vls": ASKS_AGAIN.statement()},
)
TWO_SUBJECTS = replace(TWICE, papers=[BODY.papers[0], credential(2, "roster", wire.draw("subject/another", 16), drawn=True)])

OLD = w.Credential("ministry", ("TR", "TR-MFA"), "certify", BEFORE, "1", certifies=True, fields={"names": w.names("Ministry")})
OLD_SUBJECT = wire.draw("subject/('TR', 'TR-MFA')/ministry", 16)
ANEW = replace(BODY_ASKS, name="tr anew", purposes=("certify",), subject=OLD_SUBJECT, vouched=(OLD,))


def revocation(at: int) -> bytes:
    """The revocation of OLD by the root, drafted at a time."""
    return wire.encode(["TR", None, 1, "compromised", OLD.digest, at, at, "stolen", {}])


def revocation_aloud(at: int) -> list[Item]:
    """What is read aloud of it."""
    said = ["body", "TR/TR-MFA"], ["name", "Ministry"], ["purpose", "certify"], ["credential", OLD.digest.hex()]
    return [*said, ["kind", "compromised"], ["reason", "stolen"], ["number", "1"], ["effective-at", w.stamp_of(at)], ["issued-at", w.stamp_of(at)]]


COMPROMISE = Ceremony(
    "compromise",
    [OPERATOR, *KEEPERS, WITNESS],
    BEFORE,
    tables='[[revocation]]\ncredential = "old.vls"\nkind = "compromised"\nreason = "stolen"\nnumber = 1\n'
    + grant("certify", 'known = ["old.vls"]\n'),
    papers=[Paper("revocation-1", "revocation", revocation_aloud, revocation), credential(1, "certify", OLD_SUBJECT, drawn=False, key=ANEW)],
    inputs={"asked.vls": ANEW.statement(), "old.vls": OLD.statement()},
)


LATER = w.Root("TR", ["1", "2"], tag="2", custodians=("a", "b", "c"), threshold=2, older=BEFORE)
ALONE = replace(ROTATION, root=LATER, fingerprint=LATER.digest)


def _roots() -> Cases:
    def pinned(root: w.Root) -> tuple[str, ...]:
        return (f"TR {root.digest.hex()}",)

    raw = ALONE.statement()
    yield TOPIC.good("root_alone", raw, "the plan names the second version of a root alone, and the reader has its fingerprint", root=pinned(LATER))
    yield TOPIC.bad("root_alone_unknown", raw, "incomplete @ 8", "the same, and the reader has no fingerprint")
    yield TOPIC.bad("root_another", raw, "not authentic @ 8", "the same, and the reader has that of another root", root=pinned(w.TS))
    without = replace(ALONE, fingerprint=None).statement()
    yield TOPIC.bad("root_alone_unsaid", without, "refused @ inputs 3", "a second version alone, and the plan has no fingerprint", root=pinned(LATER))
    other = replace(ALONE, fingerprint=BEFORE.digest).statement()
    yield TOPIC.bad("root_fingerprint", other, "not authentic @ inputs 3", "the plan has the fingerprint of another version", root=pinned(LATER))
    yield TOPIC.good("root_pinned", FIRST.statement(), "a first root, and the reader has its fingerprint", root=(f"TC {FIRST.root_digest.hex()}",))


def _good() -> Cases:
    for name, told, comment in (
        ("first_root", FIRST, "a first root of two custodians, with a witness"),
        ("entropy", replace(FIRST, entropy=["dice", "keyboard"]), "dice were thrown and keys typed for each key"),
        ("rotation", ROTATION, "one keeps his key, one renews it, one leaves, one comes"),
        ("absent", ABSENT, "who comes is not in the room: his key came by a request"),
        ("replacement", REPLACED, "a lost key is replaced"),
        ("new_body", BODY, "a body and its roster key are certified"),
        ("new_body_one_request", TWICE, "one request in two files gives one subject"),
        ("compromise", COMPROMISE, "a body's credential is revoked, and another one issued"),
        ("recovery", RECOVERY, "a custodian's key is recovered from two shares"),
    ):
        yield TOPIC.good(name, told.statement(), comment)
    sat = FIRST.but(items=lambda items: {**items, "sittings": [[START, 1], [START + 250, 5], [START + 250, 5]]})
    yield TOPIC.good("sittings", sat.statement(), "interrupted twice, both times in the fifth step")
    shown = FIRST.but(items=lambda items: {**items, "extensions": {"~weather": "snow"}})
    yield TOPIC.good("extension_shown", shown.statement(), "an extension that is shown and ignored")
    yield PRACTISED.good("first_root", replace(FIRST, rehearsal=True).statement(), "a rehearsal, read as one")
    yield PRACTISED.good("rotation", replace(ROTATION, rehearsal=True).statement(), "the same of a rotation: a copy of the root before stands for it")
    yield TOPIC.bad("of_a_rehearsal", replace(FIRST, rehearsal=True).statement(), "malformed @ 1", "a rehearsal, read as if it were meant")
    yield PRACTISED.bad("meant", FIRST.statement(), "malformed @ 1", "what is meant, read as a rehearsal")


def _void() -> Cases:
    yield TOPIC.bad("void", replace(FIRST, until="finish").statement(), "incomplete @ 5", "void before the root was finished; all sign that")
    early = replace(FIRST, until="draft").but(signers=lambda signers: signers[:1])
    yield TOPIC.bad("void_by_one", early.statement(), "incomplete @ 5", "void, and one signs that it is so")
    kept = FIRST.but(items=lambda items: {**items, "outcome": ["void", "a stranger came in", items["outcome"][2]]})
    yield TOPIC.bad("void_whole", kept.statement(), "not authentic @ 5", "void, and the signatures and the root are in it")
    wrong = replace(FIRST, until="finish").but(steps=lambda steps: steps[1:])
    renumbered = replace(wrong, hooks={**wrong.hooks, "items": _numbered})
    yield TOPIC.bad("void_out_of_order", renumbered.statement(), "not authentic @ 5", "void, and nobody was told the plan before")


def _numbered(items: dict[str, Any]) -> dict[str, Any]:
    steps = [[number, *step[1:]] for number, step in enumerate(items["steps"], 1)]
    return {**items, "steps": steps}


def changing(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:  # noqa: ANN401 - fields of every shape
    """A hook that replaces fields by name, with `_` for spaces."""
    return lambda items: {**items, **{name.replace("_", " "): value for name, value in changes.items()}}


def at(index: int, **changes: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:  # noqa: ANN401 - parts of every shape
    """A hook that replaces parts of a step."""
    return lambda steps: [{**one, **changes} if number == index else one for number, one in enumerate(steps)]


def _forms() -> Cases:
    told = FIRST.told()
    steps = told["steps"]
    rows: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("kind_unknown", {"kind": "party"}, "a kind of ceremony that there is not"),
        ("id_short", {"id": bytes(31)}, "a ceremony id of 31 bytes"),
        ("plan_digest", {"plan digest": bytes(32)}, "the digest of another plan"),
        ("step_missing_number", {"steps": steps[:2] + steps[3:]}, "a number is missing among the steps"),
        ("steps_swapped", {"steps": [*steps[:1], steps[2], steps[1], *steps[3:]]}, "two steps stand in each other's place"),
        ("times_back", {"outcome": ["complete", "", START]}, "it ended before its last step"),
        ("sitting_first", {"sittings": [[START, 2]]}, "the first sitting begins with the second step"),
        ("sittings_none", {"sittings": []}, "nobody ever sat"),
        ("sitting_back", {"sittings": [[START, 1], [START - 1, 3]]}, "a sitting before the first"),
        ("participant_twice", {"participants": [*told["participants"], told["participants"][1]]}, "somebody stands twice"),
        (
            "key_of_no_step",
            {"participants": [*told["participants"][:3], ["saule", "witness", w.names("Saule"), bytes(32)]]},
            "a key that came of no step",
        ),
        ("one_key_of_two", {"participants": _one_key(told)}, "two have one key"),
        ("outcome_unknown", {"outcome": ["good", "", START + 9000]}, "an outcome that there is not"),
        ("void_without_reason", {"outcome": ["void", "", START + 9000]}, "void for no reason"),
        ("libraries_unsorted", {"tool": [*told["tool"][:4], [["b", "1"], ["a", "1"]]]}, "libraries in descending order"),
        ("inputs_twice", {"inputs": [["a", b""], ["a", b""]]}, "one file twice"),
        ("extension_unknown", {"extensions": {"note": 1}}, "an extension that version 1 does not know"),
        ("field_more", {"more": 1}, "a field more"),
    )
    for name, changes, comment in rows:
        yield TOPIC.bad(name, FIRST.but(items=lambda items, changes=changes: {**items, **changes}).statement(), "malformed @ 2", comment)  # type: ignore[misc]
    role = FIRST.but(signers=lambda signers: [replace(one, role="issuer") for one in signers])
    yield TOPIC.bad("role", role.statement(), "malformed @ 1", "signed in the role of an issuer")
    yield TOPIC.bad("unsigned", FIRST.but(signers=lambda _: []).statement(), "malformed @ 1", "no signature")


def _one_key(told: dict[str, Any]) -> list[Item]:
    people = told["participants"]
    return [*people[:2], [*people[2][:3], people[1][3]], people[3]]


def _signatures() -> Cases:
    def changed(change: Callable[[list[Signer]], list[Signer]]) -> bytes:
        return FIRST.but(signers=change).statement()

    stranger = wire.draw("key/ceremony stranger", 64)
    for name, raw, outcome, comment in (
        (
            "stranger",
            changed(lambda by: [*by, replace(by[0], seed=stranger, key_digest=None)]),
            "not authentic @ 3",
            "somebody signs who takes no part",
        ),
        (
            "other_transcript",
            changed(lambda by: [replace(by[0], named=bytes(32)), *by[1:]]),
            "not authentic @ 3",
            "a signature names another transcript",
        ),
        ("mldsa_broken", changed(lambda by: [spoil.spoilt(by[0], spoil.flip(9)), *by[1:]]), "not authentic @ 3", "only the Ed25519 half holds"),
        ("ed25519_broken", changed(lambda by: [spoil.spoilt(by[0], spoil.flip(-1)), *by[1:]]), "not authentic @ 3", "only the ML-DSA half holds"),
        ("custodian_missing", changed(lambda by: by[1:]), "incomplete @ 7", "a custodian has not signed"),
        ("witness_missing", changed(lambda by: by[:2]), "incomplete @ 7", "the witness has not signed"),
    ):
        yield TOPIC.bad(name, raw, outcome, comment)


def _plans() -> Cases:
    def planned(told: Ceremony, old: str, new: str) -> bytes:
        return told.but(plan=lambda text: text.replace(old, new, 1)).statement()

    first: tuple[tuple[str, str, str, str], ...] = (
        ("plan_no_toml", "threshold", "[", "no TOML"),
        ("plan_unknown_key", "title", "haste = true\ntitle", "a key that means nothing"),
        ("plan_no_title", 'title = "A vector"', "", "no title"),
        ("plan_threshold", "threshold = 2", "threshold = 3", "a threshold above those who are present"),
        ("plan_time_local", "T00:00:00Z\n", "T00:00:00\n", "a time without an offset"),
        ("plan_id_twice", 'id = "bolat"', 'id = "aliya"', "one id of two"),
        ("plan_witness_none", "[[witness]]", "[[custodian]]", "no witness"),
        ("plan_input_unused", "title", f'inputs = {{ "x.vls" = "{"0" * 64}" }}\ntitle', "an input that it does not name"),
        ("plan_key_kept", 'key = "new"', 'key = "previous"', "a key that is kept of no root"),
        ("plan_absent_maker", 'key = "new"', 'key = "new"\npresent = false', "who makes a key is not there"),
        ("plan_root_before", "title", 'root = "root.vls"\ntitle', "a root before the first"),
    )
    for name, old, new, comment in first:
        yield TOPIC.bad(name, planned(FIRST, old, new), "malformed @ 4", comment)
    other: tuple[tuple[str, bytes, str, str], ...] = (
        ("code_other", planned(FIRST, "title", f'code = "{"0" * 64}"\ntitle'), "refused @ inputs 2", "led by another program than planned"),
        ("input_other", ROTATION.but(inputs=lambda files: {**files, "root.vls": w.TS.statement()}).but(plan=_pinned).statement(), *OTHER_ROOT),
        ("custodian_unmentioned", planned(ROTATION, _lines_of(DANA), ""), "refused @ inputs 3", "a custodian of the root is not in the plan"),
        (
            "quorum_absent",
            planned(REPLACED, 'key = "previous"', 'key = "previous"\npresent = false'),
            "refused @ inputs 3",
            "one custodian of the root is absent, and another one lost his key",
        ),
        ("replacement_threshold", replace(REPLACED, threshold=3).statement(), "refused @ inputs 4", "a replacement with another threshold"),
        (
            "replacement_longer",
            planned(REPLACED, f"valid_until = {w.stamp_of(w.ROOT_UNTIL)}", f"valid_until = {w.stamp_of(w.ROOT_UNTIL + 1)}"),
            "refused @ inputs 4",
            "a replacement that is valid for longer than the root before",
        ),
        (
            "replacement_renames",
            planned(REPLACED, 'en = "Custodianb of TR"', 'en = "Bolat"'),
            "refused @ inputs 4",
            "who keeps his key has another name",
        ),
        ("replacement_nobody", _nobody().statement(), "refused @ inputs 4", "a replacement of nobody"),
        ("key_of_who_leaves", returning(64).statement(), "refused @ inputs 6", "who leaves brings her key in again as another's"),
        ("key_lost", returning(64, "lost = true").statement(), "refused @ inputs 6", "a lost key comes back as another's"),
        ("key_half", returning(32).statement(), "refused @ inputs 6", "the ML-DSA half of the key of who leaves comes back"),
        ("requests_of_one", APART.statement(), "refused @ inputs 6", "two requests that have their keys in common"),
        ("kind_other", FIRST.but(items=changing(kind="rotation")).statement(), "not authentic @ 4", "another kind than the plan's"),
        ("entropy_other", FIRST.but(items=changing(entropy=["system", "dice"])).statement(), "not authentic @ 4", "another entropy than the plan's"),
        ("role_other", FIRST.but(items=_as_custodian).statement(), "not authentic @ 4", "the witness is told to be a custodian"),
    )
    for name, raw, outcome, comment in other:
        yield TOPIC.bad(name, raw, outcome, comment)


IDENTIFYING = ("custodian-id", "custodian-key")
OTHER_ROOT = ("not authentic @ inputs 1", "another root than planned")


def _pinned(text: str) -> str:
    """The plan as it was, with the digest of the root that was meant."""
    meant, given = wire.digest("statement", BEFORE.statement()).hex(), wire.digest("statement", w.TS.statement()).hex()
    return text.replace(given, meant)


def _lines_of(one: Person) -> str:
    return f'[[custodian]]\nid = "{one.id}"\nnames = {{ en = "{one.name}" }}\nkey = "{one.key}"\nperson = "{ROTATION.id_of(one).hex()}"\n'


def _nobody() -> Ceremony:
    return replace(REPLACED, people=[OPERATOR, *map(as_before, [*KEEPERS, Person("dana", key="previous", tag="c")]), WITNESS])


def _as_custodian(items: dict[str, Any]) -> dict[str, Any]:
    people = items["participants"]
    return {**items, "participants": [*people[:3], [people[3][0], "custodian", *people[3][2:]]]}


def _steps() -> Cases:
    steps = FIRST.steps()
    key, draft, sign = steps[1], steps[4], steps[5]
    rows: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
        ("step_name", at(1, name="recover"), "a key that is told to be recovered"),
        ("step_by_another", at(5, who="bolat"), "one signs in another's place"),
        ("open_time", at(0, aloud=[*steps[0]["aloud"][:-1], ["time", w.stamp_of(START)]]), "another time was read aloud than that of the step"),
        ("open_unconfirmed", at(0, answers=[["present", "yes"], ["plan", "no"], ["code", "yes"], ["time", "yes"]]), "the plan was not equal"),
        ("key_aloud", at(1, aloud=[["key", "0" * 64]]), "another digest was read aloud than that of the key"),
        ("key_brought", at(1, answers=[["source", "brought"], ["heard", "yes"]]), "a key that was to be made was brought"),
        ("key_without_id", at(1, results=key["results"][:1]), "no id was drawn for a custodian"),
        ("draft_silent", at(4, answers=[["fingerprint", "yes"]]), "nobody read the fingerprint back"),
        ("draft_aloud", at(4, aloud=draft["aloud"][1:]), "the party was not read aloud"),
        ("draft_custodian_keys", at(4, aloud=[pair for pair in draft["aloud"] if pair[0] not in IDENTIFYING]), "no custodian's key was read aloud"),
        ("sign_twice", at(5, results=sign["results"] * 2), "one signs twice"),
        ("sign_of_another", at(5, results=steps[6]["results"]), "the signature of another custodian"),
        ("sign_broken", at(5, results=[["signature", spoil.flip(-1)(sign["results"][0][1])]]), "the signature does not hold"),
        ("finish_other", at(7, results=[["statement", BEFORE.statement()]]), "another root is handed out than was signed"),
        ("close_more", at(8, answers=[["remark", ""], ["remark", ""]]), "two remarks"),
    )
    for name, change, comment in rows:
        yield TOPIC.bad(name, FIRST.but(steps=change).statement(), "not authentic @ 6", comment)
    for name, change, comment in (
        ("lie_threshold", changing(threshold=1), "all agreed on two of two, and made a root of one"),
        ("lie_names", changing(names=w.names("Another")), "the root has another name than planned"),
        ("lie_validity", changing(valid_until=w.ROOT_UNTIL + 1), "the root is valid for longer than planned"),
    ):
        yield TOPIC.bad(name, FIRST.but(root=change).statement(), "not authentic @ 6", comment)
    absent = next(index for index, one in enumerate(ABSENT.steps()) if one["name"] == "draft")
    heard = [["custodian-key", "0" * 64] if what == "custodian-key" else [what, said] for what, said in ABSENT.steps()[absent]["aloud"]]
    yield TOPIC.bad("draft_absent_key", ABSENT.but(steps=at(absent, aloud=heard)).statement(), "not authentic @ 6", "other keys were read aloud")
    remark = FIRST.but(items=lambda items: {**items, "outcome": ["complete", "all is well", items["outcome"][2]]})
    yield TOPIC.bad("remark_other", remark.statement(), "not authentic @ 6", "another remark than that of the last step")
    thrown = replace(FIRST, entropy=["dice"])
    for name, number, comment in (
        ("few", "99", "99 throws of a die, and 100 are needed"),
        ("many", "4097", "4097 throws of a die, and 4096 are the most"),
        ("zero_before", "0100", "a number with a zero before it"),
        ("digits_arabic", "\u0661\u0660\u0660", "a number in other digits than those of ASCII"),
        ("digits_wide", "\uff11\uff10\uff10", "a number in wide digits"),
        ("sign", "+100", "a number with a sign"),
        ("huge", "1" * 100, "a number of a hundred digits"),
    ):
        told = thrown.but(steps=at(1, answers=[["source", "made"], ["dice", number], ["heard", "yes"]]))
        yield TOPIC.bad(f"entropy_{name}", told.statement(), "not authentic @ 6", comment)
    most = thrown.but(steps=at(1, answers=[["source", "made"], ["dice", "4096"], ["heard", "yes"]]))
    yield TOPIC.good("entropy_most", most.statement(), "4096 throws of a die, as many as can be")
    zero = RECOVERY.but(steps=at(1, answers=[["source", "recovered"], ["share", "boris 01"], ["share", "vera 2"], ["heard", "yes"]]))
    yield TOPIC.bad("share_zero_before", zero.statement(), "not authentic @ 6", "the number of a share with a zero before it")
    shares = RECOVERY.but(steps=at(1, answers=[["source", "recovered"], ["share", "boris 1"], ["share", "vera 1"], ["heard", "yes"]]))
    yield TOPIC.bad("share_twice", shares.statement(), "not authentic @ 6", "two holders of one share")
    yield TOPIC.bad("two_subjects", TWO_SUBJECTS.statement(), "not authentic @ 6", "one request in two files, and a subject drawn for each")
    old = replace(BODY_ASKS, fields={**BODY_ASKS.fields, "made at": START - 91 * 86400})
    papers = [credential(1, "certify", DRAWN, drawn=True, key=old), credential(2, "roster", DRAWN, drawn=False, key=old)]
    late = replace(BODY, papers=papers, inputs={"asked.vls": old.statement()})
    yield TOPIC.bad("asked_long_ago", late.statement(), "refused @ 6", "the request was made 91 days before")
    unvouched = replace(ANEW, vouched=()).statement()
    alone = replace(COMPROMISE, inputs={**COMPROMISE.inputs, "asked.vls": unvouched})
    yield TOPIC.bad("unvouched", alone.statement(), "refused @ 6", "a body that is known asks, and nobody vouches for it")


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _roots()
    yield from _void()
    yield from _forms()
    yield from _signatures()
    yield from _plans()
    yield from _steps()
