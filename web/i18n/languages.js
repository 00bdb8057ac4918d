/** The languages that have a module in this folder: the browser asks for no other, as each would be a 404 in its console. */
export const LANGUAGES = ["en"]
