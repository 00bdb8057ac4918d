/**
 * Read and make the links of a graph by input name, in root graphs and subgraphs.
 *
 * @typedef {{graph: Host.Graph, link: Host.Link, node: Host.Node|null, slot: number}} Source node is null for a subgraph's
 *   own input
 */

/**
 * Return the names of all inputs of a node, links and widgets.
 *
 * @param {Host.Node} node
 */
export function inputNames(node) {
  return new Set([...(node.inputs ?? []), ...(node.widgets ?? [])].map((named) => named.name))
}

/**
 * Return the source that an input is linked to, or null.
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
 * Return the source at the start of a chain of reroutes; null if the chain is unconnected or circular.
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
 * Link a source to an input, keeping the reroutes on its former link; null changes nothing.
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
 * Remove the link of an input, with the reroutes that only it used.
 *
 * @param {Host.Node} node
 * @param {string} name
 */
export function disconnect(node, name) {
  const slot = node.findInputSlot(name)
  if (node.getInputLink(slot)) node.disconnectInput(slot)
}

/**
 * Return the nearest node upstream of an input that matches; null if there is none.
 * @param {(node: Host.Node) => boolean} matches
 * @param {(node: Host.Node) => Host.Slot[]} [through] returns the inputs of a node to follow; by default all
 * @param {Host.Node} node
 * @param {string} name
 */
export function upstream(node, name, matches, through = (above) => above.inputs ?? []) {
  const pending = [sourceOf(node, name)?.node]
  const seen = new Set()
  while (pending.length) {
    const above = pending.shift()
    if (!above || seen.has(above)) continue
    seen.add(above)
    if (matches(above)) return above
    pending.push(...through(above).map((input) => sourceOf(above, input.name)?.node))
  }
  return null
}

/**
 * Return the inputs that pass a MODEL on. A reroute's only input has no name, so all of a reroute's inputs count.
 *
 * @param {Host.Node} node
 */
export function modelInputs(node) {
  const inputs = node.inputs ?? []
  return isReroute(node) ? inputs : inputs.filter((input) => input.name.toLowerCase().includes("model"))
}

/**
 * Return whether all links from a node's outputs lead to one other node, directly or through reroutes.
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
