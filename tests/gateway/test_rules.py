"""Rules as administrators write them: what they mean, and what is said of those that cannot be followed."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valiza.envelope.receipt import Verdict
from valiza.gateway.deciding import decide
from valiza.gateway.decision import Action, Finding, GatewayVerdict
from valiza.gateway.rules import ACTIONS, DEFAULT, BadRules, MarkTexts, Mode, Rules, bare_address, parse_rules, read_rules
from valiza.keys.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path


def said(text: str) -> Rules:
    return parse_rules(f"version = 1\n{text}")


def test_what_is_printed_is_what_holds_where_nothing_is_said() -> None:
    assert parse_rules(DEFAULT) == Rules() == said("")


def test_what_is_printed_as_an_example_can_be_followed() -> None:
    examples = "\n".join(line.removeprefix("# ") if line.startswith(("# channel", "# marks", '# "')) else line for line in DEFAULT.splitlines())
    rules = parse_rules(examples)
    assert rules.channels == frozenset({"encrypted"})
    assert rules.marks == {"KZ": {"3"}, "BY": {"3"}}
    assert rules.senders == {"mfa.gov.by": {"BY-MFA"}, "post@gov.kz": {"KZ-MFA"}, "<>": {"KZ-MFA"}}


def test_every_key_is_printed() -> None:
    printed = tomllib.loads(DEFAULT)
    assert set(printed) | {"channel", "marks"} == {
        "version",
        "mode",
        "channel",
        "marks",
        "closed",
        "pass_for",
        "limits",
        "senders",
        "unsealed",
        "actions",
    }
    assert set(printed["limits"]) == set(Rules().limits.__slots__)
    assert set(printed["unsealed"]) == set(Rules().unsealed.__slots__)


def test_everything_said() -> None:
    rules = said(
        """
        mode = "observe"
        channel = ["agreed", "encrypted"]
        marks = { KZ = ["DSP", "S"], BY = [] }
        closed = "reject"
        pass_for = ["KZ-NSC"]
        [limits]
        message = "5 MiB"
        parts = 10
        depth = 3
        objects = 2
        time = "2 min"
        connections = 5
        [senders]
        "MFA.gov.BY" = ["BY-MFA"]
        [unsealed]
        names = ["*.DSP.*"]
        media_types = ["application/vnd.secret*"]
        marks = true
        [actions]
        late = "quarantine"
        none = "reject"
        """
    )
    assert (rules.mode, rules.channels) == (Mode.OBSERVE, frozenset({"agreed", "encrypted"}))
    assert rules.marks == {"KZ": {"DSP", "S"}, "BY": set()}
    assert (rules.closed, rules.pass_for) == (False, frozenset({"KZ-NSC"}))
    assert rules.senders == {"mfa.gov.by": {"BY-MFA"}}
    limits = rules.limits
    assert (limits.message, limits.parts, limits.depth, limits.objects, limits.time, limits.connections) == (5 << 20, 10, 3, 2, 120, 5)
    assert (rules.unsealed.names, rules.unsealed.media_types, rules.unsealed.marks) == (
        ("*.dsp.*",),
        ("application/vnd.secret*",),
        MarkTexts.STANDING,
    )
    assert rules.actions == {**ACTIONS, "late": Action.QUARANTINE, "none": Action.REJECT}


WRONG = [
    ("", "version: it is missing"),
    ("version = 2", "version: 2 is not known"),
    ('version = "1"', "version: it is no whole number"),
    ("version = 1\nmod = 1", "mod: there is no such key"),
    ('version = 1\nmode = "watch"', "mode: 'watch' is none of 'enforce', 'observe'"),
    ("version = 1\nmode = 1", "mode: 1 is none of"),
    ("version = 1\nchannel = []", "channel: no channel is named"),
    ('version = 1\nchannel = "Courier"', "channel[0]: 'Courier' is not a word"),
    ('version = 1\nchannel = ["a", "a"]', "channel: 'a' is in it twice"),
    ("version = 1\nmarks = 1", "marks: it is no table"),
    ('version = 1\nmarks = { kz = ["1"] }', "marks.kz: 'kz' is not the id of a party"),
    ('version = 1\nmarks = { KZ = "1" }', "marks.KZ: it is no list"),
    ("version = 1\nmarks = { KZ = [1] }", "marks.KZ[0]: it is no text"),
    ('version = 1\nclosed = "quarantine"', "closed: 'quarantine' is none of"),
    ('version = 1\npass_for = ["kz-mfa"]', "pass_for[0]: 'kz-mfa' is not the id of a body"),
    ("version = 1\n[limits]\npart = 1", "limits.part: there is no such key"),
    ("version = 1\n[limits]\nparts = 0", "limits.parts: 0 is not between 1 and"),
    ("version = 1\n[limits]\nparts = true", "limits.parts: it is no whole number"),
    ('version = 1\n[limits]\nmessage = "100"', "limits.message: '100' is no size"),
    ('version = 1\n[limits]\nmessage = "1 KiB"', "limits.message: 1024 is not between"),
    ('version = 1\n[limits]\nmessage = "100 MB"', "limits.message: '100 MB' is no size"),
    ("version = 1\n[limits]\ntime = 60", "limits.time: it is no text"),
    ('version = 1\n[limits]\ntime = "2 h"', "limits.time: '2 h' is no time"),
    ('version = 1\n[senders]\n"a b" = []', 'senders."a b": it is neither a domain nor an address'),
    ('version = 1\n[senders]\n"@gov.by" = []', 'senders."@gov.by": it is neither'),
    ('version = 1\n[senders]\n".gov.by" = []', 'senders.".gov.by": it is neither'),
    ('version = 1\n[senders]\n"Gov.by" = []\n"gov.BY" = []', 'senders."gov.BY": it is there twice'),
    ('version = 1\n[senders]\n"gov.by" = "BY-MFA"', 'senders."gov.by": it is no list'),
    ('version = 1\n[unsealed]\nnames = ["*"]', "unsealed.names[0]: '*' would fit everything"),
    ('version = 1\n[unsealed]\nmarks = "yes"', "unsealed.marks: 'yes' is none of true, false, 'anywhere'"),
    ('version = 1\n[actions]\nlost = "reject"', "actions.lost: there is no such verdict"),
    ('version = 1\n[actions]\nlate = "defer"', "actions.late: 'defer' is none of 'accept', 'quarantine', 'reject'"),
    ('version = 1\n[actions]\nmalformed = "accept"', "actions.malformed: 'accept' is none of 'quarantine', 'reject'"),
    ('version = 1\n[actions]\nnot-authentic = "accept"', "actions.not-authentic: 'accept' is none of 'quarantine', 'reject'"),
    ('version = 1\n[actions]\nunavailable = "accept"', "actions.unavailable: such a message is deferred in any case"),
    ('version = 1\n[actions]\nfault = "defer"', "actions.fault: such a message is deferred in any case"),
    ("version = 1\nversion = 1", "the rules is not TOML"),
    ("\0", "the rules is not TOML"),
]


@pytest.mark.parametrize(("text", "error"), WRONG)
def test_wrong_rules(text: str, error: str) -> None:
    with pytest.raises(BadRules) as caught:
        parse_rules(text)
    assert caught.value.message.removeprefix("the rules: ").startswith(error)
    assert "\n" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("content", [b"\xff\xfe", b"version = 1\n" + b"#" * (1 << 20)])
def test_file_that_is_no_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(content)
    with pytest.raises(BadRules, match=r"rules\.toml"):
        read_rules(path)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        read_rules(tmp_path / "rules.toml")


_WORDS = ("version", "mode", "channel", "marks", "closed", "pass_for", "limits", "senders", "unsealed", "actions", "parts", "names", "x")
_KEYS = st.sampled_from(_WORDS)
_PLAIN = st.sampled_from(["true", "false", '"enforce"', '"reject"', '"1 MiB"', '"KZ-MFA"', '"a"', "1.5", "1979-05-27"])
_VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1).map(str) | _PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(_KEYS, inner, max_size=3).map(lambda items: "{ " + ", ".join(f"{key} = {value}" for key, value in items.items()) + " }"),
    ),
    max_leaves=6,
)


def followed(text: str) -> Rules | BadRules:
    try:
        return parse_rules(text)
    except BadRules as error:
        return error


@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_whatever_is_written_is_followed_or_refused_by_its_key(written: dict[str, str]) -> None:
    found = followed("\n".join(f"{key} = {value}" for key, value in {"version": "1", **written}.items()))
    assert "\n" not in found.message if isinstance(found, BadRules) else set(found.actions) == set(ACTIONS)


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    assert isinstance(followed(text), BadRules), "it has no version"


# -- senders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "body", "may"),
    [
        ("a@mfa.gov.by", "BY-MFA", True),
        ("<A@MFA.gov.BY>", "BY-MFA", True),
        ("a@mfa.gov.by.", "BY-MFA", True),
        ("a@mfa.gov.by", "BY-KGB", False),
        ("a@x.mfa.gov.by", "BY-MFA", False),
        ("mfa.gov.by", "BY-MFA", True),
        ("", "BY-MFA", False),
        ("<>", "KZ-MFA", False),
        ("Post@gov.kz", "KZ-MFA", True),
        ("other@gov.kz", "KZ-MFA", False),
        ("a@пошта.бел", "BY-MFA", True),
        ("a@xn--80a1acn3a.xn--90ais", "BY-MFA", True),
        ("A@XN--80A1ACN3A.XN--90AIS", "BY-MFA", True),
        ('"a@mfa.gov.by"@evil.example', "BY-MFA", False),
    ],
)
def test_who_may_send(address: str, body: str, may: bool) -> None:  # noqa: FBT001 - what is expected
    rules = said('[senders]\n"mfa.gov.by" = ["BY-MFA"]\n"post@gov.kz" = ["KZ-MFA"]\n"пошта.бел" = ["BY-MFA"]')
    assert rules.may_send(address, body) is may
    assert said("").may_send(address, body), "an empty table: not checked"


def test_address_goes_before_its_domain() -> None:
    rules = said('[senders]\n"gov.kz" = ["KZ-MFA"]\n"guest@gov.kz" = []')
    assert rules.may_send("a@gov.kz", "KZ-MFA")
    assert not rules.may_send("guest@gov.kz", "KZ-MFA")


@given(st.text(max_size=40))
def test_any_address(address: str) -> None:
    assert bare_address(bare_address(address)) == bare_address(address) or "<" in address or ">" in address or address != address.strip()


# -- deciding -------------------------------------------------------------------------------------------------------------


def finding(verdict: Verdict | GatewayVerdict, envelope: bytes | None = None) -> Finding:
    return Finding(verdict=verdict, exit_code=0, envelope_id=envelope, reason="Секретно\r\nX-Forged: 1")


VERDICTS = [verdict for kind in (Verdict, GatewayVerdict) for verdict in kind if verdict in ACTIONS]
ORDER = ["accept", "quarantine", "reject", "defer"]


@given(st.lists(st.tuples(st.sampled_from(VERDICTS), st.none() | st.binary(min_size=32, max_size=32)), max_size=30), st.sampled_from(Mode))
def test_the_worst_counts_and_nothing_of_the_message_is_said(found: list[tuple[Verdict | GatewayVerdict, bytes | None]], mode: Mode) -> None:
    rules = Rules(mode=mode)
    decision = decide([finding(verdict, envelope) for verdict, envelope in found], rules)
    worst = max((ORDER.index(rules.actions[verdict]) for verdict, _ in found), default=0)
    if mode is Mode.OBSERVE:
        assert (decision.action, decision.reply) == ("accept", "")
    else:
        assert decision.action == ORDER[worst]
        assert decision.reply[:3] == {"reject": decision.reply[:3], "defer": "451"}.get(decision.action, "")
        assert decision.reply[:1] == {"reject": "5", "defer": "4"}.get(decision.action, "")
    assert (decision.headers == ()) == (decision.reply != "")
    assert len(decision.headers) <= 16
    for line in [decision.reply, *(value for _, value in decision.headers)]:
        assert line.isascii()
        assert line == "" or line.isprintable()
        assert len(line) < 200
    assert len(decision.findings) == max(1, len(found))


@pytest.mark.parametrize(
    ("verdicts", "reply"),
    [
        (["delivered", "not-authentic"], "550 5.7.1 valiza: not-authentic"),
        (["malformed", "not-authentic"], "550 5.7.1 valiza: malformed"),
        (["not-authentic", "unavailable"], "451 4.3.0 valiza: unavailable"),
        (["fault", "unavailable"], "451 4.3.0 valiza: fault"),
        (["conflict", "unsealed"], "550 5.7.1 valiza: unsealed"),
        (["too-large"], "552 5.3.4 valiza: too-large"),
    ],
)
def test_reply(verdicts: list[str], reply: str) -> None:
    by_word = {str(verdict): verdict for verdict in VERDICTS}
    assert decide([finding(by_word[word]) for word in verdicts], Rules()).reply == reply


def test_reply_names_the_envelope() -> None:
    decision = decide([finding(Verdict.UNSOLICITED, bytes(range(32)))], Rules())
    assert decision.reply == f"550 5.7.1 valiza: unsolicited (envelope {bytes(range(32)).hex()})"
