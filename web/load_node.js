/** Load Gen5 in the browser: an upload button, drops on the node, and a panel about the chosen file. */
import { app } from "../../scripts/app.js"
import { t } from "./i18n/index.js"
import { toast } from "./toast.js"
import { facts, upload } from "./gen5_api.js"
import { asOneUndoStep, isInGraph, setFile } from "./graph.js"
import { createLoadPanel } from "./load_panel.js"
import { onResult, resultHooks } from "./panel.js"

const LOADER = "Gen5Load"
const DRIFT_SETTING = "Gen5.Drift.Default"
const ACCEPTED = /\.(gen5|png)$/i
const DEBOUNCE_MS = 60 // a node that is created, configured and linked in one go sends one request

/**
 * @typedef {{node: Host.Node, view: ReturnType<typeof createLoadPanel>, requestId: number, timer: number, ran: Gen5.Ran|null,
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
    applyDriftSetting(node)
    addUpload(node)
    addFilePanel(node)
  },
  ...resultHooks([LOADER], (node, results) => panels.get(node)?.ran(results)),
  refreshComboInNodes() {
    eachLoader(app.rootGraph ?? app.graph, (node) => panels.get(node)?.refresh())
  },
}

/**
 * Set a new node to the default for drift. A node that is loaded with a workflow keeps its own value: ComfyUI is then
 * configuring a graph.
 *
 * @param {Host.Node} node
 */
function applyDriftSetting(node) {
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
  node.onDragDrop = (event) => handleDrop(node, event)
}

/**
 * Return true if the drop is handled; any other goes on to the canvas.
 *
 * @param {Host.Node} node
 * @param {DragEvent} event
 */
function handleDrop(node, event) {
  const files = [...(event.dataTransfer?.files ?? [])].filter(({ name }) => ACCEPTED.test(name))
  if (!files.length) return false
  uploadAll(node, files)
  return true
}

/**
 * Upload files, and set the node to the first of them, unless another file was chosen in the meantime.
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
  if (isInGraph(node) && isOvertaken) names.forEach((name) => setListed(widgetOf(node, "file"), name))
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
 * Set the node to the first name. All are set, the first one last, since setting a name adds it to the node's list.
 *
 * @param {Host.Node} node
 * @param {string[]} names
 */
function choose(node, names) {
  asOneUndoStep(node.graph, () => names.reverse().forEach((name) => setFile(node, name)))
}

/** @param {Host.Node} node */
function addFilePanel(node) {
  const view = createLoadPanel(node)
  /** @type {State} */
  const state = { node, view, requestId: 0, timer: 0, ran: null, wasLinked: false }
  const refresh = () => {
    clearTimeout(state.timer)
    state.timer = window.setTimeout(() => loadFacts(state), DEBOUNCE_MS)
  }
  panels.set(node, { refresh, uploads: 0, say: view.say, ran: (/** @type {Gen5.Ran[]} */ results) => applyRun(state, results, refresh) })
  forwardDrops(view.element, node)
  chain(widgetOf(node, "file"), "callback", refresh)
  chain(widgetOf(node, "batch_index"), "callback", () => view.setBatchIndex(batchIndex(node)))
  chain(node, "onConfigure", () => {
    setListed(widgetOf(node, "file"), fileOf(node, null))
    refresh()
  })
  chain(node, "onConnectionsChange", () => isLinked(node, "file") !== state.wasLinked && refresh())
  chain(node, "onRemoved", view.stop)
  onResult(node, (results) => applyRun(state, results, refresh))
  refresh()
}

/**
 * Request the facts of the chosen file and show them. A response to an outdated request is dropped.
 *
 * @param {State} state
 */
async function loadFacts(state) {
  const { node, view } = state
  const requestId = ++state.requestId
  const isCurrent = () => requestId === state.requestId
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
    if (error.kind === "not_found") setListed(widgetOf(node, "file"), name, false)
    view.showProblem(name, error)
  }
}

/**
 * Add a name to the node's list of files, or remove it. The list may be older than the file. Nodes 2.0 reads it as it
 * draws the node, so a workflow's file is added before the server has confirmed that it exists.
 *
 * @param {Host.Widget|undefined} widget
 * @param {string|null} name
 * @param {boolean} [exists]
 */
function setListed(widget, name, exists = true) {
  const values = widget?.options?.values
  if (!widget || !name || !Array.isArray(values) || values.includes(name) === exists) return
  widget.options.values = exists ? [...values, name] : values.filter((value) => value !== name)
}

/**
 * Show the result of a run, which has checked every byte of its file.
 *
 * @param {State} state
 * @param {Gen5.Ran[]} results
 * @param {() => void} refresh
 */
function applyRun(state, results, refresh) {
  const [last] = results.slice(-1)
  if (!last) return
  state.ran = last
  if (!state.view.setRun(last)) refresh()
}

/**
 * Pass a drop on the panel on to its node. The panel covers the classic canvas, which handles drops elsewhere.
 *
 * @param {HTMLElement} panel
 * @param {Host.Node} node
 */
function forwardDrops(panel, node) {
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
    app.dragOverNode = node // the node that ComfyUI passes the drop to
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
