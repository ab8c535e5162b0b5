// The page: the address says which session is shown.

import { SessionList } from "./session_list.js";
import { SessionView } from "./session_view.js";

const list = new SessionList();
let view = null;

function chosenSession() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function show() {
  const sessionId = chosenSession();
  view?.close();
  view = sessionId ? new SessionView(sessionId) : null;
  document.getElementById("session").hidden = !sessionId;
  document.getElementById("welcome").hidden = Boolean(sessionId);
  document.getElementById("layout").classList.toggle("shows-session", Boolean(sessionId));
  if (!sessionId) document.title = "Orchestration";
  list.select(sessionId);
}

addEventListener("hashchange", show);
show();
list.start();
