// The list of sessions, newest first, asked for every few seconds while the page is seen.

import { request } from "./api.js";
import { element, moment } from "./format.js";

const POLL_MS = 3000;
const SHOWN = 100;

export class SessionList {
  #list = document.getElementById("sessions");
  #note = document.getElementById("list-note");
  #current = "";
  #shown = "";

  start() {
    this.#poll();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#refresh();
    });
  }

  select(sessionId) {
    this.#current = sessionId;
    for (const link of this.#list.querySelectorAll("a")) markCurrent(link, sessionId);
  }

  async #poll() {
    if (!document.hidden) await this.#refresh();
    setTimeout(() => this.#poll(), POLL_MS);
  }

  async #refresh() {
    try {
      const { items, next_cursor: more } = await request(`/api/sessions?limit=${SHOWN}`);
      const some = more ? `The newest ${SHOWN} sessions.` : "";
      this.#say(items.length ? some : "No sessions yet.");
      document.getElementById("layout").classList.toggle("is-empty", !items.length);
      this.#show(items);
    } catch (problem) {
      this.#say(problem.message);
    }
  }

  #say(text) {
    this.#note.textContent = text;
    this.#note.hidden = !text;
  }

  #show(sessions) {
    // Rebuilding what has not changed would take the focus from who walks it by keyboard.
    const content = JSON.stringify([sessions, Math.floor(Date.now() / 60_000)]);
    if (content === this.#shown) return;
    this.#shown = content;
    const focused = document.activeElement?.dataset?.session;
    this.#list.replaceChildren(...sessions.map((session) => this.#item(session)));
    if (focused) this.#list.querySelector(`[data-session="${CSS.escape(focused)}"]`)?.focus();
  }

  #item(session) {
    const item = element("li");
    const link = element("a");
    link.href = `#${encodeURIComponent(session.session_id)}`;
    link.dataset.session = session.session_id;
    const about = element("span", "about");
    about.append(
      element("span", `dot is-${session.status}`),
      element("span", "", session.status),
      element("span", "", "·"),
      element("span", "", moment(session.created_at)),
    );
    const name = session.title || session.meeting_id || session.session_id;
    link.append(element("span", "name", name), about);
    markCurrent(link, this.#current);
    item.append(link);
    return item;
  }
}

function markCurrent(link, sessionId) {
  if (link.dataset.session === sessionId) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}
