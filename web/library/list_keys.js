/** The keys of a listbox, following the ARIA Authoring Practices Guide. */

/** @type {"open"} */
export const OPEN = "open"

/**
 * @param {string} key of a keydown event
 * @param {{active: number, page: number, total: number}} list page: one less than the number of visible rows
 * @returns {number|"open"|undefined} the row to move to, which may be out of range; undefined for any other key
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
