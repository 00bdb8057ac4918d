import { FormatError, LIMITS, must } from "./check.mjs"

const MAX_DEPTH = 200
const MAX_DIGITS = 4300
const TOKEN = new RegExp([
  /([{}[\],:])/,
  /("[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*")/,
  /(-?(?:0|[1-9]\d*))((?:\.\d+)?(?:[eE][+-]?\d+)?)/,
  /(true|false|null|NaN|-?Infinity)/,
].map((part) => part.source).join("|"), "y")
const WORDS = { true: true, false: false, null: null }

/**
 * Parse a JSON text: integers become bigints, other numbers become numbers.
 *
 * JSON.parse would round 64-bit seeds and not distinguish 32.0 from 32. `once` is a key that the outermost object may
 * have only once; NaN and the infinities are accepted only with `notFinite`.
 */
export function parseJson(text, where, { once = null, notFinite = false } = {}) {
  let at = 0
  let token

  const fail = (what) => { throw new FormatError(`${where}: ${what} at character ${at} of its JSON`) }

  function next() {
    while (" \t\n\r".includes(text[at] ?? "-")) at += 1
    TOKEN.lastIndex = at
    token = TOKEN.exec(text) ?? []
    if (token.length) at = TOKEN.lastIndex
    else if (at < text.length) fail("no JSON")
  }

  const expect = (mark) => token[1] === mark || fail(`no "${mark}"`)

  /** Call `read` for each member up to the closing bracket. */
  function members(close, read) {
    next()
    while (token[1] !== close) {
      read()
      next()
      if (token[1] === close) return
      expect(",")
      next()
      if (token[1] === close) fail("no value")
    }
  }

  function object(depth) {
    if (depth > MAX_DEPTH) fail("nested too deeply")
    const entries = []
    members("}", () => {
      if (!token[2]) fail("no name")
      const name = JSON.parse(token[2])
      if (depth === 1 && name === once && entries.some(([other]) => other === once)) fail(`a second ${name}`)
      next()
      expect(":")
      next()
      entries.push([name, value(depth)])
    })
    return Object.fromEntries(entries)
  }

  function array(depth) {
    if (depth > MAX_DEPTH) fail("nested too deeply")
    const items = []
    members("]", () => items.push(value(depth)))
    return items
  }

  function number(integer, rest) {
    if (rest) return Number(integer + rest)
    if (integer.replace("-", "").length > MAX_DIGITS) fail("an integer of too many digits")
    return BigInt(integer)
  }

  function value(depth) {
    const [, mark, string, integer, rest, word] = token
    if (mark === "{") return object(depth + 1)
    if (mark === "[") return array(depth + 1)
    if (string) return JSON.parse(string)
    if (integer) return number(integer, rest)
    if (word in WORDS) return WORDS[word]
    return word && notFinite ? Number(word) : fail("no value")
  }

  checkValues(text, where)
  next()
  const result = value(0)
  next()
  if (token.length) fail("more than one value")
  return result
}

function checkValues(text, where) {
  if (text.length <= LIMITS.jsonValues) return
  let count = 0
  let isInside = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === "\"") isInside = !isInside
    else if (isInside) at += character === "\\" ? 1 : 0
    else if ("[{,".includes(character)) count += 1
  }
  must(count <= LIMITS.jsonValues, `${where}: its JSON may hold ${count} values, the limit is ${LIMITS.jsonValues}`)
}

/** Return the JSON text of a value from parseJson; numbers that JSON cannot express become null. */
export function writeJson(value) {
  if (typeof value === "bigint") return String(value)
  if (typeof value === "number") return writeNumber(value)
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`).join(",")}}`
}

/** A float above 2^53 keeps its decimal point: readers with exact integers would otherwise read another number. */
function writeNumber(value) {
  const text = JSON.stringify(value)
  return Number.isSafeInteger(value) || !/^-?\d+$/.test(text) ? text : `${text}.0`
}
