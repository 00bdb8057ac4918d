/** Files that begin as a GEN5 file does; their META is whatever a test says. */

const HEADER_BYTES = 32

/**
 * @param {{chunks?: number[], tail?: number[], offset?: number, name?: string}} [content]
 *   offset: what the header says of META, by default where the tail lies
 * @returns {File}
 */
export function gen5File({ chunks = [], tail = [1], offset = HEADER_BYTES + chunks.length, name = "stored.gen5" } = {}) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES))
  ;[..."GEN5"].forEach((letter, index) => header.setUint8(index, letter.charCodeAt(0)))
  header.setUint32(8, offset, true)
  return new File([header.buffer, new Uint8Array(chunks), new Uint8Array(tail)], name)
}
