"""What opening a kept roster and looking credentials up in it takes, in a process that has done nothing before; as JSON, in seconds.

python looking.py HOME PARTY
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from valiza.office.home import Office

AGAIN = 1000


def main(home: str, party: str) -> None:
    office = Office(Path(home), lambda: "")
    started = time.perf_counter()
    book = office.trust.rosters[party]
    opened = time.perf_counter()
    # The index names whom to look for. Of two officers of one body the first is the first whose chain is checked in this process.
    sealers = [one for one in book.outlines if one.purpose == "seal"]
    first, second, *_ = [one for one in sealers if one.body == sealers[0].body]
    times = {"open": opened - started}
    for name, wanted, count in (("first", first.digest, 1), ("next", second.digest, 1), ("again", first.digest, AGAIN)):
        began = time.perf_counter()
        for _ in range(count):
            assert office.trust.credential(wanted) is not None
        times[name] = (time.perf_counter() - began) / count
    print(json.dumps(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
