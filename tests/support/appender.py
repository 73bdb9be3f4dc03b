"""A program that appends to a register, and says what was acknowledged: `appender.py ADDRESS|- PATH NAME COUNT`.

It says `ready`, waits for a line, and then says the number of each entry once it is in the register. What fails it tries again as the errors say:
where an entry may be there, it looks first.
"""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from valiza.keys.errors import Unavailable
from valiza.keys.fields import Body
from valiza.register.connecting import open_store
from valiza.register.entry import Entry
from valiza.register.store import Query

if TYPE_CHECKING:
    from valiza.register.store import Store


def main() -> None:
    where, path, name, count = sys.argv[1:]
    store: Store | None = open_store(None if where == "-" else where, Path(path), lambda: 1000)
    say("ready")
    sys.stdin.readline()
    for index in range(int(count)):
        number, doubt = f"{name}/{index}", False
        while True:
            try:
                if store is None:
                    store = open_store(None if where == "-" else where, Path(path), lambda: 1000)
                append(store, number, doubt=doubt)
            except Unavailable as error:
                say(f"! {error.message}")
                doubt = True
                time.sleep(0.05)
            else:
                break
        say(number)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def append(store: Store, number: str, *, doubt: bool) -> None:
    entry = Entry(
        at=1000,
        kind="opened",
        direction="in",
        number=number,
        agreement=number.partition("/")[0].encode().ljust(32, b"."),
        origin=Body("BY", "BY-MFA"),
        envelope_id=bytes(32),
        dispatch_digest=number.encode(),
        statement=bytes(2000),
        blind=secrets.token_bytes(16),
    )
    with store.transaction():
        if not (doubt and store.count(Query(number=number))):
            store.append(entry)


if __name__ == "__main__":
    main()
