"""A private key as SLIP-39 shares, and back (specs/backup.md). A number of holders together have it, and no fewer.

What the library says of a share may quote words of it, so none of its messages goes further than this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Incomplete, Malformed, NoKey, NotAuthentic, Refused, Usage
from valiza.keys.log_key import LogSigningKey
from valiza.keys.realm import Realm
from valiza.keys.recipient import ENCRYPTION_SEED_BYTES, Identity
from valiza.keys.secrecy import hold
from valiza.keys.signing import SIGNING_SEED_BYTES, SigningKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "CHECK_DIGITS",
    "LENGTHS",
    "MAX_SHARES",
    "MIN_THRESHOLD",
    "Recovery",
    "Share",
    "WholeKey",
    "check_value",
    "find_word",
    "parse_check_value",
    "read_share",
    "require_passphrase",
    "share_out",
]

WholeKey = SigningKey | LogSigningKey | Identity  # all of it is in its seed

MIN_THRESHOLD: Final = 2
MAX_SHARES: Final = 16
LENGTHS: Final = (33, 59)  # in words, of a share of an `open` key and of one that signs
CHECK_DIGITS: Final = 16  # of the key digest, to be typed
_SEEDS: Final = {ENCRYPTION_SEED_BYTES, SIGNING_SEED_BYTES}
_MAX_EXPONENT: Final = 8  # about a second; the format goes up to 15, which is minutes
_EXPONENT: Final = 6  # with a passphrase; without one there is nothing to guess
_MAX_PASSPHRASE: Final = 256
_LETTERS: Final = 4  # by which every word of the list is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One share: words whose checksum holds.

    Attributes:
        words: the secret.
        number: from 1, among the shares of this backup.
        threshold: how many shares give the key.
        backup: identifier of the backup, the same on its shares.
        raw: the share, as the library has it.
    """

    words: tuple[str, ...] = field(repr=False)
    number: int
    threshold: int
    backup: int
    raw: Any = field(repr=False)


def share_out(key: WholeKey, *, shares: int, threshold: int, passphrase: str = "") -> list[Share]:
    """Share out the seed of a key, with randomness of the operating system.

    Args:
        key: the key.
        shares: how many shares to make, up to 16.
        threshold: how many of them give the key, from 2.
        passphrase: needed besides, if it is not empty.

    Raises:
        Usage: the numbers cannot be, or the passphrase is not printable ASCII.
    """
    from shamir_mnemonic import EncryptedMasterSecret, split_ems  # noqa: PLC0415 - only with backups
    from shamir_mnemonic.shamir import RANDOM_BYTES  # noqa: PLC0415

    if not MIN_THRESHOLD <= threshold <= shares <= MAX_SHARES:
        message = f"{threshold} of {shares} shares cannot be: at least {MIN_THRESHOLD} have to give the key, of at most {MAX_SHARES}"
        raise Usage(message)
    secret = require_passphrase(passphrase)
    identifier = int.from_bytes(RANDOM_BYTES(2), "big") >> 1  # 15 bits
    sealed = EncryptedMasterSecret.from_master_secret(key.seed, secret, identifier, True, _EXPONENT if secret else 0)  # noqa: FBT003 - as it has it
    (group,) = split_ems(1, [(threshold, shares)], sealed)
    return [_share(raw) for raw in group]


def require_passphrase(passphrase: str) -> bytes:
    """The bytes of a backup's passphrase.

    Raises:
        Usage: it has characters that the standard for shares does not take, or too many.
    """
    if not all(" " <= character <= "~" for character in passphrase) or len(passphrase) > _MAX_PASSPHRASE:
        message = f"the passphrase of a backup has at most {_MAX_PASSPHRASE} characters, all of them printable ASCII"
        raise Usage(message, "choose Latin letters, digits and punctuation: the standard for shares (SLIP-39) takes no others")
    return passphrase.encode("ascii")


def check_value(key: WholeKey) -> str:
    """By which a recovered key is known to be the right one, in groups of four digits."""
    digits = key.key_digest.hex()[:CHECK_DIGITS]
    return " ".join(digits[start : start + 4] for start in range(0, CHECK_DIGITS, 4))


def parse_check_value(text: str) -> str:
    """The digits of a check value or of a whole key digest; spaces and case do not count.

    Raises:
        Usage: it is neither.
    """
    digits = "".join(text.split()).lower()
    if len(digits) not in {CHECK_DIGITS, 64} or set(digits) - set("0123456789abcdef"):
        message = "that is no check value"
        raise Usage(message, f"it has {CHECK_DIGITS} hexadecimal digits, and stands on each sheet")
    return digits


def find_word(typed: str) -> str | None:
    """The word of the list that was meant: itself, or its beginning from four letters on; in whatever case. None if there is none."""
    from shamir_mnemonic.wordlist import WORD_INDEX_MAP, WORDLIST  # noqa: PLC0415 - only with backups

    wanted = typed.lower()
    if wanted in WORD_INDEX_MAP:
        return wanted
    found = [word for word in WORDLIST if word.startswith(wanted)] if len(wanted) >= _LETTERS else []
    return found[0] if found else None


def read_share(words: Sequence[str]) -> Share:
    """A share from its words.

    Raises:
        Malformed: a word that is none, a checksum that does not hold, or a share of something else than a backup of one key.
    """
    from shamir_mnemonic import MnemonicError  # noqa: PLC0415 - only with backups
    from shamir_mnemonic import Share as RawShare  # noqa: PLC0415

    if len(words) not in LENGTHS:
        message = f"a share has {LENGTHS[0]} or {LENGTHS[1]} words, not {len(words)}"
        raise Malformed(message)
    found = [find_word(word) for word in words]
    if None in found:
        message = f"word {found.index(None) + 1} of a share is none of the list"
        raise Malformed(message)
    try:
        raw = RawShare.from_mnemonic(" ".join(word for word in found if word))
    except MnemonicError:
        message = "the words of a share do not fit together: one of them is wrong, or in another's place"
        raise Malformed(message) from None  # it would quote them
    alone = (raw.group_index, raw.group_count) == (0, 1)
    if not alone or raw.member_threshold < MIN_THRESHOLD or raw.iteration_exponent > _MAX_EXPONENT or len(raw.value) not in _SEEDS:
        message = "a share is of something else than the backup of one key"
        raise Malformed(message)
    return _share(raw)


def _share(raw: Any) -> Share:  # noqa: ANN401 - a library without types
    return Share(
        words=tuple(hold(word) for word in raw.words()), number=raw.index + 1, threshold=raw.member_threshold, backup=raw.identifier, raw=raw
    )


class Recovery:
    """Collects shares, one after the other, until they give the key."""

    def __init__(self) -> None:
        self._shares: dict[int, Share] = {}

    @property
    def numbers(self) -> list[int]:
        """Numbers of the shares that are here."""
        return sorted(self._shares)

    @property
    def threshold(self) -> int | None:
        """How many shares are needed; None as long as there is none that says so."""
        return next((share.threshold for share in self._shares.values()), None)

    @property
    def complete(self) -> bool:
        """Whether there are enough shares."""
        return self.threshold is not None and len(self._shares) >= self.threshold

    def add(self, share: Share) -> bool:
        """Take a share; returns whether it is a new one.

        Raises:
            Refused: it is of another backup, or another share of this number is here.
        """
        first = next(iter(self._shares.values()), share)
        if _common(first) != _common(share):
            message = f"share {share.number} is of another backup than share {first.number}"
            raise Refused(message, "take the sheets on which the number of the backup is the same")
        known = self._shares.setdefault(share.number, share)
        if known.raw != share.raw:
            message = f"there are two different shares with the number {share.number}"
            raise Refused(message, "they are of two backups, or one is false: ask their holders")
        return known is share

    def key(self, check: str, passphrase: str = "", *, protected: bool | None = None, realm: Realm = Realm.ORDINARY) -> WholeKey:
        """The key, and no other than the one that is expected.

        Args:
            check: its digest or check value, as `parse_check_value` gives it.
            passphrase: that of the backup, if it has one.
            protected: whether the sheets say that it has one; None if nothing said so.
            realm: of the key.

        Raises:
            Incomplete: there are too few shares.
            NotAuthentic: the shares do not belong together, or give another key.
            NoKey: the passphrase is wrong. Usage: it cannot be one.
        """
        secret = require_passphrase(passphrase)
        seed = hold(self._sealed().decrypt(secret))
        key = next((key for key in _of_seed(seed, realm) if check and key.key_digest.hex().startswith(check)), None)
        if key is None:
            if protected is False:
                message = "the shares give another key than the sheets say"
                raise NotAuthentic(message, "compare the check value with other sheets of this backup")
            message = "wrong passphrase of the backup" if passphrase or protected else "the shares give another key, or need a passphrase"
            raise NoKey(message, "" if protected else "compare the check value with the sheets, and see whether they speak of a passphrase")
        return key

    def require_complete(self) -> None:
        """Raise Incomplete unless there are enough shares.

        Raises:
            Incomplete: there are not.
        """
        needed = self.threshold or MIN_THRESHOLD
        if len(self._shares) < needed:
            message = f"{len(self._shares)} of {needed} shares are here"
            raise Incomplete(message, "any other holder's will do")

    def _sealed(self) -> Any:  # noqa: ANN401 - a library without types
        """The secret as the shares have it, still under the passphrase; each of them agrees."""
        self.require_complete()
        needed = self.threshold or MIN_THRESHOLD
        shares = [self._shares[number] for number in self.numbers]
        first, *others = ([*shares[: needed - 1], share] for share in shares[needed - 1 :])
        sealed = _combined(first)
        if any(_combined(some) != sealed for some in others):
            raise _apart()
        return sealed


def _of_seed(seed: bytes, realm: Realm) -> Iterator[WholeKey]:
    """The keys that a seed may be of; which of them is meant, the check value tells."""
    if len(seed) == ENCRYPTION_SEED_BYTES:
        yield Identity(seed)
    else:
        yield SigningKey(seed, realm)
        yield LogSigningKey(seed, realm)


def _common(share: Share) -> tuple[object, ...]:
    """What is the same in all shares of a backup."""
    raw = share.raw
    return raw.common_parameters(), raw.group_parameters(), len(raw.value)


def _apart() -> NotAuthentic:
    message = "the shares do not belong together: one of them is of another backup, or false"
    return NotAuthentic(message, "try other holders' shares, one in place of another")


def _combined(shares: Sequence[Share]) -> Any:  # noqa: ANN401 - a library without types
    """What just as many shares as are needed give."""
    from shamir_mnemonic import MnemonicError, recover_ems  # noqa: PLC0415 - only with backups
    from shamir_mnemonic.shamir import ShareGroup  # noqa: PLC0415

    group = ShareGroup()
    for share in shares:
        group.add(share.raw)
    try:
        return recover_ems({0: group})
    except MnemonicError:
        raise _apart() from None
