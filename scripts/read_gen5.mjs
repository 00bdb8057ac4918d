/**
 * A second reader of GEN5 files, written from FORMAT.md alone, as an example.
 *
 *     node scripts/read_gen5.mjs FILE...
 *
 * prints one line of JSON per file: its content, or `error` with the reason why it is refused. Every rule of FORMAT.md is
 * checked except those on pixels: images are returned encoded, as they are stored.
 *
 * header and seal (here) -> trailers -> META (meta) -> table -> chunks; png opens a PNG that carries a file.
 */
import { readFileSync, realpathSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { FormatError, LIMITS, must, sha256 } from "./read_gen5/check.mjs"
import { readChunk, readEnvironment, readImages, readLatents } from "./read_gen5/chunks.mjs"
import { writeJson } from "./read_gen5/json.mjs"
import { readMeta } from "./read_gen5/meta.mjs"
import { checkCarrier, checkFacts, isPng, openPng } from "./read_gen5/png.mjs"
import { readTable } from "./read_gen5/table.mjs"
import { readTrailers } from "./read_gen5/trailers.mjs"

const HEADER_BYTES = 32
const SEALED = 1
const TRAILER = 2
const KNOWN_TYPES = ["LATN", "DATA", "ENVC"]

/** Return the content of a GEN5 file, or of a PNG that carries one. */
export function readGen5(file) {
  if (!isPng(file)) return readRecord(file, null)
  const { record, picture } = openPng(file)
  return readRecord(record, picture)
}

function readRecord(file, picture) {
  const header = readHeader(file)
  must(!picture || header.minor > 0, "is of version 1.0, a PNG carries version 1.1 or later")
  const meta = file.subarray(header.metaOffset, header.metaEnd)
  if (header.flags & SEALED) checkSeal(file, meta)
  const root = sha256(meta)
  const trailers = readTrailers(file.subarray(header.metaEnd), root)
  const { gen5_metadata: { model_info, chunks: rows }, ...further } = readMeta(meta, header)
  const table = readTable(rows, header)
  if (!picture && (further.carrier ?? null) !== null) {
    must(header.minor > 0, "is of version 1.0 and has a carrier, which version 1.1 added")
    checkFacts(further.carrier, table)
  }
  const carrierFacts = picture && { is_as_written: checkCarrier(further.carrier, picture, table) }
  const chunks = table.map((row) => ({ ...row, payload: readChunk(file, row) }))
  const uncovered_bytes = trailers.uncovered_bytes + (picture?.trailingBytes ?? 0)
    + (table.reduce((gaps, { storedBytes }) => gaps - storedBytes, header.metaOffset - HEADER_BYTES))
  return {
    ...further, // first, so that no key of META replaces what was checked
    version: [header.major, header.minor], root: root.toString("hex"), ...trailers, uncovered_bytes,
    unknown_chunks: table.map(({ type }) => type).filter((type) => !KNOWN_TYPES.includes(type)),
    picture: carrierFacts, latents: readLatents(chunks), images: readImages(chunks, further.carrier, picture),
    environment_chunk: readEnvironment(chunks), model_info,
  }
}

function readHeader(file) {
  must(file.toString("latin1", 0, 4) === "GEN5", "does not start with GEN5")
  must(file.length >= HEADER_BYTES, `the header takes ${HEADER_BYTES} bytes, the file has ${file.length}`)
  const [major, minor, flags] = [file[4], file[5], file.readUInt16LE(6)]
  const [metaOffset, metaBytes, chunkCount, fileBytes] = [8, 12, 16, 20].map((offset) => file.readUInt32LE(offset))
  const metaEnd = metaOffset + metaBytes
  must(major === 1, `is of version ${major}.${minor}, this reader knows 1.x`)
  must((flags & ~(SEALED | TRAILER)) === 0, `uses flags ${flags}, this reader knows ${SEALED} and ${TRAILER}`)
  must(minor > 0 || (flags === 0 && file.readBigUInt64LE(24) === 0n), "is of version 1.0 and has flags or a seal")
  must(minor === 0 || flags & SEALED, `version 1.${minor} must be sealed and is not`)
  must(fileBytes === file.length, `the header says ${fileBytes} bytes, the file has ${file.length}`)
  must(metaOffset >= HEADER_BYTES && (flags & TRAILER ? metaEnd < fileBytes : metaEnd === fileBytes),
    `META is at ${metaOffset} to ${metaEnd} of ${fileBytes} bytes`)
  must(metaBytes <= LIMITS.metaStored, `META takes ${metaBytes} bytes, the limit is ${LIMITS.metaStored}`)
  must(chunkCount <= LIMITS.chunks, `lists ${chunkCount} chunks, the limit is ${LIMITS.chunks}`)
  return { major, minor, flags, metaOffset, metaEnd, chunkCount }
}

function checkSeal(file, meta) {
  const seal = sha256("GEN5seal1", file.subarray(0, 24), meta).subarray(0, 8)
  must(seal.equals(file.subarray(24, HEADER_BYTES)), "the seal does not match header and META")
}

function main(paths) {
  if (paths.length === 0) {
    process.stderr.write("usage: node scripts/read_gen5.mjs FILE...\n")
    return 2
  }
  const results = paths.map((path) => ({ file: path, ...readOrReport(path) }))
  process.stdout.write(results.map((found) => `${writeJson(found)}\n`).join(""))
  return results.some(({ error }) => error !== undefined) ? 1 : 0
}

function readOrReport(path) {
  try {
    return readGen5(readFileSync(path))
  } catch (error) {
    if (error instanceof FormatError) return { error: error.message }
    throw error
  }
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2))
