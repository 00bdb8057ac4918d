/** Save Gen5 in the browser: the written file, its size, its noise, and what was left out for privacy. */
import { element } from "./dom.js"
import { t } from "./i18n/index.js"
import { startingNoise, stepNoise } from "./noise_words.js"
import { addPanel, onResult, resultHooks } from "./panel.js"
import { fileSize } from "./text.js"
import { signedBy } from "./trust.js"

const SAVER = "Gen5Save"

const panels = new WeakMap()

/** The extension. */
export const saveNode = {
  name: "Gen5.SaveNode",
  /** @param {Host.Node} node */
  nodeCreated(node) {
    if (node.comfyClass !== SAVER) return
    panels.set(node, addPanel(node, { name: "gen5_saved", label: t("save.label") }))
    onResult(node, (results) => show(node, results))
  },
  ...resultHooks([SAVER], show),
}

/**
 * @param {Host.Node} node
 * @param {Gen5.Saved[]} files
 */
function show(node, files) {
  panels.get(node)?.show(...files.map(saved))
}

/** @param {Gen5.Saved} file */
function saved(file) {
  const { filename, subfolder, size_bytes: bytes, signed_by: keyId } = file
  const path = subfolder ? `${subfolder}/${filename}` : filename
  return element(
    "div",
    { className: "gen5-saved", attributes: { role: "status" } },
    element("p", {}, element("strong", { text: filename, title: `output/${path}` }), t("save.size", { size: fileSize(bytes) })),
    noiseLine(startingNoise(file), file.noise_source === "none"),
    noiseLine(stepNoise(file), file.step_noise?.some(({ reason }) => reason)),
    file.noise_source !== "none" && file.reason && element("p", { className: "gen5-faint", text: file.reason }),
    keyId && element("p", { text: signedBy({ key_id: keyId }) }),
    leftOut(file.scrubbed),
  )
}

/**
 * List what Gen5.Privacy.Scrub removed, below a line with the number of things.
 *
 * @param {string[]|null|undefined} things
 */
function leftOut(things) {
  if (!things?.length) return null
  return element(
    "details",
    { className: "gen5-left-out" },
    element("summary", { text: t("save.leftOut", { count: things.length }) }),
    element("ul", { className: "gen5-faint" }, ...things.map((text) => element("li", { text }))),
  )
}

/**
 * @param {string} text
 * @param {unknown} isLacking
 */
function noiseLine(text, isLacking) {
  return element("p", { className: isLacking ? "gen5-lacking" : "", text })
}
