"""Vectors of backups (backup.md): sheets, one behind the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import slip39
import wire
import world as w
from cases import Cases, Topic
from slip39 import Share

TOPIC = Topic("backup", "backup", {})
DAY = "2026-03-03"
OPENING = w.PEOPLE["alena-open"].seed


@dataclass(frozen=True)
class Backup:
    """A key that is shared out."""

    name: str
    seed: bytes
    threshold: int = 2
    count: int = 3
    passphrase: str = ""
    identifier: int = 20412
    extendable: bool = True
    kind: str = wire.SIGNING_KIND
    holders: Sequence[str] = field(default=("Aigul Serik", "Dana Omar", "Timur Aliev", "Жанна Ахметова", ""))

    @property
    def exponent(self) -> int:
        """Of the iterations."""
        return 6 if self.passphrase else 0

    @cached_property
    def shares(self) -> list[Share]:
        """All shares, in order."""
        salt = b"" if self.extendable else b"shamir" + self.identifier.to_bytes(2, "big")
        secret = slip39.encrypted(self.seed, self.passphrase.encode(), self.exponent, salt)
        values = slip39.split(secret, self.threshold, self.count, lambda what, length: wire.draw(f"backup/{self.name}/{what}", length))
        return [Share(self.identifier, index, self.threshold, value, self.extendable, self.exponent) for index, value in enumerate(values)]

    @property
    def digest(self) -> str:
        """The key digest."""
        return wire.digest("public-key", wire.encode([self.kind, wire.public_of(self.kind, self.seed)])).hex()

    def sheet(self, share: Share, words: Sequence[str] | None = None, changes: Sequence[tuple[str, str]] = ()) -> str:
        """The sheet of a share, with some of its text changed."""
        part = f"share {share.index + 1} of {self.count}"
        check = " ".join(self.digest[start : start + 4] for start in range(0, 16, 4))
        groups = [self.digest[start : start + 8] for start in range(0, 64, 8)]
        table = [f"{number:2} {word:8}" for number, word in enumerate(share.words() if words is None else words, 1)]
        rows = ["    ".join(table[start : start + 4]).rstrip() for start in range(0, len(table), 4)]
        lines = [
            f"VALIZA KEY BACKUP 1{part:>61}",
            "=" * 80,
            "",
            f"Any {self.threshold} of the {self.count} shares give the key back.",
            "",
            f"Key             {self.name}",
            f"Kind            {self.kind}",
            f"Check value     {check}",
            f"Key digest      {' '.join(groups[:4])}",
            f"                {' '.join(groups[4:])}",
            f"Backup          {self.identifier}, made {DAY}",
            f"Passphrase      {'needed, and on no sheet' if self.passphrase else 'none'}",
            f"Holder          {self.holders[share.index % len(self.holders)]}".rstrip(),
            "",
            "Words",
            "",
            *rows,
            "",
            "The check value shows that it is this key that was recovered.",
        ]
        text = "\n".join(lines) + "\n"
        for old, new in changes:
            if old not in text:
                raise ValueError(old)
            text = text.replace(old, new, 1)
        return text

    def sheets(self, *numbers: int) -> bytes:
        """The sheets of some shares, by number."""
        return "".join(self.sheet(self.shares[number - 1]) for number in numbers).encode()

    def with_sheet(self, text: str) -> bytes:
        """A sheet behind that of share 1."""
        return (self.sheet(self.shares[0]) + text).encode()


ROOT = Backup("root key of office, KZ/KZ-MFA", wire.draw("key/backup root", 64))
LOCKED = Backup("certify key of office, KZ/KZ-MFA", wire.draw("key/backup certify", 64), 3, 5, "A-rose is a rose 7~", 777)
READING = Backup("open key of alena, BY/BY-MFA", OPENING, 2, 2, identifier=0, kind=wire.OPENING_KIND)
REGISTER = Backup("register key of alena, BY/BY-MFA", wire.draw("key/backup register", 64), identifier=1, kind=wire.LOG_KIND)
OTHER = replace(ROOT, name="roster key of office, KZ/KZ-MFA", seed=wire.draw("key/backup roster", 64), identifier=31337)
SECOND = ROOT.shares[1]


def _recovered() -> Cases:
    yield TOPIC.good("two_of_three", ROOT.sheets(1, 3), "any two sheets, of three")
    yield TOPIC.good("in_any_order", ROOT.sheets(3, 2), "two others, the higher number first")
    yield TOPIC.good("more_than_enough", ROOT.sheets(2, 3, 1), "three sheets where two are enough: all agree")
    yield TOPIC.good("same_sheet_again", ROOT.sheets(1, 1, 2), "a sheet twice counts once")
    yield TOPIC.good("passphrase", LOCKED.sheets(5, 1, 4), "three of five, and a passphrase", passphrase=(LOCKED.passphrase,))
    yield TOPIC.good("open_key", READING.sheets(1, 2), "an opening key: 33 words on a sheet")
    yield TOPIC.good("register_key", REGISTER.sheets(1, 2), "a register's key: 59 words, and the key digest says of which kind it is")
    sixteen = replace(ROOT, threshold=16, count=16)
    yield TOPIC.good("sixteen", sixteen.sheets(*range(1, 17)), "sixteen of sixteen")
    older = replace(ROOT, extendable=False, passphrase="x")  # noqa: S106 - of a test vector
    yield TOPIC.good("not_extendable", older.sheets(1, 2), "shares without the flag of the standard's second version", passphrase=("x",))
    short = [word[:4].upper() for word in SECOND.words()]
    yield TOPIC.good("typed_again", ROOT.with_sheet(ROOT.sheet(SECOND, short)), "words by four letters, in capitals")
    column = "\n".join(f"{number}. {word}" for number, word in enumerate(SECOND.words(), 1))
    loose = ROOT.sheet(SECOND).partition("Words\n")[0] + f" Words \n{column}\n"
    yield TOPIC.good("set_otherwise", ROOT.with_sheet(loose), "one word a line, and nothing behind them")


def _sheets() -> Cases:
    words = SECOND.words()
    for name, words_there, changes, comment in (
        ("heading_2", None, [("BACKUP 1", "BACKUP 2")], "a sheet of a format to come"),
        ("heading_none", None, [("VALIZA KEY BACKUP 1", "VALIZA KEY BACKUP")], "a heading without its number"),
        ("digest_missing", None, [("Key digest", "Key")], "no key digest"),
        ("digest_short", None, [(f" {ROOT.digest[56:]}", "")], "56 digits of a key digest"),
        ("passphrase_missing", None, [("Passphrase      none", "Passphrase")], "no word on the passphrase"),
        ("word_missing", None, [("\n 5 ", "\n55 ")], "no word 5, and two words 55"),
        ("word_gap", None, [("\n57 ", "\n67 ")], "no word 57, and a word 67"),
        ("words_58", words[:-1], [], "58 words"),
        ("words_60", [*words, words[0]], [], "60 words"),
        ("words_none", [], [], "no words"),
        ("words_20", Share(1, 1, 2, bytes(16)).words(), [], "a share of a shorter secret: 20 words"),
    ):
        yield TOPIC.bad(name, ROOT.with_sheet(ROOT.sheet(SECOND, words_there, changes)), "malformed @ 1", comment)


def _changed(words: Sequence[str], place: int, word: str) -> list[str]:
    return [*words[:place], word, *words[place + 1 :]]


def _shares() -> Cases:
    words = SECOND.words()
    swapped = [words[0], words[1], words[3], words[2], *words[4:]]
    bad: Iterator[tuple[str, list[str], str]] = iter(
        [
            ("word_unknown", _changed(words, 20, "secret"), "a word that is none of the list"),
            ("word_three_letters", _changed(words, 20, words[20][:3]), "a word by three letters"),
            ("word_other", _changed(words, 20, "zero" if words[20] != "zero" else "acid"), "one word is another of the list"),
            ("words_swapped", swapped, "two words in each other's place"),
            ("padding", replace(SECOND, padding=1).words(), "a padding bit that is not zero"),
            ("groups", replace(SECOND, group=(0, 1, 2)).words(), "the first of two groups"),
            ("group_second", replace(SECOND, group=(1, 1, 1)).words(), "the second group of one"),
            ("group_threshold", replace(SECOND, group=(0, 2, 1)).words(), "two groups needed, of one"),
            ("threshold_1", replace(SECOND, threshold=1).words(), "a share that is the secret"),
            ("exponent_9", replace(SECOND, exponent=9).words(), "five million iterations"),
            ("number_other", ROOT.shares[2].words(), "the words of share 3 on the sheet of share 2"),
        ]
    )
    for name, there, comment in bad:
        yield TOPIC.bad(name, ROOT.with_sheet(ROOT.sheet(SECOND, there)), "malformed @ 2", comment)


def _sets() -> Cases:
    def beside(share: Share, backup: Backup = ROOT, changes: Sequence[tuple[str, str]] = ()) -> bytes:
        return ROOT.with_sheet(backup.sheet(share, changes=changes))

    digest = [(OTHER.digest[start : start + 8], ROOT.digest[start : start + 8]) for start in range(0, 64, 8)]
    for name, raw, comment in (
        ("of_another_key", beside(OTHER.shares[1], OTHER), "a share of another key's backup"),
        ("of_another_backup", beside(OTHER.shares[1], OTHER, digest), "a share of another backup, on a sheet that names this key"),
        ("threshold_other", beside(replace(SECOND, threshold=3)), "another threshold"),
        ("exponent_other", beside(replace(SECOND, exponent=1)), "another exponent"),
        ("flag_other", beside(replace(SECOND, extendable=False)), "the other flag"),
        ("length_other", beside(replace(SECOND, value=bytes(32))), "a share of another length"),
        ("number_twice", beside(replace(ROOT.shares[0], value=bytes(64))), "two shares of one number"),
        ("digest_other", beside(SECOND, changes=[(ROOT.digest[:8], "00000000")]), "another key digest on a sheet"),
        ("passphrase_other", beside(SECOND, changes=[("none\n", "needed, and on no sheet\n")]), "another word on the passphrase"),
    ):
        yield TOPIC.bad(name, raw, "refused @ 3", comment)
    yield TOPIC.bad("one_of_two", ROOT.sheets(2), "incomplete @ 4", "one sheet where two are needed")
    yield TOPIC.bad("one_of_two_twice", ROOT.sheets(2, 2), "incomplete @ 4", "the same sheet twice where two are needed")
    yield TOPIC.bad(
        "two_of_three_needed", LOCKED.sheets(2, 3), "incomplete @ 4", "two sheets where three are needed", passphrase=(LOCKED.passphrase,)
    )
    altered = replace(SECOND, value=bytes([SECOND.value[0] ^ 1]) + SECOND.value[1:])
    yield TOPIC.bad("altered", beside(altered), "not authentic @ 5", "a share altered, with a checksum that holds")
    extra = (ROOT.sheet(ROOT.shares[0]) + ROOT.sheet(ROOT.shares[2]) + ROOT.sheet(altered)).encode()
    yield TOPIC.bad("altered_extra", extra, "not authentic @ 5", "the same beside two good ones, which are enough")
    alike = replace(OTHER, identifier=ROOT.identifier)
    yield TOPIC.bad(
        "identifier_alike", beside(alike.shares[1], alike, digest), "not authentic @ 5", "another key's share, by chance of the same identifier"
    )


def _passphrases() -> Cases:
    for name, passphrase, comment in (
        ("passphrase_wrong", LOCKED.passphrase.lower(), "another passphrase"),
        ("passphrase_none", "", "none where one is needed"),
    ):
        yield TOPIC.bad(name, LOCKED.sheets(1, 2, 3), "no key @ 6", comment, passphrase=(passphrase,))
    changes = [(ROOT.digest[start : start + 8], OTHER.digest[start : start + 8]) for start in range(0, 64, 8)]
    sheets = "".join(ROOT.sheet(share, changes=changes) for share in ROOT.shares[:2])
    yield TOPIC.bad("sheets_of_another_key", sheets.encode(), "not authentic @ 6", "shares of one key, on sheets that name another")


def cases() -> Cases:
    """All of them."""
    yield from _recovered()
    yield from _sheets()
    yield from _shares()
    yield from _sets()
    yield from _passphrases()
