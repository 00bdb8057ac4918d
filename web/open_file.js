/**
 * Opening .gen5 files and PNGs that carry a record: a drop on the canvas and the Open menu load the workflow that a
 * record holds.
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
const PNG_TYPE = "image/png" // of a picture that is dragged from another page, whose name is its address
const SUFFIX = /\.(gen5|png)$/i
const DROPPED = "file_drop" // what ComfyUI says of a drop; of the Open menu it says file_button

/** @typedef {(file: File) => Promise<unknown>} Load ComfyUI's own way */

/** @type {File|null} */
let opened = null

/** The extension: ComfyUI's way to open a file, taught one more kind. */
export const openFile = {
  name: "Gen5.OpenFile",
  setup() {
    teachOpenMenu()
    teachHandleFile()
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

function teachOpenMenu() {
  const input = /** @type {HTMLInputElement|null} */ (document.getElementById("comfy-file-input"))
  if (input) input.accept = [input.accept, ".gen5"].filter(Boolean).join(",")
}

/** ComfyUI has no hook for kinds of files; other files go on with all that was handed in. */
function teachHandleFile() {
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
 * A picture whose record cannot be read is still a picture.
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
    tellUnread(file, error)
  }
  return stored ? openStored(stored, file, source, load) : load(file)
}

/**
 * A file that the browser cannot read need not have a record: ComfyUI tells of it.
 *
 * @param {File} file
 * @param {unknown} error
 */
function tellUnread(file, error) {
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
  offerLoader(file, placeFor(source)) // not awaited: ComfyUI shows its spinner over the page until this returns
  return undefined
}

/**
 * The name is what ComfyUI calls the tab by, up to its last dot.
 *
 * @param {object} graph
 * @param {string} name
 */
function asJsonFile(graph, name) {
  return new File([JSON.stringify(graph)], `${name.replace(SUFFIX, "")}.json`, { type: "application/json" })
}

/**
 * Where the pointer let go of the file, else the middle of what is seen.
 *
 * @param {unknown} source
 * @returns {Host.Point}
 */
function placeFor(source) {
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
  const place = openPlace()
  try {
    if (!(await wantsLoader(file))) return
    const name = await upload(file)
    if (openPlace().some((one, index) => one !== place[index])) {
      toast("info", t("open.uploaded", { name }), t("open.uploaded.elsewhere"))
      return
    }
    addLoader(name, { pos })
    toast("success", t("load.added"), name)
  } catch (error) {
    toast("error", t("open.notAdded", { name: file.name }), error.message)
  }
}

/** What a node would be added to: another workflow that is opened comes into the same graph. */
function openPlace() {
  return [app.canvas.graph, app.extensionManager.workflow?.activeWorkflow]
}

/** @param {File} file */
function wantsLoader({ name, size }) {
  return app.extensionManager.dialog.confirm({
    title: t("open.ask"),
    message: t("open.ask.detail", { name, size: fileSize(size) }),
  })
}
