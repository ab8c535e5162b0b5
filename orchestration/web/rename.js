// Gives a speaker another name, in the whole meeting.

import { request, sessionPath } from "./api.js";

const byId = (id) => document.getElementById(id);

export class RenameDialog {
  #sessionId;
  #onRenamed;
  #speaker = null;
  #onClosed = () => {};
  #dialog = byId("rename");
  #name = byId("rename-name");
  #problem = byId("rename-problem");
  #abort = new AbortController();

  /** `onRenamed(speakerId, name)` is called when the service has stored it. */
  constructor(sessionId, onRenamed) {
    this.#sessionId = sessionId;
    this.#onRenamed = onRenamed;
    const { signal } = this.#abort;
    byId("rename-form").addEventListener("submit", (event) => this.#submit(event), { signal });
    byId("rename-cancel").addEventListener("click", () => this.#dialog.close(), { signal });
    this.#dialog.addEventListener("close", () => this.#onClosed(), { signal });
  }

  /** `onClosed()` gives the focus back: the line it was in may have been drawn anew meanwhile. */
  open(speaker, onClosed) {
    this.#speaker = speaker;
    this.#onClosed = onClosed;
    byId("rename-title").textContent = `Rename ${speaker.name}`;
    this.#name.value = speaker.name;
    this.#problem.hidden = true;
    this.#dialog.showModal();
    this.#name.select();
  }

  close() {
    this.#abort.abort();
    this.#dialog.close();
  }

  async #submit(event) {
    event.preventDefault();
    const { id, name: former } = this.#speaker;
    const name = this.#name.value.trim();
    if (!name) return;
    try {
      if (name !== former) {
        await request(sessionPath(this.#sessionId, "/speakers/rename"), {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ speaker_id: id, name, by: "live page" }),
        });
        this.#onRenamed(id, name);
      }
      if (this.#speaker.id === id) this.#dialog.close();
    } catch (problem) {
      this.#problem.textContent = problem.message;
      this.#problem.hidden = false;
    }
  }
}
