/** Room on the canvas: where new nodes go so that they cover nothing. */

export const GAP = 40
const GROWTH = 60 // px: what a node shows later may need more height than it was made with
const TITLE_HEIGHT = 30
const GROUP_TITLE_HEIGHT = 40

/**
 * Return the place nearest to a node's left side where a box covers no node and crosses no group's border.
 * @param {object} beside the node that the box goes left of
 * @param {[number, number]} size width and height without the title bar
 * @returns {[number, number]} top left below the title bar, as in `node.pos`
 */
export function freePlace(graph, beside, [width, height]) {
  const taken = obstacles(graph)
  const own = boxOf(beside)
  const box = { width, height: height + TITLE_HEIGHT + GROWTH }
  const isFree = (x, y) => !taken.some((one) => one.isHit({ ...box, x, y }))
  const right = own.x - GAP - width
  const columns = nearest(right, [right, ...taken.map((one) => one.x - GAP - width)].filter((x) => x <= right))
  const rows = nearest(own.y, [own.y, ...taken.flatMap((one) => edges(one, box.height))])
  let best = { cost: Infinity }
  for (const x of columns) {
    if (right - x >= best.cost) break
    const y = rows.find((row) => isFree(x, row))
    const cost = right - x + Math.abs(own.y - y)
    if (cost < best.cost) best = { cost, x, y }
  }
  return [best.x, best.y + TITLE_HEIGHT]
}

/** Rows where a box of this height stands just below or just above another. */
function edges(one, height) {
  return [one.y + one.height + GAP, one.y - GAP - height]
}

function nearest(wanted, numbers) {
  return [...new Set(numbers)].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted))
}

function obstacles(graph) {
  const ends = [graph.inputNode, graph.outputNode].filter(Boolean).map((end) => [...end.boundingRect])
  const boxes = [...graph.nodes.map(boxOf), ...ends.map(fromRect)]
  const groups = (graph.groups ?? graph._groups ?? []).map((group) => fromRect([...group.pos, ...group.size]))
  return [
    ...boxes.map((box) => ({ ...box, isHit: (other) => overlaps(box, other) })),
    ...groups.map((box) => ({ ...box, isHit: (other) => overlaps(box, other) && !holds(box, other) })),
  ]
}

function boxOf(node) {
  return fromRect([node.pos[0], node.pos[1] - TITLE_HEIGHT, node.size[0], node.size[1] + TITLE_HEIGHT])
}

function fromRect([x, y, width, height]) {
  return { x, y, width, height }
}

function overlaps(one, other) {
  const apart = GAP / 2
  return (
    one.x < other.x + other.width + apart &&
    other.x < one.x + one.width + apart &&
    one.y < other.y + other.height + apart &&
    other.y < one.y + one.height + apart
  )
}

function holds(group, box) {
  return (
    box.x >= group.x &&
    box.y >= group.y + GROUP_TITLE_HEIGHT &&
    box.x + box.width <= group.x + group.width &&
    box.y + box.height <= group.y + group.height
  )
}
