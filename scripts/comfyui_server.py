"""A running ComfyUI: a subprocess with its own base directory, controlled over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from comfyui_install import PACK, PACK_NAME, Install, command, environment, prepare_base_directory

START_SECONDS = 180
STOP_SECONDS = 30
RUN_SECONDS = 120
POLL_SECONDS = 0.02
LOG_TAIL_BYTES = 8_000

Graph = dict[str, dict[str, Any]]
"""Node id -> class_type and inputs, as ``/prompt`` expects it."""


class ServerError(RuntimeError):
    """The server did not start, exited, or did not respond in time; the message ends with its log."""


class GraphError(RuntimeError):
    """A graph was refused or failed; ``node_message`` is the message in ComfyUI's error dialog."""

    def __init__(self, message: str, *, node_message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.node_message = node_message
        self.details = details
        """The response to a refused graph, or the data of ``execution_error``."""


class Server:
    """A ComfyUI on a free local port. Start it with ``with`` or :meth:`start`.

    Parameters
    ----------
    folder : its base directory
    arguments : ComfyUI's own options
    cpu : sample on the CPU; otherwise ComfyUI chooses, a GPU if there is one
    """

    packs: ClassVar[Mapping[str, Path]] = {PACK_NAME: PACK}
    """Name in ``custom_nodes`` -> folder of the custom nodes."""
    variables: Mapping[str, str] = MappingProxyType({})
    """Environment variables to add."""

    def __init__(self, install: Install, folder: Path, *arguments: str, cpu: bool = True) -> None:
        self.install = install
        self.folder = folder
        self.arguments = arguments
        self.cpu = cpu
        self.port = 0
        self.log_path = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def version(self) -> str:
        """ComfyUI's version, e.g. ``0.33.0``."""
        return str(self.install.version)

    @property
    def input(self) -> Path:
        """The folder from which load nodes read."""
        return self.folder / "input"

    @property
    def output(self) -> Path:
        """The folder that save nodes write to."""
        return self.folder / "output"

    def start(self) -> None:
        """Start the server and return once it responds."""
        prepare_base_directory(self.folder, self.packs)
        self.port = _free_port()
        device = ["--cpu"] if self.cpu else []
        line = command(self.install, self.folder, self.port, [*device, *self.arguments])
        variables = environment(self.install, self.folder, {**os.environ, **self.variables})
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                line, cwd=self.install.root, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self._check_alive()
            try:
                self.get("/system_stats")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise ServerError(f"no response within {START_SECONDS} s of the start\n{self.log_tail()}")

    def stop(self) -> None:
        """Stop the server, if it is running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, *arguments: str) -> None:
        """Restart on the same folders with other arguments."""
        self.stop()
        self.arguments = arguments
        self.start()

    @contextmanager
    def restarted(self, *arguments: str) -> Iterator[Server]:
        """Run a block with other arguments, then restart with the original ones."""
        original = self.arguments
        self.restart(*arguments)
        try:
            yield self
        finally:
            self.restart(*original)

    def run(self, graph: Graph, extra_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Queue a graph, wait until it ends, and return the outputs from its history: node id -> ui."""
        outputs: dict[str, Any] = self.wait(self.queue(graph, extra_data))["outputs"]
        return outputs

    def queue(self, graph: Graph, extra_data: Mapping[str, Any] | None = None) -> str:
        """Queue a graph and return its prompt id.

        Raises
        ------
        GraphError
            if it fails ComfyUI's validation.
        """
        status, response = self.post("/prompt", {"prompt": graph, "extra_data": dict(extra_data or {})})
        if status != http.client.OK:
            messages = list(_validation_messages(response))
            text = "\n".join(messages)
            raise GraphError(f"the graph was refused:\n{text}", node_message=text, details=response)
        return str(response["prompt_id"])

    def wait(self, prompt_id: str, seconds: float = RUN_SECONDS) -> dict[str, Any]:
        """Wait until a prompt has ended and return its history: prompt, outputs, status, meta.

        Raises
        ------
        GraphError
            if a node failed.
        ServerError
            if the server exited, or the prompt took longer than seconds.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_alive()
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry is not None:
                _raise_failure(entry)
                return dict(entry)
            time.sleep(POLL_SECONDS)
        self.post("/interrupt", {})
        raise ServerError(f"prompt {prompt_id} took longer than {seconds} s\n{self.log_tail()}")

    def object_info(self, class_type: str = "") -> dict[str, Any]:
        """Return ComfyUI's description of its node classes, or of one of them."""
        info: dict[str, Any] = self.get(f"/object_info/{class_type}" if class_type else "/object_info")
        return info

    def upload(self, name: str, content: bytes, *, subfolder: str = "", kind: str = "input") -> str:
        """Upload a file as the browser does; return the name under which it was stored."""
        boundary = uuid.uuid4().hex
        fields = {"type": kind, "subfolder": subfolder}
        parts = [_form_part(boundary, f'name="{key}"', value.encode()) for key, value in fields.items()]
        parts.append(_form_part(boundary, f'name="image"; filename="{name}"', content))
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, response = self.request("POST", "/upload/image", body, headers)
        if status != http.client.OK:
            raise ServerError(f"upload of {name} returned {status}: {response!r}")
        return str(json.loads(response)["name"])

    def get(self, path: str) -> Any:
        """Return the JSON response to a GET."""
        status, response = self.request("GET", path)
        if status != http.client.OK:
            raise ServerError(f"GET {path} returned {status}: {response[:500]!r}")
        return json.loads(response)

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        """Post value as JSON; return the status and the JSON response (None if it is empty)."""
        body = json.dumps(value).encode()
        status, response = self.request("POST", path, body, {"Content-Type": "application/json"})
        return status, json.loads(response) if response else None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one HTTP request; return the status and the body of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=RUN_SECONDS)
        try:
            quoted = urllib.parse.quote(path, safe="/?&=%")
            connection.request(method, quoted, body, dict(headers or {}))
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def log(self, offset: int = 0) -> str:
        """Return the server's log from offset on."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_bytes()[offset:].decode(errors="replace")

    def log_size(self) -> int:
        """Return the current size of the log in bytes, to be passed to ``log`` later."""
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def log_tail(self) -> str:
        """Return the end of the log, for messages."""
        return self.log(max(0, self.log_size() - LOG_TAIL_BYTES))

    def _check_alive(self) -> None:
        if self._process is None:
            raise ServerError("the server is not running")
        if self._process.poll() is not None:
            status = self._process.returncode
            raise ServerError(f"the server exited with status {status}\n{self.log_tail()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _form_part(boundary: str, disposition: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _validation_messages(response: Mapping[str, Any]) -> Iterator[str]:
    """Yield the messages of a refused graph: those of its nodes, or else that of the graph."""
    nodes = response.get("node_errors") or {}
    for node, report in nodes.items():
        for error in report["errors"]:
            yield f"{report['class_type']} {node}: {error['message']}: {error['details']}"
    if not nodes:
        error = response["error"]
        yield error if isinstance(error, str) else f"{error['message']}: {error['details']}"


def _raise_failure(entry: Mapping[str, Any]) -> None:
    if entry["status"]["status_str"] == "success":
        return
    for event, data in entry["status"]["messages"]:
        if event == "execution_error":
            node = f"{data['node_type']} {data['node_id']}"
            summary = f"{node}: {data['exception_type']}: {data['exception_message']}"
            text = summary + "\n" + "".join(data["traceback"])
            raise GraphError(text, node_message=data["exception_message"], details=data)
    raise GraphError(f"the prompt failed: {entry['status']}", node_message="", details=entry["status"])
