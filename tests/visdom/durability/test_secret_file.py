"""The secret of logins' cookies is written as a whole, wherever its directory is."""

from __future__ import annotations

from pathlib import Path

import pytest

from visdom_transport.visdom.durability import other_files


def test_the_directory_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_files, "DEFAULT_ENV_PATH", f"{tmp_path}/home/.visdom/")
    for secret in ("first", "another"):
        other_files.set_cookie(secret)
        assert (tmp_path / "home" / ".visdom" / "COOKIE_SECRET").read_text() == secret
    assert len(list((tmp_path / "home" / ".visdom").iterdir())) == 1


def test_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_files, "DEFAULT_ENV_PATH", f"{tmp_path}/")
    monkeypatch.setattr("builtins.input", lambda _: "typed")
    other_files.set_cookie()
    assert (tmp_path / "COOKIE_SECRET").read_text() == "typed"


def test_where_it_cannot_be_written_the_server_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(other_files, "DEFAULT_ENV_PATH", f"{tmp_path}/file/")
    with pytest.raises(SystemExit, match="cookies of logins cannot be written"):
        other_files.set_cookie("secret")
