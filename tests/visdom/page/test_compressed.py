"""Static files as they travel: compressed for whoever takes that, each representation with an ETag and ranges of its own."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import threading
from pathlib import Path

import pytest

from tests.visdom.page.test_templates import Site
from visdom_transport.visdom.page import static_files
from visdom_transport.visdom.page.compressed import CompressedFiles

TAKES = {"Accept-Encoding": "gzip, deflate, br"}
FILE = "js/jquery.min.js"
CONTENT = b"function jquery() { return 'jquery' }\n" * 500


class CompressedFilesTest(Site):
    def setUp(self) -> None:
        super().setUp()
        (self.files / FILE).write_bytes(CONTENT)

    def ask(self, path: str = FILE, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.get(path, method=method, headers=named, decompress_response=False)
        return answer.code, dict(answer.headers), answer.body

    def test_a_browser_that_takes_gzip_gets_it(self) -> None:
        status, headers, body = self.ask(Accept_Encoding="gzip, deflate, br")
        assert (status, headers["Content-Encoding"], headers["Vary"]) == (200, "gzip", "Accept-Encoding")
        assert headers["Content-Type"].startswith("text/javascript")
        assert int(headers["Content-Length"]) == len(body) < len(CONTENT) / 10
        assert gzip.decompress(body) == CONTENT

    def test_others_get_the_file_and_caches_are_told(self) -> None:
        for accepted in (
            {},
            {"Accept_Encoding": "br"},
            {"Accept_Encoding": "gzip;q=0"},
            {"Accept_Encoding": "identity, gzip;q=0.1"},
        ):
            with self.subTest(accepted):
                _, headers, body = self.ask(**accepted)
                assert body == CONTENT
                assert "Content-Encoding" not in headers
                assert headers["Vary"] == "Accept-Encoding"

    def test_each_representation_has_an_etag_of_its_own(self) -> None:
        tags = {}
        for accepted in ("identity", "gzip"):
            _, headers, _ = self.ask(Accept_Encoding=accepted)
            tags[accepted] = headers["Etag"]
        assert tags["identity"] != tags["gzip"]
        for accepted, tag in tags.items():
            status, headers, body = self.ask(Accept_Encoding=accepted, If_None_Match=tag)
            assert (status, body, headers["Etag"], headers["Vary"]) == (304, b"", tag, "Accept-Encoding")
            status, _, _ = self.ask(Accept_Encoding=accepted, If_None_Match=f"W/{tag}")
            assert status == 304, "a proxy has compressed it, or taken the compression off"
        status, _, body = self.ask(Accept_Encoding="gzip", If_None_Match=tags["identity"])
        assert (status, gzip.decompress(body)) == (200, CONTENT)

    def test_head_says_what_get_sends(self) -> None:
        for accepted in ("identity", "gzip"):
            _, expected, _ = self.ask(Accept_Encoding=accepted)
            status, headers, body = self.ask(method="HEAD", Accept_Encoding=accepted)
            assert (status, body) == (200, b"")
            for name in ("Content-Length", "Etag", "Vary", "Content-Encoding", "Content-Type", "Cache-Control"):
                assert headers.get(name) == expected.get(name)

    def test_a_range_is_one_of_what_is_sent_without_it(self) -> None:
        for accepted in ("identity", "gzip"):
            _, whole, body = self.ask(Accept_Encoding=accepted)
            for wanted, part in {"10-19": body[10:20], "20-": body[20:], "-7": body[-7:]}.items():
                with self.subTest(accepted, wanted=wanted):
                    status, headers, got = self.ask(Accept_Encoding=accepted, Range=f"bytes={wanted}")
                    assert (status, got, headers["Etag"]) == (206, part, whole["Etag"])
                    assert headers["Content-Range"].endswith(f"/{len(body)}")
                    assert headers.get("Content-Encoding") == whole.get("Content-Encoding")
            status, headers, got = self.ask(Accept_Encoding=accepted, Range=f"bytes={len(body)}-")
            assert (status, got, headers.get("Content-Encoding")) == (416, b"", None)

    def test_a_part_of_one_representation_is_not_continued_with_another(self) -> None:
        _, headers, _ = self.ask(Accept_Encoding="gzip")
        status, _, body = self.ask(Accept_Encoding="identity", Range="bytes=10-", If_Range=headers["Etag"])
        assert (status, body) == (200, CONTENT)
        status, _, _ = self.ask(Accept_Encoding="gzip", Range="bytes=10-", If_Range=headers["Etag"])
        assert status == 206

    def test_a_file_that_changed_is_compressed_again(self) -> None:
        self.ask(Accept_Encoding="gzip")
        changed = CONTENT.replace(b"jquery", b"JQUERY")
        (self.files / FILE).write_bytes(changed)
        os.utime(self.files / FILE, ns=(1, 1))
        _, _, body = self.ask(Accept_Encoding="gzip")
        assert gzip.decompress(body) == changed

    def test_what_compression_does_not_make_smaller_goes_as_it_is(self) -> None:
        noise = random.Random(1).randbytes(5_000)
        (self.files / "css" / "small.css").write_bytes(b"a{}")
        (self.files / "css" / "noise.css").write_bytes(noise)
        (self.files / "fonts" / "font.woff2").write_bytes(CONTENT)
        for path in ("css/small.css", "css/noise.css", "fonts/font.woff2"):
            with self.subTest(path):
                _, headers, body = self.ask(path, Accept_Encoding="gzip")
                assert body == (self.files / path).read_bytes()
                assert "Content-Encoding" not in headers

    def test_visdoms_bundle_and_our_runtime_are_compressed_too(self) -> None:
        for path in ("js/main.js", "transport/main.js"):
            content = static_files.find(str(self.own), path).read_bytes()
            _, headers, body = self.ask(path, Accept_Encoding="gzip")
            assert headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(body) == content

    def test_nothing_outside_of_the_three_places_is_served(self) -> None:
        for path in (f"../../{self.outside.name}", "transport/../hook.py", "js/none.js"):
            assert self.ask(path, Accept_Encoding="gzip")[0] in (403, 404)


def test_nobody_waits_long_for_a_file_to_be_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in between would give up."""
    gate, compress = threading.Event(), gzip.compress
    monkeypatch.setattr(gzip, "compress", lambda *args, **options: gate.wait(10) and compress(*args, **options))
    path = tmp_path / "script.js"
    path.write_bytes(CONTENT)

    async def run() -> None:
        files = CompressedFiles(wait_s=0.05)
        early = await files.get(str(path))
        assert early is not None
        assert early.data is None
        gate.set()
        files._wait_s = 5.0
        late = await files.get(str(path))
        assert late is not None
        assert late.data is not None
        assert gzip.decompress(late.data) == CONTENT

    asyncio.run(run())


def test_a_file_is_compressed_once_and_no_more_are_kept_than_have_room(tmp_path: Path) -> None:
    async def run() -> None:
        paths = [tmp_path / f"{number}.js" for number in range(4)]
        for path in paths:
            path.write_bytes(random.Random(str(path)).randbytes(2_000) + bytes(20_000))
        files = CompressedFiles(kept_bytes=7_000)
        once = await asyncio.gather(*(files.get(str(paths[0])) for _ in range(5)))
        assert len({id(each) for each in once}) == 1
        for path in paths[1:]:
            await files.get(str(path))
            assert await files.get(str(paths[0])) is once[0], "it was asked for last"
        assert len(files._files) == 2

    asyncio.run(run())
