"""The fixture ``server``: a running ComfyUI; every test that takes it runs on each that is found.

The fixture ``matrix`` collects the results of the sampler tests; they are printed at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from .launcher import HOW_TO_INSTALL, Install, find_installs
from .matrix import Row, counts, table
from .server import Server

_LOG_OFFSET = pytest.StashKey[int]()
_MATRIX = pytest.StashKey[list[Row]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with a server once for each ComfyUI found."""
    if "install" not in metafunc.fixturenames:
        return
    installs = find_installs(os.environ) or [None]
    ids = [install.version if install else "none" for install in installs]
    metafunc.parametrize("install", installs, ids=ids, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip if none is found; done here, so that pytest reports it once for all tests."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and callspec.params.get("install", item) is None:
        pytest.skip("NOT TESTED IN A REAL COMFYUI\n" + HOW_TO_INSTALL)


@pytest.fixture(scope="session")
def server(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ComfyUI that runs for all tests of its version; tests must leave it as it was."""
    with Server(install, tmp_path_factory.mktemp(f"comfyui-{install.version}")) as running:
        yield running


@pytest.fixture
def version(server: Server) -> tuple[int, ...]:
    """The server's version as numbers, for comparisons."""
    return tuple(int(number) for number in re.findall(r"\d+", server.version))


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> list[Row]:
    """Rows of the table of samplers, to add to."""
    return pytestconfig.stash.setdefault(_MATRIX, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of samplers, with -q too, and the part of it for docs/measured.md."""
    rows = config.stash.get(_MATRIX, [])
    if rows:
        terminalreporter.section("samplers replayed under another seed")
        for line in (*table(rows), "", *counts(rows)):
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Record the length of the server's log at the start of the test."""
    running = _server_of(item)
    if running is not None:
        item.stash[_LOG_OFFSET] = running.log_size()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Add to a failure what the server logged during the test."""
    report = yield
    running = _server_of(item)
    if running is not None and report.failed:
        log = running.log(item.stash.get(_LOG_OFFSET, 0))
        report.sections.append((f"ComfyUI {running.version}", log))
    return report


def _server_of(item: pytest.Item) -> Server | None:
    arguments = getattr(item, "funcargs", {})
    found = arguments.get("target", arguments.get("server"))
    return found if isinstance(found, Server) else None
