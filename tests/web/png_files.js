/** PNGs with valid chunk headers only: they contain no picture, and their CRCs are wrong. */

export const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const CRC = [0, 0, 0, 0]

/**
 * @param {string} type
 * @param {number[]|Uint8Array} [data]
 * @param {number} [length] the length in its header, by default that of its data
 * @returns {number[]} the chunk's bytes
 */
export function chunk(type, data = [], length = data.length) {
  const head = new DataView(new ArrayBuffer(8))
  head.setUint32(0, length)
  ;[...type].forEach((letter, index) => head.setUint8(4 + index, letter.charCodeAt(0)))
  return [...new Uint8Array(head.buffer), ...data, ...CRC]
}

/**
 * @param {number[][]} chunks everything after the signature
 * @param {string} [name]
 * @returns {File}
 */
export function pngFile(chunks, name = "picture.png") {
  return new File([new Uint8Array([...SIGNATURE, ...chunks.flat()])], name, { type: "image/png" })
}

/**
 * A PNG with a record in its usual position.
 *
 * @param {number[]} record its bytes
 * @param {string} [name]
 * @returns {File}
 */
export function carrierOf(record, name = "picture.png") {
  return pngFile([chunk("IHDR", new Array(13).fill(0)), chunk("IDAT", [1, 2, 3]), chunk("gfVE", record), chunk("IEND")], name)
}
