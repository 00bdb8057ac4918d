import { readFileSync, readdirSync } from "node:fs"
import { expect, test } from "vitest"
import { forPeople } from "../../web/remedies.js"

const FOLDER = "gen5core"

/** The source of gen5core, its literals that stand in lines below each other joined. */
function source() {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".py"))
  return files.map((name) => readFileSync(`${FOLDER}/${name}`, "utf8").replace(/"\s*\n\s*f?"/g, "")).join("\n")
}

test("no message of gen5core asks a person to pass Limits", () => {
  const messages = source().match(/f"[^"]*pass larger Limits[^"]*"/g)
  expect(messages.length).toBeGreaterThan(3)
  for (const message of messages) expect(forPeople(message), message).not.toContain("Limits\"")
  expect(forPeople(messages.join(""))).not.toContain("pass larger Limits")
})

test("what is wrong stands there still, with what to do", () => {
  const told = forPeople("META: takes 9 bytes, the limit is 8; if you trust the file, pass larger Limits")
  expect(told).toMatch(/^META: takes 9 bytes, the limit is 8; .*take another copy/)
})

test("other messages stay as they are", () => {
  expect(forPeople("META: the seal is wrong")).toBe("META: the seal is wrong")
})
