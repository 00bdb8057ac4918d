/** A fake of the parts of LiteGraph's graph that web/graph.js uses: nodes, links with ids, subgraph inputs. */

const KINDS = {
  Gen5Load: {
    outputs: ["noise", "latent", "image", "noise_source", "gen5"],
    widgets: { file: "", on_drift: "warn", batch_index: -1 },
    lists: { file: ["there.gen5"] },
  },
  Gen5Replay: { inputs: { model: "MODEL", gen5: "GEN5" }, outputs: ["model", "latent"] },
  Model: { outputs: ["MODEL"] },
  Lora: { inputs: { model: "MODEL" }, outputs: ["MODEL"] },
  EmptyLatent: { outputs: ["LATENT"] },
  Reroute: { inputs: { "": "*" }, outputs: [""] },
  Guider: { inputs: { model: "MODEL", positive: "CONDITIONING" }, outputs: ["GUIDER"], widgets: { cfg: 5 } },
  GuiderOfPipe: { inputs: { pipe: "PIPE" }, outputs: ["GUIDER"] },
  Text: { outputs: ["CONDITIONING"] },
  KSampler: {
    inputs: { model: "MODEL", positive: "CONDITIONING", latent_image: "LATENT" },
    outputs: ["LATENT"],
    widgets: { seed: 1, steps: 4, cfg: 5 },
  },
  SamplerCustom: {
    inputs: { model: "MODEL", sigmas: "SIGMAS", latent_image: "LATENT" },
    outputs: ["output", "denoised_output"],
    widgets: { add_noise: true, noise_seed: 1, cfg: 5 },
  },
  SamplerCustomAdvanced: {
    inputs: { noise: "NOISE", guider: "GUIDER", sigmas: "SIGMAS", latent_image: "LATENT" },
    outputs: ["output", "denoised_output"],
  },
  AddNoise: {
    inputs: { model: "MODEL", noise: "NOISE", sigmas: "SIGMAS", latent_image: "LATENT" },
    outputs: ["LATENT"],
  },
  VAEDecode: { inputs: { samples: "LATENT", vae: "VAE" }, outputs: ["IMAGE"] },
  VAEEncode: { inputs: { pixels: "IMAGE", vae: "VAE" }, outputs: ["LATENT"] },
}
const SIZE = [200, 100]

/** One node; the `widgets` of its type have their values. */
export class FakeNode {
  constructor(type) {
    const { inputs = {}, outputs = [], widgets = {}, lists = {} } = KINDS[type]
    Object.assign(this, { type, title: type, id: -1, mode: 0, pos: [0, 0], size: [...SIZE], graph: null })
    this.inputs = Object.entries(inputs).map(([name, kind]) => ({ name, type: kind, link: null }))
    this.outputs = outputs.map((name) => ({ name, links: [] }))
    this.widgets = Object.entries(widgets).map(([name, value]) => ({ name, value, options: { values: lists[name] } }))
  }

  setSize(size) {
    this.size = [...size]
  }

  findInputSlot(name) {
    return this.inputs.findIndex((input) => input.name === name)
  }

  getInputLink(slot) {
    return this.graph.links.get(this.inputs[slot].link) ?? null
  }

  getOutputNodes(slot) {
    const found = this.outputs[slot].links.map((id) => this.graph.getNodeById(this.graph.links.get(id).target_id))
    return found.length ? found : null
  }

  connect(output, node, input, parentId) {
    const slot = typeof output === "string" ? this.outputs.findIndex(({ name }) => name === output) : output
    const target = node.findInputSlot(input)
    const id = this.graph.link({ origin_id: this.id, origin_slot: slot, target_id: node.id, target_slot: target, parentId })
    this.outputs[slot].links.push(id)
    node.inputs[target].link = id
  }

  disconnectInput(slot) {
    const { link } = this.inputs[slot]
    this.inputs[slot].link = null
    this.graph.links.delete(link)
    for (const node of this.graph.nodes) {
      for (const output of node.outputs) output.links = output.links.filter((id) => id !== link)
    }
  }

  clone() {
    const copy = new FakeNode(this.type)
    return Object.assign(copy, { id: this.id, size: [...this.size] })
  }
}

/** A graph, or, with `inputs`, a subgraph that has them. */
export class FakeGraph {
  constructor({ inputs } = {}) {
    Object.assign(this, { nodes: [], groups: [], links: new Map(), changes: 0, open: 0, lastLink: 0 })
    if (inputs) this.inputNode = new FakeInputNode(this, inputs)
  }

  add(node) {
    this.nodes.push(Object.assign(node, { id: this.nodes.length + 1, graph: this }))
    return node
  }

  link(link) {
    this.lastLink += 1
    this.links.set(this.lastLink, { id: this.lastLink, ...link })
    return this.lastLink
  }

  getNodeById(id) {
    return this.nodes.find((node) => node.id === id) ?? null
  }

  beforeChange() {
    this.open += 1
  }

  afterChange() {
    this.open -= 1
    if (!this.open) this.changes += 1
  }

  /** Add a node of a type at a position, with its inputs linked: `{model: [node, 0], latent_image: [node, 0, reroute]}`. */
  make(type, wires = {}, pos = [0, 0]) {
    const node = this.add(new FakeNode(type))
    node.pos = [...pos]
    for (const [name, [origin, slot, parentId]] of Object.entries(wires)) origin.connect(slot, node, name, parentId)
    return node
  }

  /** Return the source of an input: `Model.0`, `inputs.0` for a subgraph's own, or null. */
  wired(node, name) {
    const link = node.getInputLink(node.findInputSlot(name))
    if (!link) return null
    const origin = this.getNodeById(link.origin_id)
    return `${origin ? `${origin.type}#${origin.id}` : "inputs"}.${link.origin_slot}`
  }
}

class FakeInputNode {
  constructor(graph, names) {
    Object.assign(this, { graph, id: -10, boundingRect: [-400, 0, 100, 100] })
    this.slots = names.map((name, slot) => ({ name, connect: (input, node, parentId) => this.connect(slot, node, input, parentId) }))
  }

  connect(slot, node, input, parentId) {
    const given = typeof input === "string" ? node.inputs[node.findInputSlot(input)] : input
    given.link = this.graph.link({ origin_id: this.id, origin_slot: slot, target_id: node.id, parentId })
  }
}

/** A fake of the global LiteGraph: creates nodes by their class. */
export const fakeLiteGraph = { createNode: (type) => new FakeNode(type) }
