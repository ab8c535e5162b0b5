// The service's HTTP API, and how a browser opens its WebSockets.

export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** JSON of a GET or POST; a Problem when the service refuses or does not answer. */
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Problem(0, "The service does not answer. Trying again …");
  }
  const body = await response.json().catch(() => ({}));
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
