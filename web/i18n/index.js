/**
 * The user interface's texts in ComfyUI's language; texts that its module lacks, and those of a language without a
 * module, are in English. CONTRIBUTING.md says how to add a language.
 */
import { app } from "../../../scripts/app.js"
import en from "./en.js"
import { LANGUAGES } from "./languages.js"

const WANTED = knownLocale(app.extensionManager?.setting?.get("Comfy.Locale"))
const TRANSLATED = await load(WANTED)
// Numbers and durations are part of a text, so they follow its language. A date stands alone: with English texts it
// follows the browser (undefined), which knows whether the reader writes 3/1 or 01/03, and may not read English at all.
const LOCALE = TRANSLATED ? WANTED : "en"
const DATE_LOCALE = LOCALE === "en" ? undefined : LOCALE
const ENGLISH = withRules(en, "en")
const SHOWN = withRules(TRANSLATED ?? en, LOCALE)

/**
 * Return a text.
 *
 * @param {keyof typeof en} key
 * @param {Record<string, string|number>} [params] the values for `{name}`; `count` selects the plural form, and is
 *   formatted as the text's language formats numbers
 * @returns {string}
 */
export function t(key, params = {}) {
  const { count } = params
  const { texts, plurals, numbers } = Object.hasOwn(SHOWN.texts, key) ? SHOWN : ENGLISH
  const values = typeof count === "number" ? { ...params, count: numbers.format(count) } : params
  const text = formOf(texts[key], plurals.select(Number(count)))
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole))
}

/**
 * Return whether there is a text with that key.
 *
 * @param {string} key
 * @returns {key is keyof typeof en}
 */
export function hasText(key) {
  return Object.hasOwn(en, key)
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
 * Format a date and time for the language, or as the browser does if texts are English.
 *
 * @param {string|number} date
 * @returns {string}
 */
export function formatDate(date) {
  return new Date(date).toLocaleString(DATE_LOCALE)
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
 * A translated text may lack a key or a plural form, so each language's texts go with its own rules.
 *
 * @param {Record<string, string | Record<string, string>>} texts
 * @param {string} locale
 */
function withRules(texts, locale) {
  return { texts, plurals: new Intl.PluralRules(locale), numbers: new Intl.NumberFormat(locale) }
}

/**
 * @param {string | Record<string, string>} text
 * @param {Intl.LDMLPluralRule} form
 */
function formOf(text, form) {
  return typeof text === "string" ? text : (text[form] ?? text.other)
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
 * Return the texts of a language, `zh-TW` before `zh`; null if it has no module.
 *
 * @param {string} locale
 * @returns {Promise<Partial<typeof en> | null>}
 */
async function load(locale) {
  const name = [locale, locale.split("-")[0]].find((language) => LANGUAGES.includes(language))
  if (!name) return null
  if (name === "en") return en
  const found = await import(/* @vite-ignore */ `./${name}.js`).catch(() => null)
  return found && found.default
}
