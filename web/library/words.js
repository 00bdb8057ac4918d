/** Words and figures that the library shows. */
import { t } from "../i18n/index.js"

/**
 * Tell the folder that an annotated name is in: input, output or temp.
 * @param {string} name
 */
export function folderOf(name) {
  return /\[(output|temp)\]$/.exec(name)?.[1] ?? "input"
}

/**
 * The file name alone, without folders and annotation.
 * @param {string} name
 */
export function shortName(name) {
  return name.replace(/ \[(input|output|temp)\]$/, "").replace(/^.*[\\/]/, "")
}

/**
 * The file name without its ending, as a workflow is called.
 * @param {string} name
 */
export function stem(name) {
  return shortName(name).replace(/\.(gen5|png)$/i, "")
}

/**
 * What there is of some facts, in one line.
 * @param {(string|number|null|undefined|false)[]} facts
 */
export function joinFacts(facts) {
  return facts.filter((fact) => fact !== null && fact !== undefined && fact !== false && fact !== "").join(" · ")
}

/**
 * A value of a graph as one line of text.
 * @param {any} value
 */
export function valueText(value) {
  if (value === undefined) return t("diff.nothing")
  if (typeof value === "string") return value === "" ? t("diff.empty") : value
  return JSON.stringify(value)
}
