/** Creates DOM elements without a framework. */

const STYLES = ["gen5.css", "nodes.css", "library/library.css"]

/**
 * @typedef {{text?: string|number|null, attributes?: Record<string, unknown>, dataset?: Record<string, string>,
 *   style?: Record<string, string>, [property: string]: unknown}} Options
 */

/**
 * Make an element. Text is always set as text, never as HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Options} [options] `text`; `attributes` (an object: name -> value; null and undefined are skipped);
 *   `dataset`; `style` (an object); any other option is set as a property: `className`, `title`, `onclick` …
 * @param {...(Node|string|number|null|undefined|false)} children empty ones are skipped
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, options = {}, ...children) {
  const { text, attributes = {}, dataset = {}, style = {}, ...properties } = options
  const made = document.createElement(tag)
  if (text !== undefined && text !== null) made.textContent = String(text)
  for (const [name, value] of Object.entries(attributes)) setAttribute(made, name, value)
  for (const [name, value] of Object.entries(style)) setStyle(made.style, name, value)
  Object.assign(made.dataset, dataset)
  Object.assign(made, defined(properties))
  for (const child of children) if (child || child === 0) made.append(/** @type {Node} */ (child))
  return made
}

/** Add the extension's style sheets to the page; a second call does nothing. */
export function loadStyles() {
  for (const name of STYLES) {
    const id = `gen5-style-${name.replace(/\W/g, "-")}`
    if (document.getElementById(id)) continue
    const href = new URL(name, import.meta.url).href
    document.head.append(element("link", { id, rel: "stylesheet", href }))
  }
}

/**
 * @param {HTMLElement} made
 * @param {string} name
 * @param {unknown} value
 */
function setAttribute(made, name, value) {
  if (value !== undefined && value !== null) made.setAttribute(name, String(value))
}

/**
 * @param {CSSStyleDeclaration} style
 * @param {string} name
 * @param {string} value
 */
function setStyle(style, name, value) {
  if (name.startsWith("--")) style.setProperty(name, value)
  else Object.assign(style, { [name]: value })
}

/** @param {object} properties */
function defined(properties) {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined))
}
