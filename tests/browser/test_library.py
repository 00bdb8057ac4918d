"""The Library tab: listing, searching and scrolling by pointer and by keys, and what it does to the graph."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui.graphs import Settings, txt2img
from comfyui.server import Server
from playwright.sync_api import Locator, Page, expect

import gen5core
from gen5core.environment.components import Component, Environment

from .contrast import check_contrast
from .files import annotated, make_gen5
from .library_steps import NAME, names, open_details, open_library, tab_button, wait_until_scanned
from .pages import (
    empty_graph,
    load_graph,
    nodes,
    run_page,
    tab_name,
    wait_for_node,
    wait_until,
    wait_until_ready,
)

HOSTILE = '<img src=x onerror="window.hacked = true"><b>bold</b>'
LARGEST_SEED = 2**64 - 1
MANY = int(os.environ.get("GEN5_LIBRARY_FILES", "3000"))
"""Files of the tests with many; 10000 to measure."""
MOST_ROWS = 40
"""Of the page, however many files there are."""
LARGE_BYTES = 200_000_000

_OPENING = """() => new Promise(resolve => {
    const start = performance.now()
    const look = () => document.querySelector('.gen5-library [role=option]:not([aria-busy]) .gen5-library-name')
        ? resolve(performance.now() - start) : requestAnimationFrame(look)
    document.querySelector('.gen5-library-tab-button, [data-testid=gen5-library-tab-button]').click()
    look()
})"""
_SCROLLING = """async ([pixels, count]) => {
    const list = document.querySelector('.gen5-library-scroller'), frames = [], long = []
    const watcher = new PerformanceObserver(seen => long.push(...seen.getEntries().map(one => one.duration)))
    watcher.observe({type: 'longtask'})
    let last = performance.now()
    for (let done = 0; done < count; done++) {
        list.scrollTop += pixels
        const now = await new Promise(requestAnimationFrame)
        frames.push(now - last)
        last = now
    }
    watcher.disconnect()
    frames.sort((a, b) => a - b)
    const at = share => Math.round(frames[Math.floor((frames.length - 1) * share)])
    const all = frames.reduce((sum, one) => sum + one, 0)
    return {all, median: at(0.5), p95: at(0.95), worst: at(1), long: long.length, longest: Math.max(0, ...long)}
}"""


@pytest.fixture(scope="module", autouse=True)
def folders(server: Server) -> Iterator[None]:
    """Move what other modules left in output/ and input/ away."""
    kept = [(folder, folder.with_name(f"{folder.name}-kept")) for folder in (server.output, server.input)]
    for folder, aside in kept:
        folder.rename(aside)
    yield
    for folder, aside in kept:
        _remove(folder)
        aside.rename(folder)


@pytest.fixture(autouse=True)
def empty(folders: None, server: Server) -> None:
    """Start without files."""
    for folder in (server.output, server.input):
        if folder.exists():
            _remove(folder)
        folder.mkdir()


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def save(path: Path, *, age: float = 0, **facts: Any) -> Path:
    """Write a small file that is some seconds old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {
        "latents": {"initial_noise": np.random.default_rng(0).standard_normal((1, 4, 8, 8), np.float32)},
        "images": np.full((32, 32, 3), (40, 90, 140), np.uint8),
        "settings": {"seed": 1, "sampler": "euler", "steps": 20},
        "environment": None,
        "hardware": None,
    }
    gen5core.save(path, **known | facts)
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def save_many(folder: Path, count: int) -> None:
    """Write many files, file00000 the newest: a few different ones, copied."""
    patterns = []
    for number in range(8):
        picture = np.full((64, 64, 3), (30 * number, 128, 255 - 30 * number), np.uint8)
        facts = {"seed": number, "sampler": "dpmpp_2m", "steps": 20}
        path = save(
            folder / f"pattern{number}.gen5", images=picture, settings=facts, prompt=f"pattern {number}"
        )
        patterns.append(path.read_bytes())
        path.unlink()
    now = time.time()
    for number in range(count):
        path = folder / f"file{number:05}.gen5"
        path.write_bytes(patterns[number % len(patterns)])
        os.utime(path, (now - number, now - number))


def test_files_are_listed_newest_first(page, server, shot):
    """Files of output/ and input/ in one list, with thumbnail, age, seed, sampler, model, tags and drift."""
    old = Environment((Component("python", "name=python;version=2.7.18"),), {}, {})
    save(
        server.output / "sub" / "newest.gen5",
        prompt="a lighthouse at dusk, fog over the sea",
        tags=["sea"],
        age=90,
    )
    save(server.input / "middle.gen5", model_name="tiny.safetensors", environment=old, age=7200)
    save(
        server.output / "oldest.gen5", settings={"seed": LARGEST_SEED, "sampler": "heun", "steps": 4}, age=1e6
    )
    panel = open_library(page)
    assert names(panel) == ["newest.gen5", "middle.gen5", "oldest.gen5"]
    rows = panel.locator("[role=option]")
    expect(rows.nth(0)).to_contain_text("a lighthouse at dusk")
    expect(rows.nth(0)).to_contain_text("1 minute ago")
    expect(rows.nth(0)).to_contain_text("sea")
    expect(rows.nth(1)).to_contain_text("tiny.safetensors")
    expect(rows.nth(1)).to_contain_text(re.compile(r"\d drift"))
    expect(rows.nth(1)).to_contain_text("input")
    expect(rows.nth(2)).to_contain_text(f"seed {LARGEST_SEED} · heun")
    expect(panel.get_by_role("status").first).to_have_text("3 files")
    expect(rows.nth(2).locator("img")).to_be_visible()
    assert all(rows.nth(row).locator("img").evaluate("image => image.naturalWidth") > 0 for row in range(3))
    shot("library")


def test_an_empty_library_says_how_to_make_a_file(page, server, shot):
    """A file that appears later is listed after a press on refresh."""
    panel = open_library(page)
    expect(panel).to_contain_text("No GEN5 files yet")
    expect(panel).to_contain_text("Save Gen5")
    shot("library-empty")
    save(server.output / "first.gen5")
    panel.get_by_role("button", name="Look for new files").click()
    expect(panel.locator("[role=option]")).to_contain_text("first.gen5")


def test_a_search_finds_by_every_field(page, server, shot):
    """Prompt, model, sampler, seed and tags; several words must all match."""
    save(server.output / "a.gen5", prompt="a red lighthouse", model_name="alpha.safetensors", tags=["coast"])
    save(server.output / "b.gen5", prompt="a blue lighthouse", model_name="beta.safetensors", age=1)
    save(
        server.output / "c.gen5",
        settings={"seed": LARGEST_SEED, "sampler": "dpmpp_2m_sde", "steps": 4},
        age=2,
    )
    panel = open_library(page)
    box = panel.get_by_role("searchbox")
    wanted = {
        "RED": ["a.gen5"],
        "beta": ["b.gen5"],
        "2m_sde": ["c.gen5"],
        str(LARGEST_SEED): ["c.gen5"],
        "coast": ["a.gen5"],
        "lighthouse": ["a.gen5", "b.gen5"],
        "lighthouse blue": ["b.gen5"],
    }
    for query, found in wanted.items():
        box.fill(query)
        expect(panel.locator(NAME)).to_have_text(found)
        expect(panel.get_by_role("status").first).to_have_text(f"{len(found)} of 3 files")
    box.fill("nowhere")
    expect(panel).to_contain_text("No file has all of: nowhere")
    shot("library-nothing-found")
    panel.get_by_role("button", name="Clear the search").click()
    expect(panel.locator("[role=option]")).to_have_count(3)


def test_thousands_of_files_scroll_in_pages(page, server, shot):
    """Every file appears once, with few rows in the page; scrolling is smooth; the position is kept."""
    save_many(server.output, MANY)
    tab_button(page).click()
    panel = page.locator(".gen5-library")
    expect(panel.locator("[role=option]").first).to_be_visible()
    shot("library-reading")
    wait_until_scanned(panel, 300)
    expect(panel.get_by_role("status").first).to_have_text(f"{MANY:,} files")
    assert [f"file{number:05}.gen5" for number in range(MANY)] == _scroll_through(page, panel)
    page.evaluate("() => { document.querySelector('.gen5-library-scroller').scrollTop = 0 }")
    page.wait_for_timeout(500)
    for pixels in (0, 30, 600):
        print(f"\n{MANY} files, {pixels} px a frame: {page.evaluate(_SCROLLING, [pixels, 240])}")
    expect(panel.locator("[role=option][aria-busy]")).to_have_count(0)
    middle = names(panel)
    shot("library-scrolled")
    panel.locator("[role=option]").nth(8).click()
    page.keyboard.press("Escape")
    expect(panel.locator(NAME)).to_have_text(middle)
    again = [_open_again(page, panel) for _ in range(5)]
    assert middle == names(panel)
    page.reload()
    wait_until_ready(page)
    fresh = page.evaluate(_OPENING)
    print(f"opened in {[round(time) for time in again]} ms, after a reload of the page in {fresh:.0f} ms")
    expect(panel.locator("[role=option]").first).to_be_visible()


def _open_again(page: Page, panel: Locator) -> float:
    """Close the tab, open it, and return the milliseconds until its first card was shown."""
    tab_button(page).click()
    expect(panel).to_be_hidden()
    took: float = page.evaluate(_OPENING)
    wait_until_scanned(panel)
    return took


def _scroll_through(page: Page, panel: Locator) -> list[str]:
    """Return the names of all rows in order, each as often as it was displayed."""
    seen: dict[int, set[str]] = {}
    read = """() => [...document.querySelectorAll('.gen5-library [role=option]')].map(row =>
        [Number(row.ariaPosInSet), row.querySelector('.gen5-library-name')?.textContent ?? ''])"""
    step = """() => { const list = document.querySelector('.gen5-library-scroller')
        list.scrollTop += list.clientHeight }"""
    waiting = "() => !document.querySelector('.gen5-library [role=option][aria-busy]')"
    at_end = """() => { const list = document.querySelector('.gen5-library-scroller')
        return list.scrollTop + list.clientHeight >= list.scrollHeight - 1 }"""
    while True:
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        page.wait_for_function(waiting)
        rows = page.evaluate(read)
        assert len(rows) <= MOST_ROWS
        for place, name in rows:
            seen.setdefault(place, set()).add(name)
        if page.evaluate(at_end):
            break
        page.evaluate(step)
    return [name for place in sorted(seen) for name in sorted(seen[place])]


def test_a_click_opens_the_row_that_was_pressed(page, server):
    """The first press in a list scrolled by half a row moves nothing between press and release."""
    save_many(server.output, 60)
    panel = open_library(page)
    page.evaluate("() => { document.querySelector('.gen5-library-scroller').scrollTop = 150 }")
    row = panel.locator("[role=option]", has_text="file00004.gen5")
    expect(row).to_be_visible()
    row.hover()
    page.mouse.down()
    assert page.evaluate("() => document.querySelector('.gen5-library-scroller').scrollTop") == 150
    page.mouse.up()
    expect(panel.get_by_role("article")).to_have_attribute("aria-label", "file00004.gen5")


def test_the_active_row_stays_the_same_file(page, server):
    """A newly saved file is inserted above it; Enter opens the file that the keys had reached."""
    save_many(server.output, 5)
    panel = open_library(page)
    panel.get_by_role("listbox").focus()
    for key in ("Home", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    save(server.output / "newest.gen5", age=-5)
    page.evaluate("() => document.querySelector('.gen5-library [aria-label=\"Look for new files\"]').click()")
    expect(panel.locator(NAME).first).to_have_text("newest.gen5")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("article")).to_have_attribute("aria-label", "file00002.gen5")


def test_a_fast_scroll_asks_for_few_pages(page, server):
    """Pages that were scrolled past are not requested, or their requests are cancelled."""
    save_many(server.output, 3000)
    panel = open_library(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "limit=60" in request.url else None)
    scrolled = page.evaluate(_SCROLLING, [12_000, 40])
    expect(panel.locator("[role=option][aria-busy]")).to_have_count(0)
    expect(panel.locator("[role=option]").last).to_contain_text("file02999.gen5")
    assert len(asked) <= 2 * (scrolled["all"] / 80 + 2), f"at most two pages each 80 ms: {scrolled}, {asked}"


def test_details_reveal_everything(page, server, shot):
    """Picture, settings, passes, environment and latents; numbers are exact, and the picture is loaded."""
    path = make_gen5(server, txt2img(Settings(seed=LARGEST_SEED)), prefix="gen5/whole")
    panel = open_library(page)
    details = open_details(panel, path.name)
    picture = details.locator("figure img")
    expect(picture).to_be_visible()
    page.wait_for_function("() => document.querySelector('.gen5-library figure img').naturalWidth > 0")
    expect(details).to_contain_text(str(LARGEST_SEED))
    for title in ("File", "Passes", "Environment", "Latents"):
        details.locator("summary", has_text=title).click()
    expect(details).to_contain_text("recorded while sampling")
    expect(details).to_contain_text("KSampler")
    expect(details).to_contain_text("initial_noise")
    page.wait_for_function("() => document.querySelector('.gen5-library-noise').naturalWidth > 0")
    shot("library-details")
    details.locator(".gen5-library-details-body").evaluate("body => body.scrollTo(0, body.scrollHeight)")
    shot("library-details-end")
    details.get_by_role("button", name="Back to the library").click()
    expect(panel.locator("[role=option]")).to_be_visible()


def test_a_large_file_is_verified_with_progress(page, server, shot):
    """The bar moves forward, however few steps a fast machine takes, and the verdict says what was checked."""
    noise = np.random.default_rng(0).standard_normal(LARGE_BYTES // 4, np.float32)
    save(server.output / "large.gen5", latents={"initial_noise": noise}, compression="none")
    panel = open_library(page)
    details = open_details(panel, "large.gen5")
    page.evaluate(
        """() => {
            const bar = document.querySelector('.gen5-library-verdict progress')
            window.gen5Seen = []
            new MutationObserver(() => window.gen5Seen.push(bar.value)).observe(bar, {attributes: true})
        }"""
    )
    details.get_by_role("button", name="Verify").click()
    shot("library-verifying")
    expect(details).to_contain_text("Every byte is as it was written: 200 MB", timeout=60_000)
    seen = [value for value in page.evaluate("() => window.gen5Seen") if 0 < value < 1]
    print(f"\n{len(seen)} steps between 0 and 1")
    assert seen
    assert seen == sorted(seen)
    shot("library-verified")


def test_damaged_files_say_what_is_wrong(page, server, shot):
    """A file that cannot be opened is listed with its message; Verify finds a flipped bit."""
    cut = save(server.output / "cut.gen5", age=10)
    cut.write_bytes(cut.read_bytes()[:-20])
    flipped = save(server.output / "flipped.gen5", age=20)
    content = bytearray(flipped.read_bytes())
    content[200] ^= 1
    flipped.write_bytes(content)
    panel = open_library(page)
    row = panel.locator("[role=option]", has_text="cut.gen5")
    expect(row).to_contain_text("damaged")
    shot("library-damaged")
    details = open_details(panel, "cut.gen5")
    expect(details).to_contain_text("This file could not be read")
    shot("library-damaged-details")
    page.keyboard.press("Escape")
    details = open_details(panel, "flipped.gen5")
    details.get_by_role("button", name="Verify").click()
    expect(details.locator(".gen5-library-verdict.gen5-library-wrong")).to_contain_text("the file is damaged")


def test_a_hostile_file_is_shown_as_text(page, server):
    """Markup in prompt, tags, model and seed is neither executed nor rendered."""
    save(server.output / "hostile.gen5", prompt=HOSTILE, tags=[HOSTILE], model_name=HOSTILE)
    panel = open_library(page)
    expect(panel.locator("[role=option]")).to_contain_text(HOSTILE)
    details = open_details(panel, "hostile.gen5")
    expect(details).to_contain_text(HOSTILE)
    assert page.evaluate("() => window.hacked === undefined && !document.querySelector('.gen5-library b')")


def test_the_workflow_opens_under_the_files_name(page, server):
    """From the details, and with the row's own button."""
    path = make_gen5(server, prefix="gen5/flow")
    panel = open_library(page)
    open_details(panel, path.name).get_by_role("button", name="Open workflow").click()
    wait_until(lambda: nodes(page, "TestModel"), "the file's graph", page)
    wait_until(lambda: path.stem == tab_name(page), "the tab's name", page)
    page.keyboard.press("Escape")
    empty_graph(page)
    panel.locator("[role=option]").hover()
    panel.get_by_role("toolbar").get_by_role("button", name="Open workflow").click()
    wait_until(lambda: nodes(page, "TestModel"), "the file's graph again", page)


def test_a_loader_is_added_in_view(page, server, shot):
    """It is set to the file, in view and selected."""
    path = make_gen5(server, prefix="gen5/load")
    panel = open_library(page)
    panel.locator("[role=option]").hover()
    panel.get_by_role("toolbar").get_by_role("button", name="Add Load Gen5").click()
    loader = wait_for_node(page, "Gen5Load")
    assert annotated(server, path) == loader["widgets"]["file"]
    left, top, width, height = page.evaluate("() => [...app.canvas.ds.visible_area]")
    assert left < loader["pos"][0] < left + width
    assert top < loader["pos"][1] < top + height
    expect(page.get_by_text("Load Gen5 added").first).to_be_visible()
    shot("library-loader-added")


def test_a_selected_sampler_starts_from_the_stored_noise(page, server):
    """Without a selection a message says what to do."""
    graph = txt2img(Settings())
    path = make_gen5(server, graph, prefix="gen5/start")
    load_graph(page, graph.nodes)
    sampler = wait_for_node(page, "KSampler")
    panel = open_library(page)
    start = open_details(panel, path.name).get_by_role("button", name="Start from noise")
    page.evaluate("() => app.canvas.deselectAll()")
    start.click()
    expect(page.get_by_text("Select a sampler").first).to_be_visible()
    page.evaluate("id => app.canvas.selectNode(app.graph.getNodeById(id))", sampler["id"])
    start.click()
    assert wait_for_node(page, "Gen5Replay")
    assert annotated(server, path) == wait_for_node(page, "Gen5Load")["widgets"]["file"]


def test_changes_from_the_open_graph_are_listed(page, server, shot):
    """None for the file's own graph; then a changed value, a removed node and a new one."""
    graph = txt2img(Settings())
    graph.add("Gen5Save", latent=graph.result, images=graph.decode(), filename_prefix="gen5/diff")
    load_graph(page, graph.nodes)
    wait_for_node(page, "Gen5Save")
    run_page(page)
    empty_graph(page)
    panel = open_library(page)
    details = open_details(panel, "diff_00001_.gen5")
    details.get_by_role("button", name="Open workflow").click()
    wait_for_node(page, "TestModel")
    details.locator("summary", has_text="Changes against the open graph").click()
    expect(details).to_contain_text("No change")
    page.evaluate(
        """() => {
            const sampler = app.graph.nodes.find(node => node.type === 'KSampler')
            sampler.widgets.find(widget => widget.name === 'steps').value = 31
            sampler.title = 'My sampler'
            app.graph.remove(app.graph.nodes.find(node => node.type === 'Gen5Save'))
            app.graph.add(LiteGraph.createNode('PreviewImage'))
        }"""
    )
    details.get_by_role("button", name="Compare again").click()
    change = details.locator(".gen5-library-change")
    expect(change).to_contain_text("steps")
    expect(details).to_contain_text("My sampler")
    assert [change.locator(tag).inner_text() for tag in ("del", "ins")] == ["4", "31"]
    expect(details).to_contain_text("Only in the file (1)")
    change.scroll_into_view_if_needed()
    shot("library-changes")


def test_a_run_of_save_gen5_brings_its_file_to_the_top(page, server):
    """It happens while the tab is open, without a refresh."""
    save(server.output / "before.gen5", age=60)
    graph = txt2img(Settings())
    graph.add("Gen5Save", latent=graph.result, images=graph.decode(), filename_prefix="gen5/live")
    load_graph(page, graph.nodes)
    wait_for_node(page, "Gen5Save")
    panel = open_library(page)
    run_page(page)
    expect(panel.locator("[role=option]")).to_have_count(2)
    assert names(panel)[0].startswith("live_")


def test_the_keys_reach_everything(page, server):
    """From the sidebar's button through search, list, actions and details, and back again."""
    for number in range(30):
        save(server.output / f"file{number:02}.gen5", age=number, prompt=f"picture n{number}")
    tab_button(page).focus()
    page.keyboard.press("Enter")
    panel = page.locator(".gen5-library")
    wait_until_scanned(panel)
    _tab_to(page, "Look for new files")
    page.keyboard.press("Tab")
    expect(panel.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("picture n1")
    expect(panel.locator("[role=option]")).to_have_count(11)
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_role("listbox")).to_be_focused()
    for key in ("ArrowDown", "End", "Home", "PageDown", "PageUp", "ArrowDown"):
        page.keyboard.press(key)
    assert "file10.gen5" in page.evaluate(
        "() => document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).innerText"
    )
    page.keyboard.press("Tab")
    expect(panel.get_by_role("toolbar").get_by_role("button", name="Open workflow")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert wait_for_node(page, "Gen5Load")["widgets"]["file"] == "file10.gen5 [output]"
    page.keyboard.press("Escape")
    expect(panel.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("button", name="Back to the library")).to_be_focused()
    expect(panel.get_by_role("button", name="Verify")).to_be_visible()
    _tab_to(page, "Verify")
    page.keyboard.press("Enter")
    expect(panel.locator("article")).to_contain_text("Every byte is as it was written")
    page.keyboard.press("Escape")
    expect(panel.get_by_role("listbox")).to_be_focused()
    expect(panel.get_by_role("searchbox")).to_have_value("picture n1")


def _tab_to(page: Page, name: str) -> None:
    label = "() => document.activeElement.ariaLabel || document.activeElement.innerText"
    for _ in range(40):
        if page.evaluate(label).strip() == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no Tab leads to {name}")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_text_is_readable_in_both_themes(open_page, server, theme, screenshot):
    """Every text of the list and of the details has a contrast of at least 4.5 to its background."""
    old = Environment((Component("python", "name=python;version=2.7.18"),), {}, {})
    save(
        server.output / "one.gen5",
        prompt="a lighthouse",
        tags=["sea"],
        environment=old,
        hardware={"os": "Linux"},
    )
    cut = save(server.output / "cut.gen5", age=10)
    cut.write_bytes(cut.read_bytes()[:-20])
    page = open_page({"Comfy.ColorPalette": theme})
    panel = open_library(page)
    page.mouse.move(1000, 500)
    check_contrast(page)
    panel.get_by_role("listbox").focus()
    check_contrast(page)
    screenshot(page, f"library-{theme}")
    details = open_details(panel, "one.gen5")
    for summary in details.locator("summary").all():
        if summary.evaluate("summary => !summary.parentElement.open"):
            summary.click(position={"x": 60, "y": 10})
    details.get_by_role("button", name="Verify").click()
    expect(details).to_contain_text("Every byte is as it was written")
    check_contrast(page)
    screenshot(page, f"library-{theme}-details")
    page.keyboard.press("Escape")
    open_details(panel, "cut.gen5")
    check_contrast(page)


def test_the_setting_removes_and_restores_the_tab(page, server):
    """It does so at once, and also if it was off when the page was opened."""
    open_library(page)
    set_one = "value => app.extensionManager.setting.set('Gen5.Library.Enabled', value)"
    page.evaluate(set_one, False)
    expect(tab_button(page)).to_have_count(0)
    expect(page.locator(".gen5-library")).to_have_count(0)
    page.evaluate(set_one, True)
    expect(tab_button(page)).to_be_visible()
    open_library(page)


def test_no_tab_if_the_setting_is_off(open_page):
    """Other tabs are still there."""
    page = open_page({"Gen5.Library.Enabled": False})
    expect(tab_button(page)).to_have_count(0)


def test_a_failed_request_is_reported_and_retried(page, server, shot):
    """A message and a button to try again are shown."""
    save(server.output / "one.gen5")
    page.route(
        "**/gen5/library*", lambda route: route.fulfill(status=500, json={"error": "the disk is gone"})
    )
    tab_button(page).click()
    panel = page.locator(".gen5-library")
    expect(panel).to_contain_text("the disk is gone")
    shot("library-error")
    page.unroute("**/gen5/library*")
    panel.get_by_role("button", name="Try again").click()
    expect(panel.locator("[role=option]")).to_contain_text("one.gen5")
    expect(panel).not_to_contain_text("the disk is gone")


def test_other_tabs_keep_their_place(page, server):
    """ComfyUI gives custom tabs the same element in turn; each has it to itself."""
    save(server.output / "one.gen5")
    page.evaluate(
        """() => app.extensionManager.registerSidebarTab({
            id: 'other', title: 'Other', icon: 'pi pi-bolt', type: 'custom', render: place => {
                const text = document.createElement('p')
                text.id = 'other-text'
                place.append(text)
            },
        })"""
    )
    panel = open_library(page)
    page.locator(".other-tab-button, [data-testid=other-tab-button]").first.click()
    expect(page.locator("#other-text")).to_have_count(1)
    expect(panel).to_have_count(0)
    tab_button(page).click()
    expect(panel).to_be_visible()
    expect(page.locator("#other-text")).to_have_count(0)
