/** Stub of ComfyUI's scripts/api.js. Tests set its responses and read its requests. */

export const api = new EventTarget()

/** Reset `api`: it answers every request with 404 until `answerWith` is called. */
export function resetApi() {
  api.requests = []
  api.answer = () => new Response("", { status: 404, statusText: "Not Found" })
  api.apiURL = (route) => `/api${route}`
  api.fetchApi = async (route, options = {}) => {
    api.requests.push({ route, ...options })
    return api.answer(route, options)
  }
}

/** Answer every request with value as JSON. */
export function answerWith(value, status = 200) {
  api.answer = () => new Response(JSON.stringify(value), { status })
}

resetApi()
