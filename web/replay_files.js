/** The files offered for starting a sampler: the one opened last, those just saved, and the library's newest. */
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { listLibrary, upload } from "./gen5_api.js"
import { t } from "./i18n/index.js"
import { lastOpened } from "./open_file.js"

const LISTED = 10
const SUFFIX = ".gen5"
const ACCEPTED = ".gen5,.png"
const SCAN_MILLISECONDS = 1000

/** Names in input/ of local files that were uploaded, so that none is uploaded twice. */
const copies = new WeakMap()
/** @type {string[]} */
let saved = []
/** @type {string[]} */
let listed = []

/**
 * Return the files for the menus, without waiting for the server.
 * @returns {{label: string, isOpened: boolean, name: () => string|Promise<string>}[]} name: the annotated name on the server
 */
export function knownFiles() {
  const newest = [...new Set([...saved, ...listed])].slice(0, LISTED)
  const files = newest.map((name) => ({ label: plain(name), isOpened: false, name: () => name }))
  const opened = lastOpened()
  if (!opened) return files
  return [{ label: t("start.openedLast", { name: plain(opened.name) }), isOpened: true, name: () => storedName(opened) }, ...files]
}

/**
 * Request the newest files of the library, for the next menu.
 *
 * @param {{refresh?: boolean}} [options] refresh: make the server scan its folders first
 */
export async function refreshKnownFiles({ refresh = false } = {}) {
  if (app.extensionManager.setting.get("Gen5.Library.Enabled") === false) return
  try {
    const { items, scan } = await listLibrary({ limit: LISTED, refresh })
    listed = items.filter((item) => !item.error).map((item) => item.name)
    if (scan.running) setTimeout(refreshKnownFiles, SCAN_MILLISECONDS)
  } catch {
    // the menu still offers the opened and saved files
  }
}

/** Remember files as they are saved, so that they are first in the list at once. */
export function watchSaves() {
  api.addEventListener("executed", ({ detail }) => {
    for (const saved of detail?.output?.gen5 ?? []) if (saved?.filename) remember(annotated(saved))
  })
  refreshKnownFiles({ refresh: true })
}

/** Let the user choose a .gen5 file, or a PNG that carries a record; null if none is chosen. */
export function chooseFile() {
  const input = document.createElement("input")
  Object.assign(input, { type: "file", accept: ACCEPTED })
  return new Promise((resolve) => {
    input.onchange = () => resolve(input.files?.[0] ?? null)
    input.oncancel = () => resolve(null)
    input.click()
  })
}

/**
 * Return the .gen5 among the dropped files, or undefined. PNGs are left to ComfyUI: whether one carries a record is known
 * only after the event, when ComfyUI can no longer read what was dropped.
 *
 * @param {DragEvent} event
 */
export function gen5Of(event) {
  return [...(event.dataTransfer?.files ?? [])].find((file) => file.name.toLowerCase().endsWith(SUFFIX))
}

/** @param {File} file */
async function storedName(file) {
  if (!copies.has(file)) copies.set(file, await upload(file))
  return copies.get(file)
}

/** @param {string} name */
function remember(name) {
  saved = [name, ...saved.filter((known) => known !== name)].slice(0, LISTED)
}

/** @param {Gen5.Saved} file */
function annotated({ filename, subfolder, type }) {
  const path = subfolder ? `${subfolder}/${filename}` : filename
  return type === "input" ? path : `${path} [${type}]`
}

/**
 * Escape a text for a menu, which parses < as markup.
 *
 * @param {string} text
 */
function plain(text) {
  return text.replaceAll("<", "‹").replaceAll(">", "›")
}
