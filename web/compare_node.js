/** Compare With Stored and Environment Drift in the browser: the verdict, and what differs. */
import { element } from "./dom.js"
import { driftTable } from "./drift_table.js"
import { formatNumber, t } from "./i18n/index.js"
import { addPanel, onResult, resultHooks, STRETCHES } from "./panel.js"

const COMPARER = "Gen5Compare"
const CHECKER = "Gen5Environment"
const VERDICTS = {
  "bit-exact": { text: t("compare.exact"), className: "gen5-badge-ok" },
  "within tolerance": { text: t("compare.within"), className: "gen5-badge-warn" },
  differs: { text: t("compare.differs"), className: "gen5-badge-error" },
}
const SHOWN = {
  [COMPARER]: {
    panel: { name: "gen5_verdict", label: t("compare.label") },
    parts: (told) => told.map(verdict),
  },
  [CHECKER]: {
    panel: { name: "gen5_drift", label: t("drift.label"), stretches: true },
    parts: (told) => told.flatMap(drift),
  },
}
const HOLDS_TABLE = 340 // px: a node is as wide as its sockets need, which leaves a table no room

const panels = new WeakMap()

/** The extension. */
export const compareNode = {
  name: "Gen5.CompareNode",
  nodeCreated(node) {
    if (!(node.comfyClass in SHOWN)) return
    panels.set(node, addPanel(node, SHOWN[node.comfyClass].panel))
    onResult(node, (told) => show(node, told))
    if (node.comfyClass === CHECKER) node.setSize([Math.max(node.size[0], HOLDS_TABLE), node.size[1]])
  },
  ...resultHooks(Object.keys(SHOWN), show),
}

function show(node, told) {
  panels.get(node)?.show(...SHOWN[node.comfyClass].parts(told))
}

function verdict(told) {
  const known = VERDICTS[told.verdict] ?? { text: told.verdict, className: "" }
  const lines = told.report.split("\n").map((text) => element("li", { text }))
  return element(
    "div",
    { className: "gen5-verdict", attributes: { role: "status" } },
    element("p", {}, element("strong", { className: `gen5-badge ${known.className}`, text: known.text })),
    element("p", { text: figures(told) }),
    element("ul", { className: "gen5-faint" }, ...lines),
  )
}

/** A figure that is not finite arrives as null. */
function figures({ identical, max_difference: largest, psnr, tolerance }) {
  if (identical) return t("compare.identical")
  const parts = [
    t("compare.largest", { value: largest === null ? t("compare.infinite") : shortNumber(largest) }),
    tolerance > 0 && t("compare.tolerance", { value: shortNumber(tolerance) }),
    t("compare.psnr", { value: psnr === null ? t("compare.infinite") : decibels(psnr) }),
  ]
  return parts.filter(Boolean).join(", ")
}

function decibels(value) {
  return t("compare.decibels", { value: formatNumber(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }) })
}

function shortNumber(value) {
  return String(Number(value.toPrecision(4)))
}

function drift({ drifts }) {
  const count = drifts.length
  const text = count ? t("drift.things", { count }) : t("drift.nothing")
  const className = `gen5-badge ${count ? "gen5-badge-warn" : "gen5-badge-ok"}`
  const head = element("p", { attributes: { role: "status" } }, element("strong", { className, text }))
  if (!count) return [head]
  const attributes = { role: "region", tabindex: "0", "aria-label": t("drift.what") }
  return [head, element("div", { className: `gen5-drift-list ${STRETCHES}`, attributes }, driftTable(drifts))]
}
