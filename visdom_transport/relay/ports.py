"""Ports that are kept for other processes: bound here, without listening."""

from __future__ import annotations

import socket
from typing import Self


class KeptPort:
    """A port that a process which this one starts listens at.

    While the other one is away the kernel gives the port to nobody who asks for any. With ``shared`` several may listen at it,
    and the kernel deals connections out among them, evenly. (Of one socket that all of them inherit, one of four took 60 % of
    400 connections.)
    """

    def __init__(self, number: int, address: str, *, shared: bool = False) -> None:
        """Raises OSError when the port cannot be had."""
        if shared:
            # Another group of processes of this user could share it as well.
            with socket.create_server((address, number)):
                pass
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            self._socket.bind((address, number))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    @classmethod
    def any(cls) -> Self:
        """One of this machine's own."""
        return cls(0, "127.0.0.1")

    def close(self) -> None:
        self._socket.close()
