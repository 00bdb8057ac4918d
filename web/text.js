/** Formats the facts of a file as text. */
import { formatAgo, formatNumber, t } from "./i18n/index.js"

/** The most rows that a table or list shows. */
export const ROWS_MAX = 200
const TEXT_MAX = 20_100 // characters: the server's 20 000 of a prompt, and its note about the rest
const UNITS = ["", "kB", "MB", "GB", "TB"]
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const SPANS = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["week", 7 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
]

/**
 * @param {number} bytes
 * @returns {string} e.g. `812 bytes`, `3.1 MB`
 */
export function fileSize(bytes) {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  if (!unit) return t("size.bytes", { count: bytes })
  const digits = value < 9.95 ? 1 : 0
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false }
  return t("size.scaled", { value: formatNumber(value, options), unit: UNITS[unit] })
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {string} e.g. `1024 × 768`
 */
export function pixels(width, height) {
  return t("size.pixels", { width, height })
}

/**
 * @param {{done: number, total: number}} step bytes
 * @returns {string} e.g. `40 % of 3.1 MB`
 */
export function progressText({ done, total }) {
  return t("progress.percent", { percent: Math.floor((100 * done) / total), size: fileSize(total) })
}

/**
 * Return the sampler settings of a file in one line, without those that are unknown.
 *
 * @param {Gen5.Settings} facts
 * @returns {string} e.g. `euler / normal, 20 steps, cfg 7, seed 18446744073709551615`
 */
export function samplerLine(facts) {
  const { sampler, scheduler, steps, cfg, denoise, seed } = facts
  const parts = [
    [sampler, scheduler].filter(isKnown).join(" / "),
    isKnown(steps) && t("settings.steps", { count: steps }),
    isKnown(cfg) && t("settings.cfg", { value: shortNumber(cfg) }),
    isKnown(denoise) && denoise !== 1 && t("settings.denoise", { value: shortNumber(denoise) }),
    isKnown(seed) && t("settings.seed", { value: seed }),
  ]
  return parts.filter(Boolean).join(", ")
}

/**
 * @param {number} seconds time in seconds since 1970 (a file's mtime)
 * @param {number} [now] the current time, likewise
 * @returns {string} e.g. `just now`, `3 hours ago`
 */
export function ago(seconds, now = Date.now() / 1000) {
  const passed = now - seconds
  const span = SPANS.find(([, length]) => passed >= length)
  if (!span) return t("time.now")
  return formatAgo(Math.floor(passed / span[1]), span[0])
}

/**
 * Format a component of the environment for people to read.
 *
 * @param {string|null} [canonical] e.g. `name=torch;version=2.6.0;cuda=12.4`
 * @returns {string|null} e.g. `version 2.6.0 · cuda 12.4`; other text unchanged, null if there is none
 */
export function componentText(canonical) {
  if (!canonical) return null
  const parts = canonical.replace(/^name=[^;]*;/, "").split(";")
  const isCanonical = parts.every((part) => part.includes("="))
  return isCanonical ? parts.map((part) => part.replace("=", " ")).join(" · ") : canonical
}

/**
 * Describe the result of a check that found no damage.
 *
 * @param {Pick<Gen5.Report, "checked_bytes"|"chunk_count"|"notes"|"uncovered_bytes">} report notes: what could not be
 *   checked; if there is one, or bytes that nothing covers, the text does not claim that every byte is as it was written
 * @returns {string} e.g. `Intact. Every byte is as it was written: 3.1 MB in 3 chunks.`
 */
export function verdict({ checked_bytes: bytes, chunk_count: count, notes = [], uncovered_bytes: uncovered = 0 }) {
  const checked = t("verify.checked", { size: fileSize(bytes), count })
  const found = uncovered
    ? t("verify.intactBut", { checked, count: uncovered })
    : t(notes.length ? "verify.intactAsFar" : "verify.intact", { checked })
  return [found, ...notes.map((note) => t("verify.note", { note }))].join(" ")
}

/**
 * Return a text, shortened with the number of omitted characters if it is too long for a page to lay out.
 *
 * @param {string} text
 * @param {number} [most] characters
 * @returns {string}
 */
export function shorten(text, most = TEXT_MAX) {
  return text.length > most ? t("text.cut", { text: text.slice(0, most), count: text.length - most }) : text
}

/**
 * @template Value
 * @param {Value|null|undefined} value
 * @returns {value is Value}
 */
function isKnown(value) {
  return value !== null && value !== undefined && value !== ""
}

/**
 * Round away the noise of a 32-bit float: 5.5, not 5.500000001.
 *
 * @param {number} value
 */
function shortNumber(value) {
  return String(Number(value.toFixed(4)))
}
