"""Fuzz one target with atheris: python -m fuzz.one TARGET [libFuzzer's options and folders]. `fuzz.run` calls this."""

from __future__ import annotations

import os
import sys
import time

import atheris

with atheris.instrument_imports(include=["valiza", "tomllib"]):
    from fuzz import targets

from fuzz.mutate import mutator


def main() -> None:
    target = targets.TARGETS[sys.argv.pop(1)]
    # When it merges, the engine starts itself again by this name.
    sys.argv[0] = os.environ.get("VALIZA_FUZZ_LAUNCHER", sys.argv[0])

    def one_input(data: bytes) -> None:
        begun = time.process_time()
        targets.replay(target, bytes(data))
        # Time of this process, not of the clock: the machine may have other work.
        targets.holds(time.process_time() - begun < targets.SECONDS_AN_INPUT, f"an input takes more than {targets.SECONDS_AN_INPUT} s")

    # Looked up when it is called: atheris puts another one there when it begins.
    tree = mutator(lambda data, size: atheris.Mutate(data, size), target.skip) if target.tree else None  # noqa: PLW0108 - see above
    atheris.Setup(sys.argv, one_input, **({} if tree is None else {"custom_mutator": tree}))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
