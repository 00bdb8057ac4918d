/** Stub of the module of another language that has one text only. */
export default { "drift.count": { one: "{count} отличие", few: "{count} отличия", many: "{count} отличий", other: "{count} отличия" } }
