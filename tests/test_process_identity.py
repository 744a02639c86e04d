"""Whether a process lives, as another one finds out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.wait import until
from visdom_transport.process_identity import lives_here, this_process

pytestmark = pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="this system has no /proc of Linux")

TELLS = """
import json
from visdom_transport.process_identity import this_process
print(json.dumps(this_process()), flush=True)
input()
"""


def test_this_one_lives() -> None:
    assert lives_here(this_process()) is True


def test_one_of_another_machine_or_of_before_is_not_known() -> None:
    assert lives_here(this_process() | {"boot": "another"}) is None
    assert lives_here(this_process() | {"pids": "another"}) is None
    assert lives_here({}) is None


def test_one_that_had_the_same_number_is_dead() -> None:
    assert lives_here(this_process() | {"started": "1"}) is False


def test_one_that_was_killed_is_dead_although_nobody_has_asked_for_its_end() -> None:
    with subprocess.Popen([sys.executable, "-c", TELLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        there = json.loads(process.stdout.readline())
        assert lives_here(there) is True
        process.kill()
        until(lambda: lives_here(there) is False, "it counts as dead")
        assert process.returncode is None
    assert lives_here(there) is False
