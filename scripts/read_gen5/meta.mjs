import { LIMITS, decodeUtf8, isObject, isText, must, unframe } from "./check.mjs"
import { parseJson } from "./json.mjs"
import { inflate } from "./zstd.mjs"

const MODEL_KINDS = {
  model_name: isText, version: isText, date: isText, prompt: isText, generation_settings: isObject,
  hardware_info: isObject, tags: (value) => Array.isArray(value) && value.every(isText),
}
const FURTHER_KINDS = {
  comfyui: isObject, capture: isObject, resources: Array.isArray, carrier: isObject,
  environment: (value) => isObject(value) && Object.values(value).every((text) => isText(text) && text.isWellFormed()),
}

/** Return META as an object, after comparing `file_info` with the header and checking the types of its keys. */
export function readMeta(stored, { major, minor, chunkCount, metaEnd }) {
  const content = inflate(stored, "META", { limit: LIMITS.metaDecoded })
  const text = decodeUtf8(unframe(content, "META", "0000", "META"), "META")
  const meta = parseJson(text, "META", { once: "gen5_metadata", notFinite: minor === 0 })
  must(isObject(meta) && isObject(meta.gen5_metadata), "META: gen5_metadata is not an object")
  const { file_info: info, model_info: model = {}, chunks } = meta.gen5_metadata
  must(Array.isArray(chunks), "META: chunks is not a list")
  must(isObject(info) && info.magic === "GEN5", "META: file_info is not an object with the magic")
  const expected = { version_major: major, version_minor: minor, chunk_count: chunkCount }
  if (minor > 0) expected.file_size = metaEnd
  for (const [name, value] of Object.entries(expected)) {
    must(info[name] === BigInt(value), `META: file_info.${name} is ${info[name]}, the header gives ${value}`)
  }
  must(isObject(model), "META: model_info is not an object")
  checkKinds(model, MODEL_KINDS, (value) => value === undefined)
  checkKinds(meta, FURTHER_KINDS, (value) => value === undefined || value === null)
  return { ...meta, gen5_metadata: { ...meta.gen5_metadata, model_info: model } }
}

function checkKinds(object, kinds, isMissing) {
  for (const [name, isOfKind] of Object.entries(kinds)) {
    must(isMissing(object[name]) || isOfKind(object[name]), `META: ${name} is of the wrong type`)
  }
}
