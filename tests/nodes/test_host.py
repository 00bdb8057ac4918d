"""ComfyUI's settings, models and routes as the nodes see them, without ComfyUI."""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gen5pack.nodes import host
from gen5pack.nodes.server import routes


def settings_file(folder: Path) -> Path:
    path = folder / "user" / "default" / "comfy.settings.json"
    path.parent.mkdir(parents=True)
    return path


class TestSetting:
    """Values from ComfyUI's settings."""

    @pytest.mark.parametrize(("default", "chosen"), [(True, False), ("warn", "error"), (False, True)])
    def test_chosen(self, folder: Path, default: Any, chosen: Any) -> None:
        """A value of the same type as the default is returned."""
        text = {True: "true", False: "false"}.get(chosen, f'"{chosen}"')
        settings_file(folder).write_text(f'{{"Comfy.Locale": "en", "Gen5.X": {text}}}')
        assert chosen == host.setting("Gen5.X", default)

    @pytest.mark.parametrize(
        "content",
        [
            *[b"", b"{", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"Gen5.X": 0}'],
            *[b'{"Gen5.X": null}', b'{"Gen5.X": "false"}', b'{"Gen5.X": []}', b'{"Gen5": {"X": false}}'],
        ],
    )
    def test_default(self, folder: Path, content: bytes) -> None:
        """If the file is invalid, or the value has another type, the default is returned."""
        settings_file(folder).write_bytes(content)
        assert host.setting("Gen5.X", True) is True

    def test_no_file(self) -> None:
        """If nothing was ever set, the default is returned."""
        assert host.setting("Gen5.X", "warn") == "warn"

    def test_a_later_choice_counts(self, folder: Path) -> None:
        """The file is read each time, so that a choice needs no restart."""
        path = settings_file(folder)
        path.write_text('{"Gen5.X": false}')
        assert host.setting("Gen5.X", True) is False
        path.write_text('{"Gen5.X": true}')
        assert host.setting("Gen5.X", False) is True


class TestModelFile:
    """Finding a model by its name."""

    def test_name_that_windows_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name on another drive, from another machine's file, is not a model; the next folder is tried."""

        def full_path(kind: str, name: str) -> str | None:
            if kind == "loras":
                raise ValueError("path is on mount 'C:', start on mount 'D:'")
            return f"/models/{name}"

        paths = SimpleNamespace(folder_names_and_paths={"loras": [], "vae": []}, get_full_path=full_path)
        monkeypatch.setitem(sys.modules, "folder_paths", paths)
        assert host.model_file(["loras"], "C:x") is None
        assert Path("/models/C:x") == host.model_file(["loras", "vae"], "C:x")


class TestRoutes:
    """The routes and the server that serves them."""

    def test_without_a_server(self) -> None:
        """Without a server nothing is registered, which is returned, not raised; aiohttp is not needed."""
        assert host.routes() is None
        assert routes.register() is False
        assert "aiohttp.web" not in sys.modules

    def test_a_check_has_no_head(self) -> None:
        """verify does not accept HEAD: its lines would be sent as a body, which a HEAD must not have."""
        web = SimpleNamespace(Response=SimpleNamespace)
        serve = routes._served(web, partial(routes._verify, web))
        answer = asyncio.run(serve(SimpleNamespace(method="HEAD", headers={}, query={"name": "a.gen5"})))
        expected = {"error": "request a check with GET, not HEAD", "kind": "bad_method"}
        assert (answer.status, json.loads(answer.body)) == (405, expected)

    def test_registered_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second copy of the pack leaves the first one's routes alone: a server does not start with two."""
        table = [SimpleNamespace(path="/gen5/file"), object()]
        server = SimpleNamespace(PromptServer=SimpleNamespace(instance=SimpleNamespace(routes=table)))
        monkeypatch.setitem(sys.modules, "server", server)
        assert table is host.routes()
        assert routes.register() is False
        assert len(table) == 2
