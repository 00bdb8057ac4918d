/** Stub of the module of another language. */
export default {
  "drift.none": "Keine Abweichung",
  "drift.count": { one: "{count} Abweichung", other: "{count} Abweichungen" },
}
