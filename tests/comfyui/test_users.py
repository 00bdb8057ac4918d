"""Several users of one ComfyUI, started with --multi-user: whose settings count."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from typing import Any

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import txt2img
from .server import Server

MACHINE_NAME, SCRUB = "Gen5.Privacy.MachineName", "Gen5.Privacy.Scrub"
AUTOMATIC, LIBRARY = "Gen5.Recording.Automatic", "Gen5.Library.Enabled"


class Users:
    """The users of a server, and what each of them saves."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ids: dict[str, str] = {}

    def add(self, name: str, **settings: bool) -> None:
        """Add a user with settings, as the browser does."""
        status, self.ids[name] = self.server.post("/users", {"username": name})
        assert status == 200
        for key, value in settings.items():
            self.request(name, "POST", f"/settings/{key}", value)

    def request(self, name: str | None, method: str, path: str, value: Any = None) -> tuple[int, Any]:
        """Send a request of a user, by name; None for one that says nothing of a user."""
        headers = {
            "Content-Type": "application/json",
            **({"Comfy-User": self.ids.get(name, name)} if name else {}),
        }
        body = None if method == "GET" else json.dumps(value).encode()
        status, response = self.server.request(method, path, body, headers)
        return status, json.loads(response) if response else None

    def save(self, name: str | None, graph: Graph, extra_data: Any = None) -> gen5core.Gen5File:
        """Queue a graph as a user, and return the file that it saved."""
        value = {"prompt": graph.nodes, "extra_data": extra_data or {}}
        status, response = self.request(name, "POST", "/prompt", value)
        assert status == 200, response
        outputs = self.server.wait(response["prompt_id"])["outputs"]
        [saved] = [one for output in outputs.values() for one in output.get("gen5", ())]
        with gen5core.open(self.server.output / saved["subfolder"] / saved["filename"]) as file:
            return file


@pytest.fixture(scope="module")
def users(server: Server) -> Iterator[Users]:
    """Anna stores the machine's name and records nothing; Ben scrubs and has no library; Cleo chose nothing."""
    with server.restarted("--multi-user"):
        made = Users(server)
        made.add("anna", **{MACHINE_NAME: True, AUTOMATIC: False})
        made.add("ben", **{SCRUB: True, MACHINE_NAME: True, LIBRARY: False})
        made.add("cleo")
        yield made


def saving(number: int) -> Graph:
    """Return a graph that saves an image of its own."""
    graph = txt2img(Settings(seed=number))
    graph.add("Gen5Save", images=graph.decode(), latent=graph.result, filename_prefix="users/x")
    return graph


def named(file: gen5core.Gen5File) -> bool:
    """Return whether a file has this machine's name."""
    return file.hardware.get("machine_name") == platform.node()


def source(file: gen5core.Gen5File) -> Any:
    """Return where a file's noise came from."""
    return (file.capture or {}).get("noise_source")


def test_settings_of_the_user_who_queued(users: Users) -> None:
    """The settings of the user who queued a prompt count, one after the other and in any order."""
    seen = [
        (name, users.save(name, saving(number)))
        for number, name in enumerate(("anna", "ben", "cleo", "anna"))
    ]
    assert [(name, named(file), source(file)) for name, file in seen] == [
        ("anna", True, "derived"),
        ("ben", False, "recorded"),
        ("cleo", False, "recorded"),
        ("anna", True, "derived"),
    ]


def test_user_who_is_not_known(users: Users) -> None:
    """If a request names no user, the strictest choice of any user counts: no name, nothing recorded without wiring."""
    file = users.save(None, saving(10))
    assert (named(file), source(file)) == (False, "derived")


def test_nobody_is_named_by_a_request(users: Users) -> None:
    """What stands for a user is made new for every request, names no one, and cannot be taken over from another one."""
    status, response = users.request("anna", "POST", "/prompt", {"prompt": saving(20).nodes})
    assert status == 200
    extra_data = users.server.wait(response["prompt_id"])["prompt"][3]
    assert users.ids["anna"] not in json.dumps(extra_data)
    file = users.save("ben", saving(21), extra_data)
    assert not named(file)


def test_library_setting(users: Users) -> None:
    """A user who turned the library off has none; everybody else sees the files of all, as ComfyUI's own pages do."""
    statuses = {
        name: users.request(name, "GET", "/gen5/library")[0] for name in ("anna", "ben", "cleo", None)
    }
    assert statuses == {"anna": 200, "ben": 404, "cleo": 200, None: 404}
