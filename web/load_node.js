/** Load Gen5 in the browser: an upload button, files dropped on the node, and what the chosen file is. */
import { app } from "../../scripts/app.js"
import { t } from "./i18n/index.js"
import { toast } from "./toast.js"
import { facts, upload } from "./gen5_api.js"
import { asOneStep, isInGraph, setFile } from "./graph.js"
import { createLoadPanel } from "./load_panel.js"
import { onResult, resultHooks } from "./panel.js"

const LOADER = "Gen5Load"
const DRIFT_SETTING = "Gen5.Drift.Default"
const ACCEPTED = /\.(gen5|png)$/i
const SETTLES = 60 // ms: a node that is made, configured and linked in one go asks the server once

/**
 * @typedef {{node: Host.Node, view: ReturnType<typeof createLoadPanel>, asked: number, timer: number, ran: Gen5.Ran|null,
 *   wasLinked: boolean}} State
 * @type {WeakMap<Host.Node, {refresh: () => void, uploads: number, say: (text: string) => void, ran: (results: any[]) => void}>}
 */
const panels = new WeakMap()

/** The extension. */
export const loadNode = {
  name: "Gen5.LoadNode",
  /** @param {Host.Node} node */
  nodeCreated(node) {
    if (node.comfyClass !== LOADER) return
    takeDriftSetting(node)
    addUpload(node)
    addFilePanel(node)
  },
  ...resultHooks([LOADER], (node, results) => panels.get(node)?.ran(results)),
  refreshComboInNodes() {
    eachLoader(app.rootGraph ?? app.graph, (node) => panels.get(node)?.refresh())
  },
}

/**
 * A node that a workflow brings has its own value; it is known by the graph that is being put together right now.
 *
 * @param {Host.Node} node
 */
function takeDriftSetting(node) {
  if (app.configuringGraph) return
  const widget = widgetOf(node, "on_drift")
  const wanted = app.extensionManager?.setting?.get(DRIFT_SETTING)
  if (widget && widget.options?.values?.includes(String(wanted))) widget.value = wanted
}

/** @param {Host.Node} node */
function addUpload(node) {
  const input = document.createElement("input")
  input.type = "file"
  input.accept = ".gen5,.png"
  input.addEventListener("change", () => {
    uploadAll(node, [...(input.files ?? [])])
    input.value = "" // so that the same file can be chosen again
  })
  const button = node.addWidget("button", "upload_gen5", null, () => input.click(), { serialize: false })
  button.label = t("load.upload")
  button.serialize = false
  node.onDragOver = (event) => [...(event.dataTransfer?.items ?? [])].some(({ kind }) => kind === "file")
  node.onDragDrop = (event) => takeDrop(node, event)
}

/**
 * Return true for a drop that is taken; any other goes on to the canvas.
 *
 * @param {Host.Node} node
 * @param {DragEvent} event
 */
function takeDrop(node, event) {
  const files = [...(event.dataTransfer?.files ?? [])].filter(({ name }) => ACCEPTED.test(name))
  if (!files.length) return false
  uploadAll(node, files)
  return true
}

/**
 * Upload files, and set the node to the first of them, unless another was chosen meanwhile.
 *
 * @param {Host.Node} node
 * @param {File[]} files
 */
async function uploadAll(node, files) {
  const panel = panels.get(node)
  if (!panel) return
  const number = (panel.uploads += 1)
  const before = widgetOf(node, "file")?.value
  /** @param {string} text */
  const say = (text) => number === panel.uploads && panel.say(text)
  const names = []
  for (const file of files) {
    say(t("load.uploading", { name: file.name }))
    const name = await uploadOne(file)
    if (name) names.push(name)
  }
  say("")
  if (!names.length) return
  const isOvertaken = number !== panel.uploads || widgetOf(node, "file")?.value !== before
  if (isInGraph(node) && isOvertaken) names.forEach((name) => list(widgetOf(node, "file"), name))
  else if (isInGraph(node)) choose(node, names)
  else toast("info", t("load.uploaded", { names: names.join(", ") }), t("load.uploaded.nodeGone"))
}

/** @param {File} file */
async function uploadOne(file) {
  try {
    return await upload(file)
  } catch (error) {
    toast("error", t("load.notUploaded", { name: file.name }), error.message)
    return null
  }
}

/**
 * The last one set is the one that stays: the others only become known to the list.
 *
 * @param {Host.Node} node
 * @param {string[]} names
 */
function choose(node, names) {
  asOneStep(node.graph, () => names.reverse().forEach((name) => setFile(node, name)))
}

/** @param {Host.Node} node */
function addFilePanel(node) {
  const view = createLoadPanel(node)
  /** @type {State} */
  const state = { node, view, asked: 0, timer: 0, ran: null, wasLinked: false }
  const refresh = () => {
    clearTimeout(state.timer)
    state.timer = window.setTimeout(() => ask(state), SETTLES)
  }
  panels.set(node, { refresh, uploads: 0, say: view.say, ran: (/** @type {Gen5.Ran[]} */ results) => takeRun(state, results, refresh) })
  dropThrough(view.element, node)
  chain(widgetOf(node, "file"), "callback", refresh)
  chain(widgetOf(node, "batch_index"), "callback", () => view.setBatchIndex(batchIndex(node)))
  chain(node, "onConfigure", () => {
    list(widgetOf(node, "file"), fileOf(node, null))
    refresh()
  })
  chain(node, "onConnectionsChange", () => isLinked(node, "file") !== state.wasLinked && refresh())
  chain(node, "onRemoved", view.stop)
  onResult(node, (results) => takeRun(state, results, refresh))
  refresh()
}

/**
 * Ask the server for the facts of the chosen file. An answer that a later question has overtaken is dropped.
 *
 * @param {State} state
 */
async function ask(state) {
  const { node, view } = state
  const asked = ++state.asked
  const isCurrent = () => asked === state.asked
  const name = fileOf(node, state.ran)
  state.wasLinked = isLinked(node, "file")
  if (!name) {
    view.showNothing(t(state.wasLinked ? "load.afterRun" : "load.noFile"))
    return
  }
  try {
    const found = await facts(name)
    if (isCurrent()) view.showFile(name, found, batchIndex(node), state.ran)
  } catch (error) {
    if (!isCurrent()) return
    if (error.kind === "not_found") list(widgetOf(node, "file"), name, false)
    view.showProblem(name, error)
  }
}

/**
 * Put a name on the list of files, or take it off. A file that came after the list was made is there all the same;
 * Nodes 2.0 looks at the list as it draws the node, so a workflow's file is on it before the server was asked.
 *
 * @param {Host.Widget|undefined} widget
 * @param {string|null} name
 * @param {boolean} [isThere]
 */
function list(widget, name, isThere = true) {
  const values = widget?.options?.values
  if (!widget || !name || !Array.isArray(values) || values.includes(name) === isThere) return
  widget.options.values = isThere ? [...values, name] : values.filter((value) => value !== name)
}

/**
 * A run has checked every byte of the file that it names.
 *
 * @param {State} state
 * @param {Gen5.Ran[]} results
 * @param {() => void} refresh
 */
function takeRun(state, results, refresh) {
  const [last] = results.slice(-1)
  if (!last) return
  state.ran = last
  if (!state.view.setRun(last)) refresh()
}

/**
 * Let a file dropped on the panel reach the node as one dropped beside it does: the classic canvas is below.
 *
 * @param {HTMLElement} panel
 * @param {Host.Node} node
 */
function dropThrough(panel, node) {
  /** @param {boolean} on */
  const mark = (on) => panel.classList.toggle("gen5-drop-here", on)
  panel.addEventListener("dragover", (event) => {
    if (!node.onDragOver?.(event)) return
    event.preventDefault()
    mark(true)
  })
  panel.addEventListener("dragleave", () => mark(false))
  panel.addEventListener("drop", () => {
    mark(false)
    app.dragOverNode = node // what ComfyUI hands the drop to
  })
}

/**
 * @param {Host.Node} node
 * @param {Gen5.Ran|null} ran
 */
function fileOf(node, ran) {
  if (isLinked(node, "file")) return ran?.file ?? null
  const value = widgetOf(node, "file")?.value
  return typeof value === "string" && value !== "" ? value : null
}

/**
 * @param {Host.Node} node
 * @param {string} input
 */
function isLinked(node, input) {
  return (node.inputs ?? []).some(({ name, link }) => name === input && link !== null && link !== undefined)
}

/** @param {Host.Node} node */
function batchIndex(node) {
  const value = widgetOf(node, "batch_index")?.value
  return Number.isInteger(value) && !isLinked(node, "batch_index") ? value : -1
}

/**
 * @param {Host.Node} node
 * @param {string} name
 */
function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name)
}

/**
 * @param {any} owner
 * @param {string} method
 * @param {() => void} then
 */
function chain(owner, method, then) {
  if (!owner) return
  const before = owner[method]
  owner[method] = function () {
    const result = before?.apply(this, arguments)
    then()
    return result
  }
}

/**
 * @param {Host.Graph|undefined} root
 * @param {(node: Host.Node) => void} visit
 */
function eachLoader(root, visit) {
  const graphs = root ? [root, ...(root.subgraphs?.values() ?? [])] : []
  for (const graph of graphs) {
    for (const node of graph.nodes ?? []) if (node.comfyClass === LOADER) visit(node)
  }
}
