"""A lock for file systems without locks: a file that its owner renews. One that is not renewed any more belongs to nobody."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from visdom_transport.core.encoding import decode, encode
from visdom_transport.process_identity import lives_here, this_process

logger = logging.getLogger("visdom_transport.durability")

RENEW_S = 2.0

EXPIRES_S = 5 * RENEW_S
"""After so long without news its owner is dead."""

SETTLE_S = 0.5
"""Of two that take it at once, the one that wrote last has it. By then it has written."""

LOOK_S = 0.2

SIZE_BYTES = 512


class Lease:
    """A file that says who owns a folder, as long as that one lives.

    Nothing but reading and writing one small file is needed. What it cannot do is stop a process that was suspended for longer
    than `EXPIRES_S` in the middle of a write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = secrets.token_hex(8)
        self._beat = 0
        self._renewed_at = 0.0
        self._lost = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> bool:
        """Take it. False when its owner lives. Waits to see that, unless the owner is or was a process of this machine.

        Raises:
            OSError: the file cannot be written.
        """
        if self._owner_lives():
            return False
        self._write()
        time.sleep(SETTLE_S)
        if self._read().get("token") != self._token:
            return False
        self._thread = threading.Thread(target=self._renew, name="visdom-transport-lease", daemon=True)
        self._thread.start()
        return True

    def is_lost(self) -> bool:
        """Whether somebody else has taken it."""
        if not self._lost and time.monotonic() - self._renewed_at > EXPIRES_S / 2:
            # This process was held up, so others may have come to think it dead.
            self._look()
        return self._lost

    def release(self) -> None:
        """Give it back."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(OSError):
            if self._read().get("token") == self._token:
                self._path.unlink()

    def _owner_lives(self) -> bool:
        seen = self._bytes()
        if seen is None:
            return False
        owner = _parse(seen)
        lives = lives_here(owner)
        if lives is False or (lives and owner.get("folder") == self._folder()):  # else it is a copy of the owner's folder
            return lives
        logger.warning("%s is there: waiting up to %g s to see whether its server lives", self._path, EXPIRES_S)
        until = time.monotonic() + EXPIRES_S
        while time.monotonic() < until:
            time.sleep(LOOK_S)
            now = self._bytes()
            if now is None:
                return False  # given back
            if now != seen:
                return True
        return False

    def _renew(self) -> None:
        while not self._over.wait(RENEW_S) and not self._lost:
            # A write that fails is tried again. If it goes on failing, others find the lease expired, which is then seen here.
            with contextlib.suppress(OSError):
                self._look()
                if not self._lost:
                    self._write()

    def _look(self) -> None:
        try:
            owner = self._read().get("token", self._token)
        except OSError:
            return
        self._lost = self._lost or owner != self._token

    def _write(self) -> None:
        self._beat += 1
        content = encode({"token": self._token, "beat": self._beat, "folder": self._folder(), **this_process()}).ljust(SIZE_BYTES)
        # Always as long, over what is there: nobody finds it empty.
        with self._path.open("r+b" if self._path.exists() else "wb", buffering=0) as file:
            file.write(content)
        self._renewed_at = time.monotonic()

    def _folder(self) -> list[int]:
        status = self._path.parent.stat()
        return [status.st_dev, status.st_ino]

    def _read(self) -> dict[str, Any]:
        return _parse(self._bytes())

    def _bytes(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None


def _parse(data: bytes | None) -> dict[str, Any]:
    """What the file says; nothing when it is just being written."""
    try:
        content = decode(data or b"")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
