"""Shares of a key: any that are enough give it, fewer give nothing, and whatever is wrong with them is told."""

from __future__ import annotations

import json
import random
import re
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shamir_mnemonic import EncryptedMasterSecret, generate_mnemonics, split_ems
from shamir_mnemonic.wordlist import WORDLIST
from tests.support.keys import identity, log_key, signing_key

from valiza.keys.backup import LENGTHS, Recovery, Share, check_value, find_word, parse_check_value, read_share, require_passphrase, share_out
from valiza.keys.errors import Incomplete, Malformed, NoKey, NotAuthentic, Refused, Usage, ValizaError
from valiza.keys.log_key import LogSigningKey
from valiza.keys.realm import Realm
from valiza.keys.recipient import Recipient
from valiza.keys.signing import SigningKey, VerifyKey

OFFICIAL: Final = json.loads((Path(__file__).parent.parent / "vectors" / "slip39.json").read_text(encoding="utf-8"))
SIGNING: Final = signing_key("custodian")
OPENING: Final = identity("officer")
WHOLE: Final = SIGNING.key_digest.hex()
THREE_OF_FIVE: Final = share_out(SIGNING, shares=5, threshold=3)
# With fewer iterations than ours have, so that many passphrases can be tried.
LOCKED: Final = [read_share(words.split()) for words in generate_mnemonics(1, [(2, 3)], SIGNING.seed, b"A rose is a rose", iteration_exponent=0)[0]]


def collected(*shares: Share) -> Recovery:
    recovery = Recovery()
    for share in shares:
        assert recovery.add(share)
    return recovery


# -- there and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [SIGNING, OPENING, log_key("officer")], ids=["signing", "opening", "log"])
@pytest.mark.parametrize(("shares", "threshold"), [(2, 2), (3, 2), (5, 3), (4, 4), (16, 2), (16, 16)])
def test_any_that_are_enough_give_the_key(key: Any, shares: int, threshold: int) -> None:
    made = share_out(key, shares=shares, threshold=threshold)
    assert [share.number for share in made] == list(range(1, shares + 1))
    assert {(share.threshold, share.backup, len(share.words)) for share in made} == {(threshold, made[0].backup, LENGTHS[key is not OPENING])}
    for some in list(combinations(made, threshold))[:20]:
        found = collected(*(read_share(share.words) for share in some)).key(key.key_digest.hex())
        assert (type(found), found.seed, found.public) == (type(key), key.seed, key.public)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=64, max_size=64), st.integers(2, 16), st.data())
def test_any_seed_and_any_numbers(seed: bytes, threshold: int, data: st.DataObject) -> None:
    key = SigningKey(seed)
    made = share_out(key, shares=data.draw(st.integers(threshold, 16)), threshold=threshold)
    some = data.draw(st.permutations(made))
    recovery = Recovery()
    for count, share in enumerate(some[:threshold], 1):
        assert not recovery.complete
        with pytest.raises(Incomplete):
            recovery.key(key.key_digest.hex())
        assert recovery.add(read_share(share.words))
        assert recovery.threshold == threshold
        assert recovery.numbers == sorted(share.number for share in some[:count])
    assert recovery.complete
    assert recovery.key(key.key_digest.hex()).seed == seed


def test_of_two_keys_that_a_seed_may_be_of_the_check_value_tells_which() -> None:
    log = LogSigningKey(SIGNING.seed)
    assert log.key_digest != SIGNING.key_digest
    for key in (log, SIGNING):
        found = collected(*THREE_OF_FIVE).key(parse_check_value(check_value(key)))
        assert (type(found), found.public) == (type(key), key.public)


def test_more_than_enough_are_all_looked_at() -> None:
    assert collected(*THREE_OF_FIVE).key(WHOLE).seed == SIGNING.seed


def test_two_backups_of_one_key_have_nothing_in_common() -> None:
    """The polynomial is drawn anew."""
    again = share_out(SIGNING, shares=5, threshold=3)
    assert all(one.raw.value[:16] != other.raw.value[:16] for one, other in zip(THREE_OF_FIVE, again, strict=True))


def test_identifier_is_drawn_from_all_that_there_are() -> None:
    found = {share_out(OPENING, shares=2, threshold=2)[0].backup for _ in range(60)}
    assert len(found) > 50
    assert max(found).bit_length() == 15


def test_a_share_is_what_the_standard_says() -> None:
    """Extendable, one group, no iterations to speak of without a passphrase; with one, 64 times ten thousand."""
    for made, exponent in ((THREE_OF_FIVE, 0), (share_out(SIGNING, shares=3, threshold=2, passphrase="x"), 6)):
        raw = made[1].raw
        assert (raw.extendable, raw.iteration_exponent, raw.group_index, raw.group_threshold, raw.group_count, raw.index) == (
            True,
            exponent,
            0,
            1,
            1,
            1,
        )
        assert made[1].words == tuple(raw.mnemonic().split())


def test_secret_is_in_no_repr() -> None:
    shown = repr(THREE_OF_FIVE[0])
    assert not set(THREE_OF_FIVE[0].words) & set(re.findall("[a-z]+", shown))
    assert str(THREE_OF_FIVE[0].raw.value) not in shown


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (3, 1), (0, 0), (2, 3), (17, 2), (17, 17), (5, -1)])
def test_numbers_that_cannot_be(shares: int, threshold: int) -> None:
    with pytest.raises(Usage):
        share_out(OPENING, shares=shares, threshold=threshold)


# -- what tells that it is the right key -----------------------------------------------------------------------------------


def test_check_value_is_the_beginning_of_the_key_digest() -> None:
    for key, public in ((SIGNING, VerifyKey(SIGNING.public)), (OPENING, Recipient(OPENING.public))):
        assert key.key_digest == public.key_digest
        assert check_value(key).replace(" ", "") == public.key_digest.hex()[:16]
    assert [len(group) for group in check_value(SIGNING).split(" ")] == [4, 4, 4, 4]


@pytest.mark.parametrize("text", [check_value(SIGNING), check_value(SIGNING).upper(), WHOLE, f" {WHOLE[:8]}\t{WHOLE[8:16]}\n"])
def test_check_value_as_it_may_be_typed(text: str) -> None:
    assert WHOLE.startswith(parse_check_value(text))
    assert collected(*THREE_OF_FIVE[:3]).key(parse_check_value(text)).seed == SIGNING.seed


@pytest.mark.parametrize("text", ["", "0", WHOLE[:15], WHOLE[:17], WHOLE[:63], WHOLE + "0", "x" * 16, "0x" + WHOLE[:14], "٠" * 16])
def test_what_is_no_check_value(text: str) -> None:
    with pytest.raises(Usage):
        parse_check_value(text)


def test_wrong_passphrase_is_told_and_gives_no_key() -> None:
    some = collected(*LOCKED[:2])
    for protected in (True, None):
        assert some.key(WHOLE, "A rose is a rose", protected=protected).seed == SIGNING.seed
        for wrong in ("a rose is a rose", "A rose is a rose ", "", "~"):
            with pytest.raises(NoKey):
                some.key(WHOLE, wrong, protected=protected)
    with pytest.raises(NoKey, match="wrong passphrase"):
        some.key(WHOLE, "x")


def test_another_check_value_gives_no_key() -> None:
    some = collected(*THREE_OF_FIVE[:3])
    other = OPENING.key_digest.hex()
    with pytest.raises(NoKey, match="or need a passphrase"):
        some.key(other[:16])
    with pytest.raises(NotAuthentic):
        some.key(other, protected=False)
    with pytest.raises(NoKey):
        some.key("")


def test_what_to_do_about_a_wrong_passphrase() -> None:
    for protected, hint in ((True, ""), (None, "compare the check value with the sheets, and see whether they speak of a passphrase")):
        with pytest.raises(NoKey, match="wrong passphrase of the backup") as told:
            collected(*LOCKED[:2]).key(WHOLE, "A tulip is a tulip", protected=protected)
        assert told.value.hint == hint


@pytest.mark.parametrize("threshold", [2, 3, 4, 5])
def test_more_shares_than_needed_give_the_key_too(threshold: int) -> None:
    made = share_out(OPENING, shares=6, threshold=threshold)
    for count in range(threshold, 7):
        assert collected(*made[:count]).key(OPENING.key_digest.hex()).seed == OPENING.seed


@pytest.mark.parametrize("passphrase", ["құпия", "tab\t", "\x7f", "é", "a" * 257])
def test_passphrase_that_the_standard_does_not_take(passphrase: str) -> None:
    with pytest.raises(Usage) as caught:
        share_out(OPENING, shares=2, threshold=2, passphrase=passphrase)
    assert passphrase not in caught.value.message
    with pytest.raises(Usage):
        collected(*LOCKED[:2]).key(WHOLE, passphrase)


def test_passphrase_as_long_as_it_may_be() -> None:
    assert require_passphrase("a" * 256) == b"a" * 256
    with pytest.raises(Usage, match="at most 256 characters"):
        require_passphrase("a" * 257)


@pytest.mark.parametrize(("passphrase", "exponent"), [("", 0), ("x", 6)])
def test_only_a_passphrase_is_made_slow_to_try(passphrase: str, exponent: int) -> None:
    assert [share.raw.iteration_exponent for share in share_out(OPENING, shares=2, threshold=2, passphrase=passphrase)] == [exponent] * 2


def test_passphrase_of_all_that_it_takes() -> None:
    passphrase = "".join(map(chr, range(32, 127)))
    made = share_out(OPENING, shares=2, threshold=2, passphrase=passphrase)
    assert collected(*made).key(OPENING.key_digest.hex(), passphrase).seed == OPENING.seed


def test_key_that_was_made_to_practise_is_none_that_is_meant() -> None:
    """The check value tells: it is over the kind, too."""
    practised = SigningKey(SIGNING.seed, Realm.REHEARSAL)
    some = collected(*share_out(practised, shares=2, threshold=2))
    assert some.key(practised.key_digest.hex(), realm=Realm.REHEARSAL).key_digest == practised.key_digest
    with pytest.raises(NoKey):
        some.key(practised.key_digest.hex())
    with pytest.raises(NoKey):
        collected(*THREE_OF_FIVE[:3]).key(WHOLE, realm=Realm.REHEARSAL)


# -- shares that are wrong, or do not belong together ----------------------------------------------------------------------


def test_every_single_word_that_is_changed_is_noticed() -> None:
    """All places, and in each 20 other words, seeded."""
    draw = random.Random(39)  # noqa: S311 - which cases are tried
    words = list(THREE_OF_FIVE[0].words)
    for place, right in enumerate(words):
        for other in draw.sample([word for word in WORDLIST if word != right], 20):
            with pytest.raises(Malformed):
                read_share([*words[:place], other, *words[place + 1 :]])


@given(st.lists(st.integers(0, 32), min_size=2, max_size=3, unique=True), st.data())
def test_two_or_three_words_that_are_changed_are_noticed(places: list[int], data: st.DataObject) -> None:
    words = list(_OPENING_WORDS)
    for place in places:
        words[place] = data.draw(st.sampled_from([word for word in WORDLIST if word != words[place]]))
    with pytest.raises(Malformed):
        read_share(words)


_OPENING_WORDS: Final = share_out(OPENING, shares=2, threshold=2)[0].words


def test_two_words_in_each_others_place_are_noticed() -> None:
    words = list(THREE_OF_FIVE[0].words)
    for place in range(len(words) - 1):
        if words[place] != words[place + 1]:
            with pytest.raises(Malformed):
                read_share([*words[:place], words[place + 1], words[place], *words[place + 2 :]])


@pytest.mark.parametrize("count", [0, 1, 20, 32, 34, 58, 60, 1000])
def test_another_number_of_words(count: int) -> None:
    with pytest.raises(Malformed, match=f"^a share has 33 or 59 words, not {count}$"):
        read_share(["academic"] * count)


@pytest.mark.parametrize("place", [1, 2, 5, 8, 33])
def test_a_word_that_is_none_is_told_by_its_number(place: int) -> None:
    words = ["academic"] * 33
    words[place - 1] = "nonsense"
    with pytest.raises(Malformed, match=f"^word {place} of a share is none of the list$"):
        read_share(words)


@pytest.mark.parametrize("groups", [[(2, 3), (2, 3)], [(1, 1)], [(1, 1), (2, 2)]], ids=["two groups", "one share", "both"])
def test_a_share_of_another_scheme_is_none_of_ours(groups: list[tuple[int, int]]) -> None:
    for threshold in range(1, len(groups) + 1):
        for group in split_ems(threshold, groups, EncryptedMasterSecret(1, True, 0, bytes(32))):  # noqa: FBT003
            for raw in group:
                with pytest.raises(Malformed, match="something else than the backup of one key"):
                    read_share(raw.words())


def test_no_message_quotes_a_word() -> None:
    words = list(THREE_OF_FIVE[0].words)
    for wrong in ([*words[:-1], "zero"], [*words[:-1], "secretword"], words[:-1], [words[1], words[0], *words[2:]]):
        with pytest.raises(Malformed) as caught:
            read_share(wrong)
        said = f"{caught.value.message} {caught.value.hint}"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        assert [word for word in wrong if word in said.split()] == []


def test_shares_of_two_backups_are_refused() -> None:
    for other in (LOCKED[2], share_out(OPENING, shares=5, threshold=3)[1], share_out(SIGNING, shares=5, threshold=2)[1]):
        recovery = collected(THREE_OF_FIVE[0])
        with pytest.raises(Refused):
            recovery.add(other)
        assert recovery.numbers == [1]


def _with_identifier_of(key: Any, like: Share, **differing: int) -> list[Share]:
    """Shares of a key in a backup whose identifier is, by chance, that of another."""
    sealed = EncryptedMasterSecret.from_master_secret(key.seed, b"", like.backup, True, 0)  # noqa: FBT003
    numbers = {"threshold": 3, "shares": 5, **differing}
    return [read_share(raw.words()) for raw in split_ems(1, [(numbers["threshold"], numbers["shares"])], sealed)[0]]


def test_shares_of_two_backups_with_one_identifier_give_nothing() -> None:
    """Once in 32768 pairs of backups; what SLIP-39 shares out besides the secret tells."""
    others = _with_identifier_of(signing_key("another"), THREE_OF_FIVE[0])
    for mixed in ((*THREE_OF_FIVE[:2], others[2]), (THREE_OF_FIVE[0], *others[1:3])):
        with pytest.raises(NotAuthentic):
            collected(*mixed).key(WHOLE)
    recovery = collected(*THREE_OF_FIVE[:3])
    with pytest.raises(Refused):
        recovery.add(others[0])
    with pytest.raises(NotAuthentic):
        collected(*THREE_OF_FIVE[:3], others[3]).key(WHOLE)
    with pytest.raises(NotAuthentic):
        collected(*THREE_OF_FIVE[:4], others[4]).key(WHOLE)
    with pytest.raises(Refused):
        collected(THREE_OF_FIVE[0]).add(_with_identifier_of(OPENING, THREE_OF_FIVE[0])[1])
    with pytest.raises(Refused):
        collected(THREE_OF_FIVE[0]).add(_with_identifier_of(SIGNING, THREE_OF_FIVE[0], threshold=2)[1])


def test_the_same_share_twice_counts_once() -> None:
    recovery = collected(*THREE_OF_FIVE[:2])
    assert not recovery.add(read_share(THREE_OF_FIVE[0].words))
    with pytest.raises(Incomplete, match="2 of 3"):
        recovery.key(WHOLE)


def test_nothing_at_all_is_incomplete() -> None:
    with pytest.raises(Incomplete):
        Recovery().key(WHOLE)
    assert (Recovery().complete, Recovery().threshold, Recovery().numbers) == (False, None, [])


def test_it_is_complete_from_the_threshold_on() -> None:
    assert [collected(*THREE_OF_FIVE[:count]).complete for count in range(6)] == [False, False, False, True, True, True]


def test_one_short_of_enough_says_nothing_of_the_secret() -> None:
    """With two shares of three every other seed is as possible: there is a third that leads to it."""
    from shamir_mnemonic.shamir import RawShare, _interpolate  # noqa: PLC0415 - this test only

    known = [RawShare(share.raw.index, share.raw.value) for share in THREE_OF_FIVE[:2]]
    for wanted in (bytes(64), bytes(range(64)), signing_key("another").seed):
        third = _interpolate([*known, RawShare(255, wanted)], 2)
        assert _interpolate([*known, RawShare(2, third)], 255) == wanted


@pytest.mark.parametrize("exponent", [9, 15])
def test_a_share_that_asks_for_minutes_is_refused_before_they_pass(exponent: int) -> None:
    sealed = EncryptedMasterSecret(1, True, exponent, bytes(32))  # noqa: FBT003
    with pytest.raises(Malformed):
        read_share(split_ems(1, [(2, 2)], sealed)[0][0].words())


def test_a_share_that_asks_for_a_second_is_read() -> None:
    sealed = EncryptedMasterSecret(1, True, 8, bytes(32))  # noqa: FBT003
    assert read_share(split_ems(1, [(2, 2)], sealed)[0][0].words()).number == 1


# -- words that people type ------------------------------------------------------------------------------------------------


def test_every_word_is_known_by_four_letters() -> None:
    assert [find_word(word[:4]) for word in WORDLIST] == WORDLIST
    assert [find_word(word[:5]) for word in WORDLIST] == WORDLIST
    assert [find_word(word.upper()) for word in WORDLIST] == WORDLIST
    assert [word for word in WORDLIST if find_word(word[:3]) not in {None, word[:3]}] == []


@pytest.mark.parametrize("typed", ["", "a", "aca", "acadm", "academics", "құпия", "12", "acad emic", " academic"])
def test_what_is_no_word(typed: str) -> None:
    assert find_word(typed) is None


# -- others' vectors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "mnemonics", "secret"), [row[:3] for row in OFFICIAL], ids=[row[0].partition(".")[0] for row in OFFICIAL])
def test_vectors_of_the_standard(name: str, mnemonics: list[str], secret: str) -> None:
    """A set gives the secret that the standard says, or nothing. Sets without sharing, in groups or of 128 bits are no backups of keys here."""
    recovery, error = Recovery(), None
    found = b""
    try:
        for mnemonic in mnemonics:
            recovery.add(read_share(mnemonic.split()))
        found = recovery._sealed().decrypt(b"TREZOR")
    except ValizaError as caught:
        error = caught
    ours = "sharing 2-of-3 (256 bits)" in name
    assert found.hex() == (secret if ours and secret else "")
    assert (error is None) is (ours and bool(secret))
    if "Basic sharing" in name and not secret and ours:
        assert isinstance(error, Incomplete)


def test_there_are_vectors_that_are_backups_like_ours() -> None:
    assert sum("sharing 2-of-3 (256 bits)" in row[0] and bool(row[2]) for row in OFFICIAL) == 2


def test_the_library_gives_for_every_vector_what_the_standard_says() -> None:
    """Those of other forms too: it is not ours, but what keys hang on."""
    from shamir_mnemonic import MnemonicError, combine_mnemonics  # noqa: PLC0415 - this test only

    for name, mnemonics, secret, _ in OFFICIAL:
        if secret:
            assert combine_mnemonics(mnemonics, b"TREZOR").hex() == secret, name
        else:
            with pytest.raises(MnemonicError):
                combine_mnemonics(mnemonics, b"TREZOR")


def test_another_program_for_the_standard_reads_and_makes_them() -> None:
    """The seed by the library's own way, with nothing of ours between."""
    from shamir_mnemonic import combine_mnemonics  # noqa: PLC0415 - this test only

    assert combine_mnemonics([" ".join(share.words) for share in LOCKED[1:]], b"A rose is a rose") == SIGNING.seed
    (made,) = generate_mnemonics(1, [(2, 3)], SIGNING.seed, b"x", extendable=False)
    assert collected(*(read_share(words.split()) for words in made[:2])).key(WHOLE, "x").seed == SIGNING.seed
