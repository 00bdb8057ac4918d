/** Files that begin like a GEN5 file; tests choose their META. */

const HEADER_BYTES = 32

/**
 * @param {{chunks?: number[], tail?: number[], offset?: number}} [content]
 *   offset: META's offset in the header, by default that of the tail
 * @returns {number[]}
 */
export function gen5Bytes({ chunks = [], tail = [1], offset = HEADER_BYTES + chunks.length } = {}) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES))
  ;[..."GEN5"].forEach((letter, index) => header.setUint8(index, letter.charCodeAt(0)))
  header.setUint32(8, offset, true)
  return [...new Uint8Array(header.buffer), ...chunks, ...tail]
}

/**
 * @param {object} [content] as for {@link gen5Bytes}, and the file's name
 * @returns {File}
 */
export function gen5File({ name = "stored.gen5", ...content } = {}) {
  return new File([new Uint8Array(gen5Bytes(content))], name)
}
