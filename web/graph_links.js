/**
 * Links of a graph, read and made by the names of inputs, in root graphs and subgraphs alike.
 *
 * @typedef {{graph: Host.Graph, link: Host.Link, node: Host.Node|null, slot: number}} Source node is null for a subgraph's
 *   own input
 */

/**
 * Return the names of everything that a node takes, by wire or by widget.
 *
 * @param {Host.Node} node
 */
export function inputNames(node) {
  return new Set([...(node.inputs ?? []), ...(node.widgets ?? [])].map((given) => given.name))
}

/**
 * Return what an input is wired to, or null.
 * @param {Host.Node} node
 * @param {string} name
 * @returns {Source|null}
 */
export function sourceOf(node, name) {
  const link = linkInto(node, name)
  if (!link) return null
  const { graph } = node
  return { graph, link, node: graph.getNodeById(link.origin_id), slot: link.origin_slot }
}

/**
 * Return the source behind the reroutes of another; null where they end, or go in a circle.
 *
 * @param {Source|null} source
 */
export function originOf(source) {
  const seen = new Set()
  let origin = source
  while (origin?.node && isReroute(origin.node)) {
    if (seen.has(origin.node)) return null
    seen.add(origin.node)
    origin = sourceOf(origin.node, origin.node.inputs[0]?.name)
  }
  return origin
}

/**
 * Wire a source to an input, past the reroutes on its former link; null changes nothing.
 *
 * @param {Source|null} source
 * @param {Host.Node} node
 * @param {string} name
 */
export function connectSource(source, node, name) {
  if (!source) return
  const { graph, link, slot } = source
  if (source.node) source.node.connect(slot, node, name, link.parentId)
  else graph.inputNode.slots[slot].connect(node.inputs[node.findInputSlot(name)], node, link.parentId)
}

/**
 * Take the wire off an input, and reroutes that were only on it.
 *
 * @param {Host.Node} node
 * @param {string} name
 */
export function drop(node, name) {
  const slot = node.findInputSlot(name)
  if (node.getInputLink(slot)) node.disconnectInput(slot)
}

/**
 * Return the nearest node above an input that fits; null if there is none.
 * @param {(node: Host.Node) => boolean} fits
 * @param {(node: Host.Node) => Host.Slot[]} [through] the inputs of a node to go on from; by default all
 * @param {Host.Node} node
 * @param {string} name
 */
export function upstream(node, name, fits, through = (above) => above.inputs ?? []) {
  const pending = [sourceOf(node, name)?.node]
  const seen = new Set()
  while (pending.length) {
    const above = pending.shift()
    if (!above || seen.has(above)) continue
    seen.add(above)
    if (fits(above)) return above
    pending.push(...through(above).map((input) => sourceOf(above, input.name)?.node))
  }
  return null
}

/**
 * Return the inputs of a node that a MODEL comes through; a reroute has one without a name.
 *
 * @param {Host.Node} node
 */
export function modelInputs(node) {
  const inputs = node.inputs ?? []
  return isReroute(node) ? inputs : inputs.filter((input) => input.name.toLowerCase().includes("model"))
}

/**
 * Tell whether all wires of a node's outputs end at one other node, reroutes passed.
 *
 * @param {Host.Node} node
 * @param {Host.Node} target
 */
export function feedsOnly(node, target) {
  return targets(node).every((reached) => reached === target)
}

/**
 * @param {Host.Node} node
 * @param {Set<Host.Node>} [seen]
 * @returns {Host.Node[]}
 */
function targets(node, seen = new Set()) {
  if (seen.has(node)) return []
  seen.add(node)
  const next = (node.outputs ?? []).flatMap((_, slot) => node.getOutputNodes(slot) ?? [])
  return next.flatMap((reached) => (isReroute(reached) ? targets(reached, seen) : [reached]))
}

/**
 * @param {Host.Node} node
 * @param {string} name
 */
function linkInto(node, name) {
  const slot = node.findInputSlot(name)
  return slot < 0 ? null : node.getInputLink(slot)
}

/** @param {Host.Node} node */
function isReroute(node) {
  return String(node.type).toLowerCase().includes("reroute")
}
