"""The fixture ``rows``: every case tried once on the newest ComfyUI found; the table is printed at the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfyui.launcher import HOW_TO_INSTALL, PACK_NAME, find_installs

from .cases import CORE, all_cases
from .packs import HOW_TO_GET, Pack, find_packs, missing_packs, python_folder
from .server import PackServer
from .table import Row, document, markdown, totals
from .trying import Servers, attempt, server_info

_ROWS = pytest.StashKey[list[Row]]()
_VERSION = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of ``make test-packs ARGS=…``."""
    group = parser.getgroup("packs")
    group.addoption(
        "--packs-table", metavar="FILE", help="write the table of packs to FILE, e.g. docs/packs.md"
    )
    group.addoption("--packs-only", metavar="TEXT", help="try only the cases whose pack or name has TEXT")
    group.addoption("--slow-samplers", action="store_true", help="try RES4LYF's slow samplers too (an hour)")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Skip without packs, or a ComfyUI to run them; done here, so that pytest reports it once for all tests."""
    if not find_installs(os.environ):
        pytest.skip("NOT TESTED WITH NODE PACKS\n" + HOW_TO_INSTALL)
    if not find_packs(os.environ):
        pytest.skip("NOT TESTED WITH NODE PACKS\n" + HOW_TO_GET)


@pytest.fixture(scope="session")
def packs() -> list[Pack]:
    """The packs found."""
    return find_packs(os.environ)


@pytest.fixture(scope="session")
def servers(
    packs: list[Pack], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Servers:
    """Two servers of the newest ComfyUI with all packs, one of them without this pack; they run to the end."""
    install = find_installs(os.environ)[0]
    pytestconfig.stash[_VERSION] = install.version
    folders = [tmp_path_factory.mktemp(name) for name in ("without", "gen5")]
    made = [PackServer(install, folder, packs, python_folder(os.environ)) for folder in folders]
    made[0].packs = {name: pack for name, pack in made[0].packs.items() if name != PACK_NAME}
    for server in made:
        pytestconfig.add_cleanup(server.stop)
        server.start()
    return Servers(*made)


@pytest.fixture(scope="session")
def rows(servers: Servers, packs: list[Pack], pytestconfig: pytest.Config) -> list[Row]:
    """Every case, tried."""
    versions = {CORE: servers.gen5.version, **{pack.name: pack.version for pack in packs}}
    slow = bool(pytestconfig.getoption("--slow-samplers", default=False))
    found = pytestconfig.stash[_ROWS] = []
    only = str(pytestconfig.getoption("--packs-only", default=None) or "")
    for case in all_cases(server_info(servers.without), list(versions), slow=slow):
        if only not in f"{case.pack}, {case.name}":
            continue
        found.append(attempt(servers, case, Row(case.pack, versions[case.pack], case.name)))
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what is not bit-exact and the totals, with -q too; write the whole table where it is asked for."""
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    terminalreporter.section("samplers of node packs")
    missing = missing_packs(find_packs(os.environ))
    lines = [f"NOT FOUND HERE: {', '.join(missing)}", ""] if missing else []
    for line in (*lines, *markdown(row for row in rows if not row.good), "", *totals(rows)):
        terminalreporter.write_line(line)
    target = config.getoption("--packs-table", default=None)
    if target:
        Path(target).write_text(document(config.stash[_VERSION], rows), encoding="utf-8")
