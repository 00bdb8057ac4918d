/**
 * The extension's entry point: the only module with side effects when it is loaded.
 *
 * nodes       load_node (load_panel, stored_pictures, drift_table), save_node, compare_node; panel, for both renderers
 * files       open_file (drop and Open menu), container, png_carrier (which bytes to read of a file), replay_files
 * graph       replay ("Start from stored noise"), graph, graph_links, graph_layout
 * library     library/: the sidebar tab, its list, details and comparison
 * server      gen5_api, gen5_error; error_words (texts, badges and icons for errors, by kind), trust, noise_words
 * the rest    settings, commands; text (facts as text), dom, toast, progress_box; i18n/: all texts, by language
 */
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
