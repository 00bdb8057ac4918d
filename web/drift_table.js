/** A badge and a table of the environment's components that differ from the stored ones. */
import { element } from "./dom.js"
import { t } from "./i18n/index.js"
import { ROWS_MAX, componentText, shorten } from "./text.js"

/** Long enough to move the pointer from the badge onto its table. */
const LEAVE_MILLISECONDS = 250
const GAP_PIXELS = 6

let lastId = 0

/**
 * Return a badge with the number of drifts; on hover, focus and click it shows a table of them.
 *
 * @param {Gen5.Drift[]} drifts
 * @param {number} [count] total number, if drifts holds only the first ones
 * @returns {HTMLElement}
 */
export function driftBadge(drifts, count = drifts.length) {
  if (!drifts.length) {
    return element("span", { className: "gen5-badge gen5-badge-ok", text: t("drift.none") })
  }
  const panel = driftPanel(drifts, count)
  const button = element("button", {
    className: "gen5-badge gen5-badge-warn gen5-drift-badge",
    type: "button",
    text: t("drift.count", { count }),
    attributes: { "aria-expanded": "false", "aria-controls": panel.id },
  })
  const badge = element("span", { className: "gen5-drift" }, button, panel)
  connect(badge, button, panel)
  return badge
}

/**
 * Return the table alone: one row per component, with its stored and its current value.
 *
 * @param {Gen5.Drift[]} drifts
 * @param {number} [count] total number, if drifts holds only the first ones
 * @returns {HTMLTableElement}
 */
export function driftTable(drifts, count = drifts.length) {
  const shown = drifts.slice(0, ROWS_MAX)
  const head = [t("drift.component"), t("drift.stored"), t("drift.here")].map((text) =>
    element("th", { text, attributes: { scope: "col" } }),
  )
  return element(
    "table",
    { className: "gen5-drift-table" },
    element("caption", { className: "gen5-unseen", text: t("drift.caption") }),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...shown.map(row), count > shown.length && moreRow(count - shown.length)),
  )
}

/** @param {number} count */
function moreRow(count) {
  const text = t("text.more", { count })
  return element("tr", {}, element("td", { className: "gen5-faint", text, attributes: { colspan: 3 } }))
}

/** @param {Gen5.Drift} drift */
function row({ component, stored, current }) {
  return element(
    "tr",
    {},
    element("th", { text: component, attributes: { scope: "row" } }),
    cell(stored),
    cell(current),
  )
}

/** @param {string|null} canonical */
function cell(canonical) {
  const text = componentText(canonical)
  return element("td", { className: text === null ? "gen5-faint" : "", text: text === null ? t("drift.notThere") : shorten(text) })
}

/**
 * @param {Gen5.Drift[]} drifts
 * @param {number} count
 */
function driftPanel(drifts, count) {
  lastId += 1
  const attributes = { role: "region", "aria-label": t("drift.label"), tabindex: "-1" }
  const panel = element(
    "div",
    { id: `gen5-drift-${lastId}`, className: "gen5-panel gen5-drift-panel", attributes },
    driftTable(drifts, count),
  )
  if (hasPopover(panel)) panel.setAttribute("popover", "manual")
  else panel.hidden = true
  return panel
}

/**
 * Open the panel on hover and focus. A click pins it until the next click, Escape or a click elsewhere.
 *
 * @param {HTMLElement} badge
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 */
function connect(badge, button, panel) {
  let pinned = false
  let leaving = 0
  const elsewhere = (/** @type {any} */ event) => badge.contains(event.target) || close()
  const open = () => {
    clearTimeout(leaving)
    if (isOpen(button)) return
    setOpen(button, panel, true)
    document.addEventListener("pointerdown", elsewhere, true)
  }
  const close = () => {
    clearTimeout(leaving)
    pinned = false
    setOpen(button, panel, false)
    document.removeEventListener("pointerdown", elsewhere, true)
  }
  const leave = () => {
    clearTimeout(leaving)
    if (!pinned) leaving = window.setTimeout(close, LEAVE_MILLISECONDS)
  }
  badge.addEventListener("pointerenter", open)
  badge.addEventListener("pointerleave", leave)
  badge.addEventListener("focusin", () => button.matches(":focus-visible") && open())
  badge.addEventListener("focusout", (event) => badge.contains(/** @type {Node|null} */ (event.relatedTarget)) || leave())
  badge.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen(button)) return
    event.stopPropagation()
    close()
  })
  button.addEventListener("click", () => {
    if (pinned) return close()
    open()
    pinned = true
  })
}

/** @param {HTMLElement} button */
function isOpen(button) {
  return button.getAttribute("aria-expanded") === "true"
}

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 * @param {boolean} open
 */
function setOpen(button, panel, open) {
  button.setAttribute("aria-expanded", String(open))
  if (!hasPopover(panel)) panel.hidden = !open
  else if (!open) panel.matches(":popover-open") && panel.hidePopover()
  else {
    panel.showPopover()
    position(button, panel)
  }
}

/**
 * Return whether the browser supports popovers.
 *
 * @param {HTMLElement} panel
 * @returns {boolean}
 */
function hasPopover(panel) {
  return typeof panel.showPopover === "function"
}

/**
 * Position the panel below the badge, or above it if there is no room, within the window.
 *
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 */
function position(button, panel) {
  const at = button.getBoundingClientRect()
  const { offsetWidth, offsetHeight } = panel
  const below = at.bottom + GAP_PIXELS
  const fits = below + offsetHeight <= window.innerHeight
  const top = fits ? below : Math.max(GAP_PIXELS, at.top - GAP_PIXELS - offsetHeight)
  const left = Math.min(at.left, window.innerWidth - offsetWidth - GAP_PIXELS)
  panel.style.top = `${top}px`
  panel.style.left = `${Math.max(GAP_PIXELS, left)}px`
}
