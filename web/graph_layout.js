/** Finds positions for new nodes where they cover nothing. */

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 * @typedef {{x: number, width: number, height: number}} Column the box to place, whose top is not chosen yet
 * @typedef {[number, number]} Span of tops
 * @typedef {{box: Box, blocked: (column: Column) => Span[]}} Obstacle
 */

export const GAP = 40
const MARGIN = GAP / 2 // px, least distance between existing and new nodes
const GROWTH = 60 // px: reserved, since a node may grow when it shows a result
const TITLE_HEIGHT = 30
const GROUP_TITLE_HEIGHT = 40

/**
 * Return the position nearest to a node's left side where a box covers no node and crosses no group's border.
 * @param {Host.Node} beside the node that the box goes left of
 * @param {[number, number]} size width and height without the title bar
 * @param {Host.Graph} graph
 * @returns {[number, number]} top left below the title bar, as in `node.pos`
 */
export function freePosition(graph, beside, size) {
  const [width, height] = size
  const taken = obstacles(graph)
  const own = boxOf(beside)
  const right = own.x - GAP - width
  let best = { cost: Infinity, x: right, y: own.y }
  for (const x of columns(taken, right, width)) {
    if (right - x >= best.cost) break
    const column = { x, width, height: height + TITLE_HEIGHT + GROWTH }
    const y = nearestFree(own.y, taken.flatMap((one) => one.blocked(column)))
    const cost = right - x + Math.abs(own.y - y)
    if (cost < best.cost) best = { cost, x, y }
  }
  return [best.x, best.y + TITLE_HEIGHT]
}

/**
 * Return the left edges to try, nearest first: beside the node, and left of each obstacle.
 *
 * @param {Obstacle[]} taken
 * @param {number} right
 * @param {number} width
 */
function columns(taken, right, width) {
  const edges = taken.map((one) => one.box.x - GAP - width).filter((x) => x < right)
  return [right, ...new Set(edges.sort((a, b) => b - a))]
}

/**
 * Return the number nearest to a wanted one that is outside all ranges.
 *
 * @param {number} wanted
 * @param {Span[]} ranges
 */
function nearestFree(wanted, ranges) {
  let [low, high] = [wanted, wanted]
  const sorted = ranges.sort((a, b) => a[0] - b[0])
  for (const [start, end] of sorted) if (start < high && end > high) high = end
  for (const [start, end] of sorted.sort((a, b) => b[1] - a[1])) if (start < low && end > low) low = start
  return wanted - low <= high - wanted ? low : high
}

/**
 * @param {Host.Graph} graph
 * @returns {Obstacle[]}
 */
function obstacles(graph) {
  const ends = [graph.inputNode, graph.outputNode].flatMap((end) => (end ? [fromRect([...end.boundingRect])] : []))
  const groups = (graph.groups ?? graph._groups ?? []).map((group) => fromRect([...group.pos, ...group.size]))
  return [
    ...[...graph.nodes.map(boxOf), ...ends].map((box) => ({ box, blocked: (/** @type {Column} */ column) => coveringTops(box, column) })),
    ...groups.map((box) => ({ box, blocked: (/** @type {Column} */ column) => crossingTops(box, column) })),
  ]
}

/**
 * Return the range of tops at which a box of a column would cover another box.
 *
 * @param {Box} box
 * @param {Column} column
 * @returns {Span[]}
 */
function coveringTops(box, { x, width, height }) {
  const isBeside = x >= box.x + box.width + MARGIN || box.x >= x + width + MARGIN
  return isBeside ? [] : [[box.y - height - MARGIN, box.y + box.height + MARGIN]]
}

/**
 * Return the ranges of tops at which a box of a column would cross a group's border or cover its title.
 *
 * @param {Box} group
 * @param {Column} column
 * @returns {Span[]}
 */
function crossingTops(group, column) {
  const isWithin = column.x >= group.x && column.x + column.width <= group.x + group.width
  if (!isWithin) return coveringTops(group, column)
  const bottom = group.y + group.height
  return [
    [group.y - column.height - MARGIN, group.y + GROUP_TITLE_HEIGHT],
    [bottom - column.height, bottom + MARGIN],
  ]
}

/** @param {Host.Node} node */
function boxOf(node) {
  return fromRect([node.pos[0], node.pos[1] - TITLE_HEIGHT, node.size[0], node.size[1] + TITLE_HEIGHT])
}

/** @param {number[]} rect */
function fromRect([x, y, width, height]) {
  return { x, y, width, height }
}
