import { element } from "../dom.js"
import { OPEN, targetOf } from "./list_keys.js"
import { Pages } from "./pages.js"

/** Rows kept in the page above and below the visible ones. */
const OVERSCAN = 4
/** While scrolling, pages are requested at most this often. */
const WANT_MS = 80
/** Pictures are requested once scrolling has paused for this long. */
const REST_MS = 120
const RESTALE_MS = 1100

/**
 * @typedef {{element: HTMLElement, showPicture?: () => void, dropPicture?: () => void}} Drawn
 * @typedef {Drawn & {item: Gen5.Item|undefined, index: number}} Row
 * @typedef {{name: string, index: number}} Anchor
 */

/**
 * A listbox of any length; only its visible rows are in the page.
 *
 * The focus stays on the listbox; `aria-activedescendant` names the active row.
 */
export class PagedList {
  /**
   * @param {object} options
   * @param {string} options.label name of the listbox
   * @param {number} options.rowHeight height of every row in pixels
   * @param {(offset: number, limit: number, signal: AbortSignal) => Promise<{items: Gen5.Item[], total: number}>} options.fetchPage
   * @param {(item: Gen5.Item|undefined) => Drawn} options.createRow undefined: the item is not loaded yet
   * @param {(item: Gen5.Item) => void} options.onOpen Enter or a click
   * @param {(item: Gen5.Item|undefined, top: number) => void} [options.onActive] the row that keys or pointer have reached
   * @param {() => void} [options.onChange] a response has arrived, or rows have moved
   * @param {(error: Error) => void} [options.onError]
   */
  constructor(options) {
    this._options = options
    this.pages = new Pages(options.fetchPage, {
      onChange: () => this._changed(),
      onError: (error) => options.onError?.(error),
    })
    this.active = -1
    /** @type {string|undefined} */
    this._activeName = undefined
    /** @type {Map<number, Row>} */
    this._rows = new Map()
    this._top = 0
    /** @type {number|undefined} */
    this._frame = undefined
    /** @type {number|undefined} */
    this._askTimer = undefined
    this._restTimer = 0
    this._staleTimer = 0
    this._isFinding = false
    this.box = element("div", {
      className: "gen5-library-box",
      attributes: { role: "listbox", tabindex: "0", "aria-label": options.label },
    })
    this.element = element("div", { className: "gen5-library-scroller" }, this.box)
    this._listen()
  }

  /** @returns {number|null} the number of items; null before the first response */
  get total() {
    return this.pages.total
  }

  /** Show the results of another query from the start. */
  reset() {
    this.pages.reset()
    this._setActive(-1)
    this._clear()
    this._scrollTo(0)
    this._ask()
  }

  /** Read the list again; the top row and the active row stay in place even if newer rows were added above. */
  async refresh() {
    const anchor = this._anchor()
    const active = this._activeName ? { name: this._activeName, index: this.active } : null
    this.pages.expire()
    if (anchor || active) await this._findAgain(anchor, active)
    this._ask()
  }

  /**
   * Find a row that is in the page.
   * @param {string|undefined} name
   * @returns {{item: Gen5.Item, top: number}|null} top in pixels of the list
   */
  placeOf(name) {
    const row = [...this._rows.values()].find(({ item }) => item?.name === name)
    return row?.item ? { item: row.item, top: row.index * this._options.rowHeight } : null
  }

  /** Put the visible rows in the page. */
  update() {
    const total = this.total ?? 0
    this.box.style.height = `${total * this._options.rowHeight}px`
    const { first, last } = this._visible(OVERSCAN)
    for (const index of [...this._rows.keys()]) {
      if (index < first || index > last) this._remove(index)
    }
    for (let index = last; index >= first; index--) this._show(index, total)
    this._point()
  }

  /**
   * Restore the list after it was put back into the page: a removed element loses its scroll position, and its
   * ResizeObserver fires only if it had no size for a frame.
   */
  restore() {
    this.element.scrollTop = this._top
    this.update()
    this._settle()
    requestAnimationFrame(() => this._resized())
  }

  focus() {
    this.box.focus({ preventScroll: true })
  }

  /**
   * Make index the active row and bring it into view.
   *
   * @param {number} index
   */
  activate(index) {
    if (!this.total) return
    this._setActive(Math.max(0, Math.min(index, this.total - 1)))
    this._reveal(this.active)
    this.update()
    this._reportActive(this.active)
  }

  _listen() {
    this.element.addEventListener("scroll", () => this._scrolled(), { passive: true })
    this.box.addEventListener("keydown", (event) => this._key(event))
    this.box.addEventListener("click", (event) => this._click(event))
    this.box.addEventListener("pointerover", (event) => this._hover(event))
    this.box.addEventListener("focus", () => this._focused())
    if (typeof ResizeObserver === "function") new ResizeObserver(() => this._resized()).observe(this.element)
  }

  /** @param {number} margin */
  _visible(margin) {
    const height = this._options.rowHeight
    const last = Math.ceil((this._top + this.element.clientHeight) / height) - 1
    return {
      first: Math.max(0, Math.floor(this._top / height) - margin),
      last: Math.min((this.total ?? 0) - 1, last + margin),
    }
  }

  _anchor() {
    const { first } = this._visible(0)
    const name = this.pages.get(first)?.name
    return this._top > 0 && name ? { name, index: first } : null
  }

  /**
   * @param {Anchor|null} anchor
   * @param {Anchor|null} active
   */
  async _findAgain(anchor, active) {
    /** @param {Anchor|null} one */
    const find = (one) => one && this.pages.find(one.name, one.index).catch(() => -1)
    this._isFinding = true
    const [place, activeIndex] = await Promise.all([find(anchor), find(active)])
    this._isFinding = false
    if (anchor && place !== null && place >= 0) this._shift(place - anchor.index)
    if (activeIndex === -1 && this._activeName === active?.name) this._setActive(this.active) // its file is gone
    this.update()
    this._options.onChange?.()
  }

  /** @param {number} index */
  _setActive(index) {
    this.active = index
    this._activeName = this.pages.get(index)?.name
  }

  /** Find the active row after newer ones were added above it. */
  _follow() {
    this._activeName ??= this.pages.get(this.active)?.name
    if (!this._activeName || this.pages.get(this.active)?.name === this._activeName) return
    const place = this.pages.placeOf(this._activeName)
    if (place >= 0) this.active = place
  }

  /** @param {number} rows */
  _shift(rows) {
    if (rows === 0) return
    this.box.style.height = `${(this.total ?? 0) * this._options.rowHeight}px`
    this._scrollTo(this._top + rows * this._options.rowHeight)
  }

  /** @param {number} top */
  _scrollTo(top) {
    this._top = Math.max(0, top)
    this.element.scrollTop = this._top
  }

  _scrolled() {
    if (!this.element.isConnected) return
    this._top = this.element.scrollTop
    this._frame ??= requestAnimationFrame(() => {
      this._frame = undefined
      this.update()
    })
    this._askTimer ??= window.setTimeout(() => this._ask(), WANT_MS)
    this._settle()
  }

  _resized() {
    if (!this.element.isConnected || this.element.clientHeight === 0) return
    this.element.scrollTop = this._top // the browser resets it if the list was put back before it was laid out
    this.update()
    this._ask()
    this._settle()
  }

  _ask() {
    clearTimeout(this._askTimer)
    this._askTimer = undefined
    const { first, last } = this._visible(OVERSCAN)
    this.pages.want(first, Math.max(first, last))
  }

  _changed() {
    this._follow()
    const total = this.total ?? 0
    if (this.active >= total) this._setActive(total - 1)
    if (!this._isFinding) this.update()
    this._settle()
    this._options.onChange?.()
    clearTimeout(this._staleTimer)
    this._staleTimer = window.setTimeout(() => this.element.isConnected && this._ask(), RESTALE_MS)
  }

  _settle() {
    clearTimeout(this._restTimer)
    this._restTimer = window.setTimeout(() => {
      for (const row of this._rows.values()) row.showPicture?.()
    }, REST_MS)
  }

  /**
   * @param {number} index
   * @param {number} total
   */
  _show(index, total) {
    const item = this.pages.get(index)
    const known = this._rows.get(index)
    if (known && same(known.item, item)) {
      known.element.setAttribute("aria-setsize", String(total))
      return
    }
    this._remove(index)
    const row = { ...this._options.createRow(item), item, index }
    this._place(row, total)
    this._rows.set(index, row)
    this.box.insertBefore(row.element, this._rows.get(index + 1)?.element ?? null)
  }

  /**
   * @param {Row} row
   * @param {number} total
   */
  _place(row, total) {
    const { index, element: option, item } = row
    const attributes = { role: "option", "aria-setsize": total, "aria-posinset": index + 1, "aria-selected": "false" }
    for (const [name, value] of Object.entries(attributes)) option.setAttribute(name, String(value))
    if (!item) option.setAttribute("aria-busy", "true")
    option.id = `gen5-library-option-${index}`
    option.dataset.index = String(index)
    option.style.transform = `translateY(${index * this._options.rowHeight}px)`
  }

  /** @param {number} index */
  _remove(index) {
    const row = this._rows.get(index)
    if (!row) return
    row.dropPicture?.()
    row.element.remove()
    this._rows.delete(index)
  }

  _clear() {
    for (const index of [...this._rows.keys()]) this._remove(index)
  }

  _point() {
    const row = this._rows.get(this.active)
    for (const other of this._rows.values()) other.element.setAttribute("aria-selected", String(other === row))
    if (row) this.box.setAttribute("aria-activedescendant", row.element.id)
    else this.box.removeAttribute("aria-activedescendant")
  }

  /** @param {number} index */
  _reveal(index) {
    const height = this._options.rowHeight
    const room = this.element.clientHeight
    const top = index * height
    if (top < this._top) this._scrollTo(top)
    else if (top + height > this._top + room) this._scrollTo(top + height - room)
    this._askTimer ??= window.setTimeout(() => this._ask(), WANT_MS)
    this._settle()
  }

  /** @param {KeyboardEvent} event */
  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const to = this._target(event.key)
    if (to === undefined) return
    event.preventDefault()
    event.stopPropagation()
    if (to === OPEN) this._open(this.active)
    else this.activate(to)
  }

  /** Activate a row on keyboard focus only: one made active during a click would scroll another row under the pointer. */
  _focused() {
    if (this.active < 0 && this.box.matches(":focus-visible")) this.activate(this._visible(0).first)
  }

  /** @param {string} key */
  _target(key) {
    const first = this._visible(0).first
    const page = Math.max(1, Math.floor(this.element.clientHeight / this._options.rowHeight) - 1)
    return targetOf(key, { active: this.active < 0 ? first - 1 : this.active, page, total: this.total ?? 0 })
  }

  /** @param {Event} event */
  _click(event) {
    const index = optionIndex(event)
    if (index === undefined) return
    this._setActive(index)
    this._point()
    this._open(index)
  }

  /** @param {Event} event */
  _hover(event) {
    const index = optionIndex(event)
    if (index !== undefined) this._reportActive(index)
  }

  /** @param {number} index */
  _open(index) {
    const item = this.pages.get(index)
    if (item) this._options.onOpen(item)
  }

  /** @param {number} index */
  _reportActive(index) {
    this._options.onActive?.(this.pages.get(index), index * this._options.rowHeight)
  }
}

/** @param {Event} event */
function optionIndex(event) {
  const { target } = event
  const option = target instanceof Element ? /** @type {HTMLElement|null} */ (target.closest('[role="option"]')) : null
  return option ? Number(option.dataset.index) : undefined
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
function same(one, other) {
  return one === other || (one && other && JSON.stringify(one) === JSON.stringify(other))
}
