import { beforeEach, describe, expect, test, vi } from "vitest"
import { addLoader, isSampler, setFile, startFromStored } from "../../web/graph.js"
import { FakeGraph, FakeNode, fakeLiteGraph } from "./fake_graph.js"
import { app, resetApp } from "./stubs/app.js"

let graph
let events

beforeEach(() => {
  resetApp()
  vi.stubGlobal("LiteGraph", fakeLiteGraph)
  graph = new FakeGraph()
  events = []
  Object.assign(app.canvas, {
    graph,
    emitBeforeChange: () => events.push("before"),
    emitAfterChange: () => events.push("after"),
    setDirty: () => {},
  })
})

function textToImage({ at = [1000, 400] } = {}) {
  const model = graph.make("Model")
  const latent = graph.make("EmptyLatent", {}, [0, 300])
  return graph.make("KSampler", { model: [model, 0], latent_image: [latent, 0] }, at)
}

function guided(samplers = 1) {
  const model = graph.make("Model")
  const guider = graph.make("Guider", { model: [model, 0], positive: [graph.make("Text", {}, [0, 200]), 0] }, [400, 0])
  const make = (number) => graph.make("SamplerCustomAdvanced", { guider: [guider, 0] }, [800, 300 * number])
  return [guider, ...Array.from({ length: samplers }, (_, number) => make(number))]
}

function file(node) {
  return node.widgets.find(({ name }) => name === "file").value
}

function ofType(type) {
  return graph.nodes.filter((node) => node.type === type)
}

describe("isSampler", () => {
  test.each(["KSampler", "SamplerCustom", "SamplerCustomAdvanced"])("is true for %s", (type) => {
    expect(isSampler(new FakeNode(type))).toBe(true)
  })

  test.each(["AddNoise", "VAEEncode", "Model", "Gen5Replay"])("is false for %s", (type) => {
    expect(isSampler(new FakeNode(type))).toBe(false)
  })

  test("is false for a node without inputs or widgets", () => {
    expect(isSampler({ type: "Note" })).toBe(false)
  })
})

describe("setFile", () => {
  test("adds the name to the list, and notifies the node", () => {
    const loader = new FakeNode("Gen5Load")
    const [widget] = loader.widgets
    widget.callback = vi.fn()
    loader.onWidgetChanged = vi.fn()
    setFile(loader, "new.gen5 [output]")
    expect(widget.value).toBe("new.gen5 [output]")
    expect(widget.options.values).toEqual(["there.gen5", "new.gen5 [output]"])
    expect(widget.callback.mock.calls[0][0]).toBe("new.gen5 [output]")
    expect(loader.onWidgetChanged).toHaveBeenCalledWith("file", "new.gen5 [output]", "", widget)
  })

  test("keeps a list that has the name", () => {
    const loader = new FakeNode("Gen5Load")
    setFile(loader, "there.gen5")
    expect(loader.widgets[0].options.values).toEqual(["there.gen5"])
  })
})

describe("addLoader", () => {
  test("adds a Load Gen5 set to the file to the open graph", () => {
    const loader = addLoader("a/b.gen5", { pos: [10, 20] })
    expect([loader.type, loader.pos, file(loader), graph.nodes]).toEqual(["Gen5Load", [10, 20], "a/b.gen5", [loader]])
    expect(events).toEqual(["before", "after"])
  })
})

describe("startFromStored", () => {
  test("inserts Load Gen5 and Replay Sampling before the sampler, in one undo step", () => {
    const sampler = textToImage()
    const { loader, replay } = startFromStored(sampler, "x.gen5")
    expect(file(loader)).toBe("x.gen5")
    expect(graph.wired(replay, "gen5")).toBe(`Gen5Load#${loader.id}.4`)
    expect(graph.wired(replay, "model")).toBe("Model#1.0")
    expect(graph.wired(sampler, "model")).toBe(`Gen5Replay#${replay.id}.0`)
    expect(graph.wired(sampler, "latent_image")).toBe(`Gen5Replay#${replay.id}.1`)
    expect([graph.changes, graph.open, events]).toEqual([1, 0, ["before", "after"]])
  })

  test("leaves the model of Replay Sampling unconnected if the sampler has none", () => {
    const sampler = graph.make("KSampler", {}, [800, 0])
    const { replay } = startFromStored(sampler, "x.gen5")
    expect(graph.wired(replay, "model")).toBe(null)
    expect(graph.wired(sampler, "model")).toBe(`Gen5Replay#${replay.id}.0`)
  })

  test("keeps the reroutes on the model's link", () => {
    const sampler = graph.make("KSampler", { model: [graph.make("Model"), 0, 7] }, [800, 0])
    const { replay } = startFromStored(sampler, "x.gen5")
    expect(replay.getInputLink(0).parentId).toBe(7)
  })

  test("uses the model of a guider", () => {
    const [guider, sampler] = guided()
    const { replay } = startFromStored(sampler, "x.gen5")
    expect(graph.wired(guider, "model")).toBe(`Gen5Replay#${replay.id}.0`)
    expect(graph.wired(sampler, "latent_image")).toBe(`Gen5Replay#${replay.id}.1`)
    expect(ofType("Guider")).toEqual([guider])
  })

  test("finds the guider through reroutes", () => {
    const guider = graph.make("Guider", { model: [graph.make("Model"), 0] })
    const reroute = graph.make("Reroute", { "": [guider, 0] })
    const sampler = graph.make("SamplerCustomAdvanced", { guider: [reroute, 0] }, [800, 0])
    const { replay } = startFromStored(sampler, "x.gen5")
    expect(graph.wired(guider, "model")).toBe(`Gen5Replay#${replay.id}.0`)
  })

  test("gives a sampler that shares its guider its own copy", () => {
    const [guider, sampler, other] = guided(2)
    const { replay } = startFromStored(sampler, "x.gen5")
    const [, own] = ofType("Guider")
    expect(graph.wired(sampler, "guider")).toBe(`Guider#${own.id}.0`)
    expect(graph.wired(own, "model")).toBe(`Gen5Replay#${replay.id}.0`)
    expect(graph.wired(own, "positive")).toBe("Text#2.0")
    expect(graph.wired(other, "guider")).toBe(`Guider#${guider.id}.0`)
    expect(graph.wired(guider, "model")).toBe("Model#1.0")
  })

  test("reuses a Load Gen5 that is set to the file already", () => {
    const there = addLoader("x.gen5", { pos: [0, 600] })
    const { loader } = startFromStored(textToImage(), "x.gen5")
    expect(loader).toBe(there)
    expect(ofType("Gen5Load")).toEqual([there])
  })

  test("does not reuse a muted one", () => {
    addLoader("x.gen5", { pos: [0, 600] }).mode = 2
    startFromStored(textToImage(), "x.gen5")
    expect(ofType("Gen5Load")).toHaveLength(2)
  })

  test("changes only the file if a Replay Sampling feeds the sampler already", () => {
    const sampler = textToImage()
    const first = startFromStored(sampler, "x.gen5")
    const second = startFromStored(sampler, "y.gen5")
    expect(second).toEqual(first)
    expect([file(second.loader), ofType("Gen5Load"), ofType("Gen5Replay")]).toEqual([
      "y.gen5",
      [first.loader],
      [first.replay],
    ])
  })

  test("finds that Replay Sampling before other nodes of the model", () => {
    const sampler = textToImage()
    const { replay } = startFromStored(sampler, "x.gen5")
    const lora = graph.make("Lora", { model: [replay, 0] })
    sampler.disconnectInput(0)
    lora.connect(0, sampler, "model")
    expect(startFromStored(sampler, "y.gen5").replay).toBe(replay)
  })

  test("enables a bypassed Replay Sampling", () => {
    const sampler = textToImage()
    const { loader, replay } = startFromStored(sampler, "x.gen5")
    loader.mode = replay.mode = 4
    startFromStored(sampler, "y.gen5")
    expect([loader.mode, replay.mode]).toEqual([0, 0])
  })

  test("keeps the latent of a sampler that refines another one's result", () => {
    const first = textToImage()
    const decoded = graph.make("VAEDecode", { samples: [first, 0] }, [1300, 0])
    const encoded = graph.make("VAEEncode", { pixels: [decoded, 0] }, [1600, 0])
    const second = graph.make("KSampler", { model: [graph.make("Model"), 0], latent_image: [encoded, 0] }, [1900, 0])
    const { replay } = startFromStored(second, "x.gen5")
    expect(graph.wired(second, "model")).toBe(`Gen5Replay#${replay.id}.0`)
    expect(graph.wired(second, "latent_image")).toBe(`VAEEncode#${encoded.id}.0`)
  })

  test("uses another Load Gen5 if other nodes use the present one", () => {
    const sampler = textToImage()
    const { loader, replay } = startFromStored(sampler, "x.gen5")
    const other = graph.make("KSampler", { latent_image: [loader, 0] }, [1000, 900])
    const again = startFromStored(sampler, "y.gen5")
    expect([file(loader), file(again.loader), again.replay]).toEqual(["x.gen5", "y.gen5", replay])
    expect(graph.wired(replay, "gen5")).toBe(`Gen5Load#${again.loader.id}.4`)
    expect(graph.wired(other, "latent_image")).toBe(`Gen5Load#${loader.id}.0`)
  })

  test("works on a subgraph's own inputs", () => {
    graph = new FakeGraph({ inputs: ["model"] })
    const sampler = graph.make("KSampler", {}, [400, 0])
    graph.inputNode.connect(0, sampler, "model")
    const { loader, replay } = startFromStored(sampler, "x.gen5")
    expect([loader.graph, replay.graph]).toEqual([graph, graph])
    expect(graph.wired(replay, "model")).toBe("inputs.0")
  })

  test("leaves it to the server if the guider is outside the subgraph", () => {
    graph = new FakeGraph({ inputs: ["guider"] })
    const sampler = graph.make("SamplerCustomAdvanced", {}, [400, 0])
    graph.inputNode.connect(0, sampler, "guider")
    const { loader, replay } = startFromStored(sampler, "x.gen5")
    expect(replay).toBe(null)
    expect(graph.wired(sampler, "latent_image")).toBe(`Gen5Load#${loader.id}.0`)
  })

  test("throws if there is no model to insert it before, and changes nothing", () => {
    const guider = graph.make("GuiderOfPipe")
    const sampler = graph.make("SamplerCustomAdvanced", { guider: [guider, 0] })
    expect(() => startFromStored(sampler, "x.gen5")).toThrow("GuiderOfPipe has no model input")
    const bare = graph.make("SamplerCustomAdvanced")
    expect(() => startFromStored(bare, "x.gen5")).toThrow("has no guider: connect one first")
    expect(ofType("Gen5Load")).toEqual([])
    expect(graph.open).toBe(0)
  })
})
