"""The contrast of each text in a part of the page with its background."""

from __future__ import annotations

from playwright.sync_api import Page

READABLE = 4.5
"""Contrast of text; WCAG 2.2, 1.4.3."""

_CONTRAST = """selector => {
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
    const mix = (colors) => {
        context.clearRect(0, 0, 1, 1)
        for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1) }
        return [...context.getImageData(0, 0, 1, 1).data]
    }
    const light = ([red, green, blue]) => {
        const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
        return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
    }
    const backgroundOf = element => {
        const colors = []
        for (let one = element; one; one = one.parentElement) colors.unshift(getComputedStyle(one).backgroundColor)
        return colors
    }
    const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT)
    const found = []
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim()
        if (!text || !element.checkVisibility({visibilityProperty: true})) continue
        const back = backgroundOf(element)
        const [one, other] = [light(mix(back)), light(mix([...back, getComputedStyle(element).color]))]
        found.push({text: text.slice(0, 40), ratio: (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)})
    }
    return found
}"""


def check_contrast(page: Page, selector: str = ".gen5-library", least_texts: int = 4) -> None:
    """Check each text, of which there are at least least_texts, in the element that selector names."""
    found = page.evaluate(_CONTRAST, selector)
    assert len(found) >= least_texts, found
    poor = [one for one in found if one["ratio"] < READABLE]
    assert not poor
