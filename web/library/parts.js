/** The library's basic elements. Text from files is set as text, never as markup. */
import { element } from "../dom.js"
import { t } from "../i18n/index.js"
import { ROWS_MAX, shorten } from "../text.js"

/**
 * A decorative PrimeIcon.
 * @param {string} name e.g. `pi-refresh`
 */
export function icon(name) {
  return element("i", { className: `pi ${name}`, attributes: { "aria-hidden": "true" } })
}

/**
 * A button with an icon only; its name is in its tooltip and for screen readers.
 * @param {string} iconName
 * @param {string} label
 * @param {() => void} onclick
 */
export function iconButton(iconName, label, onclick) {
  return element(
    "button",
    { className: "gen5-library-icon-button", title: label, onclick, attributes: { type: "button", "aria-label": label } },
    icon(iconName),
  )
}

/**
 * A button with an icon and a text.
 * @param {string} iconName
 * @param {string} text
 * @param {() => void} onclick
 * @param {string} [title] a longer description
 */
export function textButton(iconName, text, onclick, title) {
  return element(
    "button",
    { className: "gen5-library-button", title, onclick, attributes: { type: "button" } },
    icon(iconName),
    element("span", { text }),
  )
}

/**
 * A notice in place of content: why there is none, and what to do.
 * @param {string} iconName
 * @param {string} title
 * @param {string} text
 * @param {string} [action] text of a button
 * @param {() => void} [onclick]
 */
export function notice(iconName, title, text, action, onclick) {
  const body = element(
    "div",
    { className: "gen5-library-empty", attributes: { role: "status" } },
    icon(iconName),
    element("strong", { text: title }),
    element("p", { text }),
  )
  if (action && onclick) body.append(textButton("pi-refresh", action, onclick))
  return body
}

/**
 * A list of names and values, without unknown values.
 * @param {[string, any][]} facts
 */
export function factList(facts) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "")
  const rows = known.slice(0, ROWS_MAX).flatMap(([name, value]) => fact(name, value))
  const more = known.length > ROWS_MAX && element("dd", {}, moreLine(known.length))
  return element("dl", { className: "gen5-library-list" }, ...rows, more)
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function fact(name, value) {
  const content = value instanceof Node ? value : document.createTextNode(shorten(String(value)))
  return [element("dt", { text: name }), element("dd", {}, content)]
}

/**
 * Draw the first items of a list, and a line with the number of the others.
 * @param {any[]} list
 * @param {(one: any) => Node} draw
 * @param {number} [count] total number, if list holds only the first ones
 * @returns {Node[]}
 */
export function firstOf(list, draw, count = list.length) {
  const shown = list.slice(0, ROWS_MAX).map(draw)
  return count > shown.length ? [...shown, moreLine(count, shown.length)] : shown
}

/**
 * @param {number} count
 * @param {number} [shown]
 */
function moreLine(count, shown = ROWS_MAX) {
  return element("p", { className: "gen5-library-muted", text: t("text.more", { count: count - shown }) })
}

/**
 * A section that opens and closes.
 * @param {string} title
 * @param {{count?: string|number, extra?: HTMLElement, isOpen?: boolean, onOpen?: (body: HTMLElement) => void}} [options] onOpen: called when it is first opened
 * @param {...Node} children
 */
export function section(title, { count, extra, isOpen = false, onOpen } = {}, ...children) {
  const summary = element("summary", {}, element("span", { className: "gen5-library-section-title", text: title }))
  if (count !== undefined) summary.append(element("span", { className: "gen5-library-muted", text: String(count) }))
  if (extra) {
    extra.addEventListener("click", (event) => event.preventDefault()) // otherwise a click in its panel would close the section
    summary.append(extra)
  }
  const body = element("div", { className: "gen5-library-section-body" }, ...children)
  const part = element("details", { className: "gen5-library-section" }, summary, body)
  part.open = isOpen
  if (onOpen) part.addEventListener("toggle", () => onOpen(body), { once: true })
  return part
}

/**
 * A table with a header row.
 * @param {string[]} head
 * @param {(string|number|null|undefined)[][]} rows
 * @param {string} label
 */
export function table(head, rows, label) {
  const headCells = head.map((text) => element("th", { text, attributes: { scope: "col" } }))
  const body = rows.slice(0, ROWS_MAX).map((row) => element("tr", {}, ...row.map((text) => element("td", { text: cellText(text) }))))
  const more = rows.length > ROWS_MAX && element("caption", { className: "gen5-library-more" }, moreLine(rows.length))
  return element(
    "table",
    { className: "gen5-library-table", attributes: { "aria-label": label } },
    more,
    element("thead", {}, element("tr", {}, ...headCells)),
    element("tbody", {}, ...body),
  )
}

/** @param {unknown} value */
function cellText(value) {
  return value === null || value === undefined || value === "" ? t("facts.unknown") : String(value)
}
