// Brings the page to the present: one event stream a tab, closed while the tab is hidden.
// The server sends either every piece of every container ("page") or what changed ("patch"); see live.rs.

const connection = document.getElementById("connection");
let source = null;

/** @param {string} html @param {Element} container */
function element(html, container) {
  const template = document.createElement("template");
  const rows = container.tagName === "TBODY";
  template.innerHTML = rows ? `<table><tbody>${html}</tbody></table>` : html;
  return rows ? template.content.querySelector("tr") : template.content.firstElementChild;
}

/** @param {Element} old @param {string} html */
function replace(old, html) {
  const fresh = element(html, old.parentElement);
  if (old.isEqualNode(fresh)) return;
  fresh.classList.add("fresh");
  old.replaceWith(fresh);
}

/** @param {Record<string, [string, string][]>} containers */
function showPage(containers) {
  for (const [id, pieces] of Object.entries(containers)) {
    const container = document.getElementById(id);
    if (!container) continue;
    const wanted = new Set(pieces.map(([pieceId]) => pieceId));
    for (const child of [...container.children]) if (!wanted.has(child.id)) child.remove();
    pieces.forEach(([pieceId, html], index) => {
      const old = document.getElementById(pieceId);
      const piece = old ?? element(html, container);
      if (container.children[index] !== piece) container.insertBefore(piece, container.children[index] ?? null);
      if (old) replace(old, html);
    });
  }
}

/** @param {{op: string, id: string, container?: string, before?: string, html?: string}[]} patches */
function applyPatches(patches) {
  for (const patch of patches) {
    const old = document.getElementById(patch.id);
    if (patch.op === "delete") old?.remove();
    else if (patch.op === "replace") old && replace(old, patch.html);
    else {
      const container = document.getElementById(patch.container);
      if (!container) continue;
      old?.remove();
      const fresh = element(patch.html, container);
      fresh.classList.add("fresh");
      container.insertBefore(fresh, patch.before ? document.getElementById(patch.before) : null);
    }
  }
}

function open() {
  if (source) return;
  source = new EventSource(document.body.dataset.stream);
  source.addEventListener("open", () => (connection.textContent = "live"));
  source.addEventListener("error", () => (connection.textContent = "connection lost, trying again"));
  source.addEventListener("page", (event) => showPage(JSON.parse(event.data)));
  source.addEventListener("patch", (event) => applyPatches(JSON.parse(event.data)));
}

function close() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-action]");
  if (!button) return;
  const result = document.getElementById("action-result");
  const response = await fetch(button.dataset.action, { method: "POST" });
  const answer = await response.json();
  result.textContent = response.ok ? `${answer.queued}: asked for` : answer.error;
});
document.addEventListener("keydown", (event) => {
  const search = document.querySelector("input[type=search]");
  if (event.key === "/" && search && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
if (!document.hidden) open();
