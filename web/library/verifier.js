import { element } from "../dom.js"
import { verify } from "../gen5_api.js"
import { t } from "../i18n/index.js"
import { progressText, verdict } from "../text.js"
import { icon, textButton } from "./parts.js"

/**
 * @typedef {{bar: HTMLProgressElement, text: HTMLElement, box: HTMLElement, button: HTMLElement,
 *   control: {abort: AbortController|null}, onReport: (report: Gen5.Report) => void}} Parts
 */

/**
 * Make a button that checks every byte of a file on the server, and an element for progress and result.
 * @param {string} name annotated
 * @param {{onReport?: (report: Gen5.Report) => void}} [options] onReport: called with the report on an intact file
 * @returns {{button: HTMLElement, element: HTMLElement, stop: () => void}}
 */
export function createVerifier(name, { onReport = () => {} } = {}) {
  const bar = element("progress", { attributes: { "aria-label": t("verify.label"), max: "1" } })
  const text = element("span", { attributes: { role: "status" } })
  const box = element("div", { className: "gen5-library-verdict" }, bar, text)
  /** @type {{abort: AbortController|null}} */
  const control = { abort: null }
  const button = textButton("pi-verified", t("verify.button"), () => run(name, { bar, text, box, button, control, onReport }))
  box.hidden = true
  return { button, element: box, stop: () => control.abort?.abort() }
}

/**
 * @param {string} name
 * @param {Parts} parts
 */
async function run(name, parts) {
  const { bar, text, box, button, control } = parts
  if (control.abort) return
  control.abort = new AbortController()
  const { signal } = control.abort
  button.setAttribute("aria-disabled", "true")
  box.className = "gen5-library-verdict"
  box.hidden = bar.hidden = false
  bar.removeAttribute("value")
  text.textContent = t("verify.running")
  try {
    const report = await verify(name, (step) => progress(parts, step), { signal })
    showResult(parts, "pi-check-circle", verdict(report))
    parts.onReport(report)
  } catch (error) {
    if (!signal.aborted) showResult(parts, "pi-times-circle", error.message, "gen5-library-wrong")
  } finally {
    control.abort = null
    button.removeAttribute("aria-disabled")
  }
}

/**
 * @param {Parts} parts
 * @param {Gen5.Progress} step
 */
function progress({ bar, text }, step) {
  if (!step.total) return
  bar.value = step.done / step.total
  text.textContent = progressText(step)
}

/**
 * @param {Parts} parts
 * @param {string} iconName
 * @param {string} words
 * @param {string} [className]
 */
function showResult({ bar, text, box }, iconName, words, className = "") {
  bar.hidden = true
  box.className = `gen5-library-verdict ${className}`
  text.replaceChildren(icon(iconName), element("span", { text: words }))
}
