/** Changes to the open graph: adding Load Gen5, and starting samplers from a stored file. */
/** @import { Source } from "./graph_links.js" */
import { app } from "../../scripts/app.js"
import { freePosition, GAP } from "./graph_layout.js"
import { connectSource, disconnect, feedsOnly, inputNames, modelInputs, originOf, sourceOf, upstream } from "./graph_links.js"
import { t } from "./i18n/index.js"

const LOADER = "Gen5Load"
const REPLAY = "Gen5Replay"
const GUIDER_TYPE = "GUIDER"
const SEEDS = ["seed", "noise_seed", "rng_seed", "base_seed"]
const STEPS = ["steps", "num_steps", "total_steps", "base_steps", "num_inference_steps", "sigmas", "custom_sigmas"]
const ACTIVE = 0 // of node.mode; others are muted or bypassed
/**
 * Space reserved when nodes are created. If they grew later, they would cover other nodes, and undo would treat the
 * growth as a separate step.
 */
const NAME_WIDTH = 320
const PANEL_HEIGHT = 340 // of Load Gen5's panel
const NODES2_HEIGHT = 40 // extra height of the rows in Nodes 2.0

/**
 * Return whether a node is a sampler: it has a latent_image input, and either a guider or a model, a seed and steps.
 * AddNoise has neither a seed nor steps, so it is not one.
 *
 * @param {Host.Node} node
 */
export function isSampler(node) {
  if (!hasInput(node, "latent_image", "LATENT")) return false
  if (hasInput(node, "guider", GUIDER_TYPE)) return true
  const names = inputNames(node)
  const steered = SEEDS.some((name) => names.has(name)) && STEPS.some((name) => names.has(name))
  return steered && hasInput(node, "model", "MODEL")
}

/**
 * Return whether a node is a Load Gen5.
 *
 * @param {Host.Node} node
 */
export function isLoader(node) {
  return node.type === LOADER
}

/**
 * Return whether a node is still in its graph. Opening another workflow reuses the graph object, so node.graph alone
 * does not show it.
 *
 * @param {Host.Node} node
 */
export function isInGraph(node) {
  return Boolean(node.graph?.nodes.includes(node))
}

/**
 * Return the annotated name of the file that a Load Gen5 is set to.
 *
 * @param {Host.Node} loader
 */
export function fileName(loader) {
  return fileWidget(loader).value
}

/**
 * Add a Load Gen5 that is set to a file.
 * @param {string} name annotated as in its `file` widget
 * @param {{pos: [number, number], graph?: Host.Graph}} place top left in the graph's units; by default the graph that is open
 * @returns the node
 */
export function addLoader(name, { pos, graph = app.canvas.graph }) {
  return asOneUndoStep(graph, () => {
    const loader = makeLoader(name)
    loader.pos = [...pos]
    graph.add(loader)
    return loader
  })
}

/**
 * Set a Load Gen5 to a file, adding the file to its list if it is missing.
 *
 * @param {Host.Node} loader
 * @param {string} name
 */
export function setFile(loader, name) {
  const widget = fileWidget(loader)
  const before = widget.value
  const values = widget.options.values
  if (Array.isArray(values) && !values.includes(name)) widget.options.values = [...values, name]
  widget.value = name
  widget.callback?.(name, app.canvas, loader)
  loader.onWidgetChanged?.("file", name, before, widget)
}

/**
 * Start a sampler from a stored file: insert Load Gen5 and Replay Sampling before it, or, if a Replay Sampling already
 * feeds it, change the file of that one. A single undo step.
 * @param {Host.Node} sampler a node for which {@link isSampler} is true
 * @param {string} name annotated as in Load Gen5's `file` widget
 * @returns {{loader: Host.Node, replay: Host.Node|null}} replay is null if the server inserts one when the graph is queued
 */
export function startFromStored(sampler, name) {
  return asOneUndoStep(sampler.graph, () => {
    const owner = modelOwner(sampler)
    const replay = owner && upstream(owner, "model", (node) => node.type === REPLAY, modelInputs)
    if (replay) return { loader: changeFile(replay, name), replay }
    return owner ? insertReplay(sampler, owner, name) : wireNoise(sampler, name)
  })
}

/**
 * Make changes as a single undo step.
 *
 * @template Result
 * @param {Host.Graph} graph
 * @param {() => Result} change
 * @returns {Result}
 */
export function asOneUndoStep(graph, change) {
  const { canvas } = app
  canvas.emitBeforeChange?.()
  graph.beforeChange?.()
  try {
    return change()
  } finally {
    orderNodes(graph)
    graph.afterChange?.()
    canvas.emitAfterChange?.()
    canvas.setDirty(true, true)
  }
}

/**
 * Update the execution order now. Otherwise it would change when the graph is queued, which older frontends record as an
 * undo step.
 *
 * @param {Host.Graph} graph
 */
function orderNodes(graph) {
  for (const each of new Set([graph, graph.rootGraph ?? graph])) each.updateExecutionOrder?.()
}

/**
 * Return the node whose `model` a sampler uses: itself or its guider; null if that is in another graph.
 * @throws {Error} if there is no such node
 * @param {Host.Node} sampler
 */
function modelOwner(sampler) {
  if (hasInput(sampler, "model", "MODEL")) return sampler
  const origin = originOf(sourceOf(sampler, "guider"))
  if (!origin) throw new Error(t("start.noGuider", { sampler: sampler.title }))
  const guider = origin.node
  if (guider && hasInput(guider, "model", "MODEL")) return guider
  if (!guider || guider.isSubgraphNode?.()) return null
  throw new Error(t("start.noModel", { guider: guider.title }))
}

/**
 * @param {Host.Node} sampler
 * @param {Host.Node} owner
 * @param {string} name
 */
function insertReplay(sampler, owner, name) {
  const { graph } = sampler
  const alone = owner === sampler ? owner : copyGuider(sampler, owner)
  const found = findLoader(graph, name)
  const loader = found ?? makeLoader(name)
  const replay = makeReplay()
  addLeftOf(graph, alone, found ? [replay] : [loader, replay])
  connectSource(sourceOf(alone, "model"), replay, "model")
  rewire(loader, "gen5", replay, "gen5")
  rewire(replay, "model", alone, "model")
  if (!refines(sampler)) rewire(replay, "latent", sampler, "latent_image")
  return { loader, replay }
}

/**
 * Return whether a sampler refines the result of another one. It then keeps that latent, instead of the one that the
 * file's first pass started from.
 *
 * @param {Host.Node} sampler
 */
function refines(sampler) {
  return upstream(sampler, "latent_image", isSampler) !== null
}

/**
 * Connect only the noise. If the model is out of reach (a guider outside this subgraph), the server inserts Replay
 * Sampling when the graph is queued.
 *
 * @param {Host.Node} sampler
 * @param {string} name
 */
function wireNoise(sampler, name) {
  const { graph } = sampler
  const found = findLoader(graph, name)
  const loader = found ?? makeLoader(name)
  if (!found) addLeftOf(graph, sampler, [loader])
  rewire(loader, "noise", sampler, "latent_image")
  return { loader, replay: null }
}

/**
 * Give a sampler its own copy of a guider, so that other samplers of that guider do not change.
 *
 * @param {Host.Node} sampler
 * @param {Host.Node} guider
 */
function copyGuider(sampler, guider) {
  if (feedsOnly(guider, sampler)) return guider
  const copy = guider.clone()
  copy.id = -1
  addLeftOf(sampler.graph, guider, [copy])
  for (const { name } of guider.inputs) connectSource(sourceOf(guider, name), copy, name)
  const { slot } = /** @type {Source} */ (sourceOf(sampler, "guider"))
  rewire(copy, slot, sampler, "guider")
  return copy
}

/**
 * Set a Replay Sampling to another file; a Load Gen5 that other nodes use as well does not change.
 *
 * @param {Host.Node} replay
 * @param {string} name
 */
function changeFile(replay, name) {
  const { graph } = replay
  replay.mode = ACTIVE
  const current = originOf(sourceOf(replay, "gen5"))?.node
  if (current && isLoader(current) && !isLinked(current) && feedsOnly(current, replay)) {
    current.mode = ACTIVE
    setFile(current, name)
    return current
  }
  const found = findLoader(graph, name)
  const loader = found ?? makeLoader(name)
  if (!found) addLeftOf(graph, replay, [loader])
  rewire(loader, "gen5", replay, "gen5")
  return loader
}

/** @param {string} name */
function makeLoader(name) {
  const loader = LiteGraph.createNode(LOADER)
  setFile(loader, name)
  return enlarge(loader, NAME_WIDTH, PANEL_HEIGHT)
}

function makeReplay() {
  return enlarge(LiteGraph.createNode(REPLAY))
}

/**
 * @param {Host.Node} node
 * @param {number} [width]
 * @param {number} [height]
 */
function enlarge(node, width = 0, height = 0) {
  const [least, own] = node.size
  node.setSize([Math.max(least, width), own + height + (LiteGraph.vueNodesMode ? NODES2_HEIGHT : 0)])
  return node
}

/**
 * @param {Host.Graph} graph
 * @param {string} name
 */
function findLoader(graph, name) {
  /** @param {Host.Node} node */
  const fits = (node) => isLoader(node) && node.mode === ACTIVE && !isLinked(node)
  return graph.nodes.find((node) => fits(node) && fileName(node) === name)
}

/**
 * Add nodes side by side, left of another, without covering anything.
 *
 * @param {Host.Graph} graph
 * @param {Host.Node} beside
 * @param {Host.Node[]} nodes
 */
function addLeftOf(graph, beside, nodes) {
  const width = nodes.reduce((sum, node) => sum + node.size[0], GAP * (nodes.length - 1))
  const height = Math.max(...nodes.map((node) => node.size[1]))
  const [left, top] = freePosition(graph, beside, [width, height])
  let x = left
  for (const node of nodes) {
    node.pos = [x, top]
    graph.add(node)
    x += node.size[0] + GAP
  }
}

/**
 * @param {Host.Node} from
 * @param {string|number} output
 * @param {Host.Node} to
 * @param {string} input
 */
function rewire(from, output, to, input) {
  disconnect(to, input)
  from.connect(output, to, input)
}

/**
 * @param {Host.Node} node
 * @param {string} name
 * @param {string} type
 */
function hasInput(node, name, type) {
  return (node.inputs ?? []).some((input) => input.name === name && String(input.type).split(",").includes(type))
}

/** @param {Host.Node} loader */
function isLinked(loader) {
  return sourceOf(loader, "file") !== null
}

/** @param {Host.Node} loader */
function fileWidget(loader) {
  return /** @type {Host.Widget} */ (loader.widgets.find((widget) => widget.name === "file"))
}
