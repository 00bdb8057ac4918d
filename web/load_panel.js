/** What Load Gen5 shows of the chosen file. */
import { element } from "./dom.js"
import { driftBadge } from "./drift_table.js"
import { verify } from "./gen5_api.js"
import { startingNoise } from "./noise_words.js"
import { addPanel } from "./panel.js"
import { noiseThumbnail, storedPictures } from "./stored_pictures.js"
import { fileSize, samplerLine } from "./text.js"

const SEALED = ["Sealed", "Header and index are whole. Verify reads every byte, as running the node does."]
const UNSEALED = ["Not sealed", "A file of version 1.0: its header and index bear no seal."]
const VERIFIED = ["Verified", "Every byte was read, and is as it was written."]
const FAILED = "Check failed"

/**
 * Add the panel to a node.
 *
 * @param {object} node a Load Gen5
 * @returns {{element: HTMLElement, say: (text: string) => void, showNothing: (text: string) => void,
 *   showProblem: (name: string, message: string) => void,
 *   showFile: (name: string, facts: object, batchIndex: number, ran: object|null) => void,
 *   setBatchIndex: (index: number) => void, setRun: (ran: object) => boolean}} setRun tells whether that file is shown
 */
export function createLoadPanel(node) {
  const panel = addPanel(node, { name: "gen5_file", label: "The stored file", stretches: true })
  let shown = null
  const draw = () => panel.show(...fileParts(panel, shown))
  const leave = () => {
    shown?.check.abort()
    shown = null
  }
  return {
    element: panel.element,
    say: panel.say,
    showNothing(text) {
      leave()
      panel.show(element("p", { className: "gen5-faint", text }))
    },
    showProblem(name, message) {
      leave()
      panel.show(problem(name, message))
    },
    showFile(name, facts, batchIndex, ran) {
      const isVerified = (shown?.facts.root === facts.root && shown.isVerified) || ran?.root === facts.root
      leave()
      shown = { name, facts, batchIndex, isVerified, failure: null, check: new AbortController() }
      draw()
    },
    setBatchIndex(index) {
      if (!shown || shown.batchIndex === index) return
      shown.batchIndex = index
      draw()
    },
    setRun({ root }) {
      if (shown?.facts.root !== root) return false
      if (!shown.isVerified) {
        shown.isVerified = true
        shown.failure = null
        draw()
      }
      return true
    },
  }
}

function problem(name, message) {
  const text = message.startsWith(name) ? message : `${name}: ${message}`
  return element("p", { className: "gen5-problem", text, attributes: { role: "alert" } })
}

function fileParts(panel, shown) {
  const { name, facts, batchIndex } = shown
  const noise = noiseThumbnail(name, facts)
  const pictures = storedPictures(name, facts, batchIndex, noise.show)
  return [pictures, settings(facts, noise.element), badges(panel, shown)]
}

function settings(facts, noise) {
  const { seed, ...others } = facts
  const lines = [
    seed !== null && line("gen5-seed", `Seed ${seed}`),
    line("", samplerLine(others)),
    line("gen5-faint", sizeLine(facts)),
    line("gen5-faint", startingNoise(facts, noise !== null)),
  ]
  return element("div", { className: "gen5-settings" }, noise, element("div", {}, ...lines))
}

function line(className, text) {
  return text && element("p", { className, text })
}

function sizeLine({ width, height, images, size_bytes: bytes }) {
  const [first] = images
  const [wide, high] = first?.width ? [first.width, first.height] : [width, height]
  return [wide && high && `${wide} × ${high}`, images.length > 1 && `${images.length} pictures`, fileSize(bytes)]
    .filter(Boolean)
    .join(", ")
}

function badges(panel, shown) {
  const { facts, isVerified } = shown
  const drift = facts.environment.length || facts.drifts.length ? driftBadge(facts.drifts) : null
  const row = element("div", { className: "gen5-badges" }, seal(shown), drift)
  if (!isVerified) row.append(verifyButton(panel, shown))
  return row
}

function seal({ facts: { sealed }, isVerified, failure }) {
  if (failure) return sealBadge(FAILED, failure, "gen5-badge-error")
  const [text, title] = isVerified ? VERIFIED : sealed ? SEALED : UNSEALED
  return sealBadge(text, title, isVerified || sealed ? "gen5-badge-ok" : "")
}

function sealBadge(text, title, className) {
  return element("span", { className: `gen5-badge ${className} gen5-seal`, text, title })
}

/**
 * The button stays focused and in place while the check runs, so that its end is told where it was asked for.
 * Another batch_index draws the badges anew meanwhile.
 */
function verifyButton(panel, shown) {
  const button = element("button", {
    className: "gen5-button",
    type: "button",
    text: "Verify",
    title: "Read every byte and check it",
    onclick: () => button.getAttribute("aria-busy") !== "true" && run(),
  })
  return button

  async function run() {
    button.setAttribute("aria-busy", "true")
    const { signal } = shown.check
    const stamp = () => panel.element.querySelector(".gen5-seal").replaceWith(seal(shown))
    try {
      const report = await verify(shown.name, (step) => panel.say(progress(step)), { signal })
      if (signal.aborted) return
      shown.isVerified = true
      shown.failure = null
      stamp()
      panel.say(goodNews(report))
    } catch (error) {
      if (signal.aborted) return
      shown.failure = error.message
      stamp()
      panel.say(error.message, true)
    } finally {
      button.removeAttribute("aria-busy")
    }
  }
}

function progress({ done, total }) {
  return total ? `Verifying: ${Math.floor((100 * done) / total)} % of ${fileSize(total)}` : "Verifying…"
}

function goodNews({ checked_bytes: bytes, notes = [] }) {
  return [`Every byte is as it was written: ${fileSize(bytes)}.`, ...notes].join(" ")
}
