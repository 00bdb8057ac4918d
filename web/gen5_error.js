/** What a person reads when a GEN5 file or the server cannot do what was asked. */
export class Gen5Error extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, kind?: string}} [answer] HTTP status of the server's answer, 0 where it gave none; kind: the
   *   server's word for the error, "" where it gave none
   */
  constructor(message, { status = 0, kind = "" } = {}) {
    super(message)
    this.name = "Gen5Error"
    this.status = status
    this.kind = kind
  }
}
