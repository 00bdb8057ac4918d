import { element } from "../dom.js"
import { verify } from "../gen5_api.js"
import { fileSize, verdict } from "../text.js"
import { icon, textButton } from "./parts.js"

/**
 * A button that lets the server read every byte of a file against its digests, and what came of it.
 * @param {string} name annotated
 * @param {{onReport?: (report: object) => void}} [options] onReport: called with what a check of an intact file found
 * @returns {{button: HTMLElement, element: HTMLElement, stop: () => void}}
 */
export function createVerifier(name, { onReport = () => {} } = {}) {
  const bar = element("progress", { attributes: { "aria-label": "Verifying", max: "1" } })
  const text = element("span", { attributes: { role: "status" } })
  const box = element("div", { className: "gen5-library-verdict" }, bar, text)
  const control = { abort: null }
  const button = textButton("pi-verified", "Verify", () => run(name, { bar, text, box, button, control, onReport }))
  box.hidden = true
  return { button, element: box, stop: () => control.abort?.abort() }
}

async function run(name, parts) {
  const { bar, text, box, button, control } = parts
  if (control.abort) return
  control.abort = new AbortController()
  const { signal } = control.abort
  button.setAttribute("aria-disabled", "true")
  box.className = "gen5-library-verdict"
  box.hidden = bar.hidden = false
  bar.removeAttribute("value")
  text.textContent = "Verifying…"
  try {
    const report = await verify(name, (step) => progress(parts, step), { signal })
    tell(parts, "pi-check-circle", verdict(report))
    parts.onReport(report)
  } catch (error) {
    if (!signal.aborted) tell(parts, "pi-times-circle", error.message, "gen5-library-wrong")
  } finally {
    control.abort = null
    button.removeAttribute("aria-disabled")
  }
}

function progress({ bar, text }, { done, total }) {
  if (!total) return
  bar.value = done / total
  text.textContent = `${Math.floor((100 * done) / total)} % of ${fileSize(total)}`
}

function tell({ bar, text, box }, iconName, words, className = "") {
  bar.hidden = true
  box.className = `gen5-library-verdict ${className}`
  text.replaceChildren(icon(iconName), element("span", { text: words }))
}
