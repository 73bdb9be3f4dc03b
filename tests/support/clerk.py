"""A clerk at an office whose register others use too: `clerk.py HOME FOLDER NAME [RECEIPT…]` seals, signs heads and judges receipts on and on.

Each command is run in this process, and told in a line of JSON once it ended: what it did, its exit code, what it printed. He stops when
FOLDER/stop is there.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.cli import ORDER, run


def main() -> None:
    home, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    receipts = [Path(path) for path in sys.argv[4:]]
    carrier = folder / f"{name}.txt"
    carrier.write_text(name, encoding="utf-8")
    for index in count():
        if (folder / "stop").exists():
            return
        out = folder / f"{name}-{index}.vlz"
        tell("seal", home, "seal", carrier, *ORDER, "-o", out, out=str(out))
        if receipts and tell("receipt", home, "receipt", "verify", receipts[0], receipt=str(receipts[0])) == 0:
            del receipts[0]
        if index % 4 == 0:
            tell("checkpoint", home, "register", "checkpoint")


def tell(what: str, home: Path, *words: str | Path, **facts: str) -> int:
    """Run a command, and say how it ended."""
    done = run(*words, "--json", "--home", home)
    said: dict[str, Any] = {"what": what, "code": done.code, "told": json.loads(done.out) if done.out else None, "error": done.err, **facts}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    return done.code


if __name__ == "__main__":
    main()
