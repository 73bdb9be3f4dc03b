"""The paper that a share stands on: what is written is read, as people retype it too, and nothing else is taken for a sheet."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import identity, signing_key

from valiza.keys.backup import Share, read_share, share_out
from valiza.keys.errors import Malformed, Usage, ValizaError
from valiza.keys.realm import Realm
from valiza.keys.sheet import MAX_SHEET, Sheet, format_sheet, read_sheet
from valiza.keys.signing import SigningKey

SIGNING: Final = signing_key("custodian")
OPENING: Final = identity("officer")
SHARES: Final = share_out(SIGNING, shares=5, threshold=3)
SHEET: Final = Sheet(
    share=SHARES[1],
    total=5,
    key_digest=SIGNING.key_digest.hex(),
    kind="MLDSA65-Ed25519",
    protected=False,
    key="root key of office, KZ/KZ-MFA",
    holder="Айгүл Серік",
    made_at=1795564800,
)
TEXT: Final = format_sheet(SHEET)


WHOLE: Final = """\
VALIZA KEY BACKUP 1                                               share 10 of 12
================================================================================

Any 3 of the 12 shares give the key back. This is one of them. Do not copy or
photograph it, and keep no two of them in one place.

Key             open key of an office, KZ/KZ-MFA
Kind            X-Wing
Check value     2a0d c852 7586 b3fb
Key digest      2a0dc852 7586b3fb 067afdeb fb5531ba
                1bac0fd8 de76d9ec 1ae0b1cf dc8468cc
Backup          30110, made 2026-11-25
Passphrase      needed, and on no sheet
Holder          Айгүл Серік

Words

 1 true         2 veteran      3 academic     4 client
 5 alto         6 venture      7 fact         8 suitable
 9 pickup      10 likely      11 inside      12 pants
13 pregnant    14 silver      15 alpha       16 username
17 category    18 medal       19 duke        20 staff
21 jacket      22 sugar       23 texture     24 literary
25 quiet       26 spine       27 obesity     28 wrist
29 domestic    30 destroy     31 detailed    32 glance
33 enemy

--------------------------------------------------------------------------------
To recover the key: valiza key recover, on a machine without network, with the
holders of 3 shares. Each types his own words, or hands over his file. Whoever
asks for your words at any other place is not entitled to them. The check value
shows that it is this key that was recovered.
"""


def test_a_whole_sheet() -> None:
    words = [word for _, word in re.findall(r"(\d+) ([a-z]+)", WHOLE.partition("Words\n")[2].partition("----")[0])]
    share = read_share(words)
    assert (share.number, share.threshold, share.backup) == (10, 3, 30110)
    digest = "2a0dc8527586b3fb067afdebfb5531ba1bac0fd8de76d9ec1ae0b1cfdc8468cc"
    sheet = Sheet(
        share=share,
        total=12,
        key_digest=digest,
        kind="X-Wing",
        protected=True,
        key="open key of an office, KZ/KZ-MFA",
        holder="Айгүл Серік",
        made_at=1795564800,
    )
    assert format_sheet(sheet) == WHOLE
    assert format_sheet(replace(sheet, made_at=1795564799)) == WHOLE.replace("made 2026-11-25", "made 2026-11-24")
    assert read_sheet(WHOLE) == replace(sheet, made_at=0)


def test_a_sheet_says_what_it_is_told_and_no_more() -> None:
    bare = Sheet(share=SHARES[0], total=5, key_digest=SIGNING.key_digest.hex(), kind="MLDSA65-Ed25519", protected=False)
    assert (bare.key, bare.holder, bare.made_at, bare.realm) == ("", "", 0, Realm.ORDINARY)
    assert "made 1970-01-01\n" in format_sheet(bare)


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("share", [*SHARES, *share_out(OPENING, shares=2, threshold=2), *share_out(SIGNING, shares=16, threshold=16)[8:]])
def test_what_is_written_is_read(share: Share, *, protected: bool) -> None:
    sheet = replace(SHEET, share=share, protected=protected, total=16)
    assert replace(read_sheet(format_sheet(sheet)), made_at=sheet.made_at) == sheet


def test_it_fits_on_paper() -> None:
    """80 columns, and one page."""
    long = replace(SHEET, share=share_out(SIGNING, shares=16, threshold=16)[15], total=16, key="k" * 60, holder="h" * 60, protected=True)
    for text in (TEXT, format_sheet(long)):
        lines = text.split("\n")
        assert max(map(len, lines)) == 80
        assert len(text.encode()) <= MAX_SHEET == 16384
        assert len(lines) < 55
        assert [line for line in lines if line != line.rstrip()] == []
        assert text.isprintable() or set(text) - set("\n") <= {character for character in text if character.isprintable()}


def test_it_says_what_the_holder_and_the_recoverer_need() -> None:
    digest = SIGNING.key_digest.hex()
    for said in (
        "share 2 of 5", "Any 3 of the 5 shares", "root key of office, KZ/KZ-MFA", "MLDSA65-Ed25519", "Айгүл Серік",
        f"{SHARES[0].backup}, made 2026-11-25",
        " ".join(digest[start : start + 4] for start in range(0, 16, 4)), "valiza key recover", "Passphrase      none",
    ):  # fmt: skip
        assert said in TEXT
    numbered = re.findall(r"(\d+) ([a-z]+)", TEXT.partition("Words\n")[2].partition("----")[0])
    assert [word for _, word in numbered] == list(SHARES[1].words)
    assert [int(number) for number, _ in numbered] == list(range(1, 60))


def test_it_holds_one_share_only() -> None:
    for other in SHARES:
        assert (" ".join(other.words[3:6]) in " ".join(re.findall("[a-z]+", TEXT))) is (other.number == 2)


@pytest.mark.parametrize("name", ["x" * 61, "two\nlines", "\u202eright", "tab\t", "\x1b[2J", "\ud800"])
def test_name_that_paper_does_not_show(name: str) -> None:
    for sheet in (replace(SHEET, key=name), replace(SHEET, holder=name)):
        with pytest.raises(Usage):
            format_sheet(sheet)


def test_what_was_made_to_practise_is_not_taken_for_what_is_meant() -> None:
    key = SigningKey(SIGNING.seed, Realm.REHEARSAL)
    sheet = replace(SHEET, share=share_out(key, shares=2, threshold=2)[0], key_digest=key.key_digest.hex(), realm=Realm.REHEARSAL)
    text = format_sheet(sheet)
    assert text.startswith("VALIZA REHEARSAL BACKUP 1 ")
    assert "Kind            rehearsal/MLDSA65-Ed25519\n" in text
    assert replace(read_sheet(text, Realm.REHEARSAL), made_at=sheet.made_at) == sheet
    with pytest.raises(Malformed) as caught:
        read_sheet(text)
    assert "rehearsal" in caught.value.hint
    with pytest.raises(Malformed) as caught:
        read_sheet(TEXT, Realm.REHEARSAL)
    assert "rehearsal" in caught.value.hint


def test_fields_are_read_wherever_they_stand_before_the_words() -> None:
    heading, _, _, _, _, rest = TEXT.split("\n", 5)
    assert read_sheet(f"{heading}\n{rest.lstrip()}").key == SHEET.key, "right behind the heading"
    again = TEXT.replace("\nHolder ", "\nKey             corrected by hand\nHolder ")
    assert (read_sheet(again).key, read_sheet(again).holder) == ("corrected by hand", SHEET.holder)


def test_name_that_looks_like_something_else() -> None:
    for name in ("Words", "", "Passphrase      needed, and on no sheet", "Key digest", "VALIZA KEY BACKUP 1", "1 academic 2 acid"):
        sheet = replace(SHEET, key=name, holder=name)
        assert replace(read_sheet(format_sheet(sheet)), made_at=SHEET.made_at) == sheet


RETYPED: Final = {
    "without the rest": TEXT.partition("-----")[0],
    "capitals": TEXT.partition("Words")[0] + "Words" + re.sub(r"\d [a-z]+", lambda m: m[0].upper(), TEXT.partition("Words")[2]),
    "four letters": TEXT.partition("Words")[0] + "Words\n" + "\n".join(f"{n}. {word[:4]}" for n, word in enumerate(SHARES[1].words, 1)),
    "one line": TEXT.partition("Words")[0] + " Words  \n\n\n" + " ".join(f"{n}) {word}" for n, word in enumerate(SHARES[1].words, 1)),
    "down the columns": TEXT.partition("Words")[0] + "Words\n" + "\n".join(
        " ".join(f"{n + 1} {SHARES[1].words[n]}" for n in range(row, 59, 15)) for row in range(15)
    ),
    "Windows": TEXT.replace("\n", "\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("how", RETYPED)
def test_as_people_retype_it(how: str) -> None:
    assert read_sheet(RETYPED[how]).share == SHARES[1]


DAMAGED: Final = {
    "nothing": "",
    "no heading": TEXT.partition("\n")[2],
    "another heading": TEXT.replace("VALIZA KEY BACKUP 1", "VALIZA KEY BACKUP 2"),
    "a line before": "\n" + TEXT,
    "no number of a share": TEXT.replace("share 2 of 5", "share of 5"),
    "another share's number": TEXT.replace("share 2 of 5", "share 3 of 5"),
    "no key digest": TEXT.replace("Key digest", "Key       "),
    "half a key digest": "\n".join(line for line in TEXT.split("\n") if not line.startswith("    ")),
    "a letter in the key digest": TEXT.replace(SIGNING.key_digest.hex()[:8], "O" + SIGNING.key_digest.hex()[1:8]),
    "no word on the passphrase": TEXT.replace("none", ""),
    "another word on the passphrase": TEXT.replace("none", "perhaps"),
    "no words": TEXT.partition("Words")[0],
    "no line of words": TEXT.partition("Words")[0] + "Words\n",
    "a word missing": re.sub(r"\n13 [a-z]+ +", "\n", TEXT),
    "the last word missing": re.sub(r" +59 [a-z]+", "", TEXT),
    "a number twice": TEXT.replace("13 ", "12 "),
    "a word that is none": re.sub(r"\b13 [a-z]+", "13 nonsense", TEXT),
    "something between the words": re.sub(r"\b13 ", "and 13 ", TEXT),
}


def without(*numbers: int) -> str:
    """The words of the sheet without those of some numbers."""
    return re.sub(rf"\b({'|'.join(map(str, numbers))}) [a-z]+", "", TEXT.partition("-----")[0].partition("Words")[2])


@pytest.mark.parametrize(("numbers", "missing"), [((1,), 1), ((13,), 13), ((58,), 58), ((57, 58), 57), ((1, 59), 1)])
def test_it_is_told_which_word_is_missing(numbers: tuple[int, ...], missing: int) -> None:
    with pytest.raises(Malformed, match=f"^word {missing} is missing on a sheet$"):
        read_sheet(TEXT.partition("Words")[0] + "Words" + without(*numbers))


@pytest.mark.parametrize("number", [0, 2])
def test_it_is_told_which_format_is_not_known(number: int) -> None:
    with pytest.raises(Malformed, match=f"^a sheet of format {number} is not known here$"):
        read_sheet(TEXT.replace("VALIZA KEY BACKUP 1", f"VALIZA KEY BACKUP {number}"))


def test_it_is_told_whose_words_stand_on_anothers_sheet() -> None:
    with pytest.raises(Malformed, match=r"^the words on the sheet of share 3 are those of share 2$"):
        read_sheet(TEXT.replace("share 2 of 5", "share 3 of 5"))


@pytest.mark.parametrize("how", DAMAGED)
def test_what_is_no_sheet(how: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_sheet(DAMAGED[how])
    said = re.findall("[a-z]+", f"{caught.value.message} {caught.value.hint}")
    assert "nonsense" not in said
    assert len([word for word in set(SHARES[1].words) if word in said]) <= 1  # "word" and "share" are no secrets


@given(st.text(max_size=400), st.integers(0, 2000), st.integers(0, 200))
def test_any_text_is_a_sheet_or_is_refused(text: str, at: int, length: int) -> None:
    for candidate in (text, TEXT[:at] + text + TEXT[at + length :]):
        with contextlib.suppress(ValizaError):
            assert read_sheet(candidate).share == SHARES[1]
