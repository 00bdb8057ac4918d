/** Remedies of gen5core's messages that only a programmer can take, told for a person at the browser. */

const FOR_PROGRAMMERS = /; if you trust (?:the file|it), pass larger Limits/g
const FOR_PEOPLE =
  "; no usual file comes near it, so nothing more was read: take another copy, or, if you trust this one, open it in " +
  "Python with gen5core.open(path, limits=…)"

/**
 * Return a message of gen5core with a remedy for people.
 *
 * @param {string} message
 * @returns {string}
 */
export function forPeople(message) {
  return message.replace(FOR_PROGRAMMERS, FOR_PEOPLE)
}
