/** Stub of ComfyUI's scripts/app.js. Tests add what they need to `app` and call {@link resetApp} before each test. */

export const app = {}

/** Reset `app`; it records calls in `app.toasts` and `app.extensions`. */
export function resetApp() {
  for (const key of Object.keys(app)) delete app[key]
  const toasts = []
  Object.assign(app, {
    toasts,
    extensions: [],
    registerExtension: (extension) => app.extensions.push(extension),
    handleFile: () => undefined,
    graph: { nodes: [], getNodeById: (id) => app.graph.nodes.find((node) => node.id === id) ?? null },
    canvas: { ds: { visible_area: [0, 0, 1000, 600], scale: 1, offset: [0, 0] }, graph_mouse: [0, 0] },
    extensionManager: {
      toast: { add: (message) => toasts.push(message) },
      dialog: { confirm: async () => false },
      setting: { get: () => undefined },
    },
  })
  app.canvas.graph = app.graph
}

resetApp()
