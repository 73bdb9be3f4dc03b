"""The machine's limit: one read, one Cobblestone pass, one BLAKE3 pass over plaintext and one over ciphertext, one write, one fsync. Nothing else.

    python limit.py seal PLAIN CIPHER
    python limit.py open CIPHER PLAIN

One thread, three buffers, made once. No header, no manifest, no signature, no check of what is not decrypted: whatever a product does, it does this.
Prints both digests.
"""

from __future__ import annotations

import os
import sys
from io import FileIO

from blake3 import blake3
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

BLOCK = 1 << 18  # of 64 KiB to 4 MiB the quickest here: both buffers stay in the second-level cache between the passes
SLACK = 65536  # salt and commitment, and a tag for each 16 KiB
KEY = bytes(32)
CONTEXT = b"valiza/bench"


def seal(source: str, target: str, block: int = BLOCK) -> tuple[str, str]:
    """Encrypt a file; returns the digests of plaintext and ciphertext."""
    plain, cipher = blake3(key=KEY), blake3(derive_key_context="valiza/bench")
    encryptor = Cobblestone256Encryptor(KEY, CONTEXT)
    buffer, result = memoryview(bytearray(block)), memoryview(bytearray(block + SLACK))
    with FileIO(source) as read, FileIO(target, "x") as write:
        while count := read.readinto(buffer):
            plain.update(buffer[:count])
            written = encryptor.update_into(buffer[:count], result)
            cipher.update(result[:written])
            write_all(write, result[:written])
        last = encryptor.finalize()
        cipher.update(last)
        write_all(write, memoryview(last))
        os.fsync(write.fileno())
    return plain.hexdigest(), cipher.hexdigest()


def open_(source: str, target: str, block: int = BLOCK) -> tuple[str, str]:
    """Decrypt what `seal` wrote; returns the digests of plaintext and ciphertext."""
    plain, cipher = blake3(key=KEY), blake3(derive_key_context="valiza/bench")
    decryptor = Cobblestone256Decryptor(KEY, CONTEXT)
    buffer, result = memoryview(bytearray(block)), memoryview(bytearray(block + SLACK))
    with FileIO(source) as read, FileIO(target, "x") as write:
        while count := read.readinto(buffer):
            cipher.update(buffer[:count])
            written = decryptor.update_into(buffer[:count], result)
            plain.update(result[:written])
            write_all(write, result[:written])
        last = decryptor.finalize()
        plain.update(last)
        write_all(write, memoryview(last))
        os.fsync(write.fileno())
    return plain.hexdigest(), cipher.hexdigest()


def write_all(out: FileIO, data: memoryview) -> None:
    while data:
        data = data[out.write(data) :]


if __name__ == "__main__":
    _, verb, source_path, target_path = sys.argv
    print(*{"seal": seal, "open": open_}[verb](source_path, target_path))
