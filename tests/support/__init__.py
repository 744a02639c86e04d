"""Instruments of the tests: servers, faults, browsers and raw clients. Nothing here is shipped."""
