// The transcript's lines in the page.

import { Announcer } from "./announcer.js";
import { clock, duration, element } from "./format.js";
import { translations } from "./translations.js";

const NEAR_END_PX = 80;

export class TranscriptView {
  #transcript;
  #onRename;
  #lines = new Map();
  #follows = true;
  #scroller = document.getElementById("scroller");
  #finals = document.getElementById("lines");
  #pending = document.getElementById("pending");
  #waiting = document.getElementById("waiting");
  #jump = document.getElementById("jump");
  #count = document.getElementById("line-count");
  #announcer = new Announcer(document.getElementById("announced"));
  #abort = new AbortController();
  // The head grows and shrinks, phones turn: who follows the end goes on doing so.
  #resizes = new ResizeObserver(() => this.#follows && this.#toEnd());

  constructor(transcript, onRename) {
    this.#transcript = transcript;
    this.#onRename = onRename;
    const { signal } = this.#abort;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    this.#jump.addEventListener("click", () => this.#toEnd(), { signal });
    this.#resizes.observe(this.#scroller);
    this.#jump.hidden = true;
    this.showAll();
  }

  close() {
    this.#abort.abort();
    this.#resizes.disconnect();
  }

  /** Gives the focus to a line's speaker, or to the transcript where the line shows none. */
  focusSpeaker(segmentId) {
    const button = this.#lines.get(segmentId)?.querySelector("button.speaker");
    const seen = button?.checkVisibility() ? button : this.#scroller;
    seen.focus({ preventScroll: true });
  }

  showAll() {
    const focused = document.activeElement?.closest?.(".line")?.dataset.segment;
    this.#lines.clear();
    this.#finals.replaceChildren();
    for (const segment of this.#transcript.inOrder()) this.#place(segment);
    this.#announcer.know(this.#transcript.inOrder());
    if (this.#lines.has(focused)) this.focusSpeaker(focused);
    this.showLost();
  }

  /** Shows anew where audio was lost. */
  showLost() {
    for (const mark of this.#finals.querySelectorAll(".is-lost")) {
      const next = mark.nextElementSibling;
      mark.remove();
      this.#group(next, next?.previousElementSibling);
    }
    for (const span of this.#transcript.lost()) this.#insert(lostMark(span));
    this.showPending();
  }

  /** Shows new or changed final segments. */
  show(segments) {
    for (const segment of segments) {
      const known = this.#lines.has(segment.segment_id);
      this.#place(segment);
      if (!known) this.#lines.get(segment.segment_id).classList.add("is-new");
    }
    this.#announcer.tell(segments);
    this.showPending();
  }

  showPending() {
    const lines = this.#transcript.pendingInOrder().map((segment) => this.#line(segment));
    this.#pending.replaceChildren(...lines);
    this.#group(this.#pending.firstElementChild, this.#finals.lastElementChild);
    for (const line of lines.slice(1)) this.#group(line, line.previousElementSibling);
    this.#waiting.hidden = this.#finals.hasChildNodes() || lines.length > 0;
    const count = this.#lines.size;
    this.#count.textContent = count === 1 ? "1 line" : `${count} lines`;
    if (this.#follows) this.#toEnd();
  }

  waitingText(text) {
    this.#waiting.textContent = text;
  }

  #place(segment) {
    const line = this.#line(segment);
    const former = this.#lines.get(segment.segment_id);
    this.#lines.set(segment.segment_id, line);
    const hadFocus = former?.contains(document.activeElement);
    if (former) {
      former.replaceWith(line);
      this.#groupAround(line);
    } else this.#insert(line);
    if (hadFocus) this.focusSpeaker(segment.segment_id);
  }

  #insert(line) {
    // New lines belong at the end, or a little before it when streams overlap.
    let before = this.#finals.lastElementChild;
    while (before && Number(before.dataset.start) > Number(line.dataset.start)) {
      before = before.previousElementSibling;
    }
    if (before) before.after(line);
    else this.#finals.prepend(line);
    this.#groupAround(line);
  }

  #line(segment) {
    const { speaker } = segment;
    const colour = this.#transcript.colour(speaker);
    const line = element("li", colour === null ? "line" : `line speaker-${colour}`);
    line.dataset.segment = segment.segment_id;
    line.dataset.start = segment.start;
    line.dataset.speaker = speaker ? speaker.id : "";
    const time = element("time", "", clock(segment.start));
    time.dateTime = segment.absolute_start;
    time.title = new Date(segment.absolute_start).toLocaleTimeString();
    const said = element("div", "said");
    said.append(speaker ? this.#speaker(segment) : element("span", "speaker", "Unknown"));
    const words = element("p", "words", segment.text);
    if (segment.language) words.lang = segment.language;
    said.append(words);
    said.append(...translations(segment));
    line.append(time, said);
    return line;
  }

  #speaker(segment) {
    const { name } = segment.speaker;
    const button = element("button", "speaker", name);
    button.type = "button";
    button.title = `Rename ${name}`;
    button.addEventListener("click", () => this.#onRename(segment));
    return button;
  }

  #groupAround(line) {
    this.#group(line, line.previousElementSibling);
    this.#group(line.nextElementSibling, line);
  }

  #group(line, previous) {
    line?.classList.toggle("continues", previous?.dataset.speaker === line.dataset.speaker);
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.#jump.hidden = this.#follows;
  }

  #toEnd() {
    this.#follows = true;
    this.#jump.hidden = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

function lostMark({ start, end }) {
  const mark = element("li", "line is-lost");
  mark.dataset.start = start;
  mark.append(element("time", "", clock(start)));
  mark.append(element("p", "said", `${duration(end - start)} of audio lost`));
  return mark;
}
