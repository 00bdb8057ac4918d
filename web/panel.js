/** A panel in a node, for both renderers: a DOM widget without a value that shows facts and pictures. */
import { app } from "../../scripts/app.js"
import { element } from "./dom.js"

/** Class of the one child of a panel, if any, that takes the remaining height; its min-height is set in CSS. */
export const STRETCHES = "gen5-stretch"

const CANVAS_MARGINS = 20 // px that the classic canvas leaves above and below a DOM widget
const CANVAS_GAP = 4 // px that it adds to a widget of fixed height
const PADDING = 3 // px, as in nodes.css
const GAP = 6 // px, as in nodes.css
const INITIAL_HEIGHT = 40 // px, until the panel has been laid out
const WIDTH_MIN = 60 // px: a narrower panel is not laid out yet, and its lines break at every letter
const MIDDLE_BUTTON = 1

/** @typedef {{value: number, measure: () => void}} Height */

let lastPanel = 0

/**
 * Add a panel to a node, below its widgets. It is not saved in workflows or prompts, and takes no space until it has
 * content.
 *
 * @param {Host.Node} node
 * @param {{name: string, label: string, stretches?: boolean}} options name of the widget; label is the
 *   panel's accessible name; stretches: it grows with the node if it has a child of class {@link STRETCHES}
 * @returns {{element: HTMLElement, show: (...children: (Node|null|false)[]) => void,
 *   say: (text: string, isProblem?: boolean) => void}} show replaces the content; say shows a status below it
 */
export function addPanel(node, { name, label, stretches = false }) {
  const content = element("div", { className: "gen5-node-content" })
  const status = element("p", { className: "gen5-said", attributes: { role: "status" } })
  const attributes = { role: "group", "aria-label": label }
  const root = element("div", { className: "gen5-node-panel", hidden: true, attributes }, content, status)
  const height = trackHeight(root, () => node.setDirtyCanvas?.(true, true))
  root.addEventListener("toggle", height.measure, true) // captured, since the toggle event of details elements does not bubble
  addWidget(node, name, root, height, stretches)
  leaveGesturesToCanvas(root)
  const redo = () => {
    root.hidden = isEmpty(root)
    height.measure()
  }
  return {
    element: root,
    show(...children) {
      status.textContent = ""
      content.replaceChildren(...children.filter((child) => child instanceof Node))
      redo()
    },
    say(text, isProblem = false) {
      status.textContent = text
      status.classList.toggle("gen5-problem", isProblem)
      redo()
    },
  }
}

/**
 * Find the node that an entry of ComfyUI's outputs belongs to.
 *
 * @param {string} locator `<node id>`, or `<subgraph id>:<node id>`
 * @returns {Host.Node|null}
 */
export function nodeAt(locator) {
  const root = app.rootGraph ?? app.graph
  const [nodeId, subgraphId] = String(locator).split(":").reverse()
  const graph = subgraphId === undefined ? root : root?.subgraphs?.get(subgraphId)
  return graph?.getNodeById(nodeId) ?? null
}

/**
 * Call a function with the `gen5` output of each run of a node, after the node's former handler.
 *
 * @param {Host.Node} node
 * @param {(results: any[]) => void} show
 */
export function onResult(node, show) {
  const { onExecuted } = node
  node.onExecuted = function (/** @type {Host.Output} */ output) {
    onExecuted?.apply(this, /** @type {any} */ (arguments))
    if (output?.gen5) show(output.gen5)
  }
}

/**
 * Return the hooks of an extension whose nodes show results, for when ComfyUI restores outputs of nodes without a run:
 * after switching back to a workflow's tab, and after an undo, which creates all nodes again.
 *
 * @param {string[]} classes
 * @param {(node: Host.Node, results: any[]) => void} show
 * @returns {{onNodeOutputsUpdated: (outputs: Record<string, Host.Output>|undefined) => void, afterConfigureGraph: () => void}}
 */
export function resultHooks(classes, show) {
  /** @param {Record<string, Host.Output>|undefined} outputs */
  const showAll = (outputs) => {
    for (const [locator, output] of Object.entries(outputs ?? {})) {
      const node = output?.gen5 && nodeAt(locator)
      if (node && classes.includes(node.comfyClass ?? "")) show(node, output.gen5 ?? [])
    }
  }
  return { onNodeOutputsUpdated: showAll, afterConfigureGraph: () => showAll(app.nodeOutputs) }
}

/**
 * @param {Host.Node} node
 * @param {string} name
 * @param {HTMLElement} root
 * @param {Height} height
 * @param {boolean} stretches
 */
function addWidget(node, name, root, height, stretches) {
  const needed = () => (isEmpty(root) ? 0 : height.value + CANVAS_MARGINS)
  lastPanel += 1 // Nodes 2.0 reuses the panel of a node that undo has replaced, unless the widget's type differs
  const widget = node.addDOMWidget(name, `gen5_panel_${lastPanel}`, root, {
    serialize: false,
    getMinHeight: needed,
    getMaxHeight: () => (root.querySelector(`.${STRETCHES}`) ? undefined : needed()),
    getValue: () => "",
    setValue: () => {},
  })
  widget.serialize = false // the option keeps it out of prompts, this out of workflows
  if (stretches) return
  widget.computeLayoutSize = undefined // otherwise Nodes 2.0 gives it half of the height reserved for a preview
  widget.computeSize = (width = 0) => [width, needed() - CANVAS_GAP]
}

/** @param {HTMLElement} root */
function isEmpty(root) {
  const [content, status] = root.children
  return !content.hasChildNodes() && !status.textContent
}

/**
 * Cache the minimum height of a panel. It is read in every frame, so it is measured only when something changes.
 *
 * @param {HTMLElement} root
 * @param {() => void} changed
 */
function trackHeight(root, changed) {
  const height = { value: INITIAL_HEIGHT, measure }
  if (window.ResizeObserver) new ResizeObserver(measure).observe(root)
  return height

  function measure() {
    if (root.offsetWidth >= WIDTH_MIN) height.value = minHeight(root)
    changed()
  }
}

/** @param {HTMLElement} root */
function minHeight(root) {
  const [content, status] = root.children
  const children = /** @type {HTMLElement[]} */ ([...content.children, status]).filter((child) => child.offsetHeight > 0)
  const heights = children.map((child) =>
    child.classList.contains(STRETCHES) ? parseFloat(getComputedStyle(child).minHeight) : child.offsetHeight,
  )
  return heights.reduce((sum, each) => sum + each, 2 * PADDING + GAP * Math.max(0, heights.length - 1))
}

/**
 * Make the wheel zoom and the middle button pan over a panel, as elsewhere on the classic canvas.
 *
 * @param {HTMLElement} root
 */
function leaveGesturesToCanvas(root) {
  /**
   * @param {"processMouseDown"|"processMouseMove"|"processMouseUp"|"processMouseWheel"} method
   * @param {(event: MouseEvent) => boolean} applies
   */
  const pass = (method, applies) => (/** @type {MouseEvent} */ event) => {
    if (window.LiteGraph?.vueNodesMode || !applies(event)) return // Nodes 2.0 does this itself
    event.preventDefault()
    app.canvas[method](event)
  }
  root.addEventListener("wheel", pass("processMouseWheel", () => true), { passive: false })
  root.addEventListener("pointerdown", pass("processMouseDown", ({ button }) => button === MIDDLE_BUTTON))
  root.addEventListener("pointermove", pass("processMouseMove", ({ buttons }) => (buttons & 4) === 4))
  root.addEventListener("pointerup", pass("processMouseUp", ({ button }) => button === MIDDLE_BUTTON))
}
