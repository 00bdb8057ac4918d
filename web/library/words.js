/** Names and values formatted for the library. */
import { t } from "../i18n/index.js"

/**
 * Return the folder of an annotated name: input, output or temp.
 * @param {string} name
 */
export function folderOf(name) {
  return /\[(output|temp)\]$/.exec(name)?.[1] ?? "input"
}

/**
 * Return the file name without folders and annotation.
 * @param {string} name
 */
export function shortName(name) {
  return name.replace(/ \[(input|output|temp)\]$/, "").replace(/^.*[\\/]/, "")
}

/**
 * Return the file name without its extension, for the name of a workflow.
 * @param {string} name
 */
export function stem(name) {
  return shortName(name).replace(/\.(gen5|png)$/i, "")
}

/**
 * Join the known facts in one line.
 * @param {(string|number|null|undefined|false)[]} facts
 */
export function joinFacts(facts) {
  return facts.filter((fact) => fact !== null && fact !== undefined && fact !== false && fact !== "").join(" · ")
}

/**
 * Format a value of a graph as one line of text.
 * @param {any} value
 */
export function valueText(value) {
  if (value === undefined) return t("diff.nothing")
  if (typeof value === "string") return value === "" ? t("diff.empty") : value
  return JSON.stringify(value)
}
