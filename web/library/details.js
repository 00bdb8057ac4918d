import { element } from "../dom.js"
import { errorBadge } from "../error_words.js"
import { facts as readFacts } from "../gen5_api.js"
import { t } from "../i18n/index.js"
import { invalidBadge, trustList } from "../trust.js"
import { openWorkflow, placeLoader, startSelected } from "./actions.js"
import { compareSection } from "./compare.js"
import { iconButton, notice, textButton } from "./parts.js"
import { pictures } from "./pictures.js"
import { factSections } from "./sections.js"
import { createVerifier } from "./verifier.js"
import { shortName } from "./words.js"

/**
 * @typedef {ReturnType<typeof createVerifier>} Verifier
 * @typedef {{name: string, body: HTMLElement, verifier: Verifier, signatures: HTMLElement, isDisposed: boolean}} State
 */

/**
 * Show everything about one file.
 * @param {string} name annotated
 * @param {{onBack: () => void}} options
 * @returns {{element: HTMLElement, focus: () => void, dispose: () => void}} dispose stops a running check
 */
export function createDetails(name, { onBack }) {
  const back = iconButton("pi-arrow-left", t("library.back"), onBack)
  const signatures = element("div", { className: "gen5-signatures" })
  const verifier = createVerifier(name, { onReport: ({ trust }) => trust && showTrust(signatures, trust) })
  const body = element("div", { className: "gen5-library-details-body", attributes: { "aria-busy": "true" } })
  const title = element("h2", { className: "gen5-library-cut", text: shortName(name), title: name })
  const header = element("header", { className: "gen5-library-line gen5-library-details-header" }, back, title)
  const part = element(
    "article",
    { className: "gen5-library-details", attributes: { "aria-label": shortName(name) } },
    header,
    body,
  )
  part.addEventListener("keydown", (event) => leaveOnEscape(event, onBack))
  const state = { name, body, verifier, signatures, isDisposed: false }
  fill(state)
  return { element: part, focus: () => back.focus(), dispose: () => dispose(state) }
}

/**
 * @param {KeyboardEvent} event
 * @param {() => void} onBack
 */
function leaveOnEscape(event, onBack) {
  if (event.key !== "Escape" || event.defaultPrevented) return
  event.preventDefault()
  event.stopPropagation()
  onBack()
}

/** @param {State} state */
function dispose(state) {
  state.isDisposed = true
  state.verifier.stop()
}

/** @param {State} state */
async function fill(state) {
  const { name, body, verifier, signatures } = state
  body.replaceChildren(element("p", { className: "gen5-library-muted", text: t("library.reading"), attributes: { role: "status" } }))
  try {
    const facts = await readFacts(name)
    if (state.isDisposed) return
    showTrust(signatures, facts.trust)
    body.replaceChildren(actions(facts, name, verifier), verifier.element, signatures, ...content(facts, name))
  } catch (error) {
    if (!state.isDisposed) body.replaceChildren(problem(state, error), verifier.button, verifier.element)
  } finally {
    body.removeAttribute("aria-busy")
  }
}

/**
 * @param {HTMLElement} place
 * @param {Gen5.Trust|undefined} trust
 */
function showTrust(place, trust) {
  place.replaceChildren(trustList(trust) ?? "")
}

/**
 * @param {State} state
 * @param {Error & {kind?: string}} error
 */
function problem(state, error) {
  const part = notice(errorBadge(error.kind).icon, t("library.unread"), error.message, t("library.again"), () => fill(state))
  const badge = invalidBadge(error)
  if (badge) part.querySelector("strong")?.after(badge)
  return part
}

/**
 * @param {Gen5.Facts} facts
 * @param {string} name
 * @param {Verifier} verifier
 */
function actions(facts, name, verifier) {
  const hasNoise = facts.latents.some((latent) => latent.name === "initial_noise")
  const buttons = [
    (facts.has_workflow || facts.passes.length > 0) && textButton("pi-folder-open", t("library.openWorkflow"), () => openWorkflow(name)),
    textButton("pi-plus", t("library.addLoader"), () => placeLoader(name)),
    hasNoise && textButton("pi-play", t("library.start"), () => startSelected(name), t("library.start.tip")),
    verifier.button,
  ]
  return element("div", { className: "gen5-library-buttons" }, ...buttons.filter(Boolean))
}

/**
 * @param {Gen5.Facts} facts
 * @param {string} name
 */
function content(facts, name) {
  const shown = facts.images.length ? [pictures(name, facts.images, facts.mtime ?? facts.root)] : []
  return [...shown, element("div", {}, ...factSections(facts, name), compareSection(facts, name))]
}
