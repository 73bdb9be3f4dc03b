"""A table with people around it, who hold ceremonies by the commands: answers come from a file, secrets over pipes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.cli import Outcome, fails, run, works

from valiza.office.ceremony.plan import read_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Table", "given_by_pipes"]


@contextmanager
def given_by_pipes(secrets: Iterable[str]) -> Iterator[list[int]]:
    """A file descriptor for each secret, from which it can be read once."""
    descriptors = []
    try:
        for secret in secrets:
            reading, writing = os.pipe()
            descriptors.append(reading)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(secret.encode() + b"\n")
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@dataclass
class Table:
    """People with their key files; each key has the passphrase `secret of` its file's name.

    Attributes:
        folder: plans, and whatever they name, lie in it.
        keys: where the newest key of each is, by his id.
        shares: words that holders type, by their id.
    """

    folder: Path
    keys: dict[str, Path] = field(default_factory=dict)
    shares: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def path(self, name: str) -> Path:
        """A path in the folder."""
        return self.folder / name

    def plan(self, kind: str, name: str, *words: str) -> Path:
        """Write a plan."""
        plan = self.path(name)
        works("ceremony", "plan", kind, f"--title={name}", "--operator=timur:Timur", *words, "-o", plan)
        return plan

    def lead(self, plan: Path, out: str, *more: str, root: str | None = None, answered: Mapping[str, str] | None = None) -> Outcome:
        """Hold a ceremony, or what is left of it, in a folder; with other answers by the names of their steps."""
        shown = works("ceremony", "show", plan, "--json").facts
        rehearsal = "--rehearsal" in more
        people = read_plan(plan.read_bytes()).people
        self.made += 1
        fresh = {one.id: self.path(f"{one.id}-{self.made}.key") for one in people if rehearsal or one.key in {"new", "recover"}}
        keys = {**self.keys, **fresh}
        tables = {step["id"]: self._answer(step["id"], keys, shown["digest"], root, rehearsal=rehearsal) for step in shown["steps"]}
        tables |= dict(answered or {})
        secrets = [("passphrase", name, f"secret of {path.name}") for name, path in keys.items()]
        if not rehearsal:
            secrets += [("previous-passphrase", name, f"secret of {self.keys[name].name}") for name in fresh if name in self.keys]
        secrets += [("share", name, words) for name, words in self.shares.items()]
        secrets = [one for one in secrets if one[1] in {person.id for person in people}]
        with given_by_pipes(secret for _, _, secret in secrets) as descriptors:
            for (what, name, _), descriptor in zip(secrets, descriptors, strict=True):
                tables[what] = tables.get(what, "") + f"{name} = {descriptor}\n"
            answers = self.path(f"{plan.stem}.answers.toml")
            answers.write_text("".join(f"[{name}]\n{table}" for name, table in tables.items()), encoding="utf-8")
            done = run("ceremony", "run", plan, "--dir", self.path(out), *more, "--answers", answers, "--json")
        if done.code == 0 and not rehearsal:
            self.keys = keys
        return done

    def held(self, plan: Path, out: str, *, root: str | None = None) -> Path:
        """Practise a ceremony, then hold it to its end, and check its transcript; returns its folder."""
        self._practise(plan, f"{out}.practice", root)
        done = self.lead(plan, out, root=root)
        assert done.code == 0, done.err
        checked = works("ceremony", "verify", self.path(out) / "transcript.vls", *(() if root is None else (f"--root={root}",)), "--json")
        facts: Any = checked.facts["verified"]
        assert {key: facts[key] for key in facts if key != "root_compared"} == {
            key: value for key, value in done.facts.items() if key not in {"folder", "written"}
        }
        assert facts["missing"] == []
        return self.path(out)

    def _practise(self, plan: Path, out: str, root: str | None) -> None:
        done = self.lead(plan, out, "--rehearsal", root=root)
        assert done.code == 0, done.err
        works("ceremony", "verify", self.path(out) / "transcript.vls", "--rehearsal")
        for path in self.path(out).glob("*.vls"):
            fails(3, "inspect", path)

    def _answer(self, step: str, keys: Mapping[str, Path], digest: str, root: str | None, *, rehearsal: bool) -> str:
        """What is answered in a step."""
        name, _, rest = step.partition(".")
        who = rest.rpartition(".")[2]
        if name == "open":
            return f'present = true\nplan = "{digest}"\ncode = true\ntime = true\n' + ("" if root is None else f'root = "{root}"\n')
        if name in {"key", "recover"}:
            path = keys[who]
            if rest.startswith("previous."):
                path = path.with_suffix(".previous.key") if rehearsal else self.keys[who]
            return f'file = "{path}"\nheard = true\n'
        if name == "draft":
            return 'fingerprint = "shown"\n'
        return "sign = true\n" if name in {"sign", "sign-previous", "attest"} else ""
