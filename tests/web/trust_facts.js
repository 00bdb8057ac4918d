/** The server's facts of signatures. */

export const KEY = "0123456789abcdef0123456789abcdef"
export const OTHER_KEY = "fedcba9876543210fedcba9876543210"
export const INVALID = { key_id: OTHER_KEY, state: "invalid", reason: "it was changed", comment: null }

/** A valid signature by a key that is not in the user's list. */
export function signature(changes = {}) {
  return { key_id: KEY, state: "valid", reason: "", comment: null, ...changes }
}

export function signed() {
  return { word: "signed", signatures: [signature()] }
}

/** @param {string} comment the key's name in the user's list */
export function trusted(comment) {
  return { word: "trusted", signatures: [signature({ comment })] }
}

export function unchecked() {
  const reason = "the package cryptography is not installed: pip install cryptography"
  return { word: "unchecked", signatures: [signature({ state: "unchecked", reason })] }
}
