import { FRAME_BYTES, LIMITS, must, unframe } from "./check.mjs"
import { readSignatures } from "./signatures.mjs"

/** Return the keys that signed `root`, the types of unknown trailers, and their size, of bytes that nothing covers. */
export function readTrailers(bytes, root) {
  const trailers = Array.from(frames(bytes))
  const later = trailers.slice(1).find(({ type }) => type === "SIGN")
  must(!later, `${later?.where}: signatures must come first`)
  const [first] = trailers
  const unknown = trailers.filter(({ type }) => type !== "SIGN")
  const found = {
    unknown_trailers: unknown.map(({ type }) => type),
    uncovered_bytes: unknown.reduce((sum, { frame }) => sum + frame.length, 0),
  }
  if (first?.type !== "SIGN") return { signed_by: [], ...found }
  must(first.frame.length - FRAME_BYTES <= LIMITS.signatures, `${first.where}: takes ${first.frame.length} bytes`)
  const envelope = unframe(first.frame, "SIGN", "0000", first.where)
  return { signed_by: readSignatures(envelope, root, first.where), ...found }
}

function* frames(bytes) {
  let count = 0
  for (let at = 0; at < bytes.length;) {
    const where = `trailer ${count}`
    must((count += 1) <= LIMITS.trailers, `more than ${LIMITS.trailers} trailers`)
    must(at + FRAME_BYTES <= bytes.length, `${where}: ${bytes.length - at} bytes are not a frame`)
    const end = at + FRAME_BYTES + bytes.readUInt32LE(at + 8)
    must(end <= bytes.length, `${where}: is longer than the file`)
    yield { where, type: bytes.toString("latin1", at, at + 4), frame: bytes.subarray(at, end) }
    at = end
  }
}
