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


class TestUsers:
    """Whose settings count if ComfyUI has several users."""

    @pytest.fixture(autouse=True)
    def server(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """A ComfyUI with --multi-user and the users anna, who turned X on, and ben, who turned Y off."""
        for user, chosen in (("anna", '{"X": true}'), ("ben", '{"Y": false}')):
            path = folder / "user" / user / "comfy.settings.json"
            path.parent.mkdir(parents=True)
            path.write_text(chosen)
        users = SimpleNamespace(
            users={"anna": "Anna", "ben": "Ben"}, get_request_user_id=lambda request: {"a": "anna"}[request]
        )
        handlers: list[Any] = []
        instance = SimpleNamespace(
            user_manager=users,
            app=SimpleNamespace(middlewares=[]),
            prompt_queue=SimpleNamespace(currently_running={}),
            on_prompt=handlers,
            add_on_prompt_handler=handlers.append,
        )
        arguments = SimpleNamespace(multi_user=True)
        for name, module in {
            "folder_paths": SimpleNamespace(get_user_directory=lambda: str(folder / "user")),
            "comfy.cli_args": SimpleNamespace(args=arguments),
            "server": SimpleNamespace(PromptServer=SimpleNamespace(instance=instance)),
            "aiohttp.web": SimpleNamespace(middleware=lambda function: function),
        }.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(host, "executing", lambda: (None, None))
        instance.arguments = arguments
        return instance

    def ask(self, server: SimpleNamespace, request: str, work: Any) -> Any:
        """Return the result of work done for a request."""

        async def handle(request: str) -> Any:
            return work()

        return asyncio.run(server.app.middlewares[0](request, handle))

    def queue(self, server: SimpleNamespace, request: str, **sent: Any) -> None:
        """Queue a prompt by a request and have it run alone."""
        data = self.ask(server, request, lambda: server.on_prompt[0]({"prompt": {}, **sent}))
        server.prompt_queue.currently_running = {0: (0, "id", {}, data["extra_data"], [])}

    @pytest.mark.parametrize(("request_of", "expected"), [("a", (True, True)), ("a stranger", (True, False))])
    def test_request(self, server: SimpleNamespace, request_of: str, expected: tuple[bool, bool]) -> None:
        """The settings of the user who asks count; for one who is not known, the strictest choice of any."""
        assert host.note_users()
        both = self.ask(
            server, request_of, lambda: (host.setting("X", False, True), host.setting("Y", True, False))
        )
        assert both == expected

    def test_running_prompt(self, server: SimpleNamespace) -> None:
        """While a prompt runs, those of the user who queued it count, without the user's id in the queue."""
        host.note_users()
        self.queue(server, "a")
        assert (host.setting("X", False, True), host.setting("Y", True, False)) == (True, True)
        assert "anna" not in json.dumps(server.prompt_queue.currently_running[0])
        self.queue(server, "a stranger")
        assert (host.setting("X", False, True), host.setting("Y", True, False)) == (True, False)

    def test_request_that_says_who_it_is(self, server: SimpleNamespace) -> None:
        """What a request says itself does not count; its other wishes are kept."""
        host.note_users()
        self.queue(server, "a")
        [*_, taken, _] = server.prompt_queue.currently_running[0]
        self.queue(server, "a stranger", extra_data={"gen5": {**taken["gen5"], "auto_record": False}, "x": 1})
        [*_, sent, _] = server.prompt_queue.currently_running[0]
        assert sent == {"gen5": {"auto_record": False}, "x": 1}
        assert host.setting("Y", True, False) is False

    @pytest.mark.parametrize("sent", [None, [], {"extra_data": None}, {"extra_data": "x"}])
    def test_request_of_another_form(self, server: SimpleNamespace, sent: Any) -> None:
        """A request that ComfyUI refuses anyway stays as it is."""
        host.note_users()
        assert self.ask(server, "a", lambda: server.on_prompt[0](sent)) == sent

    def test_one_user(self, server: SimpleNamespace) -> None:
        """Without --multi-user nothing is added to requests, and the user default counts."""
        server.arguments.multi_user = False
        assert not host.note_users()
        assert (server.app.middlewares, server.on_prompt, host.setting("X", False, True)) == ([], [], False)


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
