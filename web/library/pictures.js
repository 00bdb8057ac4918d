import { element } from "../dom.js"
import { imageUrl } from "../gen5_api.js"
import { t } from "../i18n/index.js"
import { pixels } from "../text.js"
import { iconButton } from "./parts.js"

const PREVIEW = 1024

/**
 * Show the pictures of a file, one at a time.
 * @param {string} name annotated
 * @param {Gen5.Size[]} images
 * @param {string|number} [root] of the file, or its mtime: part of the address, since browsers cache by address
 */
export function pictures(name, images, root) {
  let index = 0
  const picture = element("img", { attributes: { decoding: "async" } })
  const place = element("span", { attributes: { role: "status" } })
  const link = element("a", { attributes: { target: "_blank", rel: "noopener" }, title: t("picture.fullSize") }, picture)
  const missing = element("p", { className: "gen5-library-wrong", text: t("picture.missing") })
  /** @param {number} next */
  const show = (next) => {
    index = (next + images.length) % images.length
    const { width, height } = images[index]
    missing.hidden = true
    picture.hidden = false
    const isKnown = width && height // version 1.0 of the format does not store the size
    const numbers = { number: index + 1, all: images.length }
    const title = t("picture.numbered", numbers)
    picture.alt = isKnown ? t("picture.sized", { picture: title, size: pixels(width, height) }) : title
    setSize(picture, isKnown ? { width, height } : {})
    picture.src = imageUrl(name, { index, size: PREVIEW, root })
    link.href = imageUrl(name, { index, root })
    place.textContent = t("picture.place", numbers)
  }
  picture.addEventListener("error", () => {
    picture.hidden = true
    missing.hidden = false
  })
  show(0)
  const figure = element("figure", { className: "gen5-library-picture" }, link, missing)
  if (images.length > 1) {
    const before = iconButton("pi-chevron-left", t("picture.previous"), () => show(index - 1))
    const after = iconButton("pi-chevron-right", t("picture.next"), () => show(index + 1))
    figure.append(element("figcaption", {}, before, place, after))
  }
  return figure
}

/**
 * @param {HTMLElement} picture
 * @param {Gen5.Size} size
 */
function setSize(picture, { width, height }) {
  for (const [name, value] of Object.entries({ width, height })) {
    if (value) picture.setAttribute(name, String(value))
    else picture.removeAttribute(name)
  }
}
