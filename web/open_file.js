/**
 * Opens .gen5 files and PNGs that carry a record: a drop on the canvas and the Open menu load the workflow in the record.
 */
import { app } from "../../scripts/app.js"
import { Gen5Error, readFile, upload } from "./gen5_api.js"
import { addLoader } from "./graph.js"
import { t } from "./i18n/index.js"
import { carriedRecord } from "./png_carrier.js"
import { fileSize } from "./text.js"
import { toast } from "./toast.js"

const GEN5 = /\.gen5$/i
const PNG = /\.png$/i
const PNG_TYPE = "image/png" // a picture dragged from another page has its address as its name
const SUFFIX = /\.(gen5|png)$/i
const DROPPED = "file_drop" // ComfyUI's name for a drop; that for the Open menu is file_button

/** @typedef {(file: File) => Promise<unknown>} Load ComfyUI's own handleFile */

/** @type {File|null} */
let opened = null

/** The extension: makes ComfyUI open GEN5 files. */
export const openFile = {
  name: "Gen5.OpenFile",
  setup() {
    extendOpenMenu()
    wrapHandleFile()
  },
}

/**
 * Return the file with a record that was opened last, or null.
 *
 * @returns {File|null}
 */
export function lastOpened() {
  return opened
}

function extendOpenMenu() {
  const input = /** @type {HTMLInputElement|null} */ (document.getElementById("comfy-file-input"))
  if (input) input.accept = [input.accept, ".gen5"].filter(Boolean).join(",")
}

/** Wrap app.handleFile, since ComfyUI has no hook for file types; other files are passed on with all arguments. */
function wrapHandleFile() {
  const original = app.handleFile
  app.handleFile = function (file, ...rest) {
    const load = (/** @type {File} */ given) => original.call(this, given, ...rest)
    if (GEN5.test(file?.name ?? "")) return openGen5(file, rest[0], load)
    return isNamedPng(file) ? openPng(file, rest[0], load) : load(file)
  }
}

/** @param {File} file */
function isNamedPng(file) {
  return PNG.test(file?.name ?? "") || file?.type === PNG_TYPE
}

/**
 * @param {File} file
 * @param {unknown} source
 * @param {Load} load
 */
async function openGen5(file, source, load) {
  let stored
  try {
    stored = await readFile(file)
  } catch (error) {
    toast("error", t("open.failed", { name: file.name }), error.message)
    return undefined
  }
  return openStored(stored, file, source, load)
}

/**
 * Open a PNG. If its record cannot be read, it is opened as an ordinary picture.
 *
 * @param {File} file
 * @param {unknown} source
 * @param {Load} load
 */
async function openPng(file, source, load) {
  let stored = null
  try {
    const record = await carriedRecord(file)
    stored = record && (await readFile(file, record))
  } catch (error) {
    reportUnreadable(file, error)
  }
  return stored ? openStored(stored, file, source, load) : load(file)
}

/**
 * Report an unreadable record. Other errors, such as a file that the browser cannot read, are left to ComfyUI to report.
 *
 * @param {File} file
 * @param {unknown} error
 */
function reportUnreadable(file, error) {
  if (!(error instanceof Gen5Error)) return
  toast("warn", t("open.unread", { name: file.name }), t("open.unread.detail", { message: error.message }))
}

/**
 * @param {Gen5.Graphs} graphs
 * @param {File} file
 * @param {unknown} source
 * @param {Load} load
 */
async function openStored({ workflow, prompt }, file, source, load) {
  opened = file
  const graph = workflow ?? prompt
  if (graph) return load(asJsonFile(graph, file.name))
  offerLoader(file, positionFor(source)) // not awaited: ComfyUI covers the page with a spinner until this returns
  return undefined
}

/**
 * Make a JSON file for ComfyUI, which names the tab after it, up to the last dot.
 *
 * @param {object} graph
 * @param {string} name
 */
function asJsonFile(graph, name) {
  return new File([JSON.stringify(graph)], `${name.replace(SUFFIX, "")}.json`, { type: "application/json" })
}

/**
 * Return the position of the drop, else the middle of the visible part of the graph.
 *
 * @param {unknown} source
 * @returns {Host.Point}
 */
function positionFor(source) {
  if (source === DROPPED) return [...app.canvas.graph_mouse]
  const [x, y, width, height] = app.canvas.ds.visible_area
  return [x + width / 2, y + height / 2]
}

/**
 * @param {File} file
 * @param {Host.Point} pos
 */
async function offerLoader(file, pos) {
  toast("info", t("open.noWorkflow", { name: file.name }), t("open.noWorkflow.detail"))
  const target = openTarget()
  try {
    if (!(await wantsLoader(file))) return
    const name = await upload(file)
    if (openTarget().some((one, index) => one !== target[index])) {
      toast("info", t("open.uploaded", { name }), t("open.uploaded.elsewhere"))
      return
    }
    addLoader(name, { pos })
    toast("success", t("load.added"), name)
  } catch (error) {
    toast("error", t("open.notAdded", { name: file.name }), error.message)
  }
}

/** Return graph and workflow that a node would be added to; both, since opening another workflow reuses the graph object. */
function openTarget() {
  return [app.canvas.graph, app.extensionManager.workflow?.activeWorkflow]
}

/** @param {File} file */
function wantsLoader({ name, size }) {
  return app.extensionManager.dialog.confirm({
    title: t("open.ask"),
    message: t("open.ask.detail", { name, size: fileSize(size) }),
  })
}
