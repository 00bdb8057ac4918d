/** What a person can set, run by key, and read about this pack. */
import { commands, keybindings } from "./commands.js"
import { VERSION } from "./version.js"

const definitions = [
  {
    id: "Gen5.Drift.Default",
    category: ["Gen5", "Files", "Drift"],
    name: "What a new Load Gen5 does on drift",
    tooltip: "Drift: what differs between this machine and the one that made the file. Nodes that are there already keep theirs.",
    type: "combo",
    options: ["warn", "ignore", "error"],
    defaultValue: "warn",
  },
  {
    id: "Gen5.Privacy.MachineName",
    category: ["Gen5", "Files", "MachineName"],
    name: "Write this machine's name into files",
    tooltip: "Off, a file tells system, processor and GPU, but not whose machine it was.",
    type: "boolean",
    defaultValue: false,
  },
  {
    id: "Gen5.Privacy.Scrub",
    category: ["Gen5", "Files", "Scrub"],
    name: "Leave names and folders out of files",
    tooltip: "Save Gen5 then drops user names and the folders of paths, in the workflow too, and the machine's name whatever the other setting says. Its node tells what was left out.",
    type: "boolean",
    defaultValue: false,
  },
  {
    id: "Gen5.Recording.Automatic",
    category: ["Gen5", "Files", "Automatic"],
    name: "Record automatically",
    tooltip: "A Save Gen5 without a recording gets one: the server puts Record Sampling before the samplers above it as they are queued.",
    type: "boolean",
    defaultValue: true,
  },
  {
    id: "Gen5.Library.Enabled",
    category: ["Gen5", "Library", "Enabled"],
    name: "Show the library in the sidebar",
    tooltip: "A tab with every .gen5 file, and every PNG that carries a record, of the input and output folders, to search and to load from.",
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

function helpPage(nodeId) {
  return new URL(`./docs/${nodeId}.md`, import.meta.url).href
}
