"""Fixtures of the browser tests; each test that takes ``page`` runs on every frontend and renderer.

``page``      a fresh Playwright page with ComfyUI open; an error of the page fails the test at its end
``server``    the ComfyUI that serves it, with this pack and the test pack; its input/ and output/ are private
``renderer``  ``classic`` or ``nodes2``; ``frontend`` is the version of the browser side and its folder
``shot``      ``shot("name")`` writes build/screenshots/<frontend>-<renderer>/name.png; ``screenshot(of, "name")``
              does so for tests that open pages themselves
``page_settings``  override it in a module to open ``page`` with other settings; ``open_page(settings)`` opens another

Narrow a run with ``--frontend 1.58.1 --renderer classic``, each of which may be repeated.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comfyui.launcher import HOW_TO_INSTALL, PACK, Install, find_installs
from comfyui.server import Server

from .frontends import HOW_TO_GET, RENDERERS, VERSIONS, Frontend, chosen, find_frontends
from .page_errors import PageErrors
from .pages import VIEWPORT, wait_until_ready

try:
    from playwright.sync_api import Browser, Page, sync_playwright
except ImportError:
    HAS_PLAYWRIGHT = False
else:
    HAS_PLAYWRIGHT = True

SCREENSHOTS = PACK / "build" / "screenshots"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # ComfyUI tries to reach the internet
]
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Locale": "en",
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.RightSidePanel.ShowErrorsTab": False,  # the first workflow's models are missing, which ComfyUI reports
}
NOT_TESTED = "NOT TESTED IN A BROWSER\n"

_LOG_OFFSET = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options that narrow a run."""
    group = parser.getgroup("browser")
    group.addoption("--frontend", action="append", help="a version of ComfyUI's frontend; all that are found")
    group.addoption("--renderer", action="append", choices=RENDERERS, help="how nodes are drawn; both ways")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip the modules if playwright, which they import, is not installed."""
    return None if HAS_PLAYWRIGHT else _Untested.from_parent(parent, path=module_path)


class _Untested(pytest.Module):
    def collect(self) -> list[pytest.Item]:
        pytest.skip(
            f"{NOT_TESTED}playwright is not installed: pip install playwright", allow_module_level=True
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with a server on each frontend, and tests with a page under each renderer too."""
    if "frontend" in metafunc.fixturenames:
        frontends = chosen(metafunc.config, "frontend", find_frontends(os.environ)) or [None]
        ids = [frontend.version if frontend else "none" for frontend in frontends]
        metafunc.parametrize("frontend", frontends, ids=ids, scope="session")
    if "renderer" in metafunc.fixturenames:
        metafunc.parametrize("renderer", chosen(metafunc.config, "renderer", RENDERERS), scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip if something is missing; done here, so that pytest reports it once for all tests."""
    if "frontend" in getattr(item, "fixturenames", ()):
        missing = _missing(getattr(item, "callspec", None))
        if missing:
            pytest.skip(NOT_TESTED + missing)


def _missing(callspec: Any) -> str:
    if not find_installs(os.environ):
        return HOW_TO_INSTALL
    if callspec is None or callspec.params.get("frontend") is None:
        return f"none of the frontends {', '.join(VERSIONS)} found: {HOW_TO_GET}"
    return ""


@pytest.fixture(scope="session")
def install() -> Install:
    """The newest ComfyUI of this machine, or the first one in COMFYUI_PATH."""
    return find_installs(os.environ)[0]


@pytest.fixture(scope="session")
def server(
    install: Install, frontend: Frontend, renderer: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A ComfyUI for all tests of one frontend and renderer: each of them saves and uploads under its own names."""
    folder = tmp_path_factory.mktemp(f"comfyui-{frontend.version}-{renderer}")
    with Server(install, folder, "--front-end-root", str(frontend.static)) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """CHROMIUM, the system's, or playwright's own."""
    with sync_playwright() as playwright:
        executable = _chromium()
        if executable is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(f"{NOT_TESTED}no Chromium: set CHROMIUM, or run `playwright install chromium`")
        running = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


def _chromium() -> str | None:
    if named := os.environ.get("CHROMIUM"):
        return named
    return str(CHROMIUM) if CHROMIUM.exists() else None


@pytest.fixture
def page_errors() -> PageErrors:
    """The errors of all pages of the test so far; a test that expects some removes them."""
    return PageErrors()


@pytest.fixture
def open_page(
    server: Server, browser: Browser, renderer: str, page_errors: PageErrors
) -> Iterator[Callable[..., Page]]:
    """Return a function that opens ComfyUI in a fresh browser, with additional settings."""
    contexts = []

    def open_one(settings: dict[str, Any] | None = None, **context: Any) -> Page:
        reset(server, {**SETTINGS, "Comfy.VueNodes.Enabled": renderer == "nodes2", **(settings or {})})
        contexts.append(browser.new_context(viewport=VIEWPORT, **context))
        page = contexts[-1].new_page()
        page_errors.watch(page)
        page.goto(f"http://127.0.0.1:{server.port}/")
        wait_until_ready(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    page_errors.check()


def reset(server: Server, settings: dict[str, Any]) -> None:
    """Give the server only these settings, and remove the workflows that earlier tests stored."""
    user = server.folder / "user" / "default"
    (user / "comfy.settings.json").unlink(missing_ok=True)
    shutil.rmtree(user / "workflows", ignore_errors=True)
    status, _ = server.post("/settings", settings)
    assert status == 200


@pytest.fixture
def page_settings() -> dict[str, Any]:
    """Additional settings that ``page`` is opened with."""
    return {}


@pytest.fixture
def page(open_page: Callable[..., Page], page_settings: dict[str, Any]) -> Page:
    """A page with ComfyUI open, in a fresh browser."""
    return open_page(page_settings)


@pytest.fixture
def screenshot(frontend: Frontend, renderer: str) -> Callable[[Any, str], Path]:
    """Return a function that writes a screenshot of a page or a locator."""

    def take(of: Any, name: str) -> Path:
        path = SCREENSHOTS / f"{frontend.version}-{renderer}" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        of.screenshot(path=str(path))
        return path

    return take


@pytest.fixture
def shot(page: Page, screenshot: Callable[[Any, str], Path]) -> Callable[..., Path]:
    """Return a function that writes a screenshot of ``page`` or of a locator."""

    def take(name: str, of: Any = None) -> Path:
        return screenshot(of or page, name)

    return take


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Record the length of the server's log at the start of the test."""
    running = _fixture(item, "server")
    if running is not None:
        item.stash[_LOG_OFFSET] = running.log_size()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[Any]:
    """Add to a failure what the server logged during the test, and save a screenshot."""
    report = yield
    if report.failed and (running := _fixture(item, "server")) is not None:
        report.sections.append(("ComfyUI's log", running.log(item.stash.get(_LOG_OFFSET, 0))))
    if report.failed and call.when == "call" and (page := _fixture(item, "page")) is not None:
        path = SCREENSHOTS / "failed" / f"{item.name}.png"
        page.screenshot(path=str(path))
        report.sections.append(("page", str(path)))
    return report


def _fixture(item: pytest.Item, name: str) -> Any:
    return getattr(item, "funcargs", {}).get(name)
