"""The report of a register as one page of HTML: no script, nothing from elsewhere, and text from outside never as anything but text."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, Any, Final

from valiza.cli.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Report", "page"]

Report = dict[str, Any]

_STYLE: Final = """
:root{color-scheme:light dark;--page:#fbfbf9;--ink:#1c2024;--dim:#5a626b;--line:#d5d8db;--card:#fff;--link:#0b5394;--bar:#3d7ab8;
--good:#1e6b3a;--wait:#7a5200;--bad:#a61b1b}
@media (prefers-color-scheme:dark){:root{--page:#15181b;--ink:#e6e8ea;--dim:#a3abb3;--line:#3a4148;--card:#1d2125;--link:#8fc1f5;--bar:#5b9bd9;
--good:#7fd19b;--wait:#e8b95a;--bad:#ff9a94}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;font:1rem/1.5 system-ui,sans-serif;background:var(--page);color:var(--ink)}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-bottom:.2rem;border-bottom:2px solid var(--line)}
p{margin:.3rem 0}
a{color:var(--link)}
.dim,caption{color:var(--dim)}
nav ul,.counts{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;margin:1rem 0;padding:0}
.counts{gap:.8rem}
.counts li{flex:1 1 9rem;background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.6rem .9rem}
.counts b{display:block;font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line)}
caption{text-align:start;padding:.3rem 0;font-size:.9rem}
th,td{padding:.35rem .7rem;text-align:start;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{font-size:.85rem;color:var(--dim);white-space:nowrap}
tbody th{font-weight:600}
.n{text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}
.t{white-space:nowrap;font-variant-numeric:tabular-nums}
.w{overflow-wrap:anywhere}
.bar{min-width:12rem;width:40%}
.bar span{display:block;height:1rem;margin-top:.25rem;background:var(--bar);border-radius:.15rem;print-color-adjust:exact}
.good{color:var(--good)}.wait{color:var(--wait)}.bad{color:var(--bad)}
.v{font-weight:600;white-space:nowrap}
details{background:var(--card);border:1px solid var(--line);border-radius:.4rem;margin:.4rem 0;padding:.45rem .9rem}
summary{cursor:pointer;display:list-item}
summary span{margin-inline-end:.9rem}
summary:focus-visible,a:focus-visible{outline:3px solid var(--link);outline-offset:2px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.7rem 0}
dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
ol{margin:.5rem 0;padding-inline-start:1.4rem}
ol li{margin:.25rem 0;overflow-wrap:anywhere}
code{font:.85em ui-monospace,monospace}
footer{margin-top:2.5rem;font-size:.9rem;color:var(--dim)}
@media (max-width:40rem){body{padding:1rem}dl{display:block}dd{margin-bottom:.3rem}}
@media print{body{max-width:none;padding:0;font-size:9.5pt}nav{display:none}table,details{break-inside:auto}tr,li{break-inside:avoid}
h2{break-after:avoid}details::details-content{content-visibility:visible;block-size:auto}summary{list-style:none}.scroll{overflow:visible}}
"""
# Heads of columns, by what their names begin with: of numbers; of numbers with a bar beside each; of anything else.
_HEAD: Final = {"#": '<th scope="col" class="n">{}</th>', "|": '<th scope="col" colspan="2">{}</th>', "": '<th scope="col">{}</th>'}
_GOOD: Final = {"delivered", "countersigned"}
_BAD: Final = {"overdue", "refused", "discrepant", "late", "conflict"}


def _text(value: object) -> str:
    """Text from anywhere, as text: also where it has characters that hide others or turn their direction."""
    return escape(safe("" if value is None else value), quote=True)


def page(report: Report) -> Iterator[str]:
    """The page, line by line.

    Args:
        report: `body`, `names`, `as_of`, `whole` (whether all envelopes are in it), `count`, `waiting` (standings that wait for something), `months`
            (by name: sent, delivered, received, confirmed), `counts` (by name) and `stories`, an iterable of facts with `entries`.
    """
    most = max((month["delivered"] for month in report["months"].values()), default=0)
    widths = {name: 0 if not most else round(100 * month["delivered"] / most) for name, month in report["months"].items()}
    style = _STYLE + "".join(f".p{width}{{width:{width}%}}\n" for width in sorted(set(widths.values())))
    # By the digest of the one style that there is: a style that somebody managed to put in would count as little as a script.
    allowed = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = f"Register of {_text(report['body'])}"
    yield "<!DOCTYPE html>\n"
    yield '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{allowed}'; "
    yield "base-uri 'none'; form-action 'none'\">\n"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
    yield f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    yield f"<header>\n<h1>{title}</h1>\n"
    yield "".join(f'<p lang="{_text(language)}">{_text(name)}</p>\n' for language, name in report["names"].items())
    yield f"<p>As of <strong>{_when(report['as_of'])}</strong> by the clock of this office. All times are UTC.</p>\n"
    which = "" if report["whole"] else "; <strong>not the whole register:</strong> only those that were asked for"
    yield f"<p>{report['count']} envelope{'' if report['count'] == 1 else 's'}{which}.</p>\n"
    yield '</header>\n<nav aria-label="Parts of this page"><ul>'
    for name, words in (
        ("overdue", "Overdue"),
        ("outstanding", "Outstanding"),
        ("here", "Waiting here"),
        ("months", "By month"),
        ("all", "Envelopes"),
    ):
        yield f'<li><a href="#{name}">{words}</a></li>'
    yield '</ul></nav>\n<main>\n<ul class="counts">'
    yield "".join(f"<li><b>{count}</b> {_text(words)}</li>" for words, count in report["counts"].items())
    yield "</ul>\n"
    yield from _waiting(report["waiting"])
    yield from _months(report["months"], widths)
    yield '<section id="all" aria-labelledby="all-h">\n<h2 id="all-h">The story of each envelope</h2>\n'
    any_ = False
    for story in report["stories"]:
        any_ = True
        yield from _story(story)
    yield ("" if any_ else "<p>There is none.</p>\n") + "</section>\n</main>\n"
    yield f"<footer><p>Made by <code>valiza register report</code> at {_when(report['as_of'])}. It tells what stands in the register of "
    yield f"{_text(report['body'])}, and proves nothing: <code>valiza register verify</code> and the receipts do.</p></footer>\n</body>\n</html>\n"


def _when(time: str | None) -> str:
    """A time, as a machine reads it and as a person does: to the minute."""
    return "" if time is None else f'<time datetime="{_text(time)}" class="t">{_text(time[:16].replace("T", " "))}</time>'


def _table(caption: str, columns: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    head = "".join(_HEAD[name[:1] if name[:1] in _HEAD else ""].format(_text(name.lstrip("#|"))) for name in columns)
    yield f'<div class="scroll"><table>\n<caption>{_text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
    yield from rows
    yield "</tbody>\n</table></div>\n"


def _waiting(waiting: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    parts = (
        ("overdue", "Overdue", "Sent, and the receipt did not come in time", [one for one in waiting if one["direction"] == "out" and one["late"]]),
        (
            "outstanding",
            "Outstanding",
            "Sent, and the receipt is not due yet",
            [one for one in waiting if one["direction"] == "out" and not one["late"]],
        ),
        ("here", "Waiting here", "Came in, and this office has something to do", [one for one in waiting if one["direction"] == "in"]),
    )
    for name, heading, caption, found in parts:
        yield f'<section id="{name}" aria-labelledby="{name}-h">\n<h2 id="{name}-h">{heading}</h2>\n'
        if found:
            columns = (
                "Number",
                "From" if name == "here" else "To",
                "Agreement",
                "Waits for",
                "Entered",
                "Receipt due",
                f"#Days {'left' if name == 'outstanding' else 'late'}",
            )
            yield from _table(caption, columns, (_waiting_row(one) for one in found))
        else:
            yield "<p>There is none.</p>\n"
        yield "</section>\n"


def _waiting_row(one: Mapping[str, Any]) -> str:
    link = f'<a href="#e{one["dispatch"]}">{_text(one["number"] or one["envelope_id"][:16] + "…")}</a>'
    left = one["left"] if one["direction"] == "out" else ""
    late = f'<td class="n bad">{one["late"]}</td>' if one["late"] else f'<td class="n">{left}</td>'
    cells = f'<td class="w">{_text(one["other"])}</td><td>{_text(one["agreement_id"])}</td><td>{_text(one["waits_for"])}</td>'
    return f'<tr><th scope="row">{link}</th>{cells}<td>{_when(one["since"])}</td><td>{_when(one["due"])}</td>{late}</tr>\n'


def _months(months: Mapping[str, Mapping[str, int]], widths: Mapping[str, int]) -> Iterator[str]:
    yield '<section id="months" aria-labelledby="months-h">\n<h2 id="months-h">By month</h2>\n'
    if months:
        columns = ("Month", "#Sent", "|Delivered", "#Received", "#Receipts made")
        yield from _table(
            "Envelopes sent and received, by when they were entered; delivered and receipts made, by when the receipt was",
            columns,
            (
                f'<tr><th scope="row" class="t">{_text(name)}</th><td class="n">{month["sent"]}</td><td class="n">{month["delivered"]}</td>'
                f'<td class="bar" aria-hidden="true"><span class="p{widths[name]}"></span></td>'
                f'<td class="n">{month["received"]}</td><td class="n">{month["confirmed"]}</td></tr>\n'
                for name, month in months.items()
            ),
        )
    else:
        yield "<p>There is none.</p>\n"
    yield "</section>\n"


def _story(story: Mapping[str, Any]) -> Iterator[str]:
    verdict = story["verdict"]
    kind = "good" if verdict in _GOOD else "bad" if verdict in _BAD else "wait"
    name = story["number"] or f"{story['envelope_id'][:16]}…"
    yield f'<details id="e{story["dispatch"]}"><summary><span><strong>{_text(name)}</strong></span><span class="v {kind}">{_text(verdict)}</span>'
    yield f"<span>{'to' if story['direction'] == 'out' else 'from'} {_text(story['other'] or 'unknown')}</span>"
    yield f'<span class="dim">{_when(story["since"])}</span></summary>\n<dl>'
    yield "".join(f"<dt>{_text(label)}</dt><dd>{_text(value)}</dd>" for label, value in story["facts"].items() if value)
    yield "</dl>\n<ol>\n"
    yield "".join(f"<li>{_when(at)} {_text(words)}</li>\n" for at, words in story["entries"])
    yield "</ol></details>\n"
