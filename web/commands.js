/** Commands for the palette, with their keys. */
import { app } from "../../scripts/app.js"
import { fileName, isLoader } from "./graph.js"
import { sourceOf } from "./graph_links.js"
import { verify } from "./gen5_api.js"
import { t } from "./i18n/index.js"
import { progressBox } from "./progress_box.js"
import { startChosen } from "./replay.js"
import { verdict } from "./text.js"
import { toast } from "./toast.js"
import { trustWords } from "./trust.js"

const LIBRARY_TAB = "gen5-library"
const running = new Set() // names of the files being checked

export const commands = [
  {
    id: "Gen5.OpenLibrary",
    label: t("command.library"),
    icon: "pi pi-images",
    function: openLibrary,
  },
  {
    id: "Gen5.StartFromStored",
    label: t("command.start"),
    icon: "pi pi-replay",
    function: () => startChosen(),
  },
  {
    id: "Gen5.VerifySelected",
    label: t("command.verify"),
    icon: "pi pi-verified",
    function: verifySelected,
  },
]

/** ComfyUI opens its own tabs with single letters; it does not use g, Shift+G or Shift+V. */
export const keybindings = [
  { commandId: "Gen5.OpenLibrary", combo: { key: "g" } },
  { commandId: "Gen5.StartFromStored", combo: { key: "g", shift: true } },
  { commandId: "Gen5.VerifySelected", combo: { key: "v", shift: true } },
]

function openLibrary() {
  if (app.extensionManager.setting.get("Gen5.Library.Enabled") === false) {
    toast("info", t("library.off"), t("library.off.detail"))
    return
  }
  app.extensionManager.command.execute(`Workspace.ToggleSidebarTab.${LIBRARY_TAB}`)
}

/** Check every byte of the file that the selected Load Gen5 is set to, and report the result. */
export async function verifySelected() {
  const loaders = Object.values(app.canvas.selected_nodes ?? {}).filter(isLoader)
  if (loaders.length !== 1) {
    toast("warn", t("verify.selectOne"), t("verify.selectOne.detail"))
    return
  }
  if (sourceOf(loaders[0], "file")) {
    toast("warn", t("verify.linked"), t("verify.linked.detail"))
    return
  }
  const name = fileName(loaders[0])
  if (name) await check(name)
  else toast("warn", t("verify.noFile"), t("verify.noFile.detail"))
}

/** @param {string} name */
async function check(name) {
  if (running.has(name)) return
  running.add(name)
  const stop = new AbortController()
  const box = progressBox(t("verify.named", { name }), () => stop.abort())
  try {
    report(name, await verify(name, box.step, { signal: stop.signal }))
  } catch (error) {
    if (!stop.signal.aborted) toast("error", t("verify.fileDamaged", { name }), error.message)
  } finally {
    box.close()
    running.delete(name)
  }
}

/**
 * @param {string} name
 * @param {Gen5.Report} found
 */
function report(name, found) {
  const severity = found.notes?.length || found.uncovered_bytes ? "warn" : "success"
  const uncovered = found.uncovered_bytes ?? 0
  const title = uncovered ? t("verify.fileIntactBut", { name, count: uncovered }) : t("verify.fileIntact", { name })
  toast(severity, title, [verdict(found), ...trustWords(found.trust)].join("\n"))
}
