/** An error with a message for the user: a GEN5 file is faulty, or the server cannot do what was requested. */
export class Gen5Error extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, kind?: string}} [answer] HTTP status of the server's response, 0 if there was none; kind: the
   *   server's kind of the error, "" if it gave none
   */
  constructor(message, { status = 0, kind = "" } = {}) {
    super(message)
    this.name = "Gen5Error"
    this.status = status
    this.kind = kind
  }
}
