/** What the keys of a listbox do, as the ARIA Authoring Practices Guide has it. */

/** @type {"open"} */
export const OPEN = "open"

/**
 * @param {string} key of a keydown event
 * @param {{active: number, page: number, total: number}} list page: rows that are seen at once, but one
 * @returns {number|"open"|undefined} the row to go to, which may lie beyond an end; undefined for any other key
 */
export function targetOf(key, { active, page, total }) {
  /** @type {Record<string, number|"open">} */
  const targets = {
    ArrowDown: active + 1,
    ArrowUp: active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: total - 1,
    Enter: OPEN,
    " ": OPEN,
  }
  return targets[key]
}
