// Puts the panel into Locust's own page: under its Canary tab, and behind a link in its bar that is there before the
// first test, too. Locust renders its page by itself, so what it takes away is put back when it has settled.
import { mount } from "./panel.js";

const TAB = "canary";
const base = new URL("../", import.meta.url);
const host = Object.assign(document.createElement("div"), { id: "canary-panel" });
const link = document.createElement("a");
let panel = null;

const style = document.createElement("style");
style.textContent = `
  #canary-link { color: inherit; text-decoration: none; font: 500 0.875rem/1 Roboto, Helvetica, Arial, sans-serif;
    letter-spacing: 0.03em; padding: 10px 14px; border-radius: 4px; margin-right: auto; white-space: nowrap;
    border: 1px solid transparent; display: inline-flex; align-items: center; gap: 8px; }
  #canary-link:hover { background: rgba(255, 255, 255, 0.12); }
  #canary-link[aria-current="page"] { border-color: currentColor; }
  #canary-link i { width: 9px; height: 9px; border-radius: 50%; background: currentColor; opacity: 0.5; }
  #canary-link i[data-tone="good"] { background: #4ade80; opacity: 1; }
  #canary-link i[data-tone="bad"] { background: #f87171; opacity: 1; }
  #canary-link i[data-tone="busy"] { background: #fbbf24; opacity: 1; }
  html[data-canary-open] .MuiFormControl-root:has([name="userCount"]),
  html[data-canary-open] .MuiFormControl-root:has([name="spawnRate"]) { display: none; }
  form .MuiAlert-message { overflow-wrap: anywhere; min-width: 0; }
  html[data-canary-alone] main > .MuiContainer-root { display: none; }
`;

function isOpen() {
  return new URLSearchParams(location.search).get("tab") === TAB;
}

function tabs() {
  return [...document.querySelectorAll('main [role="tab"]')];
}

function go(open) {
  const here = new URL(location.href);
  if (open) here.searchParams.set("tab", TAB);
  else here.searchParams.delete("tab");
  history.pushState(null, "", here);
  settle();
}

function follow(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const all = tabs();
  const wanted = isOpen() ? all[0] : all.find((tab) => tab.textContent.trim() === "Canary");
  if (wanted) wanted.click();
  else go(!isOpen());
}

function settle() {
  const open = isOpen();
  const main = document.querySelector("main");
  const bar = document.querySelector("header .MuiToolbar-root");
  if (bar && link.parentElement !== bar) bar.insertBefore(link, bar.children[1] ?? null);
  link.setAttribute("aria-current", open ? "page" : "false");
  document.documentElement.toggleAttribute("data-canary-alone", open && tabs().length === 0);
  if (open && main) {
    if (host.parentElement !== main) main.append(host);
    panel ??= mount(host, { base, isDark });
    panel.theme(isDark());
  } else {
    host.remove();
  }
  panel?.awake(open);
}

// Where arrivals are open, the rate says what is sent: Locust's form need not ask for users.
async function askWhetherOpen() {
  const answer = await fetch(new URL("api/v1/start", base), { cache: "no-store", redirect: "manual" });
  if (answer.ok) document.documentElement.toggleAttribute("data-canary-open", !(await answer.json()).asks_users);
}

function isDark() {
  const [red, green, blue] = (getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? [255, 255, 255]).map(Number);
  return red + green + blue < 384;
}

link.id = "canary-link";
link.href = `?tab=${TAB}`;
link.title = "The canary release, and what may be done to it";
link.append(document.createElement("i"), "Canary");
link.addEventListener("click", follow);
document.head.append(style);
new MutationObserver(settle).observe(document.getElementById("root"), { childList: true, subtree: true });
new MutationObserver(() => panel?.theme(isDark())).observe(document.head, { childList: true });
addEventListener("popstate", settle);
addEventListener("click", () => setTimeout(settle), true);
askWhetherOpen().catch(() => {}); // without an answer the form asks for all
addEventListener("canary-tone", (event) => link.querySelector("i").setAttribute("data-tone", event.detail));
settle();
