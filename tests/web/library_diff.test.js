import { describe, expect, test } from "vitest"
import { diffPrompts, diffWorkflows, isSame } from "../../web/library/workflow_diff.js"

function prompt() {
  return {
    1: { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "a.safetensors" }, _meta: { title: "Model" } },
    2: { class_type: "CLIPTextEncode", inputs: { text: "a cat", clip: ["1", 1] } },
    3: { class_type: "KSampler", inputs: { seed: 5, steps: 20, model: ["1", 0], positive: ["2", 0] }, _meta: { title: "KSampler" } },
  }
}

function workflow() {
  return {
    nodes: [
      { id: 1, type: "CheckpointLoaderSimple", pos: [0, 0], widgets_values: ["a.safetensors"] },
      { id: 3, type: "KSampler", pos: [9, 9], title: "Base", widgets_values: [5, "fixed", 20], inputs: [{ name: "model", link: 7 }] },
    ],
    links: [[7, 1, 0, 3, 0, "MODEL"]],
  }
}

describe("diffPrompts", () => {
  test("a graph does not differ from itself", () => {
    const diff = diffPrompts(prompt(), prompt())
    expect(diff).toEqual({ onlyStored: [], onlyPresent: [], changed: [], same: 3 })
    expect(isSame(diff)).toBe(true)
  })

  test("a changed value is listed with both values, under the node's present title", () => {
    const present = prompt()
    present[3].inputs.steps = 30
    present[3]._meta.title = "Renamed"
    expect(diffPrompts(prompt(), present).changed).toEqual([
      {
        id: "3",
        type: "KSampler",
        title: "Renamed",
        inputs: [{ name: "steps", stored: { kind: "value", value: 20 }, present: { kind: "value", value: 30 } }],
      },
    ])
  })

  test("a changed title is not a change", () => {
    const present = prompt()
    present[1]._meta.title = "Renamed"
    expect(isSame(diffPrompts(prompt(), present))).toBe(true)
  })

  test("a node of another type under the same id is another node", () => {
    const present = prompt()
    present[3] = { class_type: "KSamplerAdvanced", inputs: {} }
    const diff = diffPrompts(prompt(), present)
    expect(diff.onlyStored).toEqual([{ id: "3", type: "KSampler", title: "KSampler" }])
    expect(diff.onlyPresent).toEqual([{ id: "3", type: "KSamplerAdvanced", title: "KSamplerAdvanced" }])
  })

  test("a changed link is listed with its source", () => {
    const present = prompt()
    present[9] = { class_type: "LoraLoader", inputs: {}, _meta: { title: "LoRA" } }
    present[3].inputs.model = ["9", 0]
    const [changed] = diffPrompts(prompt(), present).changed
    expect(changed.inputs).toEqual([
      {
        name: "model",
        stored: { kind: "link", value: { id: "1", title: "Model", slot: 0 } },
        present: { kind: "link", value: { id: "9", title: "LoRA", slot: 0 } },
      },
    ])
  })

  test("a link in place of a value, and a removed input", () => {
    const present = prompt()
    present[3].inputs.seed = ["2", 0]
    delete present[3].inputs.steps
    const [changed] = diffPrompts(prompt(), present).changed
    expect(changed.inputs.map(({ name, stored, present: now }) => [name, stored.kind, now?.kind])).toEqual([
      ["seed", "value", "link"],
      ["steps", "value", undefined],
    ])
  })

  test("lists and objects are compared by content", () => {
    const stored = { 1: { class_type: "Any", inputs: { value: { b: [1, 2, 3], a: null } } } }
    const alike = { 1: { class_type: "Any", inputs: { value: { a: null, b: [1, 2, 3] } } } }
    const other = { 1: { class_type: "Any", inputs: { value: { a: null, b: [1, 2, 4] } } } }
    expect(isSame(diffPrompts(stored, alike))).toBe(true)
    expect(diffPrompts(stored, other).changed).toHaveLength(1)
  })

  test("names of Object.prototype's properties are ordinary names", () => {
    const hostile = JSON.parse('{"__proto__": {"class_type": "A", "inputs": {"__proto__": 1, "constructor": ["toString", 0]}}}')
    const diff = diffPrompts(hostile, {})
    expect(diff.onlyStored).toEqual([{ id: "__proto__", type: "A", title: "A" }])
    expect(diff.onlyPresent).toEqual([])
  })

  test.each([null, undefined, [], "text", { 1: null }, { 1: { inputs: null } }])("an invalid prompt (%j) has no nodes", (value) => {
    expect(diffPrompts(value, value)).toEqual({ onlyStored: [], onlyPresent: [], changed: [], same: 0 })
  })
})

describe("diffWorkflows", () => {
  test("positions are ignored", () => {
    const moved = workflow()
    moved.nodes[0].pos = [500, 500]
    moved.nodes[0].size = [1, 1]
    expect(isSame(diffWorkflows(workflow(), moved))).toBe(true)
  })

  test("widgets are named if the type's names are known, else numbered", () => {
    const present = workflow()
    present.nodes[1].widgets_values = [6, "fixed", 20]
    const names = (type) => (type === "KSampler" ? ["seed", "control_after_generate", "steps"] : undefined)
    expect(diffWorkflows(workflow(), present, names).changed[0].inputs[0].name).toBe("seed")
    expect(diffWorkflows(workflow(), present).changed[0].inputs[0].name).toBe("widget 1")
  })

  test("links and modes are compared", () => {
    const present = workflow()
    present.links = []
    present.nodes[1].inputs[0].link = null
    present.nodes[0].mode = 4
    expect(diffWorkflows(workflow(), present).changed).toEqual([
      {
        id: "1",
        type: "CheckpointLoaderSimple",
        title: "CheckpointLoaderSimple",
        inputs: [{ name: "node mode", stored: { kind: "value", value: "active" }, present: { kind: "value", value: "bypassed" } }],
      },
      {
        id: "3",
        type: "KSampler",
        title: "Base",
        inputs: [
          {
            name: "model",
            stored: { kind: "link", value: { id: "1", slot: 0, title: "CheckpointLoaderSimple" } },
            present: undefined,
          },
        ],
      },
    ])
  })

  test("nodes in subgraphs are compared too", () => {
    const stored = workflow()
    const inner = (seed) => ({
      subgraphs: [
        {
          id: "5e1f",
          name: "Refine",
          nodes: [{ id: 1, type: "KSampler", widgets_values: { seed }, inputs: [{ name: "model", link: 1 }] }],
          links: [{ id: 1, origin_id: -10, origin_slot: 0, target_id: 1, target_slot: 0 }],
        },
      ],
    })
    stored.definitions = inner(1)
    const present = { ...workflow(), definitions: inner(2) }
    expect(diffWorkflows(stored, present).changed).toEqual([
      {
        id: "Refine:1",
        type: "KSampler",
        title: "KSampler",
        inputs: [{ name: "seed", stored: { kind: "value", value: 1 }, present: { kind: "value", value: 2 } }],
      },
    ])
  })

  describe("two subgraphs of one name, with nodes of the same id", () => {
    const part = (id, seed, name = "Refine") => ({ id, name, nodes: [{ id: 1, type: "KSampler", widgets_values: { seed } }] })
    const graph = (...subgraphs) => ({ ...workflow(), definitions: { subgraphs } })
    const changes = (stored, present) =>
      diffWorkflows(stored, present).changed.map(({ id, inputs: [input] }) => [id, input.stored.value, input.present.value])

    test("are both compared", () => {
      const stored = graph(part("a", 1), part("b", 2))
      expect(diffWorkflows(stored, stored).same).toBe(4)
      expect(changes(stored, graph(part("a", 1), part("b", 3)))).toEqual([["Refine (2):1", 2, 3]])
      expect(changes(stored, graph(part("a", 5), part("b", 2)))).toEqual([["Refine:1", 1, 5]])
    })

    test("are matched by their ids, in any order and under any name", () => {
      const stored = graph(part("a", 1), part("b", 2))
      expect(isSame(diffWorkflows(stored, graph(part("b", 2), part("a", 1))))).toBe(true)
      expect(isSame(diffWorkflows(stored, graph(part("a", 1, "Other"), part("b", 2))))).toBe(true)
    })

    test("are matched in order if their ids differ", () => {
      const stored = graph(part("a", 1), part("b", 2))
      expect(isSame(diffWorkflows(stored, graph(part("c", 1), part("d", 2))))).toBe(true)
      expect(changes(stored, graph(part("c", 1), part("d", 4)))).toEqual([["Refine (2):1", 2, 4]])
    })

    test("are listed if one of them is gone", () => {
      const diff = diffWorkflows(graph(part("a", 1), part("b", 2)), graph(part("b", 2)))
      expect(diff.onlyStored).toEqual([{ id: "Refine:1", type: "KSampler", title: "KSampler" }])
      expect(diff.onlyPresent).toEqual([])
    })

    test("have matching nodes in the parent graph if they match", () => {
      const using = (id) => ({ ...graph(part(id, 1)), nodes: [{ id: 9, type: id }], links: [] })
      const diff = diffWorkflows(using("a"), using("b"))
      expect([isSame(diff), diff.same]).toEqual([true, 2])
    })
  })

  test.each([null, {}, { nodes: "no" }, { nodes: [null, 3], links: [null] }])("an invalid workflow (%j) has no nodes", (value) => {
    expect(diffWorkflows(value, value)).toEqual({ onlyStored: [], onlyPresent: [], changed: [], same: 0 })
  })
})
