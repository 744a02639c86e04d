"""The command `patch` on small trees of our own that have just what makes each known Visdom recognisable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import visdom_transport.source_tree.files as files
from visdom_transport.__main__ import main
from visdom_transport.source_tree.description import PROVIDER_MARK, Description, browser_sources, descriptions

Snapshot = dict[str, bytes]

ENDINGS = {"newline": "\n", "no newline": "", "several newlines": "\n\n\n", "windows": "\r\n"}


@pytest.fixture(params=descriptions(), ids=lambda description: description.name)
def description(request: pytest.FixtureRequest) -> Description:
    found: Description = request.param
    return found


@pytest.fixture(params=ENDINGS.values(), ids=ENDINGS.keys())
def tree(request: pytest.FixtureRequest, description: Description, tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", description, request.param)


def make_tree(root: Path, description: Description, ending: str = "\n") -> Path:
    texts = {path: [f"begin {text} end"] for path, text in description.has.items()}
    for edit in description.replace:
        texts.setdefault(edit.file, []).append(f"import Provider from {edit.find};")
    for addition in description.append:
        texts.setdefault(addition.file, []).append("answer = 42")
    for path, lines in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("\n".join(lines) + ending, newline="")
    return root


def snapshot(root: Path) -> Snapshot:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def patch(tree: Path, *options: str) -> int:
    return main(["patch", str(tree), *options])


def test_patch_revert_and_patch_again_are_byte_identical(tree: Path) -> None:
    original = snapshot(tree)
    assert patch(tree) == 0
    patched = snapshot(tree)
    assert patched != original
    assert patch(tree, "--revert") == 0
    assert snapshot(tree) == original
    assert not [path for path in tree.rglob("*") if path.is_dir() and not any(path.iterdir())]
    assert patch(tree) == 0
    assert snapshot(tree) == patched


def test_a_patched_tree_uses_the_package_and_our_provider(tree: Path, description: Description) -> None:
    original = snapshot(tree)
    assert patch(tree) == 0
    patched = snapshot(tree)
    for edit in description.replace:
        assert patched[edit.file] == original[edit.file].replace(edit.find.encode(), edit.put.encode())
    for addition in description.append:
        assert patched[addition.file].startswith(original[addition.file])
        compile(patched[addition.file].removeprefix(original[addition.file]), addition.file, "exec")
        assert b"seams.apply()" in patched[addition.file]
    for path, content in browser_sources().items():
        assert patched[f"{description.folder}/{path}"] == content
    assert b"./ApiProvider.js" in patched[f"{description.folder}/index.js"]


def test_every_module_that_is_imported_is_copied() -> None:
    sources = browser_sources()
    for path, content in sources.items():
        for line in content.decode().splitlines():
            if line.startswith(("import ", "export ", "} from ")) and ' from "./' in line:
                name = line.rpartition(' from "')[2].rstrip('";')
                assert os.path.normpath(os.path.join(os.path.dirname(path), name)) in sources, f"{path}: {name}"


def test_it_is_safe_to_repeat(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patch(tree)
    patched = snapshot(tree)
    assert patch(tree) == 0
    assert snapshot(tree) == patched
    assert "nothing to do, it is patched already" in capsys.readouterr().out
    patch(tree, "--revert")
    original = snapshot(tree)
    assert patch(tree, "--revert") == 0
    assert snapshot(tree) == original
    assert "nothing to do, it is reverted already" in capsys.readouterr().out


def test_check_changes_nothing_and_tells_whether_it_is_patched(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = snapshot(tree)
    assert patch(tree, "--check") == 1
    assert "would change js/main.js" in capsys.readouterr().out
    assert snapshot(tree) == original
    patch(tree)
    assert patch(tree, "--check") == 0


def test_it_tells_when_the_bundle_has_to_be_built(
    tmp_path: Path, description: Description, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = make_tree(tmp_path, description)
    bundle = tree / description.bundle
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"stock")
    patch(tree)
    assert f"now build {description.bundle}" in capsys.readouterr().out
    bundle.write_bytes(b"..." + PROVIDER_MARK)
    patch(tree)
    assert f"{description.bundle} fits" in capsys.readouterr().out
    patch(tree, "--revert")
    assert f"now build {description.bundle}" in capsys.readouterr().out


def test_an_older_patch_is_brought_up_to_date(tmp_path: Path, description: Description, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_tree(tmp_path, description)
    original = snapshot(tree)
    with monkeypatch.context() as older:
        old = {"ApiProvider.js": b"older", "src/gone.js": b"not any more"}
        older.setattr("visdom_transport.source_tree.tree.browser_sources", lambda: old)
        patch(tree)
    assert patch(tree, "--check") == 1
    assert patch(tree) == 0
    assert f"{description.folder}/src/gone.js" not in snapshot(tree)
    assert snapshot(tree)[f"{description.folder}/ApiProvider.js"] == browser_sources()["ApiProvider.js"]
    patch(tree, "--revert")
    assert snapshot(tree) == original


def spoil_nothing_else(tree: Path, description: Description, how: str) -> None:
    edit, addition = description.replace[0], description.append[0]
    main_js, app = tree / edit.file, tree / addition.file
    if how == "anchor twice":
        main_js.write_text(main_js.read_text() + edit.find)
    elif how == "anchor gone":
        main_js.write_text("")
    elif how == "both":
        main_js.write_text(main_js.read_text() + edit.put)
    elif how == "another block":
        app.write_text(app.read_text() + "\n# visdom-transport: begin\nimport something\n")
    elif how == "folder of somebody":
        (tree / description.folder).mkdir()
        (tree / description.folder / "theirs.js").write_text("theirs")
    else:
        main_js.unlink()


@pytest.mark.parametrize("how", ["anchor twice", "anchor gone", "both", "another block", "folder of somebody", "file gone"])
def test_a_tree_that_is_not_as_expected_is_left_alone(
    tmp_path: Path, description: Description, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = make_tree(tmp_path, description)
    spoil_nothing_else(tree, description, how)
    before = snapshot(tree)
    assert patch(tree) == 1
    assert snapshot(tree) == before
    assert "refused" in capsys.readouterr().err


def test_a_tree_that_is_not_recognised_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "setup.py").write_text("something else")
    before = snapshot(tmp_path)
    assert patch(tmp_path) == 1
    assert patch(tmp_path, "--revert") == 1
    assert patch(tmp_path / "missing") == 1
    assert snapshot(tmp_path) == before
    assert "no source tree we know" in capsys.readouterr().err


def test_a_tree_is_recognised_only_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for description in descriptions():
        tree = make_tree(tmp_path / description.name, description)
        patch(tree, "--check")
        assert f"recognised: {description.title}\n" in capsys.readouterr().out
        for path, text in description.lacks.items():
            if path not in description.has:
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_text(text)
                assert patch(tree, "--check") == 1
                assert f"recognised: {description.title}\n" not in capsys.readouterr().out
                (tree / path).unlink()


def test_what_somebody_changed_in_our_folder_is_not_lost(
    tmp_path: Path, description: Description, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = make_tree(tmp_path, description)
    patch(tree)
    provider = tree / description.folder / "ApiProvider.js"
    provider.write_text("my own work")
    before = snapshot(tree)
    assert patch(tree) == 1
    assert patch(tree, "--revert") == 1
    assert snapshot(tree) == before
    assert "ApiProvider.js has been changed" in capsys.readouterr().err


def test_a_disk_that_fails_leaves_the_tree_as_it_was(
    tmp_path: Path, description: Description, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = make_tree(tmp_path, description)
    original = snapshot(tree)
    put, written = files._put, []

    def fails_once(root: Path, path: str, content: bytes | None) -> None:
        written.append(path)
        if len(written) == 8:
            raise OSError(28, "No space left on device")
        put(root, path, content)

    monkeypatch.setattr(files, "_put", fails_once)
    assert patch(tree) == 1
    assert len(written) > 8
    assert snapshot(tree) == original
    assert "No space left" in capsys.readouterr().err
