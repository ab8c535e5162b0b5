// One session's live messages: every durable event once, whatever happens to the connection.

import { liveUrl, request, sessionPath } from "./api.js";

const FIRST_CEILING_MS = 500;
const LAST_CEILING_MS = 15_000;
const PING_MS = 10_000;
const SILENCE_MS = 30_000;
const FINAL_CLOSES = new Set([1000, 1008, 4000, 4004]);

export class LiveConnection {
  #sessionId;
  #handlers;
  #after = null;
  #failures = 0;
  #socket = null;
  #timer = 0;
  #closed = false;

  /** `handlers`: onMessage(message), onState("open" | "reconnecting" | "over", closeCode, why). */
  constructor(sessionId, handlers) {
    this.#sessionId = sessionId;
    this.#handlers = handlers;
    this.#connect();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  async #connect() {
    let url;
    try {
      url = await liveUrl(this.#sessionId, this.#after);
    } catch (problem) {
      const refused = problem.status === 401 || problem.status === 403;
      this.#lost(refused ? 1008 : 1006, problem.message);
      return;
    }
    if (this.#closed) return;
    const socket = new WebSocket(url);
    this.#socket = socket;
    // Since when an answer is awaited, and null while none is. A page in the background is woken
    // once a minute, so that nothing heard since its last look says nothing.
    let asked = Date.now();
    let opened = false;
    const pings = setInterval(() => {
      if (asked !== null && Date.now() - asked > SILENCE_MS) socket.close();
      else if (socket.readyState === WebSocket.OPEN) {
        asked ??= Date.now();
        socket.send(JSON.stringify({ type: "ping", t: Date.now() }));
      }
    }, PING_MS);
    socket.onopen = () => {
      opened = true;
      asked = null;
      this.#handlers.onState("open");
    };
    socket.onmessage = ({ data }) => {
      asked = null;
      this.#failures = 0;
      this.#receive(socket, JSON.parse(data));
    };
    socket.onerror = () => {
      clearInterval(pings);
      if (!opened) this.#refused();
    };
    socket.onclose = ({ code }) => {
      clearInterval(pings);
      if (opened) this.#lost(code);
    };
  }

  /** A browser does not say why a socket was refused: the session's own route does. */
  async #refused() {
    try {
      await request(sessionPath(this.#sessionId));
      this.#lost(1006);
    } catch (problem) {
      this.#lost(problem.status === 404 ? 4004 : 1006, problem.message);
    }
  }

  #receive(socket, message) {
    if (this.#closed || message.type === "pong") return;
    if (Number.isInteger(message.seq) && message.type !== "resumed") {
      if (message.type !== "snapshot" && this.#after !== null) {
        if (message.seq <= this.#after) return;
        if (message.seq > this.#after + 1) {
          // An event is missing: resume from the last one that is certain.
          socket.close();
          return;
        }
      }
      this.#after = message.seq;
    }
    this.#handlers.onMessage(message);
  }

  #lost(code, why = "") {
    if (this.#closed) return;
    if (FINAL_CLOSES.has(code)) {
      this.#closed = true;
      this.#handlers.onState("over", code, why);
      return;
    }
    const ceiling = Math.min(LAST_CEILING_MS, FIRST_CEILING_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#handlers.onState("reconnecting", code, why);
    this.#timer = setTimeout(() => this.#connect(), Math.random() * ceiling);
  }
}
