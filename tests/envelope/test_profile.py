"""The canonical body of an agreement: what is malformed in it, what compares to what, and the length of the padding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.envelope.strategies import profiles
from tests.support.tamper import edited, more, put
from tests.support.world import THREE_FOUR

from valiza.envelope.draft import packaged_draft, read_draft
from valiza.envelope.profile import Padding, Profile, read_profile
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import Mark

if TYPE_CHECKING:
    from tests.support.tamper import Hook

    from valiza.keys.encoding import Value

PARTIES, ROWS, CHANNELS, TRANSPORTS, ESCORTS, HANDLING, TERMS, SUITES, STAMP, PADDING, SKEW, TRANSIT, FROM, UNTIL, EXTENSIONS = range(4, 19)
MARKS, COMPETENT, CONFIRMING, BASIS = range(2, 6)


@pytest.fixture(scope="module")
def kz_by_profile() -> Profile:
    """The packaged draft, its long texts left out: what is asked here does not depend on them."""
    profile = read_draft(packaged_draft("kz-by"))
    return replace(profile, terms={key: {"en": "as agreed"} for key in profile.terms})


@pytest.fixture(scope="module")
def three_four_profile() -> Profile:
    return read_draft(THREE_FOUR.read_bytes())


def without(*path: int | str) -> Hook:
    """A hook that removes an item."""

    def hook(items: list[Any]) -> list[Any]:
        target: Any = items
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]
        return items

    return hook


def twice(*path: int) -> Hook:
    """A hook that repeats an item of a list."""

    def hook(items: list[Any]) -> list[Any]:
        target: Any = items
        for step in path[:-1]:
            target = target[step]
        target.insert(path[-1], target[path[-1]])
        return items

    return hook


def turned(*path: int) -> Hook:
    """A hook that turns a list round."""

    def hook(items: list[Any]) -> list[Any]:
        target: Any = items
        for step in path:
            target = target[step]
        target.reverse()
        return items

    return hook


def ids(number: int) -> list[Any]:
    """So many ids of bodies, in their order."""
    return [f"B{n:02}" for n in range(number)]


def named(number: int, *between: Value) -> list[Any]:
    """So many entries of a table of words and names, in their order; `between` stands after the word."""
    return [[f"w{n:02}", *between, {"en": "x"}] for n in range(number)]


def full(items: list[Any]) -> list[Any]:
    """The hook that makes an agreement of all that may stand in one."""
    codes = [f"{n:02}" for n in range(16)]
    for party in items[PARTIES]:
        party[MARKS] = [[code, "x", {"en": "x"}] for code in codes]
        party[COMPETENT] = ids(64)
        party[CONFIRMING] = [*ids(63), "destination"]
        party[BASIS] = ["conclusion", "confirmation", "contract", "decision"]
    items[ROWS] = [[party, code, code] for party in ("BY", "KZ") for code in codes]
    items[CHANNELS], items[TRANSPORTS], items[ESCORTS] = named(32, False), named(32), named(32)  # noqa: FBT003 - a value on the wire
    words = [word for word, _ in named(32)]
    items[HANDLING] = [[party, code, words, words, words] for party, code, _ in items[ROWS]]
    return items


def least(items: list[Any]) -> list[Any]:
    """The hook that leaves one of everything: one party sends, and with one mark."""
    for party in items[PARTIES]:
        for field in (MARKS, COMPETENT, CONFIRMING, BASIS):
            del party[field][1:]
    items[ROWS] = items[ROWS][:1]
    items[CHANNELS], items[TRANSPORTS], items[ESCORTS] = named(1, True), named(1), named(1)  # noqa: FBT003 - a value on the wire
    items[HANDLING] = [[*items[ROWS][0][:2], ["w00"], ["w00"], ["w00"]]]
    return items


# The draft's rows are BY 1-3, then KZ 1-3; its parties BY, KZ.
MALFORMED: dict[str, tuple[Hook, str]] = {
    "an item more": (more({}), "19 items"),
    "an item less": (without(EXTENSIONS), "19 items"),
    "id no word": (put("KZ-BY", 0), "id is not a word"),
    "version 0": (put(0, 1), "version is not"),
    "version true": (put(True, 1), "version"),  # noqa: FBT003 - a value on the wire
    "version 1 with previous": (put(bytes(32), 2), "version 1"),
    "version 2 without previous": (put(2, 1), "version 1"),
    "previous short": (put(bytes(31), 2), "previous is not 32 bytes"),
    "no title": (put({}, 3), "title"),
    "language too long": (put({"engl": "x"}, 3), "language"),
    "one party": (without(PARTIES, 0), "parties"),
    "three parties": (twice(PARTIES, 0), "parties"),
    "parties turned": (turned(PARTIES), "ascending"),
    "party in small letters": (put("kz", PARTIES, 1, 0), "id of a party"),
    "no marks": (put([], PARTIES, 0, MARKS), "marks is not an array of 1 to 16"),
    "17 marks": (put([[str(n), "x", {"en": "x"}] for n in range(17)], PARTIES, 0, MARKS), "marks is not an array of 1 to 16"),
    "code twice": (put("2", PARTIES, 0, MARKS, 0, 0), "twice"),
    "code too long": (put("1" * 17, PARTIES, 0, MARKS, 0, 0), "code"),
    "mark without text": (put("", PARTIES, 0, MARKS, 0, 1), "mark is not text"),
    "no competent body": (put([], PARTIES, 0, COMPETENT), "competent"),
    "competent body twice": (twice(PARTIES, 0, COMPETENT, 0), "ascending"),
    "65 competent bodies": (put(ids(65), PARTIES, 0, COMPETENT), "competent"),
    "no confirming body": (put([], PARTIES, 0, CONFIRMING), "confirming"),
    "65 confirming bodies": (put(ids(65), PARTIES, 0, CONFIRMING), "confirming"),
    "another word among confirming bodies": (put(["origin"], PARTIES, 0, CONFIRMING), "confirming"),
    "an earlier word among confirming bodies": (put(["competent"], PARTIES, 0, CONFIRMING), "confirming"),
    "confirming bodies unsorted": (put(["destination", "BY-MFA"], PARTIES, 0, CONFIRMING), "ascending"),
    "no basis": (put([], PARTIES, 0, BASIS), "basis"),
    "basis of another kind": (put(["whim"], PARTIES, 0, BASIS), "one of conclusion, confirmation"),
    "basis unsorted": (turned(PARTIES, 1, BASIS), "ascending"),
    "no rows": (put([], ROWS), "rows"),
    "33 rows": (put([["BY", f"{n:02}", "1"] for n in range(33)], ROWS), "rows is not an array of 1 to 32"),
    "row twice": (twice(ROWS, 0), "ascending"),
    "two rows for one code": (put("1", ROWS, 1, 1), "ascending"),
    "rows unsorted": (turned(ROWS), "ascending"),
    "row of a third party": (put("TS", ROWS, 5, 0), "not a party"),
    "row of an unknown code": (put("4", ROWS, 5, 1), "no mark with the code '4'"),
    "row to an unknown code": (put("4", ROWS, 5, 2), "no mark with the code '4'"),
    "a more secret mark maps lower": (put("3", ROWS, 3, 2), "not monotone"),
    "a less secret mark maps higher": (put("1", ROWS, 5, 2), "not monotone"),
    "channel twice": (twice(CHANNELS, 0), "ascending"),
    "channels unsorted": (turned(CHANNELS), "ascending"),
    "33 channels": (put(named(33, False), CHANNELS), "channels is not an array of 1 to 32"),  # noqa: FBT003 - a value on the wire
    "needs reference no boolean": (put(1, CHANNELS, 0, 1), "boolean"),
    "transport twice": (twice(TRANSPORTS, 0), "ascending"),
    "33 transports": (put(named(33), TRANSPORTS), "transports is not an array of 1 to 32"),
    "no escorts": (put([], ESCORTS), "escorts"),
    "33 escorts": (put(named(33), ESCORTS), "escorts is not an array of 1 to 32"),
    "handling missing": (without(HANDLING, 5), "one entry in handling"),
    "handling twice": (twice(HANDLING, 0), "ascending"),
    "handling of a code without a row": (without(ROWS, 5), "one entry in handling"),
    "handling without channels": (put([], HANDLING, 0, 2), "channels of handling"),
    "handling without transports": (put([], HANDLING, 0, 3), "transports of handling"),
    "handling without escorts": (put([], HANDLING, 0, 4), "escorts of handling"),
    "handling by an unknown channel": (put(["pigeon"], HANDLING, 0, 2), "channels of handling"),
    "handling by an unknown transport": (put(["pigeon"], HANDLING, 0, 3), "transports of handling"),
    "handling with an unknown escort": (put(["pigeon"], HANDLING, 0, 4), "escorts of handling"),
    "handling unsorted": (turned(HANDLING, 0, 2), "ascending"),
    "term unknown": (put({"en": "x"}, TERMS, "tribute"), "terms"),
    "term without text": (put({}, TERMS, "copying"), "term copying"),
    "no suite": (put([], SUITES), "suites"),
    "another suite": (put([2], SUITES), "suite"),
    "two suites": (put([1, 2], SUITES), "suites"),
    "another stamp": (put("ajar", STAMP), "stamp"),
    "another padding": (put(["some"], PADDING), "padding"),
    "no word of padding": (put([], PADDING), "padding is not an array"),
    "padding none with a number": (put(["none", 2], PADDING), "padding"),
    "multiple of nothing": (put(["multiple"], PADDING), "padding"),
    "two multiples": (put(["multiple", 2, 2], PADDING), "padding is not an array of 2"),
    "multiple of 1": (put(["multiple", 1], PADDING), "multiple of padding"),
    "multiple too great": (put(["multiple", (1 << 40) + 1], PADDING), "multiple of padding"),
    "skew too great": (put(86401, SKEW), "skew"),
    "transit too great": (put(31622401, TRANSIT), "max transit"),
    "valid from after the year 9999": (put(253402300800, FROM), "valid from"),
    "valid until when it begins": (put(1767225600, UNTIL), "valid until before"),
    "valid until before it begins": (put(1767225599, UNTIL), "valid until before"),
    "unknown extension": (put({"x": 1}, EXTENSIONS), "unknown extension 'x'"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed(kz_by_profile: Profile, case: str) -> None:
    hook, message = MALFORMED[case]
    with pytest.raises(Malformed, match=message):
        read_profile(edited(kz_by_profile.body, hook))


@pytest.mark.parametrize("term", ["change_of_marks", "copying", "disputes", "marking", "measures", "protection", "third_parties"])
def test_canonical_body_lacks_a_term(kz_by_profile: Profile, term: str) -> None:
    with pytest.raises(Malformed, match="the terms of an agreement are change_of_marks, copying"):
        read_profile(edited(kz_by_profile.body, without(TERMS, term)))


GOOD: dict[str, Hook] = {
    "a remark": put({"~note": "kept"}, EXTENSIONS),
    "multiple of 2": put(["multiple", 2], PADDING),
    "the greatest multiple": put(["multiple", 1 << 40], PADDING),
    "the greatest skew and transit": lambda items: put(86400, SKEW)(put(31622400, TRANSIT)(items)),
    "no skew, no transit": lambda items: put(0, SKEW)(put(0, TRANSIT)(items)),
    "a second more than nothing": put(1767225601, UNTIL),
    "one row": lambda items: put(items[ROWS][:1], ROWS)(put(items[HANDLING][:1], HANDLING)(items)),
    "all to one": lambda items: put("2", ROWS, 3, 2)(put("2", ROWS, 5, 2)(items)),
    "version 2": lambda items: put(2, 1)(put(bytes(32), 2)(items)),
    "a confirming body and the destination": put(["BY-MFA", "destination"], PARTIES, 0, CONFIRMING),
    "all that may be in one": full,
    "one of everything": least,
}


@pytest.mark.parametrize("case", GOOD)
def test_what_is_well_formed(kz_by_profile: Profile, case: str) -> None:
    body = edited(kz_by_profile.body, GOOD[case])
    assert body != kz_by_profile.body
    assert read_profile(body).body == body


def test_no_agreement_but_the_whole_body(kz_by_profile: Profile) -> None:
    for body in (b"", kz_by_profile.body[:-1], kz_by_profile.body + b"\x00", pack({}), pack([]), pack("kz-by")):
        with pytest.raises(Malformed):
            read_profile(body)


def test_nothing_longer_than_a_mebibyte_is_looked_at() -> None:
    """As long as the statement of an agreement may be."""
    with pytest.raises(Malformed, match="agreement has 1048577 bytes, more than the limit of 1048576"):
        read_profile(bytes((1 << 20) + 1))
    with pytest.raises(Malformed, match=r"canonical|array"):
        read_profile(bytes(1 << 20))


@settings(max_examples=40)
@given(profiles())
def test_what_is_packed_reads_back(profile: Profile) -> None:
    read = read_profile(profile.body)
    assert read == profile
    assert read.body == profile.body


@settings(max_examples=40)
@given(profiles(), st.data())
def test_counterpart_is_a_monotone_function_and_nothing_else(profile: Profile, data: st.DataObject) -> None:
    terms = data.draw(st.sampled_from(profile.parties))
    other = profile.other(terms.id)
    ranks = []
    for text in terms.marks:
        mark = Mark(terms.id, text.code)
        if mark in profile.rows:
            found = profile.counterpart(mark)
            assert found == Mark(other.id, profile.rows[mark])
            ranks.append(other.rank(found.code))
        else:
            with pytest.raises(Refused, match=r"has no counterpart .* \(A2\)"):
                profile.counterpart(mark)
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("other", ["AA", "BZ", "KA", "TS"])
def test_who_is_no_party(kz_by_profile: Profile, other: str) -> None:
    """Whatever the order of the ids."""
    assert [kz_by_profile.party(party).id for party in ("BY", "KZ")] == ["BY", "KZ"]
    for ask in (kz_by_profile.party, kz_by_profile.other):
        with pytest.raises(Refused, match=f"^{other} is not a party to the agreement kz-by$"):
            ask(other)


# -- three degrees against four ------------------------------------------------------------------------------------------


def test_three_degrees_against_four(three_four_profile: Profile) -> None:
    there = {code: three_four_profile.counterpart(Mark("AA", code)).code for code in "ABC"}
    back = {code: three_four_profile.counterpart(Mark("BB", code)).code for code in "123"}
    assert there == {"A": "1", "B": "2", "C": "4"}
    assert back == {"1": "A", "2": "A", "3": "B"}
    assert back[there["B"]] == "A"  # a round trip need not end where it began


def test_mark_without_counterpart_is_never_rounded(three_four_profile: Profile) -> None:
    with pytest.raises(Refused, match=r"BB:4 has no counterpart .* \(A2\)"):
        three_four_profile.counterpart(Mark("BB", "4"))  # though C → 4 is a row: it is a one-way row


def test_destination_code_that_no_row_reaches_is_unreachable(three_four_profile: Profile) -> None:
    assert "3" not in {three_four_profile.counterpart(Mark("AA", code)).code for code in "ABC"}


@pytest.mark.parametrize("mark", [Mark("AA", "D"), Mark("AA", "1"), Mark("BB", "A"), Mark("TS", "A")])
def test_unknown_mark_is_refused(three_four_profile: Profile, mark: Mark) -> None:
    with pytest.raises(Refused):
        three_four_profile.counterpart(mark)


def test_most_secret_goes_by_the_party_s_own_order(three_four_profile: Profile) -> None:
    marks = [Mark("AA", code) for code in "CBACB"]
    assert three_four_profile.most_secret(marks) == Mark("AA", "A")
    assert three_four_profile.most_secret(marks[:2]) == Mark("AA", "B")
    assert three_four_profile.most_secret([Mark("BB", code) for code in "4324"]) == Mark("BB", "2")


# -- padding -------------------------------------------------------------------------------------------------------------

totals = st.integers(0, 1 << 50) | st.integers(0, 70).map(lambda bits: (1 << bits) % ((1 << 50) + 1))


def padme(length: int) -> int:
    """Padmé as its authors write it (Nikitin et al., PURBs, 2019), with strings of bits instead of arithmetic."""
    if length < 2:
        return 0
    exponent = len(bin(length)) - 3
    low = exponent - len(f"{exponent:b}")
    mask = (1 << low) - 1
    return ((length + mask) & ~mask) - length


@given(totals)
def test_padme_is_the_published_one(total: int) -> None:
    assert Padding("padme").length(total) == padme(total)


@given(totals)
def test_padme_costs_at_most_12_percent_and_leaves_few_lengths(total: int) -> None:
    padded = total + Padding("padme").length(total)
    assert padded >= total
    assert (padded - total) * 100 <= 12 * total
    significant = f"{padded:b}".rstrip("0")
    assert len(significant) <= max(1, total.bit_length().bit_length() + 1)
    assert Padding("padme").length(padded) == 0


@pytest.mark.parametrize(("total", "pad"), [(0, 0), (1, 0), (2, 0), (8, 0), (9, 1), (100, 4), (1000, 24), (1 << 20, 0), ((1 << 20) + 1, 32767)])
def test_padme_examples(total: int, pad: int) -> None:
    assert Padding("padme").length(total) == pad


@given(totals, st.integers(2, 1 << 40))
def test_multiple_fills_up_to_it(total: int, multiple: int) -> None:
    pad = Padding("multiple", multiple).length(total)
    assert 0 <= pad < multiple
    assert (total + pad) % multiple == 0


@given(totals)
def test_none_pads_nothing(total: int) -> None:
    assert Padding("none").length(total) == 0


def test_body_says_what_it_was_made_of(kz_by_profile: Profile) -> None:
    items = unpack(kz_by_profile.body, max_bytes=1 << 20, what="agreement")
    assert items[:3] == ["kz-by", 1, None]
    assert [party[0] for party in items[PARTIES]] == ["BY", "KZ"]
    assert items[PADDING] == ["none"]
