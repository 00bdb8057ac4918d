/** Compare With Stored and Environment Drift in the browser: the verdict, and what differs. */
import { element } from "./dom.js"
import { driftTable } from "./drift_table.js"
import { formatNumber, t } from "./i18n/index.js"
import { addPanel, onResult, resultHooks, STRETCHES } from "./panel.js"

const COMPARER = "Gen5Compare"
const CHECKER = "Gen5Environment"
/** @type {Record<string, {text: string, className: string}>} */
const VERDICTS = {
  "bit-exact": { text: t("compare.exact"), className: "gen5-badge-ok" },
  "within tolerance": { text: t("compare.within"), className: "gen5-badge-warn" },
  differs: { text: t("compare.differs"), className: "gen5-badge-error" },
}
/** @type {Record<string, {panel: {name: string, label: string, stretches?: boolean}, parts: (results: any[]) => HTMLElement[]}>} */
const NODE_KINDS = {
  [COMPARER]: {
    panel: { name: "gen5_verdict", label: t("compare.label") },
    parts: (/** @type {Gen5.Verdict[]} */ results) => results.map(verdict),
  },
  [CHECKER]: {
    panel: { name: "gen5_drift", label: t("drift.label"), stretches: true },
    parts: (/** @type {{drifts: Gen5.Drift[]}[]} */ results) => results.flatMap(drift),
  },
}
const TABLE_WIDTH = 340 // px: ComfyUI makes a node only as wide as its sockets need, too narrow for a table

const panels = new WeakMap()

/** The extension. */
export const compareNode = {
  name: "Gen5.CompareNode",
  /** @param {Host.Node} node */
  nodeCreated(node) {
    const kind = NODE_KINDS[node.comfyClass ?? ""]
    if (!kind) return
    panels.set(node, addPanel(node, kind.panel))
    onResult(node, (results) => show(node, results))
    if (node.comfyClass === CHECKER) node.setSize([Math.max(node.size[0], TABLE_WIDTH), node.size[1]])
  },
  ...resultHooks(Object.keys(NODE_KINDS), show),
}

/**
 * @param {Host.Node} node
 * @param {any[]} results
 */
function show(node, results) {
  panels.get(node)?.show(...NODE_KINDS[node.comfyClass ?? ""].parts(results))
}

/** @param {Gen5.Verdict} result */
function verdict(result) {
  const known = VERDICTS[result.verdict] ?? { text: result.verdict, className: "" }
  const lines = result.report.split("\n").map((text) => element("li", { text }))
  return element(
    "div",
    { className: "gen5-verdict", attributes: { role: "status" } },
    element("p", {}, element("strong", { className: `gen5-badge ${known.className}`, text: known.text })),
    element("p", { text: figures(result) }),
    element("ul", { className: "gen5-faint" }, ...lines),
  )
}

/**
 * A figure that is not finite is null, since JSON has no infinity.
 *
 * @param {Gen5.Verdict} verdict
 */
function figures({ identical, max_difference: largest, psnr, tolerance }) {
  if (identical) return t("compare.identical")
  const parts = [
    t("compare.largest", { value: largest === null ? t("compare.infinite") : shortNumber(largest) }),
    tolerance > 0 && t("compare.tolerance", { value: shortNumber(tolerance) }),
    t("compare.psnr", { value: psnr === null ? t("compare.infinite") : decibels(psnr) }),
  ]
  return parts.filter(Boolean).join(", ")
}

/** @param {number} value */
function decibels(value) {
  return t("compare.decibels", { value: formatNumber(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }) })
}

/** @param {number} value */
function shortNumber(value) {
  return String(Number(value.toPrecision(4)))
}

/** @param {{drifts: Gen5.Drift[]}} given */
function drift({ drifts }) {
  const count = drifts.length
  const text = count ? t("drift.things", { count }) : t("drift.nothing")
  const className = `gen5-badge ${count ? "gen5-badge-warn" : "gen5-badge-ok"}`
  const head = element("p", { attributes: { role: "status" } }, element("strong", { className, text }))
  if (!count) return [head]
  const attributes = { role: "region", tabindex: "0", "aria-label": t("drift.what") }
  return [head, element("div", { className: `gen5-drift-list ${STRETCHES}`, attributes }, driftTable(drifts))]
}
