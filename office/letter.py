"""The words of a reminder in the languages of those who read it. The terms are those of the law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["LETTERS", "Letter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The words of a reminder in one language; in braces what is put in.

    Attributes:
        head: labels of the sender, the addressee, the date and the subject.
        confirms: said of the body that confirms, where it is another one; `{body}`.
        subject: before the receipt is due, and when it is overdue; `{number}`.
        due: the same; `{day}`.
        missing: that the register has none; `{time}`.
        facts: labels of number, envelope id, digest of the dispatch, agreement, digest of the agreement, time of entry, time when it is due.
        asked: what is asked for.
        declared: said where the signed overdue record was made; `{time}`.
    """

    head: tuple[str, str, str, str]
    confirms: str
    subject: tuple[str, str]
    due: tuple[str, str]
    missing: str
    facts: tuple[str, str, str, str, str, str, str]
    asked: tuple[str, ...]
    declared: str


LETTERS: Final = {
    "en": Letter(
        head=("From", "To", "Date", "Subject"),
        confirms="{body}, which confirms",
        subject=("Receipt due for our envelope {number}", "Overdue receipt for our envelope {number}"),
        due=("The receipt for the envelope named below is due on {day}.", "The receipt for the envelope named below was due on {day}."),
        missing="As of {time} our register has no receipt for it.",
        facts=("our number", "envelope id", "dispatch digest", "agreement", "agreement digest", "entered here", "receipt due"),
        asked=(
            "Please send the countersigned receipt, or a countersigned refusal that gives the reason.",
            "If it was sent already, please send the same file once more: it counts as it did the first time.",
            "If no such envelope came to you, please tell us so at once, so that we can look for it.",
        ),
        declared="A signed record that this receipt is overdue stands in our register since {time}.",
    ),
    "kk": Letter(
        head=("Кімнен", "Кімге", "Күні", "Тақырыбы"),
        confirms="растайтын орган: {body}",
        subject=("Біздің {number} конвертіміздің алғанын растау мерзімі", "Біздің {number} конвертіміздің алғанын растау мерзімі өтіп кетті"),
        due=(
            "Төменде көрсетілген конверттің алғанын растау мерзімі — {day}.",
            "Төменде көрсетілген конверттің алғанын растау мерзімі {day} күні өтті.",
        ),
        missing="{time} жағдай бойынша біздің тізілімде оны растау жоқ.",
        facts=(
            "біздің нөмір",
            "конверт идентификаторы",
            "жөнелтілім дайджесі",
            "келісім",
            "келісім дайджесі",
            "тізілімге енгізілді",
            "растау мерзімі",
        ),
        asked=(
            "Екінші қол қойылған растауды немесе себебі көрсетілген, екінші қол қойылған бас тартуды жіберуіңізді сұраймыз.",
            "Егер ол жіберілген болса, сол файлды тағы бір рет жіберіңіз: ол бірінші реткідей есептеледі.",
            "Егер мұндай конверт сізге келмесе, оны іздестіру үшін бізге дереу хабарлаңыз.",
        ),
        declared="Бұл растаудың мерзімі өткені туралы қол қойылған жазба біздің тізілімде {time} бері тұр.",
    ),
    "ru": Letter(
        head=("От", "Кому", "Дата", "Тема"),
        confirms="подтверждает {body}",
        subject=("Срок подтверждения получения нашего конверта {number}", "Просрочено подтверждение получения нашего конверта {number}"),
        due=(
            "Срок подтверждения получения указанного ниже конверта наступает {day}.",
            "Срок подтверждения получения указанного ниже конверта истёк {day}.",
        ),
        missing="По состоянию на {time} подтверждения в нашем реестре нет.",
        facts=(
            "наш номер",
            "идентификатор конверта",
            "дайджест отправления",
            "соглашение",
            "дайджест соглашения",
            "внесён в реестр",
            "срок подтверждения",
        ),
        asked=(
            "Просим направить подтверждение со второй подписью или отказ со второй подписью и указанием причины.",
            "Если оно уже отправлено, просим прислать тот же файл ещё раз: он засчитывается как в первый раз.",
            "Если такой конверт к вам не поступал, просим немедленно сообщить об этом, чтобы мы начали розыск.",
        ),
        declared="Подписанная запись о просрочке этого подтверждения стоит в нашем реестре с {time}.",
    ),
    "be": Letter(
        head=("Ад", "Каму", "Дата", "Тэма"),
        confirms="пацвярджае {body}",
        subject=("Тэрмін пацвярджэння атрымання нашага канверта {number}", "Пратэрмінавана пацвярджэнне атрымання нашага канверта {number}"),
        due=(
            "Тэрмін пацвярджэння атрымання названага ніжэй канверта настае {day}.",
            "Тэрмін пацвярджэння атрымання названага ніжэй канверта скончыўся {day}.",
        ),
        missing="Па стане на {time} пацвярджэння ў нашым рэестры няма.",
        facts=(
            "наш нумар",
            "ідэнтыфікатар канверта",
            "дайджэст адпраўлення",
            "пагадненне",
            "дайджэст пагаднення",
            "унесены ў рэестр",
            "тэрмін пацвярджэння",
        ),
        asked=(
            "Просім накіраваць пацвярджэнне з другім подпісам або адмову з другім подпісам і ўказаннем прычыны.",
            "Калі яно ўжо адпраўлена, просім даслаць той самы файл яшчэ раз: ён залічваецца як у першы раз.",
            "Калі такі канверт да вас не паступаў, просім неадкладна паведаміць пра гэта, каб мы пачалі пошук.",
        ),
        declared="Падпісаны запіс пра пратэрміноўку гэтага пацвярджэння стаіць у нашым рэестры з {time}.",
    ),
}
