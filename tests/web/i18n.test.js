import { readFileSync, readdirSync } from "node:fs"
import ts from "typescript"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import en from "../../web/i18n/en.js"
import { formatAgo, formatDate, formatNumber, hasText, t } from "../../web/i18n/index.js"
import { LANGUAGES } from "../../web/i18n/languages.js"

const MODULES = readdirSync("web", { recursive: true })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".js") && !name.startsWith("i18n/"))
const TREES = MODULES.map((name) => [name, ts.createSourceFile(name, readFileSync(`web/${name}`, "utf8"), ts.ScriptTarget.Latest, true)])

/** A key, or the fixed beginning of one: `kind.` of `kind.${kind}`. */
const KEY = /^[a-z]\w*\.(?:\w+\.)*\w*$/i
/** Two adjacent words of a sentence, or one capitalised word of a label. */
const WORDS = /[a-z,:;.]{2,} [a-z]{2,}|^[A-Z][a-z]+[ .…]?$|…/
/** Literals that look like text but are not shown: names that the web platform and ComfyUI define. */
const NO_TEXTS = new Set([
  ..."ArrowDown ArrowUp ArrowLeft ArrowRight PageDown PageUp Home End Enter Escape Files AbortError".split(" "),
  ..."Library Drift Scrub Automatic Enabled".split(" "), // categories of settings, which locales/ translates
  "within tolerance", // of Compare With Stored's verdicts
  "Gen5\0record in gfVE", // bytes of a PNG
])

function visit(node, see) {
  see(node)
  ts.forEachChild(node, (child) => visit(child, see))
}

/** Every literal of a module that is a value, not the name of an import, property or class. */
function literals(tree) {
  const found = []
  visit(tree, (node) => {
    if (ts.isTemplateExpression(node)) found.push(node.head.text, ...node.templateSpans.map((span) => span.literal.text))
    else if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) if (isValue(node)) found.push(node.text)
  })
  return found.map((text) => text.trim()).filter(Boolean)
}

function isValue({ parent }) {
  return !ts.isImportDeclaration(parent) && !ts.isExportDeclaration(parent)
}

function isClasses(text) {
  return text.split(/\s+/).every((word) => /^(gen5-[\w-]*|pi(-[\w-]+)?)$/.test(word))
}

describe("the texts of the modules", () => {
  const used = TREES.flatMap(([, tree]) => literals(tree)).filter((text) => KEY.test(text))

  test("all exist", () => {
    const keys = []
    for (const [name, tree] of TREES) {
      visit(tree, (node) => {
        if (!ts.isCallExpression(node) || !["t", "group"].includes(node.expression.getText(tree))) return
        visit(node.arguments[0], (part) => ts.isStringLiteral(part) && KEY.test(part.text) && keys.push([name, part.text]))
      })
    }
    expect(keys.length).toBeGreaterThan(150)
    expect(keys.filter(([, key]) => !Object.hasOwn(en, key))).toEqual([])
  })

  test("are all used", () => {
    const isUsed = (key) => used.some((text) => text === key || (text.endsWith(".") && key.startsWith(text)))
    expect(Object.keys(en).filter((key) => !isUsed(key))).toEqual([])
  })

  test("are in i18n/ alone", () => {
    const left = TREES.flatMap(([name, tree]) =>
      literals(tree)
        .filter((text) => WORDS.test(text) && !isClasses(text) && !NO_TEXTS.has(text))
        .map((text) => `${name}: ${text}`),
    )
    expect(left).toEqual([])
  })

  test("are distinguished from other literals", () => {
    const module = 'import "./a.js"; say("Try again"); say(`${n} files left`); say("Verify"); say("gen5-a gen5-b"); say("none")'
    const texts = literals(ts.createSourceFile("a.js", module, ts.ScriptTarget.Latest, true))
    expect(texts.filter((text) => WORDS.test(text) && !isClasses(text))).toEqual(["Try again", "files left", "Verify"])
  })
})

describe("t", () => {
  test("inserts values unchanged", () => {
    expect(t("error.named", { name: "{message}", message: "$&" })).toBe("{message}: $&")
  })

  test("chooses the plural by the count, and formats it for the language", () => {
    expect([0, 1, 2, 5000].map((count) => t("drift.count", { count }))).toEqual([
      "0 drifts",
      "1 drift",
      "2 drifts",
      "5,000 drifts",
    ])
  })
})

test("hasText knows its own keys only", () => {
  expect(["kind.not_found", "kind.other", "toString"].map(hasText)).toEqual([true, false, false])
})

describe("the languages", () => {
  const differences = (texts) => ({
    missing: Object.keys(en).filter((key) => !Object.hasOwn(texts, key)),
    unknown: Object.keys(texts).filter((key) => !Object.hasOwn(en, key)),
  })

  test("are those that have a module", () => {
    const modules = readdirSync("web/i18n").filter((name) => !["index.js", "languages.js"].includes(name))
    expect(modules.sort()).toEqual(LANGUAGES.map((language) => `${language}.js`).sort())
  })

  test.each(LANGUAGES)("have every text, and no other: %s", async (language) => {
    const texts = (await import(`../../web/i18n/${language}.js`)).default
    expect(differences(texts)).toEqual({ missing: [], unknown: [] })
  })

  test("are compared with English", () => {
    const { "drift.none": none, ...others } = en
    expect(differences({ ...others, "drift.nil": none })).toEqual({ missing: ["drift.none"], unknown: ["drift.nil"] })
  })
})

describe("another language", () => {
  beforeEach(() => vi.resetModules())
  afterEach(() => vi.doUnmock("../../web/i18n/languages.js"))

  /** ComfyUI in that language, and a pack that lists these ones. */
  async function withLocale(locale, languages) {
    const { app } = await import("./stubs/app.js")
    app.extensionManager.setting.get = (id) => (id === "Comfy.Locale" ? locale : undefined)
    vi.doMock("../../web/i18n/languages.js", () => ({ LANGUAGES: languages }))
    return import("../../web/i18n/index.js")
  }

  const counted = ({ t }, key) => [0, 1, 2, 5].map((count) => t(key, { count }))
  const BYTES = ["0 bytes", "1 byte", "2 bytes", "5 bytes"]

  test.each(["de", "de-AT"])("follows ComfyUI's setting, also for numbers and dates: %s", async (locale) => {
    const texts = await withLocale(locale, ["en", "de"])
    expect(texts.t("drift.none")).toBe("Keine Abweichung")
    expect(texts.t("drift.count", { count: 1 })).toBe("1 Abweichung")
    expect(texts.formatNumber(1.5)).toBe("1,5")
    expect(texts.formatAgo(3, "hour")).toBe("vor 3 Stunden")
    expect(texts.formatDate("2026-03-01T12:00:00")).toBe("1.3.2026, 12:00:00")
  })

  test("falls back to English for a missing text", async () => {
    expect((await withLocale("de", ["en", "de"])).t("drift.here")).toBe("Here")
  })

  test.each(["xx", "no locale!", "", null])("falls back to English if it has no module: %j", async (locale) => {
    expect((await withLocale(locale, LANGUAGES)).t("drift.none")).toBe("No drift")
  })

  test("is not asked for if it is not listed, though there is a module", async () => {
    expect((await withLocale("de", ["en"])).t("drift.none")).toBe("No drift")
  })

  test.each(["zh", "ja", "fr", "ru"])("without a module has English plurals, numbers and durations: %s", async (locale) => {
    const texts = await withLocale(locale, ["en"])
    expect(counted(texts, "size.bytes")).toEqual(BYTES)
    expect(texts.t("drift.count", { count: 5000 })).toBe("5,000 drifts")
    expect(texts.formatNumber(1234.5)).toBe("1,234.5")
    expect(texts.formatAgo(1, "day")).toBe("1 day ago")
  })

  test("without a module has the browser's dates", async () => {
    const asked = vi.spyOn(Date.prototype, "toLocaleString")
    ;(await withLocale("zh", ["en"])).formatDate("2026-03-01T12:00:00")
    expect(asked.mock.calls).toEqual([[undefined]])
  })

  test.each([
    ["zh", ["0 处", "1 处", "2 处", "5 处"]],
    ["ja", ["0 件", "1 件", "2 件", "5 件"]],
    ["fr", ["0 écart", "1 écart", "2 écarts", "5 écarts"]],
    ["ru", ["0 отличий", "1 отличие", "2 отличия", "5 отличий"]],
  ])("has its own plurals, and English ones in English texts: %s", async (locale, drifts) => {
    const texts = await withLocale(locale, ["en", locale])
    expect(counted(texts, "drift.count")).toEqual(drifts)
    expect(counted(texts, "size.bytes")).toEqual(BYTES)
  })

  test("formats a count for the language of its text", async () => {
    const { t } = await withLocale("fr", ["en", "fr"])
    expect(t("drift.count", { count: 5000 })).toBe("5\u202f000 écarts")
    expect(t("size.bytes", { count: 5000 })).toBe("5,000 bytes")
  })
})

test("numbers, dates and durations are English by default", () => {
  expect(formatNumber(1234.5)).toBe("1,234.5")
  expect(formatAgo(1, "day")).toBe("1 day ago")
  expect(formatDate("2026-03-01T12:00:00")).toContain("2026")
})
