/**
 * The user interface's texts in ComfyUI's language. To add a language, add a module named after it (`fr.js`) to this
 * folder that exports what `en.js` does, or a part of it: the other texts are in English then.
 */
import { app } from "../../../scripts/app.js"
import en from "./en.js"

const LOCALE = knownLocale(app.extensionManager?.setting?.get("Comfy.Locale"))
const TEXTS = { ...en, ...(await load(LOCALE)) }
const PLURALS = new Intl.PluralRules(LOCALE)
const COUNTS = new Intl.NumberFormat(LOCALE)

/**
 * Return a text.
 *
 * @param {keyof typeof en} key
 * @param {Record<string, string|number>} [params] the values for `{name}`; `count` selects the plural form, and is
 *   formatted as the language formats numbers
 * @returns {string}
 */
export function t(key, params = {}) {
  const { count } = params
  const values = typeof count === "number" ? { ...params, count: COUNTS.format(count) } : params
  return formOf(TEXTS[key], count).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole))
}

/**
 * Return whether there is a text with that key.
 *
 * @param {string} key
 * @returns {key is keyof typeof en}
 */
export function hasText(key) {
  return Object.hasOwn(TEXTS, key)
}

/**
 * Format a number for the language.
 *
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 * @returns {string}
 */
export function formatNumber(value, options) {
  return value.toLocaleString(LOCALE, options)
}

/**
 * Format a date and time for the language.
 *
 * @param {string|number} date
 * @returns {string}
 */
export function formatDate(date) {
  return new Date(date).toLocaleString(LOCALE)
}

/**
 * Format how long ago something was for the language.
 *
 * @param {number} count
 * @param {Intl.RelativeTimeFormatUnit} unit
 * @returns {string}
 */
export function formatAgo(count, unit) {
  return new Intl.RelativeTimeFormat(LOCALE).format(-count, unit)
}

/**
 * @param {string | Record<string, string>} text
 * @param {string|number} [count]
 */
function formOf(text, count) {
  if (typeof text === "string") return text
  return text[PLURALS.select(Number(count))] ?? text.other
}

/** @param {unknown} wanted */
function knownLocale(wanted) {
  try {
    return Intl.getCanonicalLocales(String(wanted ?? "en"))[0]
  } catch {
    return "en"
  }
}

/**
 * Return the texts of a language, `zh-TW` before `zh`; none if it has no module.
 *
 * @param {string} locale
 * @returns {Promise<Partial<typeof en>>}
 */
async function load(locale) {
  for (const name of new Set([locale, locale.split("-")[0]])) {
    if (name === "en") break
    const found = await import(/* @vite-ignore */ `./${name}.js`).catch(() => null)
    if (found) return found.default
  }
  return {}
}
