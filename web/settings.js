/** The pack's settings, commands with their keys, and badge on the About page. */
import { commands, keybindings } from "./commands.js"
import { t } from "./i18n/index.js"
import { VERSION } from "./version.js"

const definitions = [
  {
    id: "Gen5.Drift.Default",
    category: ["Gen5", "Files", "Drift"],
    name: t("setting.drift"),
    tooltip: t("setting.drift.tip"),
    type: "combo",
    options: ["warn", "ignore", "error"],
    defaultValue: "warn",
  },
  {
    id: "Gen5.Privacy.MachineName",
    category: ["Gen5", "Files", "MachineName"],
    name: t("setting.machineName"),
    tooltip: t("setting.machineName.tip"),
    type: "boolean",
    defaultValue: false,
  },
  {
    id: "Gen5.Privacy.Scrub",
    category: ["Gen5", "Files", "Scrub"],
    name: t("setting.scrub"),
    tooltip: t("setting.scrub.tip"),
    type: "boolean",
    defaultValue: false,
  },
  {
    id: "Gen5.Recording.Automatic",
    category: ["Gen5", "Files", "Automatic"],
    name: t("setting.automatic"),
    tooltip: t("setting.automatic.tip"),
    type: "boolean",
    defaultValue: true,
  },
  {
    id: "Gen5.Library.Enabled",
    category: ["Gen5", "Library", "Enabled"],
    name: t("setting.library"),
    tooltip: t("setting.library.tip"),
    type: "boolean",
    defaultValue: true,
  },
]

/** The extension: settings, commands with their keys, the badge on the About page. */
export const settings = {
  name: "Gen5.Settings",
  settings: definitions,
  commands,
  keybindings,
  aboutPageBadges: [{ label: `Gen5 ${VERSION}`, url: helpPage("Gen5Save"), icon: "pi pi-file" }],
}

/** @param {string} nodeId */
function helpPage(nodeId) {
  return new URL(`./docs/${nodeId}.md`, import.meta.url).href
}
