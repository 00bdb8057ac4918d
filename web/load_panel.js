/** What Load Gen5 shows of the chosen file. */
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
 * @typedef {{name: string, facts: Gen5.Facts, batchIndex: number, isVerified: boolean, isChecking: boolean,
 *   failure: string|null, check: AbortController}} Shown
 * @typedef {{root: string, mtime?: number, size_bytes: number}} State of a file
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
 *   setBatchIndex: (index: number) => void, setRun: (ran: Gen5.Ran) => boolean, stop: () => void}} setRun tells whether
 *   that file is shown; stop ends a check that runs
 */
export function createLoadPanel(node) {
  const panel = addPanel(node, { name: "gen5_file", label: t("load.label"), stretches: true })
  /** @type {Shown|null} */
  let shown = null
  const draw = () => shown && panel.show(...fileParts(panel, shown))
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
    showProblem(name, error) {
      leave()
      panel.show(problem(name, error))
    },
    showFile(name, facts, batchIndex, ran) {
      const isVerified = Boolean(isSameFile(shown, name, facts) && shown?.isVerified) || isRunOf(ran, name, facts)
      leave()
      shown = { name, facts, batchIndex, isVerified, isChecking: false, failure: null, check: new AbortController() }
      draw()
    },
    setBatchIndex(index) {
      if (!shown || shown.batchIndex === index) return
      shown.batchIndex = index
      draw()
    },
    setRun(ran) {
      if (!shown || !isRunOf(ran, shown.name, shown.facts)) return false
      if (!shown.isVerified) {
        setIntact(shown, ran.trust)
        draw()
      }
      return true
    },
    stop() {
      if (!shown?.isChecking) return
      shown.check.abort()
      shown.check = new AbortController()
      panel.say("")
    },
  }
}

/**
 * @param {Shown|null} shown
 * @param {string} name
 * @param {Gen5.Facts} facts
 */
function isSameFile(shown, name, facts) {
  return shown !== null && shown.name === name && isSameState(shown.facts, facts)
}

/**
 * Whether a run checked the file as it is now.
 *
 * @param {Gen5.Ran|null} ran
 * @param {string} name
 * @param {Gen5.Facts} facts
 */
function isRunOf(ran, name, facts) {
  return ran !== null && ran.file === name && isSameState(ran, facts)
}

/**
 * The root tells files of another content apart, not a damaged copy: that was written at another time.
 *
 * @param {State} one
 * @param {State} other
 */
function isSameState(one, other) {
  return one.root === other.root && one.mtime === other.mtime && one.size_bytes === other.size_bytes
}

/**
 * @param {Shown} shown
 * @param {Gen5.Trust|undefined} trust
 */
function setIntact(shown, trust) {
  shown.isVerified = true
  shown.failure = null
  if (trust) shown.facts.trust = trust
}

/**
 * An error of a kind names its file.
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
 * @param {Shown} shown
 */
function fileParts(panel, shown) {
  const { name, facts, batchIndex } = shown
  const noise = noiseThumbnail(name, facts)
  const pictures = storedPictures(name, facts, batchIndex, noise.show)
  return [pictures, settings(facts, noise.element), badges(panel, shown), signatures(facts)]
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
 * @param {Shown} shown
 */
function badges(panel, shown) {
  const { facts, isVerified } = shown
  const drift = facts.environment.length || facts.drifts.length ? driftBadge(facts.drifts, facts.counts?.drifts) : null
  const carrier = facts.carrier && badge(...CARRIER)
  const row = element("div", { className: "gen5-badges" }, seal(shown), carrier, drift)
  if (!isVerified) row.append(verifyButton(panel, shown))
  return row
}

/** @param {Shown} shown */
function seal({ facts: { sealed }, isVerified, failure }) {
  if (failure) return badge(FAILED, failure, "gen5-badge-error gen5-seal")
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
 * The button stays focused and in place while the check runs, so that its end shows where it was asked for.
 * Another batch_index draws the badges again meanwhile.
 *
 * @param {Panel} panel
 * @param {Shown} shown
 */
function verifyButton(panel, shown) {
  const button = element("button", {
    className: "gen5-button",
    type: "button",
    text: t("verify.button"),
    title: t("verify.button.tip"),
    onclick: () => !shown.isChecking && run(),
  })
  return button

  async function run() {
    button.setAttribute("aria-busy", "true")
    shown.isChecking = true
    const { signal } = shown.check
    try {
      const report = await verify(shown.name, (step) => panel.say(progress(step)), { signal })
      if (signal.aborted) return
      setIntact(shown, report.trust)
      stamp(panel.element, shown)
      panel.say(verdict(report))
    } catch (error) {
      if (signal.aborted) return
      shown.failure = error.message
      stamp(panel.element, shown)
      panel.say(error.message, true)
    } finally {
      shown.isChecking = false
      button.removeAttribute("aria-busy")
    }
  }
}

/**
 * Put what a check found where it stands: the button keeps its focus.
 *
 * @param {HTMLElement} root
 * @param {Shown} shown
 */
function stamp(root, shown) {
  root.querySelector(".gen5-seal")?.replaceWith(seal(shown))
  root.querySelector(".gen5-signatures")?.replaceWith(signatures(shown.facts))
}

/** @param {Gen5.Progress} step */
function progress(step) {
  return step.total ? t("verify.progress", { progress: progressText(step) }) : t("verify.running")
}
