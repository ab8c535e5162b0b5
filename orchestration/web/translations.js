// A line's translations in the page.

import { element } from "./format.js";

/** A line's translations, and that one was tried in vain. */
export function translations(segment) {
  const all = Object.entries(segment.translations ?? {});
  const told = all.filter(([, { text, state }]) => text || state === "failed");
  return told.map(([language, { text }]) => {
    const line = element("p", text ? "translation" : "translation is-missing");
    const words = element("span", "", text || "Not translated.");
    if (text) words.lang = language;
    line.append(element("span", "tag", language), words);
    return line;
  });
}
