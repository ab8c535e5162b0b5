"""The page that a browser without the key gets at `/`: it asks for the key, and nothing else."""

import base64
import hashlib

_STYLE = """
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: #0c0f14; color: #e8ecf3; font: 16px/1.5 system-ui, sans-serif; }
form { display: grid; gap: 12px; width: min(320px, 86vw); }
h1 { margin: 0 0 16px; font-size: 22px; }
input, button { font: inherit; padding: 10px 12px; border-radius: 8px; border: 1px solid #5d6b80; }
input { background: #12161e; color: inherit; }
button { background: #7cc4ff; color: #08131d; cursor: pointer; }
p { margin: 0; min-height: 1.5em; color: #ff8a7a; }
"""

_SCRIPT = """
const form = document.querySelector("form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = form.querySelector("p");
  const key = form.elements.key.value.trim();
  const wrong = "That is not the key of this service.";
  said.textContent = "";
  if (!/^[!-~][ -~]*$/.test(key)) {
    said.textContent = wrong;
    return;
  }
  try {
    const headers = { Authorization: "Bearer " + key };
    const answer = await fetch("/api/sign-in", { method: "POST", headers });
    if (answer.ok) location.reload();
    else if (answer.status === 401) said.textContent = wrong;
    else said.textContent = (await answer.json()).detail;
  } catch {
    said.textContent = "The service does not answer.";
  }
});
"""


def _source(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


SIGN_IN_POLICY = (
    f"default-src 'none'; script-src {_source(_SCRIPT)}; style-src {_source(_STYLE)}; "
    "connect-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

SIGN_IN_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Orchestration</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Orchestration</h1>
<form>
<label for="key">The key of this service</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
<p role="alert"></p>
</form>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""
