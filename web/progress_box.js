/** A box at the bottom of the page with the progress of a task started by a key or from the palette. */
import { element } from "./dom.js"
import { t } from "./i18n/index.js"

/**
 * Show a progress box.
 *
 * @param {string} label the task, e.g. `Verifying a.gen5`
 * @param {() => void} onStop called by its button
 * @returns {{step: (progress: {done: number, total: number}) => void, close: () => void}}
 */
export function progressBox(label, onStop) {
  const bar = element("progress", { attributes: { "aria-label": label, max: "1" } })
  const text = element("p", { text: t("progress.running", { label }), attributes: { role: "status" } })
  const stop = element("button", { className: "gen5-button", type: "button", text: t("progress.stop"), onclick: onStop })
  const box = element("div", { className: "gen5-panel gen5-progress" }, text, element("div", {}, bar, stop))
  document.body.append(box)
  return {
    step({ done, total }) {
      if (!total) return
      bar.value = done / total
      text.textContent = t("progress.at", { label, percent: Math.floor((100 * done) / total) })
    },
    close: () => box.remove(),
  }
}
