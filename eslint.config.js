import js from "@eslint/js"
import globals from "globals"

const STYLE = {
  "eqeqeq": "error",
  "no-console": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-var": "error",
  "prefer-const": "error",
  "semi": ["error", "never"],
}

export default [
  { ignores: [".venv/**", "build/**", "demo/**"] },
  js.configs.recommended,
  { rules: STYLE },
  { files: ["web/**/*.js"], languageOptions: { globals: { ...globals.browser, LiteGraph: "readonly" } } },
  { files: ["tests/web/**/*.js"], languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  { files: ["scripts/**/*.mjs"], languageOptions: { globals: globals.node } },
  { files: ["*.config.js"], languageOptions: { globals: globals.node } },
]
