import { element } from "../dom.js"
import { driftBadge } from "../drift_table.js"
import { noiseUrl } from "../gen5_api.js"
import { formatDate, t } from "../i18n/index.js"
import { noiseSource } from "../noise_words.js"
import { componentText, fileSize, pixels } from "../text.js"
import { factList, firstOf, section, table } from "./parts.js"
import { joinFacts, valueText } from "./words.js"

/**
 * Make the sections with a file's facts.
 * @param {Gen5.Facts} facts of `GET /gen5/file`
 * @param {string} name annotated
 * @returns {HTMLElement[]} without empty sections
 */
export function factSections(facts, name) {
  return [
    settings(facts),
    file(facts, name),
    passes(facts),
    environment(facts),
    hardware(facts.hardware),
    resources(facts),
    latents(facts, name),
  ].filter((part) => part !== null)
}

/** @param {Gen5.Facts} facts */
function settings(facts) {
  const list = factList([
    [t("facts.seed"), facts.seed],
    [t("facts.steps"), facts.steps],
    [t("facts.cfg"), facts.cfg],
    [t("facts.sampler"), joinFacts([facts.sampler, facts.scheduler])],
    [t("facts.denoise"), facts.denoise],
    [t("facts.size"), sizeOf(facts)],
    [t("facts.model"), facts.model_name],
    [t("facts.prompt"), facts.prompt],
    [t("facts.negative"), facts.negative],
    [t("facts.tags"), tagsOf(facts)],
  ])
  return list.childElementCount ? section(t("facts.settings"), { isOpen: true }, list) : null
}

/** @param {Gen5.Facts} facts */
function tagsOf({ tags = [], counts }) {
  const more = (counts?.tags ?? 0) - tags.length
  return [...tags, ...(more > 0 ? [t("text.more", { count: more })] : [])].join(", ")
}

/** @param {Gen5.Facts} facts */
function sizeOf({ width, height, batch_size: batch }) {
  if (!width || !height) return null
  const size = pixels(width, height)
  return batch && batch > 1 ? t("facts.atOnce", { size, count: batch }) : size
}

/**
 * @param {Gen5.Facts} facts
 * @param {string} name
 */
function file(facts, name) {
  const list = factList([
    [t("facts.name"), name],
    [t("facts.size"), fileSize(facts.size_bytes)],
    [t("facts.made"), facts.date && formatDate(facts.date)],
    [t("facts.noise"), joinFacts([noiseSource(facts.noise_source) ?? facts.noise_source, facts.reason])],
    [t("facts.madeBy"), facts.comfyui_version],
    [t("facts.format"), formatWords(facts)],
    [t("facts.signature"), facts.trust?.word === "unsigned" ? t("facts.none") : null],
    [t("facts.root"), facts.root],
  ])
  return section(t("facts.file"), {}, list)
}

/** @param {Gen5.Facts} facts */
function formatWords({ version, sealed, carrier }) {
  const seal = t(sealed ? "facts.format.sealed" : "facts.format.unsealed")
  return joinFacts([t("facts.format.version", { version }), seal, carrier && t("facts.format.carried")])
}

/** @param {Gen5.Facts} facts */
function passes({ passes: list, counts }) {
  if (!list?.length) return null
  const count = counts?.passes ?? list.length
  return section(t("facts.passes"), { count }, ...firstOf(list, onePass, count))
}

/** @param {Gen5.Pass} pass */
function onePass(pass) {
  const steps = joinFacts([pass.steps, rangeOf(pass)])
  return element(
    "div",
    { className: "gen5-library-block" },
    element("h3", { text: t("facts.pass", { index: pass.index, type: pass.class_type ?? t("facts.pass.sampler"), node: pass.node_id ?? "" }) }),
    factList([
      [t("facts.seed"), pass.seed],
      [t("facts.steps"), steps],
      [t("facts.cfg"), pass.cfg],
      [t("facts.sampler"), joinFacts([pass.sampler_name, pass.scheduler])],
      [t("facts.denoise"), pass.denoise],
      [t("facts.noise"), joinFacts([pass.add_noise === false ? t("facts.noneAdded") : null, pass.recorded ? t("facts.recorded") : null])],
      [t("facts.stepNoise"), joinFacts([pass.step_noise ? t("facts.stored") : null, pass.step_noise_reason])],
      [t("facts.model"), pass.model_name],
      [t("facts.loras"), (pass.loras ?? []).map(loraText).join(", ")],
      [t("facts.prompt"), pass.positive],
      [t("facts.negative"), pass.negative],
    ]),
  )
}

/** @param {Gen5.Pass} pass */
function rangeOf({ start_step: start, end_step: end }) {
  if (start === null && end === null) return null
  if (start === undefined && end === undefined) return null
  return t("facts.range", { start: start ?? 0, end: end ?? t("facts.range.end") })
}

/** @param {[string, number|null]|string} lora */
function loraText(lora) {
  const [name, strength] = Array.isArray(lora) ? lora : [lora, null]
  return strength === undefined || strength === null ? String(name) : `${name} (${strength})`
}

/** @param {Gen5.Facts} facts */
function environment({ environment: parts, drifts, counts }) {
  const here = new Map((drifts ?? []).map((drift) => [drift.component, drift]))
  /** @type {Map<string, string|null>} */
  const stored = new Map((parts ?? []).map(({ component, value }) => [component, value]))
  for (const drift of here.values()) {
    if (!stored.has(drift.component)) stored.set(drift.component, drift.stored)
  }
  if (!stored.size) return null
  /** @type {[string, any][]} */
  const rows = [...stored].map(([component, value]) => [words(component), componentValue(value, here.get(component))])
  const extra = here.size ? driftBadge(drifts, counts?.drifts) : undefined
  return section(t("facts.environment"), { count: Math.max(stored.size, counts?.environment ?? 0), extra }, factList(rows))
}

/**
 * Show the stored value, and below it the current one if that differs.
 *
 * @param {string|null} value
 * @param {Gen5.Drift|undefined} drift
 */
function componentValue(value, drift) {
  if (!drift) return componentText(value) ?? t("facts.notStored")
  return element(
    "div",
    {},
    element("div", { text: componentText(value) ?? t("facts.notStored") }),
    element("div", { className: "gen5-library-here", text: t("facts.here", { value: componentText(drift.current) ?? t("drift.notThere") }) }),
  )
}

/** @param {Gen5.Facts["hardware"]} parts */
function hardware(parts) {
  const known = Object.entries(parts ?? {})
  if (!known.length) return null
  return section(t("facts.hardware"), {}, factList(known.map(([name, value]) => [words(name), nested(value)])))
}

/**
 * @param {unknown} value
 * @returns {any}
 */
function nested(value) {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map(nested).join("; ")
  return joinFacts(Object.entries(value).map(([name, inner]) => `${words(name)} ${nested(inner)}`))
}

/** @param {Gen5.Facts} facts */
function resources({ resources: list, counts }) {
  if (!list?.length) return null
  const count = counts?.resources ?? list.length
  return section(t("facts.resources"), { count }, ...firstOf(list, oneResource, count))
}

/** @param {Record<string, unknown>} resource */
function oneResource(resource) {
  return factList(Object.entries(resource).map(([name, value]) => [words(name), typeof value === "object" ? valueText(value) : value]))
}

/**
 * @param {Gen5.Facts} facts
 * @param {string} name
 */
function latents({ latents: list, root }, name) {
  if (!list?.length) return null
  const rows = list.map((latent) => [latent.name, latent.shape.join(" × "), dtypeOf(latent), fileSize(latent.size_bytes)])
  const head = [t("facts.name"), t("facts.shape"), t("facts.type"), t("facts.size")]
  /** @type {Node[]} */
  const parts = [table(head, rows, t("facts.latents"))]
  if (list.some((latent) => latent.name === "initial_noise")) parts.unshift(noisePicture(name, root))
  return section(t("facts.latents"), { count: list.length }, ...parts)
}

/**
 * @param {string} name
 * @param {string} root
 */
function noisePicture(name, root) {
  const picture = element("img", {
    className: "gen5-library-noise",
    attributes: { alt: t("facts.noisePicture"), loading: "lazy", src: noiseUrl(name, { size: 128, root }) },
  })
  picture.addEventListener("error", () => picture.remove())
  return picture
}

/** @param {Gen5.Latent} latent */
function dtypeOf({ dtype, orig_dtype: original }) {
  return original && original !== dtype ? t("facts.wasDtype", { dtype, original }) : dtype
}

/** @param {string} name */
function words(name) {
  return name.replaceAll("_", " ")
}
