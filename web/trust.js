/**
 * What a file's signatures are worth, in words: *signed by K* where a signature by the key K is valid, *trusted* where K
 * is in the person's list. *Intact* is another thing, and Verify's to say.
 *
 * @typedef {{key_id: string, state: "valid"|"invalid"|"unchecked", reason: string, comment: string|null}} Signature
 *   reason: why it is not valid or was not checked, or why the person's list could not be used
 * @typedef {{word: "unsigned"|"signed"|"trusted"|"invalid"|"unchecked", signatures: Signature[]}} Trust
 */
import { element } from "./dom.js"

/** What stands on a badge, by the word for the whole file; an unsigned one has none. */
export const TRUST_BADGES = {
  signed: { text: "Signed", icon: "pi-key", className: "", title: "By a key that is not in your list of trusted keys" },
  trusted: { text: "Trusted", icon: "pi-key", className: "gen5-badge-ok", title: "Signed by a key in your list of trusted keys" },
  invalid: {
    text: "Invalid signature",
    icon: "pi-times-circle",
    className: "gen5-badge-error",
    title: "A signature does not fit the file: one of the two was changed",
  },
  unchecked: {
    text: "Signature unchecked",
    icon: "pi-question-circle",
    className: "gen5-badge-warn",
    title: "Nobody can say here whether the signature fits the file",
  },
}

const INVALID = /\bthe signature by [0-9a-f]+ does not fit\b/
const WORDS = { valid: signedBy, invalid: invalidBy, unchecked: uncheckedBy }

/**
 * Return one line for each signature, in words alone.
 *
 * @param {Trust|undefined} trust
 * @returns {string[]} none for an unsigned file
 */
export function trustWords(trust) {
  return (trust?.signatures ?? []).map((signature) => lineOf(signature, trust.word))
}

/**
 * Show the signatures of a file; null for an unsigned one.
 *
 * @param {Trust|undefined} trust
 * @returns {HTMLElement|null}
 */
export function trustList(trust) {
  const badge = TRUST_BADGES[trust?.word]
  if (!badge) return null
  const lines = (trust.signatures ?? []).map((signature) =>
    element("li", { className: `gen5-trust-${signature.state}`, text: lineOf(signature, trust.word) }),
  )
  return element(
    "div",
    { className: "gen5-trust", attributes: { role: "group", "aria-label": "Signatures" } },
    badgeOf(badge),
    element("ul", {}, ...lines),
  )
}

/**
 * Return the badge that goes with a server's message, where that is of a signature which does not fit: such a file is
 * not opened, so there are no facts of it.
 *
 * @param {string} message
 * @returns {HTMLElement|null}
 */
export function invalidBadge(message) {
  return INVALID.test(message) ? badgeOf(TRUST_BADGES.invalid) : null
}

function badgeOf({ text, className, title }) {
  return element("strong", { className: `gen5-badge ${className}`, text, title })
}

/** Tell by which key a file was signed, as it is saved. */
export function signedBy({ key_id: id, comment }) {
  return comment ? `Signed by ${comment}, key ${id}` : `Signed by key ${id}`
}

function invalidBy({ key_id: id, reason }) {
  return `Invalid signature by key ${id}: ${reason}`
}

function uncheckedBy({ key_id: id, reason }) {
  return `Signature by key ${id}, unchecked: ${reason}`
}

/** What is said of a signature, and what more of its key; beside an invalid one no other is called trusted. */
function lineOf(signature, word) {
  const told = (WORDS[signature.state] ?? uncheckedBy)(signature)
  return signature.state !== "valid" || word === "invalid" ? `${told}.` : `${told}. ${keyWords(signature)}`
}

function keyWords({ comment, reason }) {
  if ((comment ?? null) !== null) return "Trusted: the key is in your list."
  return reason ? `Whether it is trusted is not known: ${reason}.` : "The key is not in your list."
}
