/** The graph on the canvas: Load Gen5 put into it, and samplers started from a stored file. */
/** @import { Source } from "./graph_links.js" */
import { app } from "../../scripts/app.js"
import { freePlace, GAP } from "./graph_layout.js"
import { connectSource, drop, feedsOnly, inputNames, modelInputs, originOf, sourceOf, upstream } from "./graph_links.js"
import { t } from "./i18n/index.js"

const LOADER = "Gen5Load"
const REPLAY = "Gen5Replay"
const GUIDER_TYPE = "GUIDER"
const SEEDS = ["seed", "noise_seed", "rng_seed", "base_seed"]
const STEPS = ["steps", "num_steps", "total_steps", "base_steps", "num_inference_steps", "sigmas", "custom_sigmas"]
const ACTIVE = 0 // of node.mode; others are muted or bypassed
/**
 * Room that nodes are made with. Growing by themselves later, they would cover others, and their growth would be a
 * step of undo of its own.
 */
const NAME_WIDTH = 320
const PANEL_HEIGHT = 340 // of what Load Gen5 shows of its file
const NODES2_HEIGHT = 40 // by which Nodes 2.0 draws rows taller

/**
 * Tell whether a node samples: it takes a latent_image, and a guider, or a model with seed and steps.
 * AddNoise, which has neither a seed nor steps, does not.
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
 * Tell whether a node is a Load Gen5.
 *
 * @param {Host.Node} node
 */
export function isLoader(node) {
  return node.type === LOADER
}

/**
 * Tell whether a node still is where it was: another workflow that is opened comes into the same graph.
 *
 * @param {Host.Node} node
 */
export function isInGraph(node) {
  return Boolean(node.graph?.nodes.includes(node))
}

/**
 * Return the file that a Load Gen5 is set to, annotated.
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
  return asOneStep(graph, () => {
    const loader = makeLoader(name)
    loader.pos = [...pos]
    graph.add(loader)
    return loader
  })
}

/**
 * Set a Load Gen5 to a file, one that its list does not know yet included.
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
 * Start a sampler from a stored file: Load Gen5 and Replay Sampling are put in front of it, or, where a Replay
 * Sampling already feeds it, that one's file is changed. One step of undo.
 * @param {Host.Node} sampler a node that {@link isSampler} says yes to
 * @param {string} name annotated as in Load Gen5's `file` widget
 * @returns {{loader: Host.Node, replay: Host.Node|null}} replay is null where the server puts one in as it is queued
 */
export function startFromStored(sampler, name) {
  return asOneStep(sampler.graph, () => {
    const owner = modelOwner(sampler)
    const replay = owner && upstream(owner, "model", (node) => node.type === REPLAY, modelInputs)
    if (replay) return { loader: changeFile(replay, name), replay }
    return owner ? putReplay(sampler, owner, name) : wireNoise(sampler, name)
  })
}

/**
 * Do changes that one undo takes back.
 *
 * @template Result
 * @param {Host.Graph} graph
 * @param {() => Result} change
 * @returns {Result}
 */
export function asOneStep(graph, change) {
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
 * Else the order changes as the graph is queued, which older frontends take for a step to be undone.
 *
 * @param {Host.Graph} graph
 */
function orderNodes(graph) {
  for (const each of new Set([graph, graph.rootGraph ?? graph])) each.updateExecutionOrder?.()
}

/**
 * The node whose `model` a sampler samples with: itself or its guider; null where that lies in another graph.
 * @throws {Error} where there is no such node
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
function putReplay(sampler, owner, name) {
  const { graph } = sampler
  const alone = owner === sampler ? owner : ownGuider(sampler, owner)
  const found = findLoader(graph, name)
  const loader = found ?? makeLoader(name)
  const replay = makeReplay()
  place(graph, alone, found ? [replay] : [loader, replay])
  connectSource(sourceOf(alone, "model"), replay, "model")
  rewire(loader, "gen5", replay, "gen5")
  rewire(replay, "model", alone, "model")
  if (!refines(sampler)) rewire(replay, "latent", sampler, "latent_image")
  return { loader, replay }
}

/**
 * Tell whether a sampler goes on from another one's result: that, and not what the file's first pass began with.
 *
 * @param {Host.Node} sampler
 */
function refines(sampler) {
  return upstream(sampler, "latent_image", isSampler) !== null
}

/**
 * Where the model is out of reach (a guider outside of this subgraph), the server does it as it is queued.
 *
 * @param {Host.Node} sampler
 * @param {string} name
 */
function wireNoise(sampler, name) {
  const { graph } = sampler
  const found = findLoader(graph, name)
  const loader = found ?? makeLoader(name)
  if (!found) place(graph, sampler, [loader])
  rewire(loader, "noise", sampler, "latent_image")
  return { loader, replay: null }
}

/**
 * Give a sampler a guider of its own, so that others of that guider are left alone.
 *
 * @param {Host.Node} sampler
 * @param {Host.Node} guider
 */
function ownGuider(sampler, guider) {
  if (feedsOnly(guider, sampler)) return guider
  const copy = guider.clone()
  copy.id = -1
  place(sampler.graph, guider, [copy])
  for (const { name } of guider.inputs) connectSource(sourceOf(guider, name), copy, name)
  const { slot } = /** @type {Source} */ (sourceOf(sampler, "guider"))
  rewire(copy, slot, sampler, "guider")
  return copy
}

/**
 * Set a Replay Sampling to another file; a Load Gen5 that others use too stays as it is.
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
  if (!found) place(graph, replay, [loader])
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
 * Add nodes side by side, left of another, where nothing is in the way.
 *
 * @param {Host.Graph} graph
 * @param {Host.Node} beside
 * @param {Host.Node[]} nodes
 */
function place(graph, beside, nodes) {
  const width = nodes.reduce((sum, node) => sum + node.size[0], GAP * (nodes.length - 1))
  const height = Math.max(...nodes.map((node) => node.size[1]))
  const [left, top] = freePlace(graph, beside, [width, height])
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
  drop(to, input)
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
