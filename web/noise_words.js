/** What noise a file holds, in words. */

const SOURCES = {
  recorded: "recorded while sampling",
  provided: "provided at the noise input",
  derived: "derived from the seed",
}

/** Why there is none, where the server has a word for that; else it says so in its own words. */
const REASONS = {
  no_latent: "no latent is connected, so the noise's shape is unknown",
  no_sampler: "no sampler was found above this node",
  latent_changed: "the latent was changed after sampling, so the noise's shape is unknown",
}

/**
 * Tell where the starting noise is from, or why there is none.
 *
 * @param {{noise_source?: string|null, reason?: string|null, reason_kind?: string|null}} told
 * @param {boolean} [hasNoise] whether some is stored, for files that do not say where from
 * @returns {string}
 */
export function startingNoise({ noise_source: source, reason, reason_kind: kind }, hasNoise = false) {
  if (SOURCES[source]) return `Starting noise: ${SOURCES[source]}`
  if (source !== "none" && hasNoise) return "Starting noise: stored"
  return `Starting noise: none${because(REASONS[kind] ?? reason)}`
}

/**
 * Tell whether the noise that the sampler added at each step is stored, or why not.
 *
 * @param {{noise_source?: string|null, step_noise?: {pass: number, stored: boolean, reason: string|null}[]}} told
 * @returns {string}
 */
export function stepNoise({ noise_source: source, step_noise: passes = [] }) {
  const stored = passes.filter((pass) => pass.stored)
  const reasons = [...new Set(passes.filter((pass) => !pass.stored && pass.reason).map((pass) => pass.reason))]
  if (stored.length) {
    const share = stored.length < passes.length ? ` for ${stored.length} of ${passes.length} passes` : ""
    return `Step noise: stored${share}${reasons.length ? `; else not: ${reasons.join("; ")}` : ""}`
  }
  if (reasons.length) return `Step noise: not stored${because(reasons.join("; "))}`
  return source === "recorded" ? "Step noise: the sampler added none" : "Step noise: not recorded"
}

function because(reason) {
  return reason ? `: ${reason}` : ""
}
