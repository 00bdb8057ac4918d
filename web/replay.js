/** "Start from stored noise": in a sampler's menu, by a file dropped on it, and as a command. */
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
  nodeCreated: takeDrops,
  getNodeMenuItems: nodeMenu,
  getCanvasMenuItems: canvasMenu,
}

/**
 * Start the sampler that is meant: the selected one, else the last one of the graph that is open.
 * @param {{name: () => string|Promise<string>}} [file] one of {@link knownFiles}; by default the one opened last, else one that is asked for
 */
export async function startChosen(file = knownFiles().find((known) => known.isOpened)) {
  const sampler = meantSampler()
  if (sampler) await start(sampler, file)
  else toast("warn", t("start.noSampler"), t("start.noSampler.detail"))
}

/** @param {Host.Node} node */
function nodeMenu(node) {
  if (!isSampler(node)) return []
  const choices = knownFiles().map((file) => ({ content: file.label, callback: () => start(node, file) }))
  choices.push({ content: t("start.choose"), callback: () => start(node) })
  refreshKnownFiles({ refresh: true }) // for the next time: a menu does not wait
  return [null, { content: t("start.title"), has_submenu: true, submenu: { options: choices } }]
}

function canvasMenu() {
  if (!meantSampler()) return []
  return [null, { content: t("start.titleInCanvas"), callback: () => startChosen() }]
}

/**
 * Start a sampler from a known file, or from one that is asked for.
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
 * Let a .gen5 be dropped on a sampler; all else goes where it went before.
 *
 * @param {Host.Node} node
 */
function takeDrops(node) {
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
 * While dragging, a browser tells kinds, not names: which file it is shows at the drop.
 *
 * @param {DragEvent} event
 */
function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files")
}

function meantSampler() {
  const { canvas } = app
  const selected = Object.values(canvas.selected_nodes ?? {}).filter(isSampler)
  if (selected.length) return selected[0]
  return inOrder(canvas.graph).findLast(isSampler)
}

/**
 * ComfyUI writes the order into the nodes, which older frontends take for a step to be undone.
 *
 * @param {Host.Graph} graph
 */
function inOrder(graph) {
  const former = new Map(graph.nodes.map((node) => [node, node.order]))
  const nodes = graph.computeExecutionOrder?.(false) ?? graph.nodes
  for (const [node, order] of former) node.order = order
  return nodes
}
