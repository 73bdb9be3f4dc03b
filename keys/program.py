"""A program that speaks valiza-signer/1 (specs/external-signer.md, Asking), started, asked and ended. It is never trusted.

Nothing that it says, or does not say, may make us wait for ever, fill memory, or end as a fault of ours.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from valiza.keys.conversation import MAX_REPLY, Question, read_reply
from valiza.keys.errors import Malformed, Unavailable, ValizaError
from valiza.keys.interruption import held

__all__ = ["Patience", "Program"]

_MOST_TOLD: Final = 1 << 20  # bytes that the program may write to standard error
_KEPT: Final = 4096  # of which the last are kept
_SHOWN: Final = 200  # characters of its last line
_OWN_END_S: Final = 1.0  # after an interrupt, which a terminal sends to both
_GRACE_S: Final = 2.0  # after SIGTERM
_SECRETS: Final = {"VALIZA_PASSPHRASE", "VALIZA_NEW_PASSPHRASE"}  # of other keys: none of the program's business


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the program is waited for, in seconds. It asks nobody before it has greeted; later a person may have a PIN to type."""

    greeting_s: float = 30.0
    reply_s: float = 120.0
    ending_s: float = 5.0


class Program:
    """A running signer: one question at a time, one line each way. After the first failure it is not asked again: a PIN has few tries."""

    def __init__(self, command: tuple[str, ...], patience: Patience) -> None:
        self._command = command
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: ValizaError | None = None
        self._told = b""  # the end of what it wrote to standard error
        self._told_bytes = 0
        self._known: dict[str, bytes] = {}  # public keys that it told, by reference

    def public(self, reference: str) -> bytes:
        """The Ed25519 public key of that reference, 32 bytes; asked for once as long as the program runs.

        Raises:
            NoKey, Refused: what the program replied. Unavailable: it cannot, or it is dead, late, or does not keep to the protocol.
        """
        if reference not in self._known:
            self._known[reference] = self._ask(Question(verb="public", reference=reference))
        return self._known[reference]

    def sign(self, reference: str, message: bytes) -> bytes:
        """What the program gives for an Ed25519 signature, 64 bytes. Nobody has verified it.

        Raises:
            NoKey, Refused, Unavailable: as `public`.
        """
        return self._ask(Question(verb="sign", reference=reference, message=message))

    def _ask(self, question: Question) -> bytes:
        if self._failure is not None:
            raise type(self._failure)(self._failure.message, self._failure.hint)
        try:
            if self._process is None:
                self._start()
                self._exchange(Question(verb="hello"), self._patience.greeting_s)
            return self._exchange(question, self._patience.reply_s)
        except ValizaError as error:
            raise self.give_up(error) from error.__cause__
        except BaseException:  # who typed the interrupt sent it to the program, too: it may be giving the terminal its echo back
            self._stop(_OWN_END_S)
            raise

    def give_up(self, error: ValizaError) -> ValizaError:
        """End the program for good; returns the error, which every later question gets too."""
        self._failure = error
        self._stop()
        return error

    def close(self) -> None:
        """No more questions: the program ends by itself, or is made to."""
        self._stop(self._patience.ending_s)

    def _stop(self, patience_s: float = 0) -> None:
        process, self._process = self._process, None
        self._known.clear()
        if process is None:
            return
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_GRACE_S)  # it may have to give the terminal its echo back
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def _start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        try:
            with held():
                # It stays in our session and process group, or it could not ask a person at the terminal; and it gets whatever descriptors we were
                # started with, since one of them may hold its PIN. What we opened ourselves is not inherited.
                self._process = subprocess.Popen(  # noqa: S603 - the key's owner chose it; no shell
                    self._command,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    close_fds=False,
                    env=environment,
                )
        except (OSError, ValueError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower()
            message = f"the external signer {self._command[0]!r} cannot be started: {why}"
            raise Unavailable(message, "where is it now? Tell with: valiza key external FILE") from error
        self._told, self._told_bytes = b"", 0
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)

    def _exchange(self, question: Question, patience_s: float) -> bytes:
        """Ask once, and read the one line of the reply."""
        deadline = time.monotonic() + patience_s
        if self._wait(time.monotonic()) and self._read() != b"":
            raise self._broken("it wrote before it was asked")
        try:
            os.write(self._stream("stdin"), question.line())
        except BrokenPipeError:
            raise self._ended() from None
        except BlockingIOError:
            raise self._broken("it does not read") from None
        line = b""
        while not line.endswith(b"\n"):
            if not self._wait(deadline):
                raise self._failed(f"did not reply within {patience_s:g} s", "is a person to do something, or does the device hang?")
            data = self._read()
            if not data:
                raise self._ended()
            line += data
            if b"\n" in line[:-1] or len(line) > MAX_REPLY:
                raise self._broken("it wrote more than one line, or one that is too long")
        try:
            return read_reply(line, question)
        except Malformed as error:
            raise self._broken(error.message) from error
        except ValizaError as error:
            message = f"the external signer {self._command[0]!r} {error.message}"
            raise type(error)(message) from error

    def _stream(self, name: str) -> int:
        stream = getattr(self._process, name)
        return int(stream.fileno())

    def _read(self) -> bytes:
        return os.read(self._stream("stdout"), MAX_REPLY + 1)

    def _wait(self, deadline: float) -> bool:
        """Wait for something on standard output, its end included; False at the deadline. What is told on standard error is kept meanwhile."""
        out, told = self._stream("stdout"), self._stream("stderr")
        poll = select.poll()
        poll.register(out, select.POLLIN)
        poll.register(told, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(max(deadline - time.monotonic(), 0) * 1000)}
            if told in ready and not self._keep(told):
                poll.unregister(told)
            if out in ready:
                return True
            if time.monotonic() >= deadline:
                return False

    def _keep(self, told: int) -> bool:
        """Keep the end of what the program told; False when it will tell nothing more."""
        data = os.read(told, 65536)
        self._told_bytes += len(data)
        if self._told_bytes > _MOST_TOLD:
            raise self._broken("it wrote without end to standard error")
        self._told = (self._told + data)[-_KEPT:]
        return bool(data)

    def _ended(self) -> ValizaError:
        """The program has ended, or closed its output; what it told last may be on its way still."""
        process, told = self._process, self._stream("stderr")
        deadline = time.monotonic() + 1
        poll = select.poll()
        poll.register(told, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000):
            if not self._keep(told):
                break
        status = None
        with suppress(subprocess.TimeoutExpired):
            if process is not None:
                status = process.wait(max(deadline - time.monotonic(), 0))
        how = "" if status is None else f" (status {status})" if status >= 0 else f" (signal {-status})"
        return self._failed(f"ended without a reply{how}", "")

    def _broken(self, how: str) -> ValizaError:
        return self._failed(f"does not keep to the protocol: {how}", "is it a program that speaks valiza-signer/1?")

    def _failed(self, what: str, hint: str) -> ValizaError:
        lines = [line.strip() for line in self._told.decode("utf-8", "replace").splitlines() if line.strip()]
        last = f"; it told: {lines[-1][:_SHOWN]}" if lines else ""
        return Unavailable(f"the external signer {self._command[0]!r} {what}{last}", hint)
