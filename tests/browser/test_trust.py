"""Signed, trusted, invalid: the words of trust as a user sees them in Load Gen5, in the library and after Verify."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gen5core.signatures.keys import SigningKey
from gen5core.signatures.trusted_keys import add_trusted_key, trusted_keys_path

from .contrast import check_contrast
from .library_steps import NAME, open_details, open_library
from .node_steps import choose_file, expect_text, set_widget, show_node, stored_file, write_file
from .pages import add_node, empty_graph, run_page, wait_for_toast

ALICE = SigningKey.from_seed(bytes(range(32)), comment="Alice, studio")
OTHER = SigningKey.from_seed(bytes(range(1, 33)))
SIGNATURE = b'"sig":"'
WORDS = ["trusted.gen5", "signed.png", "invalid.gen5", "unsigned.gen5"]


@pytest.fixture(scope="module", autouse=True)
def _trusted_list(install) -> Iterator[None]:
    """Write a list of trusted keys with one key to this run's home, if the server's Python can check signatures."""
    found = subprocess.run(
        [str(install.python), "-c", "import cryptography"], capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip(f"NOT TESTED: {install.python} has no package cryptography, so no signature is checked")
    path = trusted_keys_path()
    assert path is not None
    assert path.is_relative_to(os.environ["GEN5_HOME"])
    add_trusted_key(ALICE.public_key)
    yield
    path.unlink()


@pytest.fixture
def files(server) -> Iterator[Path]:
    """A file for each word, in a folder of input/."""
    folder = server.input / "trust"
    folder.mkdir(exist_ok=True)
    for number, (name, key) in enumerate(zip(WORDS, [ALICE, OTHER, ALICE, None], strict=True)):
        write_file(folder, name, seed=number, prompt=f"word {number}", signing_key=key)
    spoil(folder / "invalid.gen5")
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def spoil(path: Path) -> None:
    """Replace one letter of a file's signature by another one of the base64 alphabet."""
    content = bytearray(path.read_bytes())
    place = content.rindex(SIGNATURE) + len(SIGNATURE)
    content[place] = ord("B") if content[place] == ord("A") else ord("A")
    path.write_bytes(content)


@pytest.fixture
def loader(page):
    """The id of a Load Gen5 on an empty graph."""
    empty_graph(page)
    node = add_node(page, "Gen5Load")
    show_node(page, node)
    return node


def test_load_shows_each_word(page, files, loader, shot):
    """Who signed a file, whether that key is trusted, and an invalid signature, in words and colour."""
    panel = stored_file(page)
    signatures = panel.get_by_role("group", name="Signatures")
    choose_file(page, loader, "trust/unsigned.gen5")
    expect(signatures).to_have_count(0)
    choose_file(page, loader, "trust/trusted.gen5")
    expect_text(signatures, "Trusted", f"Signed by Alice, studio, key {ALICE.public_key.key_id}")
    shot("trust-trusted")
    choose_file(page, loader, "trust/signed.png")
    expect_text(signatures, "Signed", f"Signed by key {OTHER.public_key.key_id}", "not in your list")
    expect(signatures).not_to_contain_text("Trusted")
    shot("trust-signed")
    set_widget(page, loader, "file", "trust/invalid.gen5")
    alert = panel.get_by_role("alert")
    expect_text(alert, "Invalid signature", "is not valid for this file")
    expect(alert.locator(".gen5-badge-error")).to_have_text("Invalid signature")
    shot("trust-invalid")


def test_verify_says_intact_beside_the_words(page, files, loader, shot):
    """Intact is about bytes, signed and trusted are about keys; running the node says the same."""
    panel = stored_file(page)
    choose_file(page, loader, "trust/trusted.gen5")
    expect(panel.get_by_text("Sealed", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Verify").click()
    expect(panel.get_by_text("Intact", exact=True)).to_be_visible()
    expect_text(panel, "Every byte is as it was written", "Trusted")
    shot("trust-verified")
    choose_file(page, loader, "trust/signed.png")
    page.evaluate(
        """id => {
            const end = LiteGraph.createNode('PreviewImage')
            end.pos = [900, 300]
            app.graph.add(end)
            app.graph.getNodeById(id).connect('image', end, 'images')
        }""",
        loader,
    )
    summary = run_page(page)["outputs"][str(loader)]["gen5"][0]["trust"]
    assert summary["word"] == "signed"
    expect(panel.get_by_text("Intact", exact=True)).to_be_visible()
    expect(panel.get_by_role("group", name="Signatures")).to_contain_text("not in your list")


def test_the_command_names_the_signer(page, files, loader):
    """The message of Shift+V states all three separately."""
    choose_file(page, loader, "trust/trusted.gen5")
    page.evaluate("id => { app.canvas.deselectAll(); app.canvas.select(app.graph.getNodeById(id)) }", loader)
    page.evaluate("() => app.extensionManager.command.execute('Gen5.VerifySelected')")
    text = wait_for_toast(page, "trust/trusted.gen5 is intact")
    assert "Signed by Alice, studio, key" in text
    assert "Trusted: the key is in your list." in text


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_library_shows_each_word(open_page, files, theme, screenshot):
    """On the row, in the details and after Verify; readable in both themes; key ids are found."""
    page = open_page({"Comfy.ColorPalette": theme})
    library = open_library(page)
    box = library.get_by_role("searchbox")
    box.fill("trust/")
    status = library.get_by_role("status").first
    expect(status).to_contain_text(f"{len(WORDS)} of")  # the search results have arrived
    expect(library.locator(NAME)).to_have_count(len(WORDS))
    words = {
        "trusted.gen5": "trusted",
        "signed.png": "signed",
        "invalid.gen5": "invalid signature",
    }
    for name, word in words.items():
        row = library.locator("[role=option]", has_text=name)
        expect(row.get_by_text(word, exact=True)).to_be_visible()
    expect(library.locator("[role=option]", has_text="invalid.gen5")).not_to_contain_text("damaged")
    expect(library.locator("[role=option]", has_text="unsigned.gen5").locator(".pi-key")).to_have_count(0)
    page.mouse.move(1000, 500)
    check_contrast(page)
    screenshot(page, f"trust-library-{theme}")
    details = open_details(library, "trusted.gen5")
    signatures = details.get_by_role("group", name="Signatures")
    expect_text(signatures, "Trusted", "Signed by Alice, studio, key")
    details.get_by_role("button", name="Verify").click()
    expect(details.locator(".gen5-library-verdict")).to_contain_text("Intact.")
    expect(details.locator(".gen5-library-verdict")).not_to_contain_text("rusted")
    check_contrast(page)
    screenshot(page, f"trust-details-{theme}")
    page.keyboard.press("Escape")
    details = open_details(library, "invalid.gen5")
    expect(details.locator(".gen5-badge-error")).to_have_text("Invalid signature")
    check_contrast(page)
    screenshot(page, f"trust-details-invalid-{theme}")
    page.keyboard.press("Escape")
    box.fill(OTHER.public_key.key_id)
    expect(library.locator(NAME)).to_have_text(["signed.png"])


class TestLightTheme:
    """Comfy.ColorPalette light."""

    @pytest.fixture
    def page_settings(self):
        return {"Comfy.ColorPalette": "light"}

    def test_panel(self, page, files, loader, shot):
        """The words have enough contrast on a light node; the screenshot is for a person to look at."""
        choose_file(page, loader, "trust/trusted.gen5")
        expect(stored_file(page).get_by_role("group", name="Signatures")).to_be_visible()
        shot("trust-light-trusted")
        set_widget(page, loader, "file", "trust/invalid.gen5")
        expect(stored_file(page).get_by_role("alert")).to_contain_text("Invalid signature")
        shot("trust-light-invalid")
