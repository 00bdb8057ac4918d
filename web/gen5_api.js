/**
 * Client for the server's GEN5 routes and its upload. Files have the annotated names of Load Gen5: `sub/name.gen5`,
 * `sub/name.png [output]`. Seeds are strings, since JavaScript loses precision above 2**53.
 */
import { api } from "../../scripts/api.js"
import { readHeadAndTail } from "./container.js"
import { errorText } from "./error_words.js"
import { Gen5Error } from "./gen5_error.js"
import { t } from "./i18n/index.js"
import { carriedRecord, requireRecord } from "./png_carrier.js"

export { Gen5Error }

const TOO_LARGE = 413 // HTTP

/**
 * Return the facts and graphs in a local file. Only its header and META are sent to the server.
 *
 * @param {File} file
 * @param {Blob} [record] the part of it that is a GEN5 file; found if not given
 * @returns {Promise<Gen5.Read>}
 * @throws {Gen5Error}
 */
export async function readFile(file, record) {
  const body = await readHeadAndTail(record ?? (await carriedRecord(file)) ?? file, file.name)
  const headers = { "Content-Type": "application/octet-stream" }
  return json(await request("/gen5/read", { method: "POST", headers, body }, file.name))
}

/**
 * Return the facts of a file on the server, including drifts.
 *
 * @param {string} name annotated
 * @returns {Promise<Gen5.Facts>}
 * @throws {Gen5Error}
 */
export async function facts(name) {
  return json(await request(route("/gen5/file", { name }), {}, name))
}

/**
 * @param {string} name annotated
 * @returns {Promise<Gen5.Graphs>}
 * @throws {Gen5Error}
 */
export async function workflow(name) {
  return json(await request(route("/gen5/workflow", { name }), {}, name))
}

/**
 * Return the address of a stored image, or of a thumbnail whose longer side is at most size.
 *
 * @param {string} name annotated
 * @param {{index?: number, size?: number, root?: string|number}} [options] root, or mtime: browsers cache by address, so it changes with the file
 * @returns {string}
 */
export function imageUrl(name, { index = 0, size, root } = {}) {
  return api.apiURL(route("/gen5/image", { name, index, size, root }))
}

/**
 * Return the address of a picture of a stored latent, by default the starting noise.
 *
 * @param {string} name annotated
 * @param {{latent?: string, index?: number, size?: number, root?: string|number}} [options]
 * @returns {string}
 */
export function noiseUrl(name, { latent, index = 0, size, root } = {}) {
  return api.apiURL(route("/gen5/noise", { name, latent, index, size, root }))
}

/**
 * Check every byte of a file on the server.
 *
 * @param {string} name annotated
 * @param {(progress: Gen5.Progress) => void} [onProgress]
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<Gen5.Report>}
 * @throws {Gen5Error} if the file is damaged
 */
export async function verify(name, onProgress = () => {}, { signal } = {}) {
  const response = await request(route("/gen5/verify", { name }), { signal }, name)
  for await (const line of lines(/** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body))) {
    const message = JSON.parse(line)
    if (message.error !== undefined) throw errorOf(message, response.status, name)
    if (message.report) return message.report
    onProgress(message)
  }
  throw new Gen5Error(t("error.check_ended", { name }))
}

/**
 * Return one page of the files under output/ and input/, newest first.
 *
 * @param {{query?: string, offset?: number, limit?: number, refresh?: boolean, signal?: AbortSignal}} [options]
 * @returns {Promise<Gen5.Page>}
 * @throws {Gen5Error}
 */
export async function listLibrary({ query = "", offset = 0, limit = 60, refresh = false, signal } = {}) {
  const page = await json(await request(route("/gen5/library", { query, offset, limit, refresh: Number(refresh) }), { signal }))
  for (const item of page.items ?? []) if (item.error) item.error = errorText(item, item.name)
  return page
}

/**
 * Copy a local file into input/; if a file of that name exists, the copy gets another name.
 *
 * @param {File} file
 * @returns {Promise<string>} its annotated name
 * @throws {Gen5Error} also if it is a PNG that carries no record
 */
export async function upload(file) {
  await requireRecord(file)
  const body = new FormData()
  body.append("image", file, file.name)
  body.append("type", "input")
  const { name, subfolder } = await json(await request("/upload/image", { method: "POST", body }).catch(explainTooLarge))
  return subfolder ? `${subfolder}/${name}` : name
}

/**
 * @param {Gen5Error} error
 * @returns {never}
 */
function explainTooLarge(error) {
  if (error.status !== TOO_LARGE) throw error
  throw new Gen5Error(t("error.upload"), { status: TOO_LARGE, kind: "too_large" })
}

/**
 * @param {string} path
 * @param {Record<string, string|number|undefined>} query
 */
function route(path, query) {
  const defined = Object.entries(query).filter(([, value]) => value !== undefined)
  return `${path}?${new URLSearchParams(defined.map(([name, value]) => [name, String(value)]))}`
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @param {string} [name] of the file that is requested
 */
async function request(path, options, name) {
  let response
  try {
    response = await api.fetchApi(path, options)
  } catch (error) {
    if (error.name === "AbortError") throw error
    throw new Gen5Error(t("error.no_answer", { message: error.message }))
  }
  if (!response.ok) throw errorOf(await errorBody(response), response.status, name)
  return response
}

/**
 * @param {Gen5.ErrorAnswer} answer
 * @param {number} status
 * @param {string|undefined} name
 */
function errorOf(answer, status, name) {
  return new Gen5Error(errorText(answer, name), { status, kind: answer.kind ?? "" })
}

/**
 * @param {Response} response
 * @returns {Promise<Gen5.ErrorAnswer>}
 */
async function errorBody(response) {
  const text = await response.text().catch(() => "")
  try {
    const answer = JSON.parse(text)
    if (typeof answer.error === "string") return answer
  } catch {
    // not a response of the extension: report its status
  }
  return { error: t("error.status", { status: `${response.status} ${response.statusText}`.trim() }) }
}

/**
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function json(response) {
  try {
    return await response.json()
  } catch (error) {
    throw new Gen5Error(t("error.not_json", { message: error.message }), { status: response.status })
  }
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} stream */
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const found = (rest + part.value).split("\n")
      rest = found.pop() ?? ""
      yield* found.filter(Boolean)
    }
    if (rest) yield rest
  } finally {
    await reader.cancel()
  }
}
