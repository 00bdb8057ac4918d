/** Text, badge and icon for the server's errors, by their kind. */
import { hasText, t } from "./i18n/index.js"

const DAMAGED = { text: t("badge.damaged"), icon: "pi-times-circle", className: "gen5-badge-error" }
const TOO_LARGE = { text: t("badge.too_large"), icon: "pi-exclamation-circle", className: "gen5-badge-error" }
const UNREADABLE = { text: t("badge.unreadable"), icon: "pi-lock", className: "gen5-badge-error" }
/** @type {Record<string, {text: string, icon: string, className: string}>} */
const BADGES = {
  damaged: DAMAGED,
  truncated: DAMAGED,
  not_gen5: { text: t("badge.not_gen5"), icon: "pi-times-circle", className: "gen5-badge-error" },
  newer_version: { text: t("badge.newer_version"), icon: "pi-arrow-circle-up", className: "gen5-badge-warn" },
  over_limit: TOO_LARGE,
  over_memory: TOO_LARGE,
}

/**
 * Return the message of an error. Some kinds have a text here; for the others the server's message is better, since it
 * names the faulty part.
 *
 * @param {{error?: string, kind?: string|null}} answer the server's response
 * @param {string} [name] of the file
 * @returns {string}
 */
export function errorText({ error: message = "", kind }, name = t("file.unnamed")) {
  const key = `kind.${kind}`
  return hasText(key) ? t(key, { name, message }) : message
}

/**
 * Return the badge of a file that cannot be read.
 *
 * @param {string|null} [kind]
 * @returns {{text: string, icon: string, className: string}}
 */
export function errorBadge(kind) {
  return BADGES[kind ?? ""] ?? UNREADABLE
}
