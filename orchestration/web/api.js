// The service's HTTP API, and how a browser opens its WebSockets.

/** A network that went away may say nothing of it, and what waits would wait for ever. */
const ANSWER_MS = 60_000;

export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** JSON of a GET or POST; a Problem when the service refuses or does not answer. */
export async function request(path, options = {}) {
  // A file takes as long as it takes.
  const signal = options.body instanceof FormData ? null : AbortSignal.timeout(ANSWER_MS);
  let response, body;
  try {
    response = await fetch(path, { credentials: "same-origin", signal, ...options });
    body = await response.json().catch((broken) => {
      if (response.ok) throw broken;
      return {};
    });
  } catch {
    throw new Problem(0, "The service does not answer. Trying again …");
  }
  if (response.status === 401) {
    throw new Problem(401, "You are signed out here: reload the page to sign in.");
  }
  if (!response.ok) {
    const said = body.detail || body.title || `The service answered with status ${response.status}.`;
    const fields = (body.errors ?? []).map(({ field, message }) => `${field}: ${message}`);
    throw new Problem(response.status, [said, ...fields].join(" "));
  }
  return body;
}

export function sessionPath(sessionId, rest = "") {
  return `/api/sessions/${encodeURIComponent(sessionId)}${rest}`;
}

/** The URL of one of the service's WebSockets, with a fresh single-use ticket. */
export async function socketUrl(path) {
  const { ticket } = await request("/api/tickets", { method: "POST" });
  const url = new URL(path, location.origin);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (ticket) url.searchParams.set("ticket", ticket);
  return url.href;
}

/** The live WebSocket's URL. */
export function liveUrl(sessionId, after) {
  const query = after === null ? "" : `?after=${after}`;
  return socketUrl(`/ws/live/${encodeURIComponent(sessionId)}${query}`);
}
