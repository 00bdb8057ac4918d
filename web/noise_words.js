/** Describes the noise in a file. */
import { hasText, t } from "./i18n/index.js"

/**
 * Return the text for a source of noise; null if it is unknown.
 *
 * @param {string|null} [source] recorded, provided, derived or none
 * @returns {string|null}
 */
export function noiseSource(source) {
  const key = `noise.source.${source}`
  return hasText(key) ? t(key) : null
}

/**
 * Describe the source of the starting noise, or why there is none.
 *
 * @param {{noise_source?: string|null, reason?: string|null, reason_kind?: string|null}} facts
 * @param {boolean} [hasNoise] whether any is stored, for files that do not record its source
 * @returns {string}
 */
export function startingNoise({ noise_source: source, reason: text, reason_kind: kind }, hasNoise = false) {
  const known = source === "none" ? null : noiseSource(source)
  if (known) return t("noise.start", { source: known })
  if (source !== "none" && hasNoise) return t("noise.start.stored")
  const why = `noise.reason.${kind}`
  const reason = hasText(why) ? t(why) : text
  return reason ? t("noise.start.noneBecause", { reason }) : t("noise.start.none")
}

/**
 * Describe whether the noise that the sampler added at each step is stored, or why not.
 *
 * @param {{noise_source?: string|null, step_noise?: {pass: number, stored: boolean, reason: string|null}[]}} facts
 * @returns {string}
 */
export function stepNoise({ noise_source: source, step_noise: passes = [] }) {
  const stored = passes.filter((pass) => pass.stored)
  const reasons = reasonsOf(passes.filter((pass) => !pass.stored))
  if (stored.length) {
    const share = { stored: stored.length, all: passes.length }
    const text = t(stored.length < passes.length ? "noise.steps.share" : "noise.steps.stored", share)
    const gaps = reasonsOf(stored)
    const whole = gaps.length ? t("noise.steps.but", { text, reasons: gaps.join("; ") }) : text
    return reasons.length ? t("noise.steps.else", { text: whole, reasons: reasons.join("; ") }) : whole
  }
  if (reasons.length) return t("noise.steps.notStored", { reasons: reasons.join("; ") })
  return t(source === "recorded" ? "noise.steps.noneAdded" : "noise.steps.notRecorded")
}

/**
 * Return the reasons of passes, each once.
 *
 * @param {{reason: string|null}[]} passes
 * @returns {(string|null)[]}
 */
function reasonsOf(passes) {
  return [...new Set(passes.map((pass) => pass.reason).filter(Boolean))]
}
