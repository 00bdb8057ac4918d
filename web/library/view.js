import { element } from "../dom.js"
import { listLibrary } from "../gen5_api.js"
import { formatNumber, t } from "../i18n/index.js"
import { openWorkflow, placeLoader } from "./actions.js"
import { CARD_HEIGHT, createCard } from "./card.js"
import { createDetails } from "./details.js"
import { PagedList } from "./list.js"
import { icon, iconButton, notice } from "./parts.js"
import { shortName } from "./words.js"

const SEARCH_MS = 200
const POLL_MS = 600
const BAR_HEIGHT = 36

/** The library's panel. It is kept while its tab is closed, so that it is shown at once when the tab is opened again. */
export class LibraryView {
  constructor() {
    this._query = ""
    /** @type {number|null} */
    this._files = null
    /** @type {Gen5.Scan} */
    this._scan = { running: false, done: 0, total: 0 }
    this._mustScan = true
    /** @type {ReturnType<typeof createDetails>|null} */
    this._details = null
    /** @type {Gen5.Item|null} the file that the bar belongs to */
    this._offered = null
    /** @type {number|undefined} */
    this._pollTimer = undefined
    this._searchTimer = 0
    this._list = this._makeList()
    this._bar = this._makeBar()
    this._search = this._makeSearch()
    this._status = element("span", { className: "gen5-library-muted", attributes: { role: "status" } })
    this._progress = element("progress", { attributes: { "aria-label": t("library.scanning") }, hidden: true })
    this._notice = element("div", { className: "gen5-library-notice" })
    this._browse = element("div", { className: "gen5-library-browse" }, this._header(), this._notice, this._list.element)
    this.element = element(
      "section",
      { className: "gen5-library", attributes: { "aria-label": t("library.title") } },
      this._browse,
    )
    this._list.element.append(this._bar)
    this._list.element.addEventListener("pointerleave", () => this._withdraw())
  }

  /** Show the known files and look for new ones; called when the tab is opened. */
  resume() {
    if (this._list.total === null) {
      this._mustScan = true
      this._list.reset()
    } else {
      this._list.restore()
      this.rescan()
    }
  }

  /** Stop polling and loading; called when the tab is closed. */
  pause() {
    clearTimeout(this._pollTimer)
    this._pollTimer = undefined
  }

  /** Make the server look for new files, and show them. */
  rescan() {
    if (!this.element.isConnected) return
    this._mustScan = true
    this._list.refresh()
  }

  _makeList() {
    return new PagedList({
      label: t("library.list"),
      rowHeight: CARD_HEIGHT,
      fetchPage: (offset, limit, signal) => this._fetch(offset, limit, signal),
      createRow: createCard,
      onOpen: (item) => this._open(item.name),
      onActive: (item, top) => this._offer(item, top),
      onChange: () => this._drawState(),
      onError: (error) => this._drawError(error),
    })
  }

  _makeSearch() {
    const search = element("input", {
      className: "gen5-library-search",
      attributes: {
        type: "search",
        placeholder: t("library.search"),
        "aria-label": t("library.search.label"),
        autocomplete: "off",
        spellcheck: "false",
      },
    })
    search.addEventListener("input", () => this._searchSoon())
    search.addEventListener("keydown", (event) => this._searchKey(event))
    return search
  }

  _header() {
    const refresh = iconButton("pi-refresh", t("library.refresh"), () => this.rescan())
    return element(
      "header",
      { className: "gen5-library-header" },
      element("div", { className: "gen5-library-line" }, element("h2", { text: t("library.title") }), refresh),
      element("div", { className: "gen5-library-searchbox" }, icon("pi-search"), this._search),
      element("div", { className: "gen5-library-line gen5-library-status" }, this._status, this._progress),
    )
  }

  /** Make the bar of actions for the row under the pointer, or the one reached by keys. */
  _makeBar() {
    const bar = element(
      "div",
      { className: "gen5-library-actions", attributes: { role: "toolbar" } },
      iconButton("pi-folder-open", t("library.openWorkflow"), () => this._offered && openWorkflow(this._offered.name)),
      iconButton("pi-plus", t("library.addLoader"), () => this._offered && placeLoader(this._offered.name)),
    )
    bar.hidden = true
    bar.addEventListener("keydown", (event) => event.key === "Escape" && this._toList(event))
    return bar
  }

  /**
   * @param {Gen5.Item|undefined} item
   * @param {number} top
   */
  _offer(item, top) {
    if (!item || item.error) {
      this._withdraw()
      return
    }
    this._offered = item
    this._bar.hidden = false
    this._bar.setAttribute("aria-label", t("library.actions", { name: shortName(item.name) }))
    this._bar.style.top = `${top + CARD_HEIGHT - BAR_HEIGHT}px`
  }

  _withdraw() {
    if (!this._bar.contains(document.activeElement)) this._bar.hidden = true
  }

  /** Update the bar after the rows have changed: it follows its file if it has the focus, and is hidden otherwise. */
  _moveBar() {
    if (this._bar.hidden || this._list.total === null) return
    if (!this._bar.contains(document.activeElement)) {
      this._bar.hidden = true
      return
    }
    const found = this._list.placeOf(this._offered?.name)
    if (found && !found.item.error) this._offer(found.item, found.top)
    else this._list.focus()
    this._withdraw()
  }

  /** @param {Event} event */
  _toList(event) {
    event.stopPropagation()
    this._list.focus()
  }

  /**
   * @param {number} offset
   * @param {number} limit
   * @param {AbortSignal} signal
   */
  async _fetch(offset, limit, signal) {
    const refresh = this._mustScan
    this._mustScan = false
    try {
      const answer = await listLibrary({ query: this._query, offset, limit, refresh, signal })
      this._notice.replaceChildren()
      this._see(answer)
      return answer
    } catch (error) {
      this._mustScan ||= refresh
      throw error
    }
  }

  /** @param {Gen5.Page} page */
  _see({ files, scan }) {
    this._files = files
    this._scan = scan ?? this._scan
    if (this._scan.running) this._pollTimer ??= window.setTimeout(() => this._poll(), POLL_MS)
    this._drawStatus()
  }

  async _poll() {
    this._pollTimer = undefined
    if (!this.element.isConnected) return
    try {
      const answer = await listLibrary({ query: this._query, offset: 0, limit: 1 })
      this._see(answer)
      if (!answer.scan.running || answer.total !== this._list.total) await this._list.refresh()
    } catch (error) {
      this._drawError(error)
    }
  }

  _searchSoon() {
    clearTimeout(this._searchTimer)
    this._searchTimer = window.setTimeout(() => this._searchNow(), SEARCH_MS)
  }

  _searchNow() {
    clearTimeout(this._searchTimer)
    const query = this._search.value.trim()
    if (query === this._query) return
    this._query = query
    this._bar.hidden = true
    this._list.reset()
  }

  /** @param {KeyboardEvent} event */
  _searchKey(event) {
    /** @type {Record<string, (() => void)|null>} */
    const steps = {
      ArrowDown: this._list.total ? () => this._list.focus() : null,
      Enter: () => this._searchNow(),
      Escape: this._search.value ? () => this._clearSearch() : null,
    }
    const step = event.ctrlKey || event.metaKey || event.altKey ? null : steps[event.key]
    if (!step) return
    event.preventDefault()
    event.stopPropagation()
    step()
  }

  _clearSearch() {
    this._search.value = ""
    this._searchNow()
    this._search.focus()
  }

  _drawStatus() {
    const { running, done, total } = this._scan
    this._progress.hidden = !running
    if (running && total) {
      this._progress.max = total
      this._progress.value = done
    } else this._progress.removeAttribute("value")
    const found = this._list.total
    const files = t("library.files", { count: this._files ?? 0 })
    this._status.textContent = this._query && found !== null ? t("library.found", { found: formatNumber(found), files }) : files
  }

  _drawState() {
    this._drawStatus()
    const isEmpty = this._list.total === 0
    this._moveBar()
    if (isEmpty) this._notice.replaceChildren(this._emptyNotice())
    this._list.element.hidden = isEmpty
  }

  _emptyNotice() {
    if (this._query) {
      return notice("pi-search", t("library.nothing"), t("library.nothing.detail", { query: this._query }), t("library.clear"), () =>
        this._clearSearch(),
      )
    }
    if (this._scan.running) return notice("pi-spinner pi-spin", t("library.scanning"), t("library.scanning.detail"))
    return notice("pi-images", t("library.empty"), t("library.empty.detail"))
  }

  /** @param {Error} error */
  _drawError(error) {
    this._notice.replaceChildren(
      notice("pi-exclamation-circle", t("library.failed"), error.message, t("library.again"), () => {
        if (this._list.total === null) this._list.reset()
        else this._list.refresh()
      }),
    )
  }

  /** @param {string} name */
  _open(name) {
    this._details?.dispose()
    this._details = createDetails(name, { onBack: () => this._back() })
    this._browse.hidden = true
    this.element.append(this._details.element)
    this._details.focus()
  }

  _back() {
    this._details?.dispose()
    this._details?.element.remove()
    this._details = null
    this._browse.hidden = false
    this._list.restore()
    this._list.focus()
  }
}
