import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const STUBS = new URL("./tests/web/stubs/", import.meta.url)

/** ComfyUI serves its own modules beside an extension's; in unit tests stubs stand for them, and for other languages. */
const stubs = {
  name: "stubs",
  enforce: "pre",
  resolveId(source) {
    const found = /(?:\/scripts\/|^\.\/)(app|api|de|fr|ja|ru|zh)\.js$/.exec(source)
    return found ? fileURLToPath(new URL(`${found[1]}.js`, STUBS)) : null
  },
}

export default defineConfig({
  plugins: [stubs],
  test: {
    environment: "jsdom",
    setupFiles: ["tests/web/stubs/blob.js"],
    include: ["tests/web/**/*.test.js"],
    restoreMocks: true,
    unstubGlobals: true,
  },
})
