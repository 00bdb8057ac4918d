/** The pictures of a file, shown in a node one at a time, each with its starting noise. */
import { element } from "./dom.js"
import { imageUrl, noiseUrl } from "./gen5_api.js"
import { t } from "./i18n/index.js"
import { STRETCHES } from "./panel.js"
import { pixels } from "./text.js"

const PICTURE_SIZE = 1024 // px, longer side: sharp in a large node on a high-density screen
const NOISE_SIZE = 128
/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowRight: 1 }

/**
 * Show a file's pictures: the one that batch_index selects, or the first with buttons for the others. A PNG of one image
 * of a batch has one picture, and the noise of the whole batch.
 *
 * @param {string} name annotated
 * @param {Gen5.Facts} facts of the file, from the server
 * @param {number} batchIndex −1 for all
 * @param {(index: number) => void} [onShow] called with the index in the batch of the picture shown
 * @returns {HTMLElement}
 */
export function storedPictures(name, facts, batchIndex, onShow = () => {}) {
  const { images } = facts
  if (facts.image_of_batch) return pictureOfBatch(name, facts, facts.image_of_batch, batchIndex, onShow)
  if (!images.length) return element("p", { className: "gen5-faint", text: t("picture.none") })
  if (batchIndex >= images.length) return outOfRange(batchIndex, images.length)
  const parts = pictureParts()
  const state = facts.mtime ?? facts.root // not the root alone: a PNG with another picture may have the same one
  let index = 0
  /** @param {number} wanted */
  const show = (wanted) => {
    index = (wanted + images.length) % images.length
    showPicture(parts, images, index, (size) => imageUrl(name, { index, size, root: state }))
    onShow(index)
  }
  show(Math.max(batchIndex, 0))
  const browses = batchIndex < 0 && images.length > 1
  if (browses) browseWith(parts.figure, parts.place, (step) => show(index + step))
  return parts.figure
}

/**
 * Show the starting noise of one image as a thumbnail.
 *
 * @param {string} name annotated
 * @param {Gen5.Facts} facts of the file
 * @returns {{element: HTMLElement|null, show: (index: number) => void}} element: null if the file has no noise
 */
export function noiseThumbnail(name, facts) {
  const latent = startingLatent(facts)
  if (!latent) return { element: null, show() {} }
  const picture = element("img", {
    className: "gen5-noise",
    alt: t("noise.picture"),
    title: t("noise.picture.tip", { shape: latent.shape.join(" × "), dtype: latent.orig_dtype ?? latent.dtype }),
    onerror: () => picture.remove(),
  })
  /** @param {number} index */
  const show = (index) => {
    const row = index < latent.shape[0] ? index : 0
    picture.src = noiseUrl(name, { index: row, size: NOISE_SIZE, root: facts.root })
  }
  show(0)
  return { element: picture, show }
}

/**
 * Return the latent with the starting noise. Files of 0.1.0 may name it otherwise: there, the only latent is it.
 *
 * @param {Gen5.Facts} facts
 */
function startingLatent({ latents, version }) {
  const named = latents.find((latent) => latent.name === "initial_noise")
  return named ?? (version === "1.0" && latents.length === 1 ? latents[0] : null)
}

/**
 * @param {string} name
 * @param {Gen5.Facts} facts
 * @param {{index: number, count: number}} place
 * @param {number} batchIndex
 * @param {(index: number) => void} onShow
 */
function pictureOfBatch(name, facts, place, batchIndex, onShow) {
  const alone = { ...facts, image_of_batch: null }
  if (batchIndex < 0 || batchIndex === place.index) return storedPictures(name, alone, -1, () => onShow(place.index))
  onShow(batchIndex)
  const text = t("picture.otherOfBatch", { wanted: batchIndex, index: place.index, all: place.count })
  return element("p", { className: "gen5-problem", text })
}

/**
 * @param {number} batchIndex
 * @param {number} count
 */
function outOfRange(batchIndex, count) {
  const held = t("load.pictures", { count })
  const text = t("picture.outOfRange", { wanted: batchIndex, held, last: count - 1 })
  return element("p", { className: "gen5-problem", text })
}

function pictureParts() {
  const picture = element("img", { attributes: { decoding: "async", draggable: "false" } })
  const link = element("a", { attributes: { target: "_blank", rel: "noopener" } }, picture)
  const unread = element("p", { className: "gen5-problem", text: t("picture.unread"), hidden: true })
  const place = element("span", { attributes: { role: "status" } })
  const frame = element("div", { className: "gen5-picture-frame" }, link, unread)
  const figure = element("figure", { className: `gen5-picture ${STRETCHES}` }, frame)
  picture.onerror = () => setRead(link, unread, false)
  return { picture, link, unread, place, figure }
}

/**
 * @param {HTMLElement} link
 * @param {HTMLElement} unread
 * @param {boolean} isRead
 */
function setRead(link, unread, isRead) {
  link.hidden = !isRead
  unread.hidden = isRead
}

/**
 * @param {ReturnType<typeof pictureParts>} parts
 * @param {Gen5.Size[]} images
 * @param {number} index
 * @param {(size?: number) => string} urlOf
 */
function showPicture(parts, images, index, urlOf) {
  const { width, height } = images[index]
  const place = { number: index + 1, all: images.length }
  const picture = images.length > 1 ? t("picture.oneOf", place) : t("picture.one")
  setRead(parts.link, parts.unread, true)
  parts.picture.alt = width && height ? t("picture.sized", { picture, size: pixels(width, height) }) : picture
  parts.picture.src = urlOf(PICTURE_SIZE)
  parts.link.href = urlOf()
  parts.link.title = t("picture.fullSize")
  parts.place.textContent = t("picture.place", place)
}

/**
 * @param {HTMLElement} figure
 * @param {HTMLElement} place
 * @param {(step: number) => void} step
 */
function browseWith(figure, place, step) {
  const before = stepButton("‹", t("picture.previous"), () => step(-1))
  const after = stepButton("›", t("picture.next"), () => step(1))
  figure.append(element("figcaption", {}, before, place, after))
  figure.addEventListener("keydown", (event) => {
    if (!STEPS[event.key]) return
    event.preventDefault()
    event.stopPropagation() // otherwise the canvas would move the node
    step(STEPS[event.key])
  })
}

/**
 * @param {string} text
 * @param {string} label
 * @param {() => void} onclick
 */
function stepButton(text, label, onclick) {
  const attributes = { "aria-label": label }
  return element("button", { className: "gen5-button gen5-step", type: "button", text, title: label, onclick, attributes })
}
