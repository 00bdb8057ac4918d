import { api } from "../../../scripts/api.js"
import { app } from "../../../scripts/app.js"
import { t } from "../i18n/index.js"
import { toast } from "../toast.js"
import { LibraryView } from "./view.js"

const TAB_ID = "gen5-library"
const SETTING = "Gen5.Library.Enabled"
/** Debounce, so that a queue that saves many files at once causes one scan of the folders. */
const SAVED_MS = 800

/** @type {LibraryView|null} */
let view = null
let isShown = false
let savedTimer = 0

/** The extension: the library, a tab of the sidebar with every .gen5 file under output/ and input/. */
export const library = {
  name: "Gen5.Library",
  setup() {
    showTab(app.extensionManager.setting.get(SETTING) !== false)
    app.ui?.settings?.addEventListener?.(`${SETTING}.change`, (event) => showTab(/** @type {CustomEvent} */ (event).detail.value !== false))
    api.addEventListener("executed", (event) => rescanAfterSave(event.detail?.output?.gen5))
  },
}

/** @param {boolean} wanted */
function showTab(wanted) {
  if (wanted === isShown) return
  const manager = app.extensionManager
  if (wanted) manager.registerSidebarTab(tab())
  else if (manager.unregisterSidebarTab) manager.unregisterSidebarTab(TAB_ID)
  else {
    toast("info", t("library.title"), t("library.tabStays"))
    return
  }
  isShown = wanted
}

/** @returns {Host.SidebarTab} */
function tab() {
  return {
    id: TAB_ID,
    icon: "pi pi-images",
    title: t("library.tab"),
    tooltip: t("library.title"),
    type: "custom",
    render: open,
    destroy: () => view?.pause(),
  }
}

/**
 * Show the library in an element. ComfyUI calls this each time it draws the sidebar, with the same element or another.
 *
 * @param {HTMLElement} place
 */
function open(place) {
  view ??= new LibraryView()
  if (view.element.parentElement === place) return
  place.replaceChildren(view.element)
  yieldToOtherTabs(place, view)
  view.resume()
}

/**
 * Remove the library when another tab adds to its element. ComfyUI gives custom tabs the same element one after the
 * other, and some tabs only append.
 *
 * @param {HTMLElement} place
 * @param {LibraryView} shown
 */
function yieldToOtherTabs(place, shown) {
  const observer = new MutationObserver(() => {
    if (place.children.length === 1 && shown.element.parentElement === place) return
    observer.disconnect()
    if (shown.element.parentElement === place) shown.element.remove()
    shown.pause()
  })
  observer.observe(place, { childList: true })
}

/** @param {any[]|undefined} files */
function rescanAfterSave(files) {
  if (!files?.some?.((file) => file?.filename)) return
  clearTimeout(savedTimer)
  savedTimer = window.setTimeout(() => view?.rescan(), SAVED_MS)
}
