import { app } from "../../../scripts/app.js"
import { workflow } from "../gen5_api.js"
import { addLoader, isSampler, startFromStored } from "../graph.js"
import { t } from "../i18n/index.js"
import { toast } from "../toast.js"
import { shortName, stem } from "./words.js"

const STEP = 30

/**
 * Open the workflow in a file as ComfyUI opens a dropped JSON file, so that it names the tab and validates the workflow.
 * @param {string} name annotated
 */
export function openWorkflow(name) {
  return attempt(t("library.workflowFailed"), async () => {
    const stored = await workflow(name)
    const graph = stored.workflow ?? stored.prompt
    if (!graph) throw new Error(t("library.noWorkflow", { name: shortName(name) }))
    await app.handleFile(new File([JSON.stringify(graph)], `${stem(name)}.json`, { type: "application/json" }))
  })
}

/**
 * Add a Load Gen5 for a file in the middle of the visible part of the graph.
 * @param {string} name annotated
 */
export function placeLoader(name) {
  return attempt(t("library.loaderFailed"), () => {
    const node = addLoader(name, { pos: freePosition() })
    select(node)
    toast("success", t("load.added"), shortName(name))
  })
}

/**
 * Make the selected sampler start from a file's noise.
 * @param {string} name annotated
 */
export function startSelected(name) {
  return attempt(t("library.startFailed"), () => {
    const sampler = selectedSampler()
    startFromStored(sampler, name)
    toast("success", t("library.started", { sampler: sampler.title, name: shortName(name) }), t("library.started.detail"))
  })
}

function selectedSampler() {
  const selected = Object.values(app.canvas.selected_nodes ?? {}).filter(isSampler)
  if (selected.length === 1) return selected[0]
  throw new Error(selected.length ? t("library.manySamplers", { count: selected.length }) : t("library.noSampler"))
}

function freePosition() {
  const [x, y, width, height] = app.canvas.ds.visible_area
  /** @type {Host.Point} */
  const spot = [x + width / 2, y + height / 2]
  const isTaken = () => app.canvas.graph.nodes.some((node) => node.pos[0] === spot[0] && node.pos[1] === spot[1])
  while (isTaken()) {
    spot[0] += STEP
    spot[1] += STEP
  }
  return spot
}

/** @param {Host.Node} node */
function select(node) {
  app.canvas.deselectAll?.()
  app.canvas.select?.(node)
}

/**
 * @param {string} summary
 * @param {() => void|Promise<void>} action
 */
async function attempt(summary, action) {
  try {
    await action()
  } catch (error) {
    toast("error", summary, error.message)
  }
}
