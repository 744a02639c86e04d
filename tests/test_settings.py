from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from visdom_transport.settings import PublisherSettings, Settings, SettingsError, problems, unknown_variables, variable

ROOT = Path(__file__).resolve().parent.parent


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings.from_env({"VISDOM_TRANSPORT_HEARTBEAT_S": " "}) == Settings()


def test_every_kind_of_value_is_read() -> None:
    settings = Settings.from_env(
        {
            "VISDOM_TRANSPORT_HEARTBEAT_S": "2.5",
            "VISDOM_TRANSPORT_WINDOW_BATCHES": "2",
            "VISDOM_TRANSPORT_HISTORY_BYTES": "1_000",
            "VISDOM_TRANSPORT_ALLOWED_ORIGINS": "https://a.example, http://b.example:8080,",
            "VISDOM_TRANSPORT_BROWSER_FILES_DIR": "/srv/files",
        }
    )
    assert settings.heartbeat_s == 2.5
    assert settings.window_batches == 2
    assert settings.history_bytes == 1000
    assert settings.allowed_origins == ("https://a.example", "http://b.example:8080")
    assert settings.browser_files_dir == Path("/srv/files")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("heartbeat_s", "soon"),
        ("heartbeat_s", "0"),
        ("heartbeat_s", "-1"),
        ("grace_s", "nan"),
        ("grace_s", "inf"),
        ("window_batches", "0"),
        ("batch_bytes", "1.5"),
        ("flush_interval_ms", "ten"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=variable(name)):
        Settings.from_env({variable(name): text})


@pytest.mark.parametrize(
    "values",
    [
        {"heartbeat_s": 20.0, "dead_after_s": 20.0},
        {"poll_wait_s": 25.0},
        {"batch_bytes": 5_000_000, "in_flight_bytes": 4_999_999},
    ],
)
def test_values_that_contradict_each_other_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings(**values)  # type: ignore[arg-type]
    assert variable(next(iter(values))) in str(raised.value)


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().heartbeat_s = 1  # type: ignore[misc]


def test_a_misspelt_variable_is_noticed() -> None:
    environ = {"VISDOM_TRANSPORT": "0", "VISDOM_TRANSPORT_GRACE_S": "9", "VISDOM_TRANSPORT_GRACE": "9", "HOME": "/"}
    assert unknown_variables(environ) == {"VISDOM_TRANSPORT_GRACE": "VISDOM_TRANSPORT_GRACE_S"}


def test_what_kubernetes_sets_beside_a_service_of_that_name_is_no_setting() -> None:
    ends = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8097_TCP", "PORT_8097_TCP_ADDR")
    assert problems({f"VISDOM_TRANSPORT_{end}": "10.0.0.1" for end in ends}) == []


@pytest.mark.parametrize("switch", ["VISDOM_TRANSPORT", "VISDOM_TRANSPORT_BACKGROUND"])
def test_a_switch_is_on_or_off(switch: str) -> None:
    assert [problems({switch: value}) for value in ("1", "OFF", " no ", "")] == [[], [], [], []]
    assert problems({switch: "disabled"}) == [f"{switch} must be one of 1, on, true, yes, 0, off, false, no, not 'disabled'"]


def test_a_wrong_bound_of_an_outbox_does_not_turn_the_outbox_off() -> None:
    outbox = {"DIR": "/outbox", "MAX_BYTES": "10GB", "FULL": "drop_oldest", "MAX_AGE_S": "-1"}
    environ = {f"VISDOM_TRANSPORT_OUTBOX_{name}": value for name, value in outbox.items()}
    values, wrong = PublisherSettings.given(environ)
    assert values == {"outbox_dir": Path("/outbox"), "outbox_full": "drop_oldest"}
    assert wrong == problems(environ)
    assert [text.split()[0] for text in wrong] == ["VISDOM_TRANSPORT_OUTBOX_MAX_BYTES", "VISDOM_TRANSPORT_OUTBOX_MAX_AGE_S"]


def test_numbers_say_their_unit() -> None:
    units = (
        "_s",
        "_ms",
        "_bytes",
        "_batches",
        "_count",
        "_points",
        "_lines",
        "_images",
        "_tombstones",
        "_sessions",
        "_subscriptions",
        "_keys",
    )
    for setting in fields(Settings):
        if isinstance(setting.default, int | float):
            assert setting.name.endswith(units), setting.name


def printed(default: object) -> str:
    if default in (None, ()):
        return "-"
    return f"{default:,}" if isinstance(default, int | float) else str(default)


@pytest.mark.parametrize(("page", "kind"), [("operations", Settings), ("publisher", PublisherSettings)])
def test_a_page_lists_every_setting_with_its_default(page: str, kind: Any) -> None:
    rows = [line for line in (ROOT / "docs" / f"{page}.md").read_text().splitlines() if line.startswith("| `VISDOM")]
    listed = {row.split("|")[1].split("(")[0].strip(" `"): row.split("|")[2].strip() for row in rows}
    expected = {variable(s.name): printed(s.default) for s in fields(kind)}
    assert {name: default for name, default in listed.items() if name.startswith(variable(""))} == expected


@pytest.mark.parametrize("token", ["two words", "é", "new\nline", '"'])
def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(SettingsError, match=variable("metrics_token")) as refused:
        Settings(metrics_token=token)
    assert token not in str(refused.value)


def test_a_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Settings.from_env({"VISDOM_TRANSPORT_METRICS_TOKEN": "s3cret"}))


def test_a_port_of_the_metrics_is_one() -> None:
    assert Settings.from_env({"VISDOM_TRANSPORT_METRICS_PORT": "9100"}).metrics_port == 9100
    with pytest.raises(SettingsError, match=variable("metrics_port")):
        Settings(metrics_port=70_000)
