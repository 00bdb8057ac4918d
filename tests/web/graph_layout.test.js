import { describe, expect, test } from "vitest"
import { freePosition, GAP } from "../../web/graph_layout.js"

const SIZE = [300, 200]
const TITLE = 30

function node(x, y, width = 200, height = 100) {
  return { pos: [x, y], size: [width, height] }
}

function covers([x, y], { pos, size }) {
  const overlapsX = x < pos[0] + size[0] && pos[0] < x + SIZE[0]
  return overlapsX && y - TITLE < pos[1] + size[1] && pos[1] - TITLE < y + SIZE[1]
}

describe("freePosition", () => {
  test("is directly beside a node if there is nothing on its left", () => {
    const sampler = node(1000, 400)
    expect(freePosition({ nodes: [sampler] }, sampler, SIZE)).toEqual([1000 - GAP - SIZE[0], 400])
  })

  test("covers no node, however crowded, and stays on the left", () => {
    const sampler = node(1000, 400)
    const crowd = Array.from({ length: 60 }, (_, number) => node((number % 6) * 160, Math.floor(number / 6) * 90))
    const nodes = [sampler, ...crowd]
    const place = freePosition({ nodes }, sampler, SIZE)
    expect(nodes.filter((other) => covers(place, other))).toEqual([])
    expect(place[0]).toBeLessThanOrEqual(1000 - GAP - SIZE[0])
  })

  test("crosses no group's border and covers no group's title", () => {
    const sampler = node(1000, 400)
    const group = { pos: [600, 300], size: [700, 400] }
    const [x, y] = freePosition({ nodes: [sampler], groups: [group] }, sampler, SIZE)
    const isOutside = x + SIZE[0] <= 600 || y + SIZE[1] <= 300 || y - TITLE >= 700
    const isInside = x >= 600 && y - TITLE >= 340 && y + SIZE[1] <= 700
    expect(isOutside || isInside).toBe(true)
  })

  test("leaves a subgraph's input node uncovered", () => {
    const sampler = node(400, 0)
    const inputNode = { boundingRect: [100, -50, 120, 200] }
    const [x, y] = freePosition({ nodes: [sampler], inputNode }, sampler, SIZE)
    expect(covers([x, y], { pos: [100, -20], size: [120, 170] })).toBe(false)
  })
})
