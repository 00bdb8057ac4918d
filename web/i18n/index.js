/**
 * The texts that people read, in the language that ComfyUI is set to. A module beside this one, named as the language is
 * (`fr.js`), is all that another one takes: it exports what `en.js` does, or as much of it as there is.
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
 * @param {Record<string, string|number>} [params] what stands for `{name}` in it; `count` chooses the plural, and is written
 *   as the language writes numbers
 * @returns {string}
 */
export function t(key, params = {}) {
  const { count } = params
  const given = typeof count === "number" ? { ...params, count: COUNTS.format(count) } : params
  return formOf(TEXTS[key], count).replace(/\{(\w+)\}/g, (whole, name) => String(given[name] ?? whole))
}

/**
 * Tell whether there is a text of that key.
 *
 * @param {string} key
 * @returns {key is keyof typeof en}
 */
export function hasText(key) {
  return Object.hasOwn(TEXTS, key)
}

/**
 * Return a number as the language writes it.
 *
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 * @returns {string}
 */
export function formatNumber(value, options) {
  return value.toLocaleString(LOCALE, options)
}

/**
 * Return a moment as the language writes it.
 *
 * @param {string|number} date
 * @returns {string}
 */
export function formatDate(date) {
  return new Date(date).toLocaleString(LOCALE)
}

/**
 * Return how long ago something was, as the language says it.
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
 * Return the texts of a language, `zh-TW` before `zh`; none where there is no module of it.
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
