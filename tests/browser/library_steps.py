"""What a user does and sees in the library."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

NAME = "[role=option] .gen5-library-name"


def tab_button(page: Page) -> Locator:
    """Return the library's button in the sidebar."""
    return page.locator(".gen5-library-tab-button, [data-testid=gen5-library-tab-button]").first


def open_library(page: Page) -> Locator:
    """Open the tab, wait until the files on disk are shown, and return the panel."""
    tab_button(page).click()
    panel = page.locator(".gen5-library")
    expect(panel).to_be_visible()
    wait_until_scanned(panel)
    return panel


def wait_until_scanned(panel: Locator, seconds: float = 60) -> None:
    """Wait until the folders are scanned and their files are shown."""
    panel.page.wait_for_timeout(100)
    expect(panel.locator("header progress")).to_be_hidden(timeout=seconds * 1000)
    expect(panel.locator("[role=option][aria-busy]")).to_have_count(0)
    panel.page.wait_for_timeout(200)


def names(panel: Locator) -> list[str]:
    """Return the file names of the rows in the page, from top to bottom."""
    found: list[str] = panel.locator(NAME).all_inner_texts()
    return found


def open_details(panel: Locator, name: str) -> Locator:
    """Open a file by a click and return its details."""
    panel.locator("[role=option]", has_text=name).click()
    details = panel.locator("article")
    expect(details.locator("[aria-busy]")).to_have_count(0)
    return details
