/**
 * Compare two graphs; independent of the page that shows the result.
 *
 * A graph is either an API prompt (`app.graphToPrompt().output`) or a workflow (`app.graph.serialize()`).
 * Positions, sizes, colours and groups are ignored, since they do not change the picture.
 *
 * @typedef {{id: string, type: string, title: string}} NodeName
 * @typedef {Map<string, NodeName & {inputs: Map<string, Input>}>} Nodes
 * @typedef {(type: string) => string[]|undefined} WidgetNames names of a node type's widgets, in order
 * @typedef {{kind: "value", value: any} | {kind: "link", value: {id: string, title: string, slot: number}}} Input
 * @typedef {{name: string, stored: Input|undefined, present: Input|undefined}} InputChange
 * @typedef {{onlyStored: NodeName[], onlyPresent: NodeName[], changed: (NodeName & {inputs: InputChange[]})[], same: number}} GraphDiff
 */
import { hasText, t } from "../i18n/index.js"

/**
 * Compare two API prompts.
 * @param {Record<string, object>} stored
 * @param {Record<string, object>} present
 * @returns {GraphDiff}
 */
export function diffPrompts(stored, present) {
  return diffNodes(promptNodes(stored), promptNodes(present))
}

/**
 * Compare two workflows, subgraphs included.
 * @param {object} stored
 * @param {object} present
 * @param {WidgetNames} [widgetNames]
 * @returns {GraphDiff}
 */
export function diffWorkflows(stored, present, widgetNames = () => undefined) {
  const [here, there] = [subgraphsOf(stored), subgraphsOf(present)]
  return diffNodes(
    workflowNodes(stored, subgraphNames(here, there), widgetNames),
    workflowNodes(present, subgraphNames(there, here), widgetNames),
  )
}

/**
 * Return whether two graphs are the same.
 * @param {GraphDiff} diff
 */
export function isSame(diff) {
  return !diff.onlyStored.length && !diff.onlyPresent.length && !diff.changed.length
}

/**
 * Match nodes by id. Nodes of the same id but different types are different nodes.
 *
 * @param {Nodes} stored
 * @param {Nodes} present
 */
function diffNodes(stored, present) {
  /** @type {GraphDiff} */
  const diff = { onlyStored: [], onlyPresent: [], changed: [], same: 0 }
  for (const [key, node] of stored) {
    const other = present.get(key)
    const inputs = other ? changedInputs(node.inputs, other.inputs) : []
    if (!other) diff.onlyStored.push(nameOf(node))
    else if (inputs.length) diff.changed.push({ ...nameOf(other), inputs })
    else diff.same += 1
  }
  for (const [key, node] of present) {
    if (!stored.has(key)) diff.onlyPresent.push(nameOf(node))
  }
  return diff
}

/**
 * @param {Map<string, Input>} stored
 * @param {Map<string, Input>} present
 */
function changedInputs(stored, present) {
  const names = new Set([...stored.keys(), ...present.keys()])
  return [...names]
    .map((name) => ({ name, stored: stored.get(name), present: present.get(name) }))
    .filter((change) => !sameInput(change.stored, change.present))
}

/**
 * Return whether two inputs are the same. Links are if they come from the same output; the node's title is ignored.
 *
 * @param {Input|undefined} one
 * @param {Input|undefined} other
 */
function sameInput(one, other) {
  if (!one || !other || one.kind !== other.kind) return false
  if (one.kind === "link") return one.value.id === other.value.id && one.value.slot === other.value.slot
  return sameValue(one.value, other.value)
}

/**
 * @param {any} one
 * @param {any} other
 * @returns {boolean}
 */
function sameValue(one, other) {
  if (Object.is(one, other) || one === other) return true
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false
  const keys = Object.keys(one)
  return (
    Array.isArray(one) === Array.isArray(other) &&
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && sameValue(one[key], other[key]))
  )
}

/** @param {NodeName} node */
function nameOf({ id, type, title }) {
  return { id, type, title }
}

/** @param {Record<string, any>} prompt */
function promptNodes(prompt) {
  const nodes = new Map()
  for (const [id, node] of Object.entries(prompt ?? {})) {
    if (typeof node?.class_type !== "string") continue
    const inputs = new Map(
      Object.entries(node.inputs ?? {}).map(([name, value]) => [name, promptInput(prompt, value)]),
    )
    const title = promptTitle(prompt, id)
    nodes.set(`${id} ${node.class_type}`, { id, type: node.class_type, title, inputs })
  }
  return nodes
}

/**
 * @param {Record<string, any>} prompt
 * @param {any} value
 */
function promptInput(prompt, value) {
  const isLink = Array.isArray(value) && value.length === 2 && Number.isInteger(value[1]) && isNodeId(value[0])
  if (!isLink) return { kind: "value", value }
  const id = String(value[0])
  return { kind: "link", value: { id, title: promptTitle(prompt, id), slot: value[1] } }
}

/** @param {unknown} value */
function isNodeId(value) {
  return typeof value === "string" || Number.isInteger(value)
}

/**
 * @param {Record<string, any>} prompt
 * @param {string} id
 */
function promptTitle(prompt, id) {
  const node = Object.hasOwn(prompt, id) ? prompt[id] : undefined
  return String(node?._meta?.title || node?.class_type || id)
}

/** @param {any} workflow */
function subgraphsOf(workflow) {
  return asList(workflow?.definitions?.subgraphs)
}

/**
 * Give each subgraph of a workflow a key that its counterpart in the other workflow shares: the subgraph of the same id,
 * else of the same name, in order. Names may repeat, so the title tells such subgraphs apart.
 *
 * @param {any[]} own
 * @param {any[]} others
 */
function subgraphNames(own, others) {
  const shared = new Set(others.map((part) => part.id))
  const counts = new Map()
  /** @param {string} what */
  const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1).get(what)
  return own.map((part) => {
    const name = String(part.name ?? part.id)
    const like = shared.has(part.id) ? `id ${part.id}` : `name ${name}`
    const number = count(`title ${name}`)
    return { part, title: number > 1 ? `${name} (${number})` : name, key: `${like} ${count(like)}` }
  })
}

/**
 * @param {any} workflow
 * @param {ReturnType<typeof subgraphNames>} subgraphs
 * @param {WidgetNames} widgetNames
 */
function workflowNodes(workflow, subgraphs, widgetNames) {
  const nodes = new Map()
  const called = new Map(subgraphs.map(({ part, title, key }) => [part.id, { title, key }]))
  for (const { part, title, key } of [{ part: workflow, title: null, key: "" }, ...subgraphs]) {
    const links = linksOf(part)
    const titles = new Map(asList(part?.nodes).map((node) => [String(node.id), titleOf(node, called)]))
    for (const node of asList(part?.nodes)) {
      const id = title === null ? String(node.id) : `${title}:${node.id}`
      const type = called.get(node.type)?.title ?? String(node.type)
      const kind = called.get(node.type)?.key ?? node.type
      /** @type {Map<string, Input>} */
      const inputs = new Map([
        ...widgetInputs(node, widgetNames),
        ...linkInputs(node, links, titles),
        [t("diff.mode"), { kind: /** @type {"value"} */ ("value"), value: modeOf(node) }],
      ])
      nodes.set(`${key} ${node.id} ${kind}`, { id, type, title: titleOf(node, called), inputs })
    }
  }
  return nodes
}

/** @param {{mode?: number}} given */
function modeOf({ mode = 0 }) {
  const key = `diff.mode.${mode}`
  return hasText(key) ? t(key) : mode
}

/**
 * @param {any} node
 * @param {Map<string, {title: string}>} called
 */
function titleOf(node, called) {
  return String(node.title || called.get(node.type)?.title || node.type)
}

/** @param {unknown} value */
function asList(value) {
  return Array.isArray(value) ? value.filter((item) => item !== null && typeof item === "object") : []
}

/**
 * Return node and output by link id. Links are arrays in a workflow and objects in a subgraph.
 *
 * @param {any} graph
 */
function linksOf(graph) {
  const links = new Map()
  for (const link of asList(graph?.links)) {
    if (Array.isArray(link)) links.set(link[0], { id: String(link[1]), slot: link[2] })
    else links.set(link.id, { id: String(link.origin_id), slot: link.origin_slot })
  }
  return links
}

/**
 * @param {any} node
 * @param {Map<number, {id: string, slot: number}>} links
 * @param {Map<string, string>} titles
 * @returns {[string, Input][]}
 */
function linkInputs(node, links, titles) {
  return asList(node.inputs)
    .filter((input) => links.has(input.link))
    .map((input) => {
      const { id, slot } = /** @type {{id: string, slot: number}} */ (links.get(input.link))
      return [input.name, { kind: "link", value: { id, slot, title: titles.get(id) ?? id } }]
    })
}

/**
 * @param {any} node
 * @param {WidgetNames} widgetNames
 * @returns {[string, Input][]}
 */
function widgetInputs(node, widgetNames) {
  const values = node.widgets_values
  if (values === null || typeof values !== "object") return []
  const names = Array.isArray(values) ? (widgetNames(node.type) ?? []) : []
  return Object.entries(values).map(([key, value]) => {
    const name = Array.isArray(values) ? (names[Number(key)] ?? t("diff.widget", { number: Number(key) + 1 })) : key
    return [name, { kind: "value", value }]
  })
}
