"""Names that Windows understands differently, in Load Gen5, the routes and Save Gen5.

The tests run on other systems too, with IS_WINDOWS patched: names are refused by their text alone.
"""

from __future__ import annotations

import os
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from gen5pack.gen5core.errors import EncodeError
from gen5pack.gen5core.files import windows
from gen5pack.nodes.load import Gen5Load
from gen5pack.nodes.saving.filename_prefix import expand_prefix
from gen5pack.nodes.saving.output_paths import find_output_path
from gen5pack.nodes.server.errors import HttpError
from gen5pack.nodes.server.params import read_file_name
from gen5pack.nodes.stored.paths import resolve_file

ELSEWHERE = [
    r"\\host\share\x.gen5",
    "//host/share/x.gen5",
    r"\\host\share\x.gen5 [output]",
    "C:x.gen5",
    r"D:\x.gen5 [temp]",
    "x.gen5:stream",
    "NUL",
    "sub/con.gen5",
]
NOW = datetime(2026, 3, 7, 9, 5, 4)


@pytest.fixture(autouse=True)
def _on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "IS_WINDOWS", True)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were passed to the operating system."""
    realpath = os.path.realpath
    paths: list[str] = []

    def record(path: Any, **further: Any) -> str:
        paths.append(str(path))
        return realpath(path, **further)

    monkeypatch.setattr(os.path, "realpath", record)
    return paths


@pytest.mark.parametrize("name", ELSEWHERE)
def test_refused_before_the_system_is_asked(folder: Path, looked_at: list[str], name: str) -> None:
    """No name makes the system access a host, a drive or a device; the error says why."""
    with pytest.raises(EncodeError, match="is not a file name: "):
        resolve_file(name)
    assert "is not a file name: " in str(Gen5Load.VALIDATE_INPUTS(name))
    with pytest.raises(HttpError) as caught:
        read_file_name({"name": name})
    assert caught.value.status == HTTPStatus.BAD_REQUEST
    kinds = {str(folder / kind) for kind in ("input", "output", "temp")}
    assert set(looked_at) <= kinds
    assert looked_at


@pytest.mark.parametrize("name", ["a.gen5", "sub/a.gen5", "sub/../a.gen5 [output]", "猫.gen5"])
def test_ordinary_names(folder: Path, name: str) -> None:
    """An ordinary name inside its folder works."""
    assert resolve_file(name).is_relative_to(folder)


@pytest.mark.parametrize("prefix", ["gen5/ComfyUI", "con", "a.", "a ", r"sub\a", "%date:yyyy-MM-dd%/x"])
def test_prefixes_that_a_number_follows(prefix: str) -> None:
    """A prefix need not be a valid name itself, since a number follows."""
    expand_prefix(prefix, {}, NOW)


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("con/a", "reserves 'con' for a device"),
        ("sub/a:b", "does not allow ':'"),
        ("%date:hh:mm%", "does not allow ':'"),
        ("sub./a", "ends in '.'"),
        ("a?", r"does not allow '?'"),
    ],
)
def test_prefixes_that_are_no_names(prefix: str, message: str) -> None:
    """A colon would hide a save in a stream of another file: the prefix is refused before encoding."""
    with pytest.raises(EncodeError, match="choose a shorter or plainer one") as caught:
        find_output_path(prefix, 8, 8, {})
    assert message in str(caught.value)
