/** How long a page whose items may have moved is shown before it is requested again. */
const STALE_MS = 1000
/** The most pages kept: 12 000 items at 60 per page, about 8 MB. */
const PAGES_MAX = 200

/**
 * @typedef {{items: Gen5.Item[], total: number}} Answer
 * @typedef {{control: AbortController, kept: boolean, stale?: boolean, answer: Promise<Gen5.Item[]>}} Pending
 */

/**
 * The pages of a long list. A page is fetched when it comes into view; the request is cancelled if it leaves the view.
 *
 * A page that was read before the list changed is stale: its items stay until the new response has arrived, to avoid
 * flicker.
 */
export class Pages {
  /**
   * @param {(offset: number, limit: number, signal: AbortSignal) => Promise<Answer>} fetchPage
   * @param {{size?: number, onChange?: () => void, onError?: (error: Error) => void, now?: () => number}} [options]
   */
  constructor(fetchPage, { size = 60, onChange = () => {}, onError = () => {}, now = () => Date.now() } = {}) {
    this.size = size
    /** @type {number|null} */
    this.total = null
    this._fetchPage = fetchPage
    this._onChange = onChange
    this._onError = onError
    this._now = now
    /** @type {Map<number, {items: Gen5.Item[], due: number}>} */
    this._pages = new Map()
    /** @type {Map<number, Pending>} */
    this._pending = new Map()
    /** @type {Set<number>} */
    this._failed = new Set()
  }

  /**
   * @returns {Gen5.Item|undefined} the item at index, if its page is loaded
   * @param {number} index
   */
  get(index) {
    return this._pages.get(Math.floor(index / this.size))?.items[index % this.size]
  }

  /**
   * @returns {number} index of a known item, −1 if its page is not loaded; if two pages have it, the one read last counts
   * @param {string} name
   */
  placeOf(name) {
    return this._indexOf(name, [...this._pages.keys()].reverse())
  }

  /**
   * Request the missing pages of first…last, and cancel requests for pages that are no longer in view.
   *
   * @param {number} first
   * @param {number} last
   */
  want(first, last) {
    const wanted = this._numbers(first, last)
    for (const [number, request] of this._pending) {
      if (!request.kept && !wanted.includes(number)) this._giveUp(number)
    }
    for (const number of wanted) {
      if (this._isDue(number)) this.read(number).catch(() => {})
    }
  }

  /**
   * Fetch one page, even if it is loaded already.
   * @param {number} number page, 0 first
   * @param {{kept?: boolean}} [options] kept: not cancelled by {@link want}
   * @returns {Promise<Gen5.Item[]>}
   */
  read(number, { kept = false } = {}) {
    const running = this._pending.get(number)
    if (running && !running.stale) {
      running.kept ||= kept
      return running.answer
    }
    this._giveUp(number)
    /** @type {Pending} */
    const request = { control: new AbortController(), kept, answer: Promise.resolve([]) }
    this._pending.set(number, request)
    request.answer = this._answer(number, request)
    return request.answer
  }

  /** Forget everything, for another query. */
  reset() {
    for (const number of [...this._pending.keys()]) this._giveUp(number)
    this._pages.clear()
    this._failed.clear()
    this.total = null
  }

  /** Request the pages in view again; the known items stay until the responses arrive. */
  expire() {
    this._failed.clear()
    for (const page of this._pages.values()) page.due = 0
    for (const request of this._pending.values()) request.stale = true
  }

  /**
   * Find an item's index after the list changed.
   * @param {string} name
   * @param {number} near its former index
   * @returns {Promise<number>} its index, or −1 if it is not in the pages tried
   */
  async find(name, near) {
    const former = this.total
    const last = Math.floor(near / this.size)
    await this.read(last, { kept: true })
    const moved = Math.max(0, near + (this.total ?? 0) - (former ?? 0))
    const number = Math.floor(moved / this.size)
    if (number !== last && moved < (this.total ?? 0)) await this.read(number, { kept: true })
    return this._indexOf(name, [number, last])
  }

  /**
   * @param {string} name
   * @param {number[]} numbers
   */
  _indexOf(name, numbers) {
    for (const number of numbers) {
      const place = (this._pages.get(number)?.items ?? []).findIndex((item) => item.name === name)
      if (place >= 0) return number * this.size + place
    }
    return -1
  }

  /**
   * @param {number} first
   * @param {number} last
   */
  _numbers(first, last) {
    const end = this.total === null ? 0 : Math.max(0, Math.min(last, this.total - 1))
    const numbers = []
    for (let number = Math.floor(Math.max(0, Math.min(first, end)) / this.size); number * this.size <= end; number++) {
      numbers.push(number)
    }
    return numbers
  }

  /** @param {number} number */
  _isDue(number) {
    if (this._failed.has(number)) return false
    const page = this._pages.get(number)
    return !page || this._now() >= page.due
  }

  /**
   * @param {number} number
   * @param {Pending} request
   */
  async _answer(number, request) {
    try {
      const answer = await this._fetchPage(number * this.size, this.size, request.control.signal)
      if (this._pending.get(number) !== request) return []
      this._pending.delete(number)
      this._keep(number, answer)
      return answer.items
    } catch (error) {
      if (this._pending.get(number) !== request) return []
      this._pending.delete(number)
      this._failed.add(number)
      this._onError(error)
      throw error
    }
  }

  /**
   * @param {number} number
   * @param {Answer} answer
   */
  _keep(number, { items, total }) {
    this._failed.clear() // the server responds again, so failed pages may be retried
    if (total !== this.total) this._expireOthers()
    this.total = total
    this._pages.delete(number)
    this._pages.set(number, { items, due: Infinity })
    const [oldest] = this._pages.keys()
    if (this._pages.size > PAGES_MAX) this._pages.delete(oldest)
    this._onChange()
  }

  _expireOthers() {
    const due = this._now() + STALE_MS
    for (const page of this._pages.values()) page.due = Math.min(page.due, due)
  }

  /** @param {number} number */
  _giveUp(number) {
    const request = this._pending.get(number)
    this._pending.delete(number)
    request?.control.abort()
  }
}
