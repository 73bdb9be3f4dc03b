"""What a message says to people about the envelope or receipt in it, in their languages. The terms are those of the law and of reminders.

Never in it: a mark, the name of a file, anything of the contents (specs/mail.md, Words).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["LANGUAGES", "WORDS", "Words", "languages_of", "paragraphs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words in one language.

    Attributes:
        envelope: what it is, and what to do with it.
        receipt: the same of a receipt.
        other: the same of other objects.
        facts: labels of the envelope id, the origin, the destination, the confirming body, what it says, and when it was countersigned.
        says: that the envelope was acknowledged, and that it was refused.
    """

    envelope: tuple[str, ...]
    receipt: tuple[str, ...]
    other: tuple[str, ...]
    facts: tuple[str, str, str, str, str, str]
    says: tuple[str, str]


WORDS: Final = {
    "kk": Words(
        envelope=(
            "Бұл хабарламаға Valiza конверті тіркелген. Ол шифрланған, оны тек адресат аша алады.",
            "Тіркелген файлды өзгертпей сақтаңыз. Сенім осы мәтінге емес, конверттің қолтаңбаларына негізделеді.",
        ),
        receipt=(
            "Бұл — төменде көрсетілген Valiza конвертінің алынғаны туралы екінші қол қойылған растау.",
            "Растаудың өзі осы хабарламаға тіркелген. Сенім осы мәтінге емес, оның қолтаңбаларына негізделеді.",
        ),
        other=("Бұл хабарламаға Valiza файлдары тіркелген. Оларды өзгертпей сақтаңыз.",),
        facts=("конверт идентификаторы", "жөнелтуші", "алушы", "растаушы", "жауап", "екінші қол қойылған уақыты"),
        says=("конверт алынды", "конверт қабылданбады"),
    ),
    "ru": Words(
        envelope=(
            "К этому сообщению приложен конверт Valiza. Он зашифрован, и открыть его может только адресат.",
            "Сохраните приложенный файл без изменений. Доверия заслуживают подписи конверта, а не этот текст.",
        ),
        receipt=(
            "Это подтверждение со второй подписью о получении названного ниже конверта Valiza.",
            "Само подтверждение приложено к этому сообщению. Доверия заслуживают его подписи, а не этот текст.",
        ),
        other=("К этому сообщению приложены файлы Valiza. Сохраните их без изменений.",),
        facts=("идентификатор конверта", "отправитель", "получатель", "подтверждает", "ответ", "время второй подписи"),
        says=("конверт получен", "в приёме конверта отказано"),
    ),
    "be": Words(
        envelope=(
            "Да гэтага паведамлення прыкладзены канверт Valiza. Ён зашыфраваны, і адкрыць яго можа толькі адрасат.",
            "Захавайце прыкладзены файл без змен. Даверу заслугоўваюць подпісы канверта, а не гэты тэкст.",
        ),
        receipt=(
            "Гэта пацвярджэнне з другім подпісам аб атрыманні названага ніжэй канверта Valiza.",
            "Само пацвярджэнне прыкладзена да гэтага паведамлення. Даверу заслугоўваюць яго подпісы, а не гэты тэкст.",
        ),
        other=("Да гэтага паведамлення прыкладзены файлы Valiza. Захавайце іх без змен.",),
        facts=("ідэнтыфікатар канверта", "адпраўнік", "атрымальнік", "пацвярджае", "адказ", "час другога подпісу"),
        says=("канверт атрыманы", "у прыёме канверта адмоўлена"),
    ),
    "en": Words(
        envelope=(
            "A Valiza envelope is attached to this message. It is encrypted, and only its addressee can open it.",
            "Keep the attached file as it is. What counts are the signatures of the envelope, not this text.",
        ),
        receipt=(
            "This is a countersigned receipt for the Valiza envelope named below.",
            "The receipt itself is attached to this message. What counts are its signatures, not this text.",
        ),
        other=("Valiza files are attached to this message. Keep them as they are.",),
        facts=("envelope id", "origin", "destination", "confirmed by", "answer", "countersigned"),
        says=("the envelope was acknowledged", "the envelope was refused"),
    ),
}
LANGUAGES: Final = tuple(WORDS)
_OF_PARTIES: Final = {"KZ": ("kk", "ru"), "BY": ("be", "ru"), "RU": ("ru",)}


def languages_of(parties: Iterable[str]) -> tuple[str, ...]:
    """The languages that parties, by their ids, read; English where none of them is known to read another."""
    found = dict.fromkeys(language for party in parties for language in _OF_PARTIES.get(party, ()))
    return tuple(language for language in LANGUAGES if language in found) or ("en",)


def paragraphs(sentences: Sequence[str], facts: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Sentences, and below them what is known of each thing, if anything is."""
    lines = list(sentences)
    for known in filter(None, facts):
        width = max(len(label) for label, _ in known) + 1
        lines += ["", *(f"    {label + ':':{width}} {value}" for label, value in known)]
    return "\n".join(lines) + "\n"
