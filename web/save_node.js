/** Save Gen5 in the browser: which file was written, how large it is, and what noise is in it. */
import { element } from "./dom.js"
import { startingNoise, stepNoise } from "./noise_words.js"
import { addPanel, onResult, resultHooks } from "./panel.js"
import { fileSize } from "./text.js"

const SAVER = "Gen5Save"

const panels = new WeakMap()

/** The extension. */
export const saveNode = {
  name: "Gen5.SaveNode",
  nodeCreated(node) {
    if (node.comfyClass !== SAVER) return
    panels.set(node, addPanel(node, { name: "gen5_saved", label: "The saved file" }))
    onResult(node, (told) => show(node, told))
  },
  ...resultHooks([SAVER], show),
}

function show(node, files) {
  panels.get(node)?.show(...files.map(saved))
}

function saved(file) {
  const { filename, subfolder, size_bytes: bytes } = file
  const path = subfolder ? `${subfolder}/${filename}` : filename
  return element(
    "div",
    { className: "gen5-saved", attributes: { role: "status" } },
    element("p", {}, element("strong", { text: filename, title: `output/${path}` }), `, ${fileSize(bytes)}`),
    noiseLine(startingNoise(file), file.noise_source === "none"),
    noiseLine(stepNoise(file), file.step_noise?.some(({ stored, reason }) => !stored && reason)),
    file.noise_source !== "none" && file.reason && element("p", { className: "gen5-faint", text: file.reason }),
  )
}

function noiseLine(text, isLacking) {
  return element("p", { className: isLacking ? "gen5-lacking" : "", text })
}
