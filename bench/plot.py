"""Draw what run.py saved: time and memory over the size of the carrier.

    python plot.py RESULTS.json FIGURE.svg [FIGURE.png …]

Needs matplotlib and nothing of Valiza. The same results and version give the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

# Colours that are told apart in any kind of colour blindness (Okabe and Ito), and a mark and a line for each, for who prints without.
STYLES: dict[str, dict[str, Any]] = {
    "Valiza": {"color": "#0072b2", "marker": "o", "linestyle": "-", "linewidth": 2.2, "zorder": 5},
    "limit": {"color": "#555555", "marker": "", "linestyle": "--", "linewidth": 1.6, "label": "the machine's limit in Python"},
    "age + minisign": {"color": "#009e73", "marker": "s", "linestyle": "-", "linewidth": 1.4},
    "gpg": {"color": "#d55e00", "marker": "^", "linestyle": "-", "linewidth": 1.4},
    "openssl cms": {"color": "#cc79a7", "marker": "D", "linestyle": "-", "linewidth": 1.4},
}
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size_label(size: float, _position: int = 0) -> str:
    return next((f"{size / unit:g} {name}" for unit, name in UNITS if size >= unit), f"{size:g} B")


def memory_label(mib: float, _position: int = 0) -> str:
    return size_label(mib * (1 << 20))


def draw(told: dict[str, Any], targets: list[str]) -> None:
    rows = [row for row in told["rows"] if row["size"] and row["value"]]
    sizes = sorted({row["size"] for row in rows})
    plt.rcParams.update({"svg.hashsalt": "valiza", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9})
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 7), sharex=True, sharey="row", layout="constrained")
    for column, verb in enumerate(("seal", "open")):
        for who, style in STYLES.items():
            of = sorted((row for row in rows if row["verb"] == verb and row["who"] == who), key=lambda row: row["size"])
            if of:
                drawn = {"label": who, "markersize": 4, **style}
                axes[0][column].plot([row["size"] for row in of], [row["value"]["median"] for row in of], **drawn)
                axes[1][column].plot([row["size"] for row in of], [row["peak_mib"] for row in of], **drawn)
        axes[0][column].set_title({"seal": "sign and encrypt to two recipients", "open": "decrypt and verify"}[verb])
        axes[1][column].axhline(64, color="#0072b2", linewidth=0.8, linestyle=":")
        axes[1][column].set_xlabel("size of the carrier")
    axes[1][0].text(sizes[0], 66, "Valiza's bound: 64 MiB", color="#0072b2", va="bottom")
    axes[0][0].set_ylabel("time, seconds (median)")
    axes[1][0].set_ylabel("peak memory")
    for axis in axes.flat:
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_locator(FixedLocator(sizes))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(size_label))
        axis.tick_params(axis="x", labelrotation=45)
        axis.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    for axis in axes[0]:
        axis.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    for axis in axes[1]:
        axis.yaxis.set_major_locator(FixedLocator([4**power for power in range(1, 7)]))
        axis.yaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter(FuncFormatter(memory_label))
    axes[0][0].legend(loc="upper left", framealpha=1)
    versions = ", ".join(f"{name} {told['machine'][name]}" for name in ("python", "age", "minisign", "gpg", "openssl") if name in told["machine"])
    figure.supxlabel(f"{told['machine']['processors']} processors; {versions}", fontsize=7, color="#555555")
    for target in targets:
        figure.savefig(target, dpi=110, metadata={"Date": None} if target.endswith(".svg") else None)
        if target.endswith(".svg"):  # matplotlib ends some lines with a space
            lines = Path(target).read_text(encoding="utf-8").splitlines()
            Path(target).write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    mpl.use("agg")
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[2:])
