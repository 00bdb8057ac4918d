/** The extension's entry point: the only module with side effects when it is loaded. */
import { app } from "../../scripts/app.js"
import { compareNode } from "./compare_node.js"
import { loadStyles } from "./dom.js"
import { library } from "./library/sidebar.js"
import { loadNode } from "./load_node.js"
import { openFile } from "./open_file.js"
import { replay } from "./replay.js"
import { saveNode } from "./save_node.js"
import { settings } from "./settings.js"

loadStyles()
for (const extension of [settings, openFile, loadNode, saveNode, compareNode, replay, library]) {
  app.registerExtension(extension)
}
