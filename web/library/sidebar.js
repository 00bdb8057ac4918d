import { api } from "../../../scripts/api.js"
import { app } from "../../../scripts/app.js"
import { t } from "../i18n/index.js"
import { toast } from "../toast.js"
import { LibraryView } from "./view.js"

const TAB_ID = "gen5-library"
const SETTING = "Gen5.Library.Enabled"
/** A queue that saves many files at once reads the folders once. */
const SAVED_MS = 800

let view = null
let isShown = false
let savedTimer

/** The Library, a tab of the sidebar: every .gen5 file under output/ and input/. */
export const library = {
  name: "Gen5.Library",
  setup() {
    showTab(app.extensionManager.setting.get(SETTING) !== false)
    app.ui?.settings?.addEventListener?.(`${SETTING}.change`, (event) => showTab(event.detail.value !== false))
    api.addEventListener("executed", (event) => noticeSaved(event.detail?.output?.gen5))
  },
}

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

/** ComfyUI calls this again each time it draws the sidebar, with the same element or another. */
function open(place) {
  view ??= new LibraryView()
  if (view.element.parentElement === place) return
  place.replaceChildren(view.element)
  leaveToOthers(place)
  view.resume()
}

/** Two custom tabs get the same element, one after the other: make room for one that only appends. */
function leaveToOthers(place) {
  const observer = new MutationObserver(() => {
    if (place.children.length === 1 && view.element.parentElement === place) return
    observer.disconnect()
    if (view.element.parentElement === place) view.element.remove()
    view.pause()
  })
  observer.observe(place, { childList: true })
}

function noticeSaved(files) {
  if (!files?.some?.((file) => file?.filename)) return
  clearTimeout(savedTimer)
  savedTimer = setTimeout(() => view?.rescan(), SAVED_MS)
}
