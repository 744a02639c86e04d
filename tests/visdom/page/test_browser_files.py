"""What is fetched, from where, and what happens when it cannot be. npm is a script of ours except where marked."""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visdom_transport.settings import Settings
from visdom_transport.visdom import flavour
from visdom_transport.visdom.page import browser_files
from visdom_transport.visdom.page.browser_files import downloader, npm
from visdom_transport.visdom.page.browser_files.kinds import is_what_it_is_called
from visdom_transport.visdom.page.browser_files.packages import PACKAGES, Package

TOYS = (("ball", "1.0.0"), ("kite", "2.1.0"), ("top", "0.3.0"))


def tarball(name: str, **files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in {"package.json": "{}", "dist/main.js": f"// {name}", "more/a/deep.js": "deep", **files}.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def toy(name: str, version: str, content: bytes) -> Package:
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    files = {"dist/main.js": f"js/{name}.js", "more/": f"js/{name}-more/"}
    return Package(name, version, f"sha512-{digest}", files)


class Shop:
    """An npm command that serves the toys, and notes how it was called."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.store.mkdir()
        self.log = folder / "npm.log"
        for name, version in TOYS:
            (self.store / f"{name}-{version}.tgz").write_bytes(tarball(name))
        self.packages = tuple(toy(n, v, (self.store / f"{n}-{v}.tgz").read_bytes()) for n, v in TOYS)

    def command(self, folder: Path, body: str) -> None:
        """Make `npm` a script with this body; `$name` is the tarball it is asked for."""
        script = folder / "npm"
        script.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$2" >> {self.log}\nname=$(printf "%s" "$2" | tr @ -).tgz\nstore={self.store}\n{body}\n'
        )
        script.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return sorted(self.log.read_text().split()) if self.log.exists() else []


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    shop = Shop(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    shop.command(programs, 'cp "$store/$name" .')
    monkeypatch.setitem(PACKAGES, "toys", shop.packages)  # type: ignore[arg-type]
    # Visdom's downloader knows no toys; where it matters a test brings its own.
    monkeypatch.setattr(downloader, "_CODE", "raise SystemExit('no CDN')")
    return shop


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "static"


def npm_is(shop: Shop, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    shop.command(Path(os.environ["PATH"].split(":")[0]), body)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


COMPLETE = {
    **{f"js/{name}.js": f"// {name}" for name, _ in TOYS},
    **{f"js/{name}-more/a/deep.js": "deep" for name, _ in TOYS},
}


def test_missing_files_are_fetched_once(shop: Shop, into: Path) -> None:
    said: list[str] = []
    assert browser_files.ensure("toys", into, say=said.append) == []
    assert contents(into) == COMPLETE
    assert shop.calls == ["ball@1.0.0", "kite@2.1.0", "top@0.3.0"]
    assert [line for line in said if "of 3" in line][-1].startswith("  3 of 3: ")

    said.clear()
    assert browser_files.ensure("toys", into, say=said.append) == []
    assert len(shop.calls) == 3
    assert said == []


def test_only_packages_of_missing_files_are_fetched(shop: Shop, into: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    (installed / "js").mkdir(parents=True)
    (installed / "js" / "ball.js").write_text("// from Visdom's own downloader")
    assert browser_files.ensure("toys", into, [installed, None], say=lambda _: None) == []
    assert shop.calls == ["kite@2.1.0", "top@0.3.0"]
    assert not (into / "js" / "ball.js").exists()


def test_another_content_than_the_pinned_one_is_refused(shop: Shop, into: Path) -> None:
    (shop.store / "kite-2.1.0.tgz").write_bytes(tarball("kite", evil="yes"))
    said: list[str] = []
    missing = browser_files.ensure("toys", into, say=said.append)
    assert "js/kite.js" in missing
    assert not (into / "js" / "kite.js").exists()
    assert any("kite@2.1.0 from npm is not the pinned one" in line for line in said)


def test_names_that_lead_out_of_the_package_go_nowhere(shop: Shop, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = tarball("ball", **{"more/../../../escaped.js": "x"})
    (shop.store / "ball-1.0.0.tgz").write_bytes(evil)
    monkeypatch.setitem(PACKAGES, "toys", (toy("ball", "1.0.0", evil), *shop.packages[1:]))  # type: ignore[arg-type]
    browser_files.ensure("toys", into, say=lambda _: None)
    assert contents(into.parent) == {f"static/{path}": text for path, text in COMPLETE.items()}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'npm error code EAI_AGAIN' >&2; exit 1", "EAI_AGAIN"),
        ("exit 0", "npm could not fetch ball@1.0.0"),
        ("exec sleep 30", "within 0 s"),
    ],
)
def test_an_npm_that_fails_is_asked_once_and_the_server_starts(
    shop: Shop, into: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    npm_is(shop, monkeypatch, body)
    monkeypatch.setattr(npm, "FIRST_TIMEOUT_S", 0.4)
    lines: list[str] = []
    missing = browser_files.ensure("toys", into, say=lines.append)
    assert missing == ["js/ball.js", "js/kite.js", "js/top.js"]
    assert shop.calls == ["ball@1.0.0"]
    assert any(said in line for line in lines), lines
    assert contents(into) == {}, "no half-fetched files, no temporary ones"


def test_a_failure_in_the_middle_keeps_what_came(shop: Shop, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm_is(shop, monkeypatch, '[ "$2" = top@0.3.0 ] && exit 1; cp "$store/$name" .')
    assert browser_files.ensure("toys", into, say=lambda _: None) == ["js/top.js"]
    npm_is(shop, monkeypatch, 'cp "$store/$name" .')
    assert browser_files.ensure("toys", into, say=lambda _: None) == []
    assert contents(into) == COMPLETE


def test_without_npm_visdoms_own_downloader_is_tried(shop: Shop, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(
        downloader,
        "_CODE",
        "import json, pathlib, sys, os\n"
        "assert os.environ['VISDOM_TRANSPORT'] == '0'\n"
        "js = pathlib.Path(json.loads(sys.argv[1])['install_dir'], 'static', 'js')\n"
        "js.mkdir(parents=True)\n"
        "(js / 'ball.js').write_text('function ball() {}')\n"
        "(js / 'kite.js').write_text(' <!doctype html><title>404</title>')\n"
        "(js / 'top.js').write_text('')\n"
        "(js / 'other.js').write_text('not asked for')\n"
        "raise OSError('and then the CDN broke')\n",
    )
    said: list[str] = []
    assert browser_files.ensure("toys", into, say=said.append) == ["js/kite.js", "js/top.js"]
    assert contents(into) == {"js/ball.js": "function ball() {}"}
    assert any("npm is not installed" in line for line in said)
    assert [line for line in said if "is not what it should be" in line] == [
        "visdom-transport: js/kite.js is not what it should be; does this network ask for a login?"
    ]


PAGE = b"<!doctype html><title>Welcome to our guest network</title><script>function go() {}</script><style>a {}</style>"
PORTALS = (
    PAGE,
    b"\n  " + PAGE,
    codecs.BOM_UTF8 + PAGE,
    PAGE.decode().encode("utf-16"),
    gzip.compress(PAGE),
    b'{"error": "log in first"}',
    b"Please log in.",
    b"",
)


@pytest.mark.parametrize("path", sorted({path for packages in PACKAGES.values() for each in packages for path in each.required}))
def test_what_a_network_says_that_wants_a_login_is_no_browser_file(path: str) -> None:
    assert [content for content in PORTALS if is_what_it_is_called(path, content)] == []


def test_every_fetched_file_is_what_it_is_called() -> None:
    folder = browser_files.static_dir(flavour.recognise())
    paths = [path for package in PACKAGES[flavour.recognise()] for path in package.required if (folder / path).is_file()]
    if not paths:
        pytest.skip("no browser files were fetched")
    assert [path for path in paths if not is_what_it_is_called(path, (folder / path).read_bytes())] == []


def test_a_downloader_that_hangs_is_stopped(shop: Shop, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(downloader, "STALLED_AFTER_S", 0.5)
    monkeypatch.setattr(downloader, "_CODE", "import time; time.sleep(60)")  # until it is stopped
    assert len(browser_files.ensure("toys", into, say=lambda _: None)) == 3
    assert contents(into) == {}


def test_a_directory_that_cannot_be_written_is_reported(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    assert len(browser_files.ensure("toys", tmp_path / "file" / "static", say=said.append)) == 3
    assert any("visdom-transport: " in line and "file" in line for line in said), said


def test_several_processes_may_fetch_at_once(shop: Shop, into: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: browser_files.ensure("toys", into, say=lambda _: None), range(4)))
    assert results == [[], [], [], []]
    assert contents(into) == COMPLETE


def test_fetched_files_can_be_read_by_everybody(shop: Shop, into: Path) -> None:
    browser_files.ensure("toys", into, say=lambda _: None)
    assert (into / "js" / "ball.js").stat().st_mode & 0o777 == 0o644


# --- the replacement of Visdom's function ---------------------------------------------------------------------------


def original_that(note: list[object]) -> Callable[..., None]:
    def download_scripts(proxies: object = None, install_dir: object = None) -> None:
        note.append((proxies, install_dir))

    return download_scripts


def test_the_replacement_never_raises(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> str:
        raise RuntimeError("nobody expects this")

    monkeypatch.setattr(flavour, "recognise", failing)
    note: list[object] = []
    browser_files.instead_of_download_scripts(original_that(note))()
    assert note == []
    assert "nobody expects this" in caplog.text


def test_a_caller_with_a_directory_of_its_own_gets_the_original() -> None:
    note: list[object] = []
    browser_files.instead_of_download_scripts(original_that(note))(proxies={"http": "p"}, install_dir="d")
    assert note == [({"http": "p"}, "d")]


# --- the manifest against the installed Visdom ----------------------------------------------------------------------


def test_every_file_the_pages_name_is_shipped_or_in_the_manifest() -> None:
    installed = browser_files.installed_static_dir()
    assert installed is not None
    listed = {path for package in PACKAGES[flavour.recognise()] for path in package.required}
    for page in ("index.html", "login.html"):
        named = re.findall(r"""static_url\(\s*["']([^"']+)["']\s*\)""", (installed / page).read_text())
        assert len(named) > 3
        for path in named:
            assert path.startswith("../") or path in listed or (installed / path).is_file(), (page, path)


def test_every_file_visdom_downloads_is_in_the_manifest_or_not_used() -> None:
    """Against the installed Visdom's list, so that another Visdom with other versions is noticed."""
    from visdom.server import build

    source = Path(build.__file__).read_text()
    ours = {f"{package.name}@{package.version}" for package in PACKAGES[flavour.recognise()]}
    names = set(re.findall(r"%s([a-z0-9-]+@[0-9.]+)", source)) - {"react-modal@3.1.10", "classnames@2.2.5"}
    assert len(names) >= 9
    assert names <= ours
    plotly = re.search(r"plotly-([0-9.]+)\.min\.js", source)
    assert plotly is not None
    assert f"plotly.js-dist-min@{plotly[1]}" in ours
    mathjax = re.search(r"mathjax/([0-9.]+[0-9])|mathjax_version = \"([0-9.]+)\"", source)
    assert mathjax is not None
    assert f"mathjax@{mathjax[1] or mathjax[2]}" in ours


def test_the_default_directory_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert browser_files.static_dir("0.2.4", Settings()).is_relative_to(Path.home() if sys.platform != "linux" else tmp_path)
    assert browser_files.static_dir("0.2.4", Settings(browser_files_dir=tmp_path)) == tmp_path / "0.2.4" / "static"


@pytest.mark.network
@pytest.mark.parametrize("visdom", list(PACKAGES)[:2])
def test_the_real_packages_have_the_pinned_digests_and_all_the_files(visdom: str, into: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    if subprocess.run(["npm", "ping", "--fetch-timeout=5000", "--fetch-retries=0"], capture_output=True).returncode:
        pytest.skip("npm has no registry")
    assert browser_files.ensure(visdom, into) == []
    for package in PACKAGES[visdom]:
        for target in package.files.values():
            assert list((into / target).iterdir()) if target.endswith("/") else (into / target).stat().st_size


@pytest.mark.parametrize("answer", [RuntimeError("no home"), Path("~/.cache/visdom-transport")], ids=["raises", "tilde"])
def test_without_a_home_directory_the_files_are_where_nobody_else_may_put_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Exception | Path
) -> None:
    def user_cache_path(*_: object, **__: object) -> Path:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("platformdirs.user_cache_path", user_cache_path)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    browser_files._homeless_cache.cache_clear()
    found = browser_files.directory(Settings())
    assert found == browser_files.directory(Settings())
    assert found.parent.parent == tmp_path
    assert found.parent.stat().st_mode & 0o777 == 0o700
    # Somebody else could have made it.
    found.parent.chmod(0o777)
    browser_files._homeless_cache.cache_clear()
    assert browser_files.directory(Settings()).parent != found.parent
    browser_files._homeless_cache.cache_clear()
