/** Stub of the module of another language that has one text only. */
export default { "drift.count": { other: "{count} 件" } }
