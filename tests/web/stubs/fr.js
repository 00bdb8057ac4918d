/** Stub of the module of another language that has one text only. */
export default { "drift.count": { one: "{count} écart", other: "{count} écarts" } }
