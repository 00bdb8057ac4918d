/** The version of the pack; a test compares it with pyproject.toml. */
export const VERSION = "1.0.0"
