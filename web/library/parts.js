/** Small pieces that the library is made of. Text from files goes in as text, never as markup. */
import { element } from "../dom.js"
import { t } from "../i18n/index.js"
import { MOST_ROWS, shorten } from "../text.js"

/**
 * A decorative PrimeIcon.
 * @param {string} name e.g. `pi-refresh`
 */
export function icon(name) {
  return element("i", { className: `pi ${name}`, attributes: { "aria-hidden": "true" } })
}

/**
 * A button that shows an icon only; screen readers and hovering give its name.
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
 * @param {string} [title] what it does in more words
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
 * What stands where there is nothing to show: why, and what can be done.
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
 * Facts with their names; what is not known is left out.
 * @param {[string, any][]} facts
 */
export function factList(facts) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "")
  const rows = known.slice(0, MOST_ROWS).flatMap(([name, value]) => fact(name, value))
  const more = known.length > MOST_ROWS && element("dd", {}, moreLine(known.length))
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
 * Draw the first of many; what is left out is counted below.
 * @param {any[]} list
 * @param {(one: any) => Node} draw
 * @param {number} [count] how many there are, where list is but their beginning
 * @returns {Node[]}
 */
export function firstOf(list, draw, count = list.length) {
  const shown = list.slice(0, MOST_ROWS).map(draw)
  return count > shown.length ? [...shown, moreLine(count, shown.length)] : shown
}

/**
 * @param {number} count
 * @param {number} [shown]
 */
function moreLine(count, shown = MOST_ROWS) {
  return element("p", { className: "gen5-library-muted", text: t("text.more", { count: count - shown }) })
}

/**
 * A section that opens and closes.
 * @param {string} title
 * @param {{count?: string|number, extra?: HTMLElement, isOpen?: boolean, onOpen?: (body: HTMLElement) => void}} [options] onOpen: the first time
 * @param {...Node} children
 */
export function section(title, { count, extra, isOpen = false, onOpen } = {}, ...children) {
  const summary = element("summary", {}, element("span", { className: "gen5-library-section-title", text: title }))
  if (count !== undefined) summary.append(element("span", { className: "gen5-library-muted", text: String(count) }))
  if (extra) {
    extra.addEventListener("click", (event) => event.preventDefault()) // else a click in its panel folds the section
    summary.append(extra)
  }
  const body = element("div", { className: "gen5-library-section-body" }, ...children)
  const part = element("details", { className: "gen5-library-section" }, summary, body)
  part.open = isOpen
  if (onOpen) part.addEventListener("toggle", () => onOpen(body), { once: true })
  return part
}

/**
 * A table with a head.
 * @param {string[]} head
 * @param {(string|number|null|undefined)[][]} rows
 * @param {string} label
 */
export function table(head, rows, label) {
  const headCells = head.map((text) => element("th", { text, attributes: { scope: "col" } }))
  const body = rows.slice(0, MOST_ROWS).map((row) => element("tr", {}, ...row.map((text) => element("td", { text: cellText(text) }))))
  const more = rows.length > MOST_ROWS && element("caption", { className: "gen5-library-more" }, moreLine(rows.length))
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
