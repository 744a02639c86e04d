"""The properties that can be fuzzed for long: tests, which take their examples from bytes as well."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

TARGETS = {
    "journal": "tests.fuzz.test_decoders:test_a_journal_of_any_bytes_is_read",
    "deltas": "tests.fuzz.test_decoders:test_a_delta_fits_or_is_a_gap_and_folds_to_the_same",
    "publish": "tests.fuzz.test_decoders:test_what_publishers_send_is_applied_or_refused",
    "replies": "tests.fuzz.test_hostile_server:test_a_publisher_goes_on_whatever_it_is_answered",
    "stream": "tests.fuzz.test_hostile_server:test_a_stream_takes_nothing_wrong_from_its_server",
    "updates": "tests.fuzz.test_decoders:test_an_update_is_applied_or_refused_as_a_whole",
    "wire": "tests.fuzz.test_wire:test_nothing_said_on_a_link_harms_the_server_or_another_client",
}


def find(name: str) -> Callable[[bytes], object]:
    """What runs one input of a target. Raises what the property raises when it does not hold."""
    module, _, test = TARGETS[name].partition(":")
    run: Callable[[bytes], object] = getattr(import_module(module), test).hypothesis.fuzz_one_input
    return run
