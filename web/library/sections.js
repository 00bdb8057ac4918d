import { element } from "../dom.js"
import { driftBadge } from "../drift_table.js"
import { noiseUrl } from "../gen5_api.js"
import { componentText, fileSize } from "../text.js"
import { factList, firstOf, section, table } from "./parts.js"
import { joinFacts, valueText } from "./words.js"

/**
 * The sections of a file's facts.
 * @param {object} facts of `GET /gen5/file`
 * @param {string} name annotated
 * @returns {HTMLElement[]} those that have something to tell
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
  ].filter(Boolean)
}

function settings(facts) {
  const list = factList([
    ["Seed", facts.seed],
    ["Steps", facts.steps],
    ["CFG", facts.cfg],
    ["Sampler", joinFacts([facts.sampler, facts.scheduler])],
    ["Denoise", facts.denoise],
    ["Size", sizeOf(facts)],
    ["Model", facts.model_name],
    ["Prompt", facts.prompt],
    ["Negative", facts.negative],
    ["Tags", tagsOf(facts)],
  ])
  return list.childElementCount ? section("Settings", { isOpen: true }, list) : null
}

function tagsOf({ tags = [], counts }) {
  const more = (counts?.tags ?? 0) - tags.length
  return [...tags, ...(more > 0 ? [`… ${more} more`] : [])].join(", ")
}

function sizeOf({ width, height, batch_size: batch }) {
  if (!width || !height) return null
  return batch > 1 ? `${width} × ${height}, ${batch} at once` : `${width} × ${height}`
}

function file(facts, name) {
  const list = factList([
    ["Name", name],
    ["Size", fileSize(facts.size_bytes)],
    ["Made", facts.date && new Date(facts.date).toLocaleString()],
    ["Noise", noiseWords(facts)],
    ["Made by", facts.comfyui_version],
    ["Format", joinFacts([`GEN5 ${facts.version}`, facts.sealed ? "sealed" : "not sealed", facts.carrier && "carried in a PNG"])],
    ["Signature", facts.trust?.word === "unsigned" ? "none" : null],
    ["Root", facts.root],
  ])
  return section("File", {}, list)
}

function noiseWords({ noise_source: source, reason }) {
  const words = {
    recorded: "recorded while sampling",
    provided: "provided at the noise input",
    derived: "derived from the seed",
    none: "not stored",
  }
  return joinFacts([words[source] ?? source, reason])
}

function passes({ passes: list, counts }) {
  if (!list?.length) return null
  const count = counts?.passes ?? list.length
  return section("Passes", { count }, ...firstOf(list, onePass, count))
}

function onePass(pass) {
  const steps = joinFacts([pass.steps, rangeOf(pass)])
  return element(
    "div",
    { className: "gen5-library-block" },
    element("h3", { text: `${pass.index} · ${pass.class_type ?? "sampler"} ${pass.node_id ?? ""}` }),
    factList([
      ["Seed", pass.seed],
      ["Steps", steps],
      ["CFG", pass.cfg],
      ["Sampler", joinFacts([pass.sampler_name, pass.scheduler])],
      ["Denoise", pass.denoise],
      ["Noise", joinFacts([pass.add_noise === false ? "none added" : null, pass.recorded ? "recorded" : null])],
      ["Step noise", pass.step_noise ? "stored" : pass.step_noise_reason],
      ["Model", pass.model_name],
      ["LoRAs", (pass.loras ?? []).map(loraText).join(", ")],
      ["Prompt", pass.positive],
      ["Negative", pass.negative],
    ]),
  )
}

function rangeOf({ start_step: start, end_step: end }) {
  if (start === null && end === null) return null
  if (start === undefined && end === undefined) return null
  return `from ${start ?? 0} to ${end ?? "the end"}`
}

function loraText(lora) {
  const [name, strength] = Array.isArray(lora) ? lora : [lora?.name ?? lora, lora?.strength]
  return strength === undefined || strength === null ? String(name) : `${name} (${strength})`
}

function environment({ environment: parts, drifts, counts }) {
  const here = new Map((drifts ?? []).map((drift) => [drift.component, drift]))
  const stored = new Map((parts ?? []).map(({ component, value }) => [component, value]))
  for (const drift of here.values()) {
    if (!stored.has(drift.component)) stored.set(drift.component, drift.stored)
  }
  if (!stored.size) return null
  const rows = [...stored].map(([component, value]) => [words(component), componentValue(value, here.get(component))])
  const extra = here.size ? driftBadge(drifts, counts?.drifts) : undefined
  return section("Environment", { count: Math.max(stored.size, counts?.environment ?? 0), extra }, factList(rows))
}

/** What was stored, and under it what is here instead. */
function componentValue(value, drift) {
  if (!drift) return componentText(value) ?? "not stored"
  return element(
    "div",
    {},
    element("div", { text: componentText(value) ?? "not stored" }),
    element("div", { className: "gen5-library-here", text: `here: ${componentText(drift.current) ?? "not there"}` }),
  )
}

function hardware(parts) {
  const known = Object.entries(parts ?? {})
  if (!known.length) return null
  return section("Hardware", {}, factList(known.map(([name, value]) => [words(name), nested(value)])))
}

function nested(value) {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map(nested).join("; ")
  return joinFacts(Object.entries(value).map(([name, inner]) => `${words(name)} ${nested(inner)}`))
}

function resources({ resources: list, counts }) {
  if (!list?.length) return null
  const count = counts?.resources ?? list.length
  return section("Resources", { count }, ...firstOf(list, oneResource, count))
}

function oneResource(resource) {
  return factList(Object.entries(resource).map(([name, value]) => [words(name), typeof value === "object" ? valueText(value) : value]))
}

function latents({ latents: list, root }, name) {
  if (!list?.length) return null
  const rows = list.map((latent) => [latent.name, latent.shape.join(" × "), dtypeOf(latent), fileSize(latent.size_bytes)])
  const parts = [table(["Name", "Shape", "Type", "Size"], rows, "Latents")]
  if (list.some((latent) => latent.name === "initial_noise")) parts.unshift(noisePicture(name, root))
  return section("Latents", { count: list.length }, ...parts)
}

function noisePicture(name, root) {
  const picture = element("img", {
    className: "gen5-library-noise",
    attributes: { alt: "The starting noise", loading: "lazy", src: noiseUrl(name, { size: 128, root }) },
  })
  picture.addEventListener("error", () => picture.remove())
  return picture
}

function dtypeOf({ dtype, orig_dtype: original }) {
  return original && original !== dtype ? `${dtype} (was ${original})` : dtype
}

function words(name) {
  return name.replaceAll("_", " ")
}
