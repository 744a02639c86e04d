"""What is logged while a test runs."""

from __future__ import annotations

import logging
import re


class Records(logging.Handler):
    """Every record of a warning or worse, except those a test expects."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._records: list[logging.LogRecord] = []
        self._expected: list[re.Pattern[str]] = []
        self._ignored: list[re.Pattern[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)

    def expect(self, pattern: str) -> None:
        """Records that match are part of the test; at least one must come."""
        self._expected.append(re.compile(pattern))

    def ignore(self, pattern: str) -> None:
        """Records that match may come."""
        self._ignored.append(re.compile(pattern))

    def has(self, pattern: str) -> bool:
        """Whether a record matches by now."""
        return any(re.search(pattern, text) for text in self._texts())

    def check(self) -> None:
        texts = self._texts()
        unexpected = [text for text in texts if not any(p.search(text) for p in (*self._expected, *self._ignored))]
        assert not unexpected, "unexpected log records:\n" + "\n".join(unexpected)
        for pattern in self._expected:
            assert any(pattern.search(text) for text in texts), f"expected in the log, but not there: {pattern.pattern}"

    def _texts(self) -> list[str]:
        return [self.formatter.format(each) if self.formatter else each.getMessage() for each in self._records]
