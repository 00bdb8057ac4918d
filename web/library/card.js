import { element } from "../dom.js"
import { errorBadge } from "../error_words.js"
import { imageUrl, noiseUrl } from "../gen5_api.js"
import { t } from "../i18n/index.js"
import { ago } from "../text.js"
import { TRUST_BADGES } from "../trust.js"
import { folderOf, joinFacts, shortName } from "./words.js"

export const CARD_HEIGHT = 104
const THUMBNAIL = 256

/**
 * Make the row of one file; a grey placeholder if its facts have not been loaded.
 * @param {Gen5.Item} [item] of `GET /gen5/library`
 * @returns {{element: HTMLElement, showPicture?: () => void, dropPicture?: () => void}} showPicture loads the
 *   thumbnail, once; dropPicture cancels a load that has not finished
 */
export function createCard(item) {
  if (!item) return { element: waitingCard() }
  const thumbnail = createThumbnail(item)
  const card = element(
    "div",
    { className: "gen5-library-card", title: item.error ? item.name : `${item.name}\n${madeWith(item)}` },
    thumbnail.element,
    element("div", { className: "gen5-library-facts" }, titleLine(item), ...factLines(item)),
  )
  return { element: card, showPicture: thumbnail.show, dropPicture: thumbnail.drop }
}

function waitingCard() {
  const bars = [60, 90, 40].map((width) => {
    const bar = element("div", { className: "gen5-library-bar" })
    bar.style.width = `${width}%`
    return bar
  })
  return element(
    "div",
    { className: "gen5-library-card gen5-library-waiting", attributes: { "aria-label": t("library.loading") } },
    element("div", { className: "gen5-library-thumbnail" }),
    element("div", { className: "gen5-library-facts" }, ...bars),
  )
}

/** @param {Gen5.Item} item */
function titleLine(item) {
  return element(
    "div",
    { className: "gen5-library-line" },
    element("span", { className: "gen5-library-name", text: shortName(item.name) }),
    element("span", { className: "gen5-library-muted gen5-library-small gen5-library-fixed", text: ago(item.mtime) }),
  )
}

/** @param {Gen5.Item} item */
function factLines(item) {
  if (item.error) return [badgeLine(item), element("div", { className: "gen5-library-wrong gen5-library-clamped", text: item.error })]
  return [
    element("div", { className: `gen5-library-cut ${item.prompt ? "" : "gen5-library-muted"}`, text: item.prompt || t("library.noPrompt") }),
    element("div", { className: "gen5-library-cut gen5-library-muted gen5-library-small", text: madeWith(item) }),
    badgeLine(item),
  ]
}

/** @param {Gen5.Item} item */
function madeWith(item) {
  const seed = item.seed === null ? null : t("settings.seed", { value: item.seed })
  return joinFacts([seed, item.sampler, item.model_name]) || t("library.noSettings")
}

/** @param {Gen5.Item} item */
function badgeLine(item) {
  const drifts = item.drift_count ?? 0
  const badges = [
    item.error && item.trust !== "invalid" && readBadge(errorBadge(item.kind)),
    readBadge(TRUST_BADGES[item.trust ?? "unsigned"]),
    drifts > 0 && badge("pi-exclamation-triangle", t("drift.count", { count: drifts }), "gen5-badge-warn"),
    folderOf(item.name) !== "output" && badge("pi-folder", folderOf(item.name)),
    ...(item.tags ?? []).map((tag) => badge("pi-tag", t("library.tag", { tag }))), // labelled, so that no file can call itself trusted
  ]
  return element("div", { className: "gen5-library-badges" }, ...badges)
}

/** @param {{icon: string, text: string, className: string}|undefined} known */
function readBadge(known) {
  return known && badge(known.icon, known.text.toLowerCase(), known.className || undefined)
}

/**
 * @param {string} icon
 * @param {string} text
 * @param {string} [className]
 */
function badge(icon, text, className = "gen5-library-tag") {
  return element(
    "span",
    { className: `gen5-badge gen5-library-badge ${className}` },
    element("i", { className: `pi ${icon}`, attributes: { "aria-hidden": "true" } }),
    element("span", { text }),
  )
}

/** @param {Gen5.Item} item */
function createThumbnail(item) {
  const icon = element("i", {
    className: `pi ${item.error ? errorBadge(item.kind).icon : "pi-image"}`,
    attributes: { "aria-hidden": "true" },
  })
  const frame = element("div", { className: "gen5-library-thumbnail" }, icon)
  if (item.images > 1) frame.append(element("span", { className: "gen5-library-count", text: `${item.images}` }))
  if (item.carrier) frame.append(element("span", { className: "gen5-library-kind", text: t("library.png") }))
  /** @type {HTMLImageElement|null} */
  let picture = null
  return {
    element: frame,
    show: () => (picture ??= startPicture(icon, item)),
    drop: () => picture && !picture.complete && picture.removeAttribute("src"),
  }
}

/**
 * @param {HTMLElement} icon
 * @param {Gen5.Item} item
 */
function startPicture(icon, item) {
  const source = pictureOf(item)
  if (!source) return null
  const picture = element("img", { attributes: { alt: "", decoding: "async", draggable: "false" } })
  picture.addEventListener("load", () => icon.replaceWith(picture))
  picture.src = source
  return picture
}

/**
 * Return the address of the picture, or of the starting noise if there is none. Browsers cache by address, so that of
 * another file of the same name must differ: by its mtime, since the library's list has no root.
 *
 * @param {Gen5.Item} item
 */
function pictureOf(item) {
  if (item.error) return null
  if (item.images > 0) return imageUrl(item.name, { index: 0, size: THUMBNAIL, root: item.mtime })
  return item.latents > 0 ? noiseUrl(item.name, { size: 128, root: item.mtime }) : null
}
