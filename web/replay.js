/** "Start from stored noise": in a sampler's menu, by dropping a file on it, and as a command. */
import { app } from "../../scripts/app.js"
import { upload } from "./gen5_api.js"
import { isInGraph, isSampler, startFromStored } from "./graph.js"
import { t } from "./i18n/index.js"
import { chooseFile, gen5Of, knownFiles, refreshKnownFiles, watchSaves } from "./replay_files.js"
import { toast } from "./toast.js"

/** The extension. */
export const replay = {
  name: "Gen5.Replay",
  setup: watchSaves,
  nodeCreated: acceptDrops,
  getNodeMenuItems: nodeMenu,
  getCanvasMenuItems: canvasMenu,
}

/**
 * Start the selected sampler, or, if there is none, the last one of the open graph.
 * @param {{name: () => string|Promise<string>}} [file] one of {@link knownFiles}; by default the one opened last, else one that the user chooses
 */
export async function startChosen(file = knownFiles().find((known) => known.isOpened)) {
  const sampler = targetSampler()
  if (sampler) await start(sampler, file)
  else toast("warn", t("start.noSampler"), t("start.noSampler.detail"))
}

/** @param {Host.Node} node */
function nodeMenu(node) {
  if (!isSampler(node)) return []
  const choices = knownFiles().map((file) => ({ content: file.label, callback: () => start(node, file) }))
  choices.push({ content: t("start.choose"), callback: () => start(node) })
  refreshKnownFiles({ refresh: true }) // for the next menu, since this one cannot wait for the server
  return [null, { content: t("start.title"), has_submenu: true, submenu: { options: choices } }]
}

function canvasMenu() {
  if (!targetSampler()) return []
  return [null, { content: t("start.titleInCanvas"), callback: () => startChosen() }]
}

/**
 * Start a sampler from a known file, or from one that the user chooses.
 *
 * @param {Host.Node} sampler
 * @param {{name: () => string|Promise<string>}|undefined} [file]
 */
async function start(sampler, file) {
  try {
    const name = file ? await file.name() : await askForFile()
    if (!name) return
    if (!isInGraph(sampler)) throw new Error(t("start.samplerGone", { sampler: sampler.title }))
    startFromStored(sampler, name)
  } catch (error) {
    toast("error", t("start.failed"), error.message)
  }
}

async function askForFile() {
  const file = await chooseFile()
  return file && upload(file)
}

/**
 * Accept .gen5 files dropped on a sampler; other drops are handled as before.
 *
 * @param {Host.Node} node
 */
function acceptDrops(node) {
  if (!isSampler(node)) return
  const { onDragOver, onDragDrop } = node
  node.onDragOver = function (event) {
    return carriesFiles(event) || Boolean(onDragOver?.call(this, event))
  }
  node.onDragDrop = async function (event) {
    const file = gen5Of(event)
    if (!file) return (await onDragDrop?.call(this, event)) ?? false
    await start(this, { name: () => upload(file) })
    return true
  }
}

/**
 * Return whether files are being dragged. Browsers reveal their names only at the drop.
 *
 * @param {DragEvent} event
 */
function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files")
}

function targetSampler() {
  const { canvas } = app
  const selected = Object.values(canvas.selected_nodes ?? {}).filter(isSampler)
  if (selected.length) return selected[0]
  return inOrder(canvas.graph).findLast(isSampler)
}

/**
 * Return the nodes in execution order. ComfyUI writes the order into the nodes, so it is restored: older frontends would
 * record the change as an undo step.
 *
 * @param {Host.Graph} graph
 */
function inOrder(graph) {
  const former = new Map(graph.nodes.map((node) => [node, node.order]))
  const nodes = graph.computeExecutionOrder?.(false) ?? graph.nodes
  for (const [node, order] of former) node.order = order
  return nodes
}
