/**
 * Describes a file's signatures: *signed by K* if a signature by the key K is valid, *trusted* if K is in the user's list.
 * Neither says that the file is *intact*: only Verify does.
 */
import { element } from "./dom.js"
import { t } from "./i18n/index.js"

/**
 * The badges, by the trust of the file; an unsigned file has none.
 *
 * @type {Record<string, {text: string, icon: string, className: string, title: string}>}
 */
export const TRUST_BADGES = {
  signed: { text: t("trust.signed"), icon: "pi-key", className: "", title: t("trust.signed.tip") },
  trusted: { text: t("trust.trusted"), icon: "pi-key", className: "gen5-badge-ok", title: t("trust.trusted.tip") },
  invalid: {
    text: t("trust.invalid"),
    icon: "pi-times-circle",
    className: "gen5-badge-error",
    title: t("trust.invalid.tip"),
  },
  unchecked: {
    text: t("trust.unchecked"),
    icon: "pi-question-circle",
    className: "gen5-badge-warn",
    title: t("trust.unchecked.tip"),
  },
}

const WORDS = { valid: signedBy, invalid: invalidBy, unchecked: uncheckedBy }

/**
 * Return one line of text per signature.
 *
 * @param {Gen5.Trust|undefined} trust
 * @returns {string[]} none for an unsigned file
 */
export function trustWords(trust) {
  return trust ? trust.signatures.map((signature) => lineOf(signature, trust.word)) : []
}

/**
 * Show the signatures of a file; null for an unsigned one.
 *
 * @param {Gen5.Trust|undefined} trust
 * @returns {HTMLElement|null}
 */
export function trustList(trust) {
  const badge = trust && TRUST_BADGES[trust.word]
  if (!trust || !badge) return null
  const lines = (trust.signatures ?? []).map((signature) =>
    element("li", { className: `gen5-trust-${signature.state}`, text: lineOf(signature, trust.word) }),
  )
  return element(
    "div",
    { className: "gen5-trust", attributes: { role: "group", "aria-label": t("trust.label") } },
    badgeOf(badge),
    element("ul", {}, ...lines),
  )
}

/**
 * Return the badge for the error of an invalid signature, else null. Such a file is not opened, so it has no facts.
 *
 * @param {Error & {kind?: string}} error
 * @returns {HTMLElement|null}
 */
export function invalidBadge(error) {
  return error.kind === "invalid_signature" ? badgeOf(TRUST_BADGES.invalid) : null
}

/** @param {{text: string, className: string, title: string}} given */
function badgeOf({ text, className, title }) {
  return element("strong", { className: `gen5-badge ${className}`, text, title })
}

/**
 * Return the text that names the key of a signature.
 *
 * @param {{key_id: string, comment?: string|null}} given
 */
export function signedBy({ key_id: id, comment }) {
  return comment ? t("trust.byNamed", { comment, id }) : t("trust.byKey", { id })
}

/** @param {Gen5.Signature} signature */
function invalidBy({ key_id: id, reason }) {
  return t("trust.byInvalid", { id, reason })
}

/** @param {Gen5.Signature} signature */
function uncheckedBy({ key_id: id, reason }) {
  return t("trust.byUnchecked", { id, reason })
}

/**
 * Describe a signature and its key. If any signature of the file is invalid, no other is called trusted.
 *
 * @param {Gen5.Signature} signature
 * @param {Gen5.TrustWord} word
 */
function lineOf(signature, word) {
  const text = (WORDS[signature.state] ?? uncheckedBy)(signature)
  const isPlain = signature.state !== "valid" || word === "invalid"
  return isPlain ? t("trust.line", { text }) : t("trust.line.key", { text, key: keyWords(signature) })
}

/** @param {Gen5.Signature} signature */
function keyWords({ comment, problem }) {
  if ((comment ?? null) !== null) return t("trust.key.listed")
  return t(problem === "unusable_list" ? "trust.key.unusable_list" : "trust.key.unlisted")
}
