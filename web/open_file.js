/** Opening .gen5 files: a drop on the canvas and the Open menu load the workflow that a file holds. */
import { app } from "../../scripts/app.js"
import { readFile, upload } from "./gen5_api.js"
import { addLoader } from "./graph.js"
import { fileSize } from "./text.js"
import { toast } from "./toast.js"

const SUFFIX = /\.gen5$/i
const DROPPED = "file_drop" // what ComfyUI says of a drop; of the Open menu it says file_button

let opened = null

/** The extension: ComfyUI's way to open a file, taught one more kind. */
export const openFile = {
  name: "Gen5.OpenFile",
  setup() {
    teachOpenMenu()
    teachHandleFile()
  },
}

/**
 * Return the .gen5 file that was opened last, or null.
 *
 * @returns {File|null}
 */
export function lastOpened() {
  return opened
}

function teachOpenMenu() {
  const input = document.getElementById("comfy-file-input")
  if (input) input.accept = [input.accept, ".gen5"].filter(Boolean).join(",")
}

/** ComfyUI has no hook for kinds of files; other files go on with all that was handed in. */
function teachHandleFile() {
  const original = app.handleFile
  app.handleFile = function (file, ...rest) {
    if (!SUFFIX.test(file?.name ?? "")) return original.call(this, file, ...rest)
    return openGen5(file, rest[0], (workflow) => original.call(this, workflow, ...rest))
  }
}

async function openGen5(file, source, load) {
  const stored = await read(file)
  if (!stored) return undefined
  opened = file
  const graph = stored.workflow ?? stored.prompt
  if (graph) return load(asJsonFile(graph, file.name))
  offerLoader(file, placeFor(source)) // not awaited: ComfyUI shows its spinner over the page until this returns
  return undefined
}

async function read(file) {
  try {
    return await readFile(file)
  } catch (error) {
    toast("error", `${file.name} could not be opened`, error.message)
    return null
  }
}

/** The name is what ComfyUI calls the tab by, up to its last dot. */
function asJsonFile(graph, name) {
  return new File([JSON.stringify(graph)], name.replace(SUFFIX, ".json"), { type: "application/json" })
}

/** Where the pointer let go of the file, else the middle of what is seen. */
function placeFor(source) {
  if (source === DROPPED) return [...app.canvas.graph_mouse]
  const [x, y, width, height] = app.canvas.ds.visible_area
  return [x + width / 2, y + height / 2]
}

async function offerLoader(file, pos) {
  const told = "It was saved without one. Its noise, settings and image are for Load Gen5 to use."
  toast("info", `${file.name} holds no workflow`, told)
  try {
    if (!(await wantsLoader(file))) return
    const name = await upload(file)
    addLoader(name, { pos })
    toast("success", "Load Gen5 added", name)
  } catch (error) {
    toast("error", `${file.name} could not be added`, error.message)
  }
}

function wantsLoader({ name, size }) {
  return app.extensionManager.dialog.confirm({
    title: "Add Load Gen5?",
    message: `${name} holds no workflow. Add a Load Gen5 with it? The file (${fileSize(size)}) is copied into the input folder.`,
  })
}
