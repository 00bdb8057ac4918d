/** Load Gen5's panel about the chosen file. */
import { element } from "./dom.js"
import { driftBadge } from "./drift_table.js"
import { verify } from "./gen5_api.js"
import { t } from "./i18n/index.js"
import { startingNoise } from "./noise_words.js"
import { addPanel } from "./panel.js"
import { noiseThumbnail, storedPictures } from "./stored_pictures.js"
import { fileSize, pixels, progressText, samplerLine, verdict } from "./text.js"
import { invalidBadge, trustList } from "./trust.js"

/**
 * @typedef {ReturnType<typeof addPanel>} Panel
 * @typedef {{name: string, facts: Gen5.Facts, batchIndex: number, isVerified: boolean, uncovered: number, isChecking: boolean,
 *   failure: string|null, check: AbortController}} CurrentFile
 * @typedef {{root: string, mtime?: number, size_bytes: number}} FileState identity of a file's version
 * @typedef {[string, string]} Words text and tooltip
 */

/** @type {Words} */
const SEALED = [t("load.sealed"), t("load.sealed.tip")]
/** @type {Words} */
const UNSEALED = [t("load.unsealed"), t("load.unsealed.tip")]
/** @type {Words} */
const INTACT = [t("load.intact"), t("load.intact.tip")]
const FAILED = t("load.failed")
/** @type {Words} */
const CARRIER = [t("load.carrier"), t("load.carrier.tip")]

/**
 * Add the panel to a node.
 *
 * @param {Host.Node} node a Load Gen5
 * @returns {{element: HTMLElement, say: (text: string) => void, showNothing: (text: string) => void,
 *   showProblem: (name: string, error: Error & {kind?: string}) => void,
 *   showFile: (name: string, facts: Gen5.Facts, batchIndex: number, ran: Gen5.Ran|null) => void,
 *   setBatchIndex: (index: number) => void, setRun: (ran: Gen5.Ran) => boolean, stop: () => void}} setRun returns whether
 *   that file is displayed; stop cancels a running check
 */
export function createLoadPanel(node) {
  const panel = addPanel(node, { name: "gen5_file", label: t("load.label"), stretches: true })
  /** @type {CurrentFile|null} */
  let current = null
  const draw = () => current && panel.show(...fileParts(panel, current))
  const leave = () => {
    current?.check.abort()
    current = null
  }
  return {
    element: panel.element,
    say: panel.say,
    showNothing(text) {
      leave()
      panel.show(element("p", { className: "gen5-faint", text }))
    },
    showProblem(name, error) {
      leave()
      panel.show(problem(name, error))
    },
    showFile(name, facts, batchIndex, ran) {
      const before = isSameFile(current, name, facts) && current?.isVerified ? current.uncovered : null
      const uncovered = isRunOf(ran, name, facts) ? (ran?.uncovered_bytes ?? 0) : before
      leave()
      const isVerified = uncovered !== null
      current = { name, facts, batchIndex, isVerified, uncovered: uncovered ?? 0, isChecking: false, failure: null, check: new AbortController() }
      draw()
    },
    setBatchIndex(index) {
      if (!current || current.batchIndex === index) return
      current.batchIndex = index
      draw()
    },
    setRun(ran) {
      if (!current || !isRunOf(ran, current.name, current.facts)) return false
      if (!current.isVerified) {
        setIntact(current, ran)
        draw()
      }
      return true
    },
    stop() {
      if (!current?.isChecking) return
      current.check.abort()
      current.check = new AbortController()
      panel.say("")
    },
  }
}

/**
 * @param {CurrentFile|null} current
 * @param {string} name
 * @param {Gen5.Facts} facts
 */
function isSameFile(current, name, facts) {
  return current !== null && current.name === name && isSameState(current.facts, facts)
}

/**
 * Return whether a run checked the current version of the file.
 *
 * @param {Gen5.Ran|null} ran
 * @param {string} name
 * @param {Gen5.Facts} facts
 */
function isRunOf(ran, name, facts) {
  return ran !== null && ran.file === name && isSameState(ran, facts)
}

/**
 * Return whether two states are of the same file. A damaged copy has the same root, but another mtime.
 *
 * @param {FileState} one
 * @param {FileState} other
 */
function isSameState(one, other) {
  return one.root === other.root && one.mtime === other.mtime && one.size_bytes === other.size_bytes
}

/**
 * @param {CurrentFile} current
 * @param {Pick<Gen5.Report, "trust"|"uncovered_bytes">} found
 */
function setIntact(current, { trust, uncovered_bytes: uncovered = 0 }) {
  current.isVerified = true
  current.uncovered = uncovered
  current.failure = null
  if (trust) current.facts.trust = trust
}

/**
 * Show an error. Messages of errors with a kind name the file already.
 *
 * @param {string} name
 * @param {Error & {kind?: string}} error
 */
function problem(name, error) {
  const text = error.kind ? error.message : t("error.named", { name, message: error.message })
  const badge = invalidBadge(error)
  const line = element("p", { className: "gen5-problem", text })
  return element("div", { attributes: { role: "alert" } }, badge && element("p", { className: "gen5-alert-badge" }, badge), line)
}

/**
 * @param {Panel} panel
 * @param {CurrentFile} current
 */
function fileParts(panel, current) {
  const { name, facts, batchIndex } = current
  const noise = noiseThumbnail(name, facts)
  const pictures = storedPictures(name, facts, batchIndex, noise.show)
  return [pictures, settings(facts, noise.element), badges(panel, current), signatures(facts)]
}

/**
 * @param {Gen5.Facts} facts
 * @param {HTMLElement|null} noise
 */
function settings(facts, noise) {
  const { seed, ...others } = facts
  const lines = [
    typeof seed === "string" && line("gen5-seed", t("load.seed", { seed })),
    line("", samplerLine(others)),
    line("gen5-faint", sizeLine(facts)),
    line("gen5-faint", startingNoise(facts, noise !== null)),
  ]
  return element("div", { className: "gen5-settings" }, noise, element("div", {}, ...lines))
}

/**
 * @param {string} className
 * @param {string|false} text
 */
function line(className, text) {
  return text && element("p", { className, text })
}

/** @param {Gen5.Facts} facts */
function sizeLine({ width, height, images, size_bytes: bytes, image_of_batch: place }) {
  const [first] = images
  const [wide, high] = first?.width ? [first.width, first.height] : [width, height]
  const count = place ? placeInBatch(place) : images.length > 1 && t("load.pictures", { count: images.length })
  return [wide && high && pixels(wide, high), count, fileSize(bytes)].filter(Boolean).join(", ")
}

/** @param {{index: number, count: number}} given */
function placeInBatch({ index, count }) {
  return t("load.imageOfBatch", { index, all: count })
}

/**
 * @param {Panel} panel
 * @param {CurrentFile} current
 */
function badges(panel, current) {
  const { facts, isVerified } = current
  const drift = facts.environment.length || facts.drifts.length ? driftBadge(facts.drifts, facts.counts?.drifts) : null
  const carrier = facts.carrier && badge(...CARRIER)
  const row = element("div", { className: "gen5-badges" }, seal(current), carrier, drift)
  if (!isVerified) row.append(verifyButton(panel, current))
  return row
}

/** @param {CurrentFile} current */
function seal({ facts: { sealed }, isVerified, uncovered, failure }) {
  if (failure) return badge(FAILED, failure, "gen5-badge-error gen5-seal")
  if (isVerified && uncovered) {
    return badge(t("load.intactBut", { count: uncovered }), t("load.intactBut.tip"), "gen5-badge-warn gen5-seal")
  }
  const [text, title] = isVerified ? INTACT : sealed ? SEALED : UNSEALED
  return badge(text, title, `${isVerified || sealed ? "gen5-badge-ok" : ""} gen5-seal`)
}

/**
 * @param {string} text
 * @param {string} title
 * @param {string} [className]
 */
function badge(text, title, className = "") {
  return element("span", { className: `gen5-badge ${className}`, text, title })
}

/** @param {Gen5.Facts} facts */
function signatures({ trust }) {
  return element("div", { className: "gen5-signatures" }, trustList(trust))
}

/**
 * Make the Verify button. It keeps focus and position while the check runs, so that the result appears in its place.
 * Another batch_index redraws the badges in the meantime.
 *
 * @param {Panel} panel
 * @param {CurrentFile} current
 */
function verifyButton(panel, current) {
  const button = element("button", {
    className: "gen5-button",
    type: "button",
    text: t("verify.button"),
    title: t("verify.button.tip"),
    onclick: () => !current.isChecking && run(),
  })
  return button

  async function run() {
    button.setAttribute("aria-busy", "true")
    current.isChecking = true
    const { signal } = current.check
    try {
      const report = await verify(current.name, (step) => panel.say(progress(step)), { signal })
      if (signal.aborted) return
      setIntact(current, report)
      updateBadges(panel.element, current)
      panel.say(verdict(report))
    } catch (error) {
      if (signal.aborted) return
      current.failure = error.message
      updateBadges(panel.element, current)
      panel.say(error.message, true)
    } finally {
      current.isChecking = false
      button.removeAttribute("aria-busy")
    }
  }
}

/**
 * Update the badges in place after a check, so that the button keeps the focus.
 *
 * @param {HTMLElement} root
 * @param {CurrentFile} current
 */
function updateBadges(root, current) {
  root.querySelector(".gen5-seal")?.replaceWith(seal(current))
  root.querySelector(".gen5-signatures")?.replaceWith(signatures(current.facts))
}

/** @param {Gen5.Progress} step */
function progress(step) {
  return step.total ? t("verify.progress", { progress: progressText(step) }) : t("verify.running")
}
