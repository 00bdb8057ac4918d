/** A panel in a node: facts and pictures in a DOM widget that has no value, in both renderers. */
import { app } from "../../scripts/app.js"
import { element } from "./dom.js"

/** The one child of a panel, if any, that takes what height is left; its min-height is in CSS. */
export const STRETCHES = "gen5-stretch"

const CANVAS_MARGINS = 20 // px that the classic canvas leaves above and below a DOM widget
const CANVAS_GAP = 4 // px that it adds to a widget of fixed height
const PADDING = 3 // px, as in nodes.css
const GAP = 6 // px, as in nodes.css
const UNSEEN_HEIGHT = 40 // px, until the page has laid the panel out
const LEAST_WIDTH = 60 // px: narrower it is not laid out yet, and its lines break at every letter
const MIDDLE_BUTTON = 1

/** @typedef {{value: number, measure: () => void}} Height */

let lastPanel = 0

/**
 * Add a panel to a node, below its widgets. It is in no saved workflow and in no prompt, and takes no room
 * until something is shown.
 *
 * @param {Host.Node} node
 * @param {{name: string, label: string, stretches?: boolean}} options name of the widget; label is what assistive
 *   technology calls the panel; stretches: it shares what height the node has to spare, if a child {@link STRETCHES}
 * @returns {{element: HTMLElement, show: (...children: (Node|null|false)[]) => void,
 *   say: (text: string, isProblem?: boolean) => void}} show puts content in; say tells of what goes on, below it
 */
export function addPanel(node, { name, label, stretches = false }) {
  const content = element("div", { className: "gen5-node-content" })
  const said = element("p", { className: "gen5-said", attributes: { role: "status" } })
  const attributes = { role: "group", "aria-label": label }
  const root = element("div", { className: "gen5-node-panel", hidden: true, attributes }, content, said)
  const height = trackHeight(root, () => node.setDirtyCanvas?.(true, true))
  root.addEventListener("toggle", height.measure, true) // of details, which tell no one else
  addWidget(node, name, root, height, stretches)
  leaveGesturesToCanvas(root)
  const redo = () => {
    root.hidden = isEmpty(root)
    height.measure()
  }
  return {
    element: root,
    show(...children) {
      said.textContent = ""
      content.replaceChildren(...children.filter((child) => child instanceof Node))
      redo()
    },
    say(text, isProblem = false) {
      said.textContent = text
      said.classList.toggle("gen5-problem", isProblem)
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
 * Call a function with what a node's own run says under `gen5`, and after it whatever was there before.
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
 * The hooks of an extension whose nodes show results: of some classes, each time that ComfyUI has outputs for nodes
 * that have not run themselves: on coming back to a workflow's tab, and after an undo, which makes all nodes again.
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
  lastPanel += 1 // Nodes 2.0 takes a node made again by an undo for the former one, unless a widget's type differs
  const widget = node.addDOMWidget(name, `gen5_panel_${lastPanel}`, root, {
    serialize: false,
    getMinHeight: needed,
    getMaxHeight: () => (root.querySelector(`.${STRETCHES}`) ? undefined : needed()),
    getValue: () => "",
    setValue: () => {},
  })
  widget.serialize = false // the option keeps it out of prompts, this out of workflows
  if (stretches) return
  widget.computeLayoutSize = undefined // else Nodes 2.0 gives it half of the height that a preview could have
  widget.computeSize = (width = 0) => [width, needed() - CANVAS_GAP]
}

/** @param {HTMLElement} root */
function isEmpty(root) {
  const [content, said] = root.children
  return !content.hasChildNodes() && !said.textContent
}

/**
 * Keep the least height of a panel: asked in every frame, so it is measured only when something changes.
 *
 * @param {HTMLElement} root
 * @param {() => void} changed
 */
function trackHeight(root, changed) {
  const height = { value: UNSEEN_HEIGHT, measure }
  if (window.ResizeObserver) new ResizeObserver(measure).observe(root)
  return height

  function measure() {
    if (root.offsetWidth >= LEAST_WIDTH) height.value = leastHeight(root)
    changed()
  }
}

/** @param {HTMLElement} root */
function leastHeight(root) {
  const [content, said] = root.children
  const children = /** @type {HTMLElement[]} */ ([...content.children, said]).filter((child) => child.offsetHeight > 0)
  const heights = children.map((child) =>
    child.classList.contains(STRETCHES) ? parseFloat(getComputedStyle(child).minHeight) : child.offsetHeight,
  )
  return heights.reduce((sum, each) => sum + each, 2 * PADDING + GAP * Math.max(0, heights.length - 1))
}

/**
 * Zoom with the wheel and pan with the middle button over a panel, as elsewhere on the classic canvas.
 *
 * @param {HTMLElement} root
 */
function leaveGesturesToCanvas(root) {
  /**
   * @param {"processMouseDown"|"processMouseMove"|"processMouseUp"|"processMouseWheel"} method
   * @param {(event: MouseEvent) => boolean} applies
   */
  const pass = (method, applies) => (/** @type {MouseEvent} */ event) => {
    if (window.LiteGraph?.vueNodesMode || !applies(event)) return // Nodes 2.0 sees to it itself
    event.preventDefault()
    app.canvas[method](event)
  }
  root.addEventListener("wheel", pass("processMouseWheel", () => true), { passive: false })
  root.addEventListener("pointerdown", pass("processMouseDown", ({ button }) => button === MIDDLE_BUTTON))
  root.addEventListener("pointermove", pass("processMouseMove", ({ buttons }) => (buttons & 4) === 4))
  root.addEventListener("pointerup", pass("processMouseUp", ({ button }) => button === MIDDLE_BUTTON))
}
