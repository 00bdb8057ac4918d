/** Commands of the palette, and the keys that run them. */
import { app } from "../../scripts/app.js"
import { fileName, isLoader } from "./graph.js"
import { sourceOf } from "./graph_links.js"
import { verify } from "./gen5_api.js"
import { progressBox } from "./progress_box.js"
import { startChosen } from "./replay.js"
import { verdict } from "./text.js"
import { toast } from "./toast.js"
import { trustWords } from "./trust.js"

const LIBRARY_TAB = "gen5-library"
const running = new Set() // names of the files that are being checked

export const commands = [
  {
    id: "Gen5.OpenLibrary",
    label: "Gen5: Open library",
    icon: "pi pi-images",
    function: openLibrary,
  },
  {
    id: "Gen5.StartFromStored",
    label: "Gen5: Start from stored noise",
    icon: "pi pi-replay",
    function: () => startChosen(),
  },
  {
    id: "Gen5.VerifySelected",
    label: "Gen5: Verify file of selected Load Gen5",
    icon: "pi pi-verified",
    function: verifySelected,
  },
]

/** ComfyUI opens its own tabs with single letters; none of its keys is g, Shift+G or Shift+V. */
export const keybindings = [
  { commandId: "Gen5.OpenLibrary", combo: { key: "g" } },
  { commandId: "Gen5.StartFromStored", combo: { key: "g", shift: true } },
  { commandId: "Gen5.VerifySelected", combo: { key: "v", shift: true } },
]

function openLibrary() {
  if (app.extensionManager.setting.get("Gen5.Library.Enabled") === false) {
    toast("info", "The library is off", "Settings → Gen5 → Library turns it on.")
    return
  }
  app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${LIBRARY_TAB}`)
}

/** Check every byte of the file that the selected Load Gen5 is set to, and say what came out. */
export async function verifySelected() {
  const loaders = Object.values(app.canvas.selected_nodes ?? {}).filter(isLoader)
  if (loaders.length !== 1) {
    toast("warn", "Select one Load Gen5", "Its file is then checked, every byte.")
    return
  }
  if (sourceOf(loaders[0], "file")) {
    toast("warn", "Its file comes by a link", "Running the node checks every byte.")
    return
  }
  const name = fileName(loaders[0])
  if (name) await check(name)
  else toast("warn", "No file is chosen", "Choose one in Load Gen5, or drop one on it.")
}

async function check(name) {
  if (running.has(name)) return
  running.add(name)
  const stop = new AbortController()
  const box = progressBox(`Verifying ${name}`, () => stop.abort())
  try {
    tell(name, await verify(name, box.step, { signal: stop.signal }))
  } catch (error) {
    if (!stop.signal.aborted) toast("error", `${name} is damaged or not readable`, error.message)
  } finally {
    box.close()
    running.delete(name)
  }
}

function tell(name, report) {
  const severity = report.notes?.length ? "warn" : "success"
  toast(severity, `${name} is intact`, [verdict(report), ...trustWords(report.trust)].join("\n"))
}
