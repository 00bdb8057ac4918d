/** Stands for ComfyUI's scripts/api.js. Tests set what it answers and read what it was asked. */

export const api = new EventTarget()

/** Make `api` as new: it answers every request with 404 until `answerWith` says otherwise. */
export function resetApi() {
  api.requests = []
  api.answer = () => new Response("", { status: 404, statusText: "Not Found" })
  api.apiURL = (route) => `/api${route}`
  api.fetchApi = async (route, options = {}) => {
    api.requests.push({ route, ...options })
    return api.answer(route, options)
  }
}

/** Let every request be answered with value as JSON. */
export function answerWith(value, status = 200) {
  api.answer = () => new Response(JSON.stringify(value), { status })
}

resetApi()
