/** Files that begin as a GEN5 file does; their META is whatever a test says. */

const HEADER_BYTES = 32

/**
 * @param {{chunks?: number[], tail?: number[], offset?: number}} [content]
 *   offset: what the header says of META, by default where the tail lies
 * @returns {number[]}
 */
export function gen5Bytes({ chunks = [], tail = [1], offset = HEADER_BYTES + chunks.length } = {}) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES))
  ;[..."GEN5"].forEach((letter, index) => header.setUint8(index, letter.charCodeAt(0)))
  header.setUint32(8, offset, true)
  return [...new Uint8Array(header.buffer), ...chunks, ...tail]
}

/**
 * @param {object} [content] as of {@link gen5Bytes}, and the file's name
 * @returns {File}
 */
export function gen5File({ name = "stored.gen5", ...content } = {}) {
  return new File([new Uint8Array(gen5Bytes(content))], name)
}
