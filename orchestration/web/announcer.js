// What a screen reader is told of a transcript: each line once, when it is final.
//
// Lines in the page are built anew when a translation or a name comes, which a live region would
// tell again. So lines are told in a region of their own, that is read and not seen.

/** Lines that the region keeps; what was told may go. */
const KEPT = 20;

export class Announcer {
  #region;
  #told = new Set();

  constructor(region) {
    this.#region = region;
    region.replaceChildren();
  }

  /** Lines that were there before: nothing of them is told. */
  know(segments) {
    for (const { segment_id: id } of segments) this.#told.add(id);
  }

  /** Tells those lines that are new. */
  tell(segments) {
    for (const { segment_id: id, speaker, text } of segments) {
      if (this.#told.has(id)) continue;
      this.#told.add(id);
      this.#region.append(speaker ? `${speaker.name}: ${text}\n` : `${text}\n`);
    }
    while (this.#region.childNodes.length > KEPT) this.#region.firstChild.remove();
  }
}
