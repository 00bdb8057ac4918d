import { app } from "../../../scripts/app.js"
import { element } from "../dom.js"
import { workflow } from "../gen5_api.js"
import { t } from "../i18n/index.js"
import { firstOf, notice, section } from "./parts.js"
import { valueText } from "./words.js"
import { diffPrompts, diffWorkflows, isSame } from "./workflow_diff.js"

/**
 * @import { GraphDiff, Input, InputChange, NodeName } from "./workflow_diff.js"
 * @typedef {Map<string, string|null>} Seeds by node id
 */

const VALUE_LENGTH = 300

/**
 * Make the section with the differences between the stored workflow and the open graph; compared when it is opened.
 * @param {Gen5.Facts} facts
 * @param {string} name annotated
 */
export function compareSection(facts, name) {
  const seeds = new Map((facts.passes ?? []).map((pass) => [String(pass.node_id), pass.seed]))
  return section(t("diff.title"), { onOpen: (body) => compare(body, name, seeds) })
}

/**
 * @param {HTMLElement} body
 * @param {string} name
 * @param {Seeds} seeds
 */
async function compare(body, name, seeds) {
  body.replaceChildren(element("p", { text: t("diff.comparing"), attributes: { role: "status" } }))
  try {
    const diff = await diffToOpenGraph(name)
    body.replaceChildren(...(diff ? diffElements(diff, seeds) : [note(t("diff.noWorkflow"))]))
  } catch (error) {
    body.replaceChildren(notice("pi-exclamation-circle", t("diff.failed"), error.message))
  }
  body.append(again(body, name, seeds))
}

/**
 * @param {HTMLElement} body
 * @param {string} name
 * @param {Seeds} seeds
 */
function again(body, name, seeds) {
  const attributes = { type: "button" }
  const onclick = () => compare(body, name, seeds)
  return element("button", { className: "gen5-library-button", text: t("diff.again"), onclick, attributes })
}

/** @param {string} name */
async function diffToOpenGraph(name) {
  const stored = await workflow(name)
  if (stored.prompt) return diffPrompts(stored.prompt, (await app.graphToPrompt()).output)
  if (!stored.workflow) return null
  return diffWorkflows(stored.workflow, app.rootGraph?.serialize?.() ?? app.graph.serialize(), widgetNames)
}

/** @param {string} type */
function widgetNames(type) {
  const node = app.graph.nodes.find((one) => one.type === type)
  return node?.widgets?.filter((widget) => widget.serialize !== false).map((widget) => widget.name)
}

/**
 * @param {GraphDiff} diff
 * @param {Seeds} seeds
 */
function diffElements(diff, seeds) {
  if (isSame(diff)) return [note(t("diff.same", { count: diff.same }))]
  return [
    ...group("diff.changed", diff.changed, (node) => changedNode(node, seeds)),
    ...group("diff.onlyStored", diff.onlyStored, nodeLine),
    ...group("diff.onlyPresent", diff.onlyPresent, nodeLine),
    note(t("diff.alike", { count: diff.same })),
  ]
}

/**
 * @param {"diff.changed"|"diff.onlyStored"|"diff.onlyPresent"} key
 * @param {any[]} nodes
 * @param {(node: any) => Node} draw
 */
function group(key, nodes, draw) {
  if (!nodes.length) return []
  return [element("h3", { text: t(key, { count: nodes.length }) }), ...firstOf(nodes, draw)]
}

/** @param {NodeName} node */
function nodeLine({ id, type, title }) {
  const kind = title === type ? `#${id}` : `${type} #${id}`
  return element(
    "div",
    { className: "gen5-library-node" },
    element("span", { text: title }),
    element("span", { className: "gen5-library-muted", text: kind }),
  )
}

/**
 * @param {GraphDiff["changed"][number]} node
 * @param {Seeds} seeds
 */
function changedNode(node, seeds) {
  const changes = node.inputs.map((change) => changeLine(change, seeds.get(node.id)))
  return element("div", { className: "gen5-library-block" }, nodeLine(node), ...changes)
}

/**
 * @param {InputChange} change
 * @param {string|null|undefined} seed
 */
function changeLine({ name, stored, present }, seed) {
  return element(
    "div",
    { className: "gen5-library-change" },
    element("span", { className: "gen5-library-muted", text: name }),
    element("del", { text: inputText(stored, seed) }),
    element("span", { className: "gen5-unseen", text: t("diff.now") }),
    element("ins", { text: inputText(present) }),
  )
}

/**
 * JavaScript's numbers lose the last digits of a seed above 2⁵³, so it is taken from the file's facts, as a string.
 *
 * @param {Input|undefined} input
 * @param {string|null|undefined} [seed]
 */
function inputText(input, seed) {
  if (!input) return t("diff.nothing")
  if (input.kind === "link") return t("diff.link", input.value)
  const isRounded = typeof input.value === "number" && Math.abs(input.value) > Number.MAX_SAFE_INTEGER
  if (isRounded && seed && Number(seed) === input.value) return seed
  const text = valueText(input.value)
  return text.length > VALUE_LENGTH ? t("text.begins", { text: text.slice(0, VALUE_LENGTH) }) : text
}

/** @param {string} text */
function note(text) {
  return element("p", { className: "gen5-library-muted", text })
}
