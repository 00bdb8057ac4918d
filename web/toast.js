import { app } from "../../scripts/app.js"

/** How long a message is shown, in milliseconds. An error stays until it is closed, since it says what to do. */
/** @type {Record<string, number>} */
const LIFETIMES = { success: 4000, info: 8000, warn: 12_000 }

/**
 * Show a message in ComfyUI's corner.
 *
 * @param {Host.Severity} severity
 * @param {string} summary
 * @param {string} [detail]
 */
export function toast(severity, summary, detail) {
  app.extensionManager.toast.add({ severity, summary, detail, life: LIFETIMES[severity] })
}
