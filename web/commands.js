/** Commands of the palette, and the keys that run them. */
import { app } from "../../scripts/app.js"
import { fileName, isLoader } from "./graph.js"
import { sourceOf } from "./graph_links.js"
import { verify } from "./gen5_api.js"
import { startChosen } from "./replay.js"
import { fileSize } from "./text.js"
import { toast } from "./toast.js"

const LIBRARY_TAB = "gen5-library"

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
  try {
    const report = await verify(name, () => {})
    toast("success", `${name} is whole`, `${fileSize(report.checked_bytes)} checked in ${report.chunk_count} chunks.`)
  } catch (error) {
    toast("error", `${name} is damaged or not readable`, error.message)
  }
}
