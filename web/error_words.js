/** Errors of the server, by their kind: what is said of each, and the badge and icon that go with it. */

/** For these kinds the browser has words of its own; of others the server's text says more: the part at fault, figures. */
const TEXTS = {
  not_found: ({ name }) => `${name} is not there`,
  no_access: ({ name }) => `${name} may not be read`,
  outside: ({ name }) => `${name} leads out of its folder: choose a file inside it`,
  over_memory: ({ name }) => `${name} takes too much memory to read`,
  library_off: () => "the library is turned off: turn it on in ComfyUI's settings, under Gen5",
  stripped: ({ name }) =>
    `${name} carries no GEN5 record: a website or an editor took it out, or it never had one. ` +
    "Choose the original file, or the .gen5 beside it.",
  over_limit: ({ message }) =>
    `${message}; no usual file comes near it, so nothing more was read: take another copy, or, if you trust this one, ` +
    "open it in Python with gen5core.open(path, limits=…)",
}

const DAMAGED = { text: "damaged", icon: "pi-times-circle", className: "gen5-badge-error" }
const TOO_LARGE = { text: "too large", icon: "pi-exclamation-circle", className: "gen5-badge-error" }
const UNREADABLE = { text: "not readable", icon: "pi-lock", className: "gen5-badge-error" }
const BADGES = {
  damaged: DAMAGED,
  truncated: DAMAGED,
  not_gen5: { text: "not GEN5", icon: "pi-times-circle", className: "gen5-badge-error" },
  newer_version: { text: "newer version", icon: "pi-arrow-circle-up", className: "gen5-badge-warn" },
  over_limit: TOO_LARGE,
  over_memory: TOO_LARGE,
}

/**
 * Return what a person reads of an error.
 *
 * @param {{error: string, kind?: string|null}} answer the server's
 * @param {string} [name] of the file
 * @returns {string}
 */
export function errorText({ error: message, kind }, name = "The file") {
  return TEXTS[kind]?.({ name, message }) ?? message
}

/**
 * Return the badge of a file that cannot be read.
 *
 * @param {string|null} [kind]
 * @returns {{text: string, icon: string, className: string}}
 */
export function errorBadge(kind) {
  return BADGES[kind] ?? UNREADABLE
}
