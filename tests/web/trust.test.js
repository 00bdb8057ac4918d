import { describe, expect, test } from "vitest"
import { Gen5Error } from "../../web/gen5_error.js"
import { invalidBadge, signedBy, trustList, trustWords } from "../../web/trust.js"
import { INVALID, KEY, OTHER_KEY, signed, signature, trusted, unchecked } from "./trust_facts.js"

function list(trust) {
  const shown = trustList(trust)
  return { badge: shown.querySelector(".gen5-badge"), lines: [...shown.querySelectorAll("li")].map((line) => line.textContent) }
}

describe("the description of signatures", () => {
  test("is empty for an unsigned file", () => {
    expect(trustList({ word: "unsigned", signatures: [] })).toBeNull()
    expect(trustList(undefined)).toBeNull()
    expect(trustWords(undefined)).toEqual([])
  })

  test("signed: has the key, and that it is not in the list", () => {
    const { badge, lines } = list(signed())
    expect(badge.textContent).toBe("Signed")
    expect(lines).toEqual([`Signed by key ${KEY}. The key is not in your list.`])
  })

  test("trusted: has the key's name in the list, and its id", () => {
    const { badge, lines } = list(trusted("Alice, studio"))
    expect([badge.textContent, badge.className]).toEqual(["Trusted", "gen5-badge gen5-badge-ok"])
    expect(lines).toEqual([`Signed by Alice, studio, key ${KEY}. Trusted: the key is in your list.`])
  })

  test("trusted: has only the id of a key without a name", () => {
    expect(list(trusted("")).lines).toEqual([`Signed by key ${KEY}. Trusted: the key is in your list.`])
  })

  test("says which of several keys is trusted", () => {
    const trust = { word: "trusted", signatures: [...trusted("Alice").signatures, signature({ key_id: OTHER_KEY })] }
    expect(list(trust).lines[1]).toBe(`Signed by key ${OTHER_KEY}. The key is not in your list.`)
  })

  test("invalid: has text and the error colour, and no other signature is called trusted", () => {
    const trust = { word: "invalid", signatures: [INVALID, ...trusted("Alice").signatures] }
    const { badge, lines } = list(trust)
    expect([badge.textContent, badge.className]).toEqual(["Invalid signature", "gen5-badge gen5-badge-error"])
    expect(lines).toEqual([`Invalid signature by key ${OTHER_KEY}: it was changed.`, `Signed by Alice, key ${KEY}.`])
    expect(trustWords(trust).join(" ")).not.toMatch(/trusted/i)
  })

  test("unchecked: has the reason", () => {
    const { badge, lines } = list(unchecked())
    expect(badge.textContent).toBe("Signature unchecked")
    expect(lines).toEqual([
      `Signature by key ${KEY}, unchecked: the package cryptography is not installed: pip install cryptography.`,
    ])
  })

  test("reports a list of keys that cannot be used", () => {
    const trust = { word: "signed", signatures: [signature({ problem: "unusable_list" })] }
    expect(trustWords(trust)).toEqual([
      `Signed by key ${KEY}. Whether it is trusted is not known: your list of trusted keys cannot be used; \`gen5core trust\` says why.`,
    ])
  })

  test("never says intact", () => {
    for (const trust of [signed(), trusted("Alice"), unchecked()]) {
      expect(trustList(trust).outerHTML + trustWords(trust)).not.toMatch(/intact/i)
    }
  })
})

test("names of keys are text, never markup", () => {
  const shown = trustList(trusted("<img src=x onerror=alert(1)>"))
  expect(shown.querySelector("img")).toBeNull()
  expect(shown.textContent).toContain("<img")
})

test("a saved file's key has no name", () => expect(signedBy({ key_id: KEY })).toBe(`Signed by key ${KEY}`))

describe("the badge of an error", () => {
  test("depends on the error's kind, not on its message", () => {
    const error = new Gen5Error("a.gen5: SIGN at offset 9", { kind: "invalid_signature" })
    expect(invalidBadge(error).textContent).toBe("Invalid signature")
    expect(invalidBadge(new Gen5Error("the signature by 0a is not valid for this file", { kind: "damaged" }))).toBeNull()
  })
})
