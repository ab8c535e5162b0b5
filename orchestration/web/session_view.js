// One session: its head, its transcript, its connection.

import { request, sessionPath } from "./api.js";
import { duration, element, moment } from "./format.js";
import { LiveConnection } from "./live.js";
import { RenameDialog } from "./rename.js";
import { Transcript } from "./transcript.js";
import { TranscriptView } from "./transcript_view.js";

const FATES = ["transcribed", "silent", "pending", "lost"];
const LAG_WORTH_SAYING_S = 1;
const FETCH_AGAIN_MS = 5000;
const ENDED = new Set(["completed", "failed"]);
const byId = (id) => document.getElementById(id);

export class SessionView {
  #sessionId;
  #transcript = new Transcript();
  #lines;
  #rename;
  #connection;
  #linkTrouble = "";
  #linesTrouble = "";
  #fetching = 0;
  #missing = false;
  #closed = false;

  constructor(sessionId) {
    this.#sessionId = sessionId;
    byId("title").textContent = sessionId;
    byId("meta").textContent = "";
    byId("coverage").hidden = true;
    this.#rename = new RenameDialog(sessionId, (speakerId, name) => {
      this.#lines.show(this.#transcript.rename(speakerId, name));
    });
    this.#lines = new TranscriptView(this.#transcript, (segment) => {
      this.#rename.open(segment.speaker, () => this.#lines.focusSpeaker(segment.segment_id));
    });
    this.#lines.waitingText("Waiting for the first words …");
    this.#showExports();
    this.#showState();
    this.#connection = new LiveConnection(sessionId, {
      onMessage: (message) => this.#receive(message),
      onState: (state, code, why) => this.#connectionChanged(state, code, why),
    });
  }

  close() {
    this.#closed = true;
    this.#connection.close();
    this.#lines.close();
    this.#rename.close();
  }

  #receive(message) {
    const changed = this.#transcript.apply(message);
    if (changed === "all") {
      this.#lines.showAll();
      this.#showExports();
      this.#fetchEarlier();
      this.#fetchCoverage();
    } else if (changed === "pending") this.#lines.showPending();
    else if (Array.isArray(changed)) this.#lines.show(changed);
    if (changed === "lost" || message.corrected) this.#lines.showLost();
    if (message.type === "status" && ENDED.has(message.status)) this.#fetchCoverage();
    this.#showState();
  }

  #connectionChanged(state, code, why) {
    if (state === "open") this.#linkTrouble = "";
    else if (state === "reconnecting") this.#linkTrouble = why || "Connection lost. Reconnecting …";
    else if (code === 4004) {
      this.#missing = true;
      this.#linkTrouble = "There is no such session.";
      this.#lines.waitingText("");
    } else if (code !== 1000) this.#linkTrouble = why || "The service refused this page: sign in.";
    this.#showState();
  }

  async #fetchCoverage() {
    try {
      const stored = await request(sessionPath(this.#sessionId, "/coverage"));
      if (this.#closed) return;
      this.#transcript.takeCoverage(stored);
      this.#lines.showLost();
      this.#showState();
    } catch {
      // The connection to the live feed says what is wrong, if anything is.
    }
  }

  /** The lines that the last snapshot left out, if it did; tried until they are there. */
  async #fetchEarlier() {
    const fetching = ++this.#fetching;
    const isOff = () => this.#closed || fetching !== this.#fetching;
    this.#linesTrouble = "";
    while (this.#transcript.truncated) {
      try {
        const { segments } = await request(sessionPath(this.#sessionId, "/transcript?format=json"));
        if (isOff()) return;
        this.#transcript.addEarlier(segments);
        this.#linesTrouble = "";
        this.#lines.showAll();
      } catch (problem) {
        if (isOff() || problem.status === 404) return;
        this.#linesTrouble = `Earlier lines are missing: ${problem.message}`;
        this.#showState();
        await new Promise((resolve) => setTimeout(resolve, FETCH_AGAIN_MS));
        if (isOff()) return;
      }
    }
    this.#showState();
  }

  #showState() {
    const { session, status, detail, lag, alert, coverage } = this.#transcript;
    const title = session.title || session.meeting_id || this.#sessionId;
    byId("title").textContent = byId("title").title = title;
    document.title = `${title} · Orchestration`;
    const pill = byId("status");
    pill.className = `status is-${status}`;
    pill.hidden = this.#missing;
    byId("exports").hidden = this.#missing;
    pill.replaceChildren(element("span", "dot"), element("span", "", status));
    byId("meta").textContent = this.#meta(session, status, lag);
    const failure = status === "failed" && detail ? detail : "";
    const notice = this.#linkTrouble || failure || this.#linesTrouble || alert;
    byId("notice").textContent = notice;
    byId("notice").hidden = !notice;
    showCoverage(coverage);
    if (ENDED.has(status)) this.#lines.waitingText("Nothing was said.");
  }

  #meta(session, status, lag) {
    const parts = [];
    if (session.created_at) parts.push(moment(session.created_at));
    const targets = session.target_languages ?? [];
    const spoken = session.language ?? "any language";
    if (session.session_id) {
      parts.push(targets.length ? `${spoken} → ${targets.join(", ")}` : spoken);
    }
    if (!ENDED.has(status) && lag >= LAG_WORTH_SAYING_S) parts.push(`${lag.toFixed(1)} s behind`);
    return parts.join("  ·  ");
  }

  #showExports() {
    const links = ["txt", "srt", "vtt", "json"].map((format) => {
      const link = element("a", "", format.toUpperCase());
      link.href = sessionPath(this.#sessionId, `/transcript?format=${format}`);
      link.download = `${this.#sessionId}.${format}`;
      return link;
    });
    byId("exports").replaceChildren(element("span", "", "Export"), ...links);
  }
}

function showCoverage(streams) {
  const block = byId("coverage");
  block.hidden = streams.length === 0;
  for (const fate of FATES) {
    const seconds = streams.reduce((sum, one) => sum + one[fate] / one.sample_rate, 0);
    block.querySelector(`.fate.${fate}`).style.flexGrow = String(seconds);
    block.querySelector(`.coverage-legend .${fate} dd`).textContent = duration(seconds);
  }
}
