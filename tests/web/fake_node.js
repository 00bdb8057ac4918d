/** A fake node with what this pack uses of LiteGraph's and ComfyUI's API. */

/**
 * @param {string} comfyClass
 * @param {object[]} [widgets] those of its definition
 */
export function fakeNode(comfyClass, widgets = []) {
  const node = {
    id: 1,
    comfyClass,
    widgets: [...widgets],
    inputs: [],
    size: [210, 100],
    graph: { nodes: [], beforeChange() {}, afterChange() {} },
    addWidget(type, name, value, callback, options) {
      this.widgets.push({ type, name, value, callback, options })
      return this.widgets.at(-1)
    },
    addDOMWidget(name, type, element, options) {
      document.body.append(element)
      this.widgets.push({ type, name, element, options, computeLayoutSize() {} })
      return this.widgets.at(-1)
    },
    setSize(size) {
      this.size = size
    },
    setDirtyCanvas() {},
  }
  node.graph.nodes.push(node)
  return node
}

/** The widgets of a Load Gen5. */
export function loaderWidgets({ file = "a.gen5", files = ["a.gen5", "b.gen5"] } = {}) {
  return [
    { type: "combo", name: "file", value: file, options: { values: files } },
    { type: "combo", name: "on_drift", value: "warn", options: { values: ["warn", "ignore", "error"] } },
    { type: "number", name: "batch_index", value: -1, options: {} },
  ]
}

/** The widget values that LiteGraph stores in a workflow. */
export function storedValues(node) {
  return node.widgets.filter((widget) => widget.serialize !== false).map((widget) => widget.value)
}

/** The server's facts of a file. */
export function fileFacts(changes = {}) {
  return {
    name: "a.gen5",
    size_bytes: 3_100_000,
    mtime: 0,
    root: "r".repeat(64),
    version: "1.1",
    sealed: true,
    carrier: false,
    trust: { word: "unsigned", signatures: [] },
    seed: "18446744073709551615",
    steps: 20,
    cfg: 7,
    sampler: "euler",
    scheduler: "normal",
    denoise: 1,
    width: 512,
    height: 768,
    noise_source: "recorded",
    reason: null,
    passes: [],
    latents: [{ name: "initial_noise", shape: [3, 4, 96, 64], dtype: "float32", orig_dtype: null, size_bytes: 1 }],
    images: [1, 2, 3].map(() => ({ width: 512, height: 768, size_bytes: 1 })),
    environment: [{ component: "numpy", value: "name=numpy;version=2.0" }],
    drifts: [],
    ...changes,
  }
}
