// A file or the microphone goes in, and its transcript is shown as it comes.

import { Announcer } from "./announcer.js";
import { request } from "./api.js";
import { element } from "./format.js";
import { LiveConnection } from "./live.js";
import { Microphone } from "./microphone.js";
import { IngestSender } from "./ingest_sender.js";
import { Transcript } from "./transcript.js";
import { translations } from "./translations.js";

const byId = (id) => document.getElementById(id);

export class TrialAudio {
  #transcript = new Transcript();
  #announcer = new Announcer(byId("announced"));
  #live = null;
  #microphone = null;
  #sender = null;

  constructor() {
    byId("upload-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#attempt(() => this.#upload(byId("file").files[0]));
    });
    byId("record").addEventListener("click", () => this.#attempt(() => this.#record()));
    byId("stop").addEventListener("click", () => this.#stop());
  }

  /** One at a time: what is heard of two would be shown as one. */
  async #attempt(work) {
    byId("record").disabled = byId("upload").disabled = true;
    try {
      await work();
    } catch (problem) {
      await this.#stop();
      this.#say(problem.message, true);
    }
    byId("record").disabled = false;
    byId("upload").disabled = this.#microphone !== null;
  }

  async #upload(file) {
    const body = new FormData();
    body.append("file", file);
    const { language, target_languages: targets } = languages();
    if (language) body.append("language", language);
    if (targets) body.append("target_languages", JSON.stringify(targets));
    this.#say("Uploading …");
    const headers = { Prefer: "respond-async" };
    const job = await request("/api/audio/upload", { method: "POST", body, headers });
    this.#watch(job.session_id);
    this.#say("The file is being heard.");
  }

  async #record() {
    const microphone = (this.#microphone = await Microphone.open());
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ title: "Tried from the microphone", ...languages() });
    const session = await request("/api/sessions", { method: "POST", body, headers });
    const over = async (said) => {
      await this.#stop();
      this.#say(said, true);
    };
    const sender = await IngestSender.open(session.session_id, microphone.sampleRate, over);
    this.#sender = sender;
    microphone.onSamples = (samples) => sender.send(samples);
    microphone.onEnded = () => over("The microphone is gone. What was said is being heard.");
    this.#watch(session.session_id);
    byId("record").hidden = true;
    byId("stop").hidden = false;
    this.#say("Recording.");
  }

  async #stop() {
    const [microphone, sender] = [this.#microphone, this.#sender];
    this.#microphone = this.#sender = null;
    byId("record").hidden = false;
    byId("stop").hidden = true;
    byId("upload").disabled = false;
    this.#say("What was said is being heard to its end.");
    await microphone?.finish();
    sender?.end();
  }

  #watch(sessionId) {
    this.#live?.close();
    this.#transcript = new Transcript();
    this.#announcer = new Announcer(byId("announced"));
    this.#show();
    const link = byId("session-link");
    link.href = `/#${encodeURIComponent(sessionId)}`;
    link.textContent = `Session ${sessionId}`;
    byId("session-place").hidden = false;
    this.#live = new LiveConnection(sessionId, {
      onMessage: (message) => {
        const changed = this.#transcript.apply(message);
        this.#show();
        if (changed === "all") this.#announcer.know(this.#transcript.inOrder());
        else if (Array.isArray(changed)) this.#announcer.tell(changed);
      },
      onState: (state, code, why) => {
        if (state !== "over") return;
        if (code === 1000) this.#say("Done.");
        else this.#say(why || `Closed with ${code}.`, true);
      },
    });
  }

  #show() {
    const lines = [
      ...this.#transcript.inOrder().map((one) => line(one, "")),
      ...this.#transcript.pendingInOrder().map((one) => line(one, "is-pending")),
    ];
    byId("heard").replaceChildren(...lines);
  }

  #say(text, isProblem = false) {
    const note = byId("audio-note");
    note.textContent = text;
    note.classList.toggle("is-problem", isProblem);
    note.hidden = false;
  }
}

/** What is asked of a session; what is left empty is not. */
function languages() {
  const language = byId("language").value.trim();
  const targets = byId("targets").value.split(",").map((one) => one.trim()).filter(Boolean);
  return { ...(language && { language }), ...(targets.length && { target_languages: targets }) };
}

function line(segment, className) {
  const { speaker, text } = segment;
  const made = element("li", className, speaker ? `${speaker.name}: ${text}` : text);
  made.append(...translations(segment));
  return made;
}
