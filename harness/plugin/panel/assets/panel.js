// The panel: asks for the state each second, draws what changed, and sends what a person asks for.
import { chart, periods } from "./chart.js";
import { StartCard } from "./start.js";
import { count, duration, elapsed, percent, h, words } from "./words.js";

const EVERY_MS = 900;
const PATIENCE_MS = 5000;
const POST_PATIENCE_MS = 70000;
const RUNS_EVERY_MS = 15000;
const RUNS_SHOWN = 5;
const TONES = { as_expected: "good", contrary: "bad", aborted: "bad", inconclusive: "busy" };
const STATES = { OK: "good", ALARM: "bad", INSUFFICIENT_DATA: "busy" };
const SEVERITIES = { error: "bad", warning: "busy", note: "calm" };
const FORM_BEHIND = {
  stopped: "There, New opens the start form.",
  spawning: "Locust runs a test there: when it is stopped, New opens the start form.",
  running: "Locust runs a test there: when it is stopped, New opens the start form.",
};
const BAD_PHASES = new Set(["stopping", "rolling_back", "rolled_back", "stopped", "failed"]);

export function mount(host, { base, isDark = prefersDark }) {
  const panel = new Panel(host, base, isDark);
  panel.begin();
  return panel;
}

function prefersDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

class Panel {
  constructor(host, base, isDark) {
    this.base = base;
    this.host = host;
    this.isDark = isDark;
    this.root = host.attachShadow({ mode: "open" });
    this.parts = new Map();
    this.state = null;
    this.heardAt = null;
    this.open = true;
    this.timer = null;
    this.held = new Set();
    this.hover = { at: null };
    this.runs = [];
    this.runsAt = -Infinity;
  }

  begin() {
    const sheet = h("link", { rel: "stylesheet", href: new URL("assets/panel.css", this.base) });
    this.frame = h("div", { class: "frame" });
    this.dock = h("div", { class: "dock" });
    this.dialog = h("dialog", {});
    this.root.append(sheet, this.frame, this.dock, this.dialog);
    this.lay();
    document.addEventListener("visibilitychange", () => document.hidden || this.ask());
    this.ask();
  }

  awake(open) {
    if (open && !this.open) setTimeout(() => this.ask());
    this.open = open;
  }

  // Asking

  async ask() {
    clearTimeout(this.timer);
    try {
      const answer = await fetch(new URL("api/v1/state", this.base), {
        cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (answer.type === "opaqueredirect" || answer.status === 401) throw new SignedOut();
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      this.state = await answer.json();
      this.heardAt = new Date();
      this.draw();
      this.tell(null);
      await this.askForRuns();
    } catch (error) {
      this.tell(error);
    }
    this.timer = setTimeout(() => this.ask(), this.open && !document.hidden ? EVERY_MS : 5 * EVERY_MS);
  }

  async askForRuns() {
    const ended = this.state.run?.stage === "over" && this.endedRun !== this.state.run.name;
    if (!ended && performance.now() - this.runsAt < RUNS_EVERY_MS) return;
    this.runsAt = performance.now();
    if (ended) this.endedRun = this.state.run.name;
    const answer = await fetch(new URL("api/v1/runs", this.base), { cache: "no-store", redirect: "manual" });
    if (!answer.ok) return;
    this.runs = (await answer.json()).runs;
    this.put("runs", this.runs, (runs) => runsOf(runs, this.base));
  }

  tell(error) {
    const lost = this.parts.get("lost").node;
    lost.hidden = !error;
    if (!error) return;
    if (error instanceof SignedOut) {
      lost.replaceChildren("You are signed out. ", h("a", { href: new URL("../", this.base), style: "color:inherit" }, "Sign in again"));
      return;
    }
    const since = this.heardAt ? `What you see is from ${this.heardAt.toLocaleTimeString()}.` : "";
    const reason = error.name === "TimeoutError" ? "no answer in time" : error.message;
    lost.textContent = `The connection to Locust is lost (${reason}). ${since} Trying again…`;
    this.sayTone("bad");
  }

  sayTone(tone) {
    dispatchEvent(new CustomEvent("canary-tone", { detail: tone }));
  }

  async post(name, body, say = (text, tone) => this.say(text, tone)) {
    const by = this.name.value.trim();
    try {
      const answer = await fetch(new URL(`api/v1/${name}`, this.base), {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Canary-Token": this.state?.token ?? "" },
        body: JSON.stringify(by ? { ...body, by } : body),
        redirect: "manual",
        signal: AbortSignal.timeout(POST_PATIENCE_MS),
      });
      if (answer.type === "opaqueredirect") throw new Error("you are signed out");
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error);
      say(`Done: ${told.done}.`, "good");
      return true;
    } catch (error) {
      say(`Refused: ${error.message}`, "bad");
      return false;
    } finally {
      this.ask();
    }
  }

  say(text, tone) {
    const said = this.said;
    said.textContent = text;
    said.dataset.tone = tone;
  }

  confirm(title, text, action) {
    return new Promise((resolve) => {
      const form = h("form", { method: "dialog" },
        h("h3", {}, title), h("p", {}, text),
        h("div", { class: "row" },
          h("button", { value: "no", autofocus: true }, "Cancel"), h("button", { value: "yes", class: "danger" }, action)));
      this.dialog.replaceChildren(form);
      this.dialog.returnValue = "no";
      this.dialog.onclose = () => resolve(this.dialog.returnValue === "yes");
      this.dialog.showModal();
    });
  }

  // Drawing: a part is drawn again only when what it shows has changed

  lay() {
    const place = (name, tag = "section", attributes = {}) => {
      const node = h(tag, { "data-part": name, ...attributes });
      this.parts.set(name, { node, shown: undefined });
      return node;
    };
    this.frame.append(
      place("lost", "div", { class: "lost", role: "alert", hidden: true }),
      place("refused", "div", { role: "status" }),
      place("spoken", "p", { class: "spoken", role: "status" }),
      place("banner"),
      (this.start = new StartCard(this)).node,
      h("div", { class: "grid" },
        h("div", { class: "column" },
          place("chart"),
          h("div", { class: "pair" }, place("ledger"), place("requests")),
          place("arms"),
          place("findings"), place("story")),
        h("div", { class: "column aside" }, this.controls(), place("alarms"), place("shadows"), place("watcher"))),
      place("runs"));
    this.grid = this.frame.querySelector(".grid");
  }

  put(name, shown, draw) {
    const part = this.parts.get(name);
    const key = JSON.stringify(shown) ?? "null";
    if (part.shown === key) return;
    part.shown = key;
    const drawn = draw(shown);
    part.node.replaceChildren(...(drawn ? [drawn] : []));
  }

  theme(dark) {
    this.host.dataset.theme = dark ? "dark" : "light";
  }

  draw() {
    const { run, refused, hindrance, controls } = this.state;
    this.theme(this.isDark());
    const notices = [refused && `The last test could not begin: ${refused}`, hindrance && `No test can begin: ${hindrance}.`];
    this.put("refused", notices.filter(Boolean), (told) => told.length && h("div", {}, ...told.map((why) => h("p", { class: "notice" }, why))));
    this.put("banner", bannerFacts(this.state), (facts) => bannerOf(facts, this.base));
    this.put("spoken", run?.headline, (headline) => headline && document.createTextNode(headline));
    this.grid.hidden = !run;
    this.drawControls(run, controls);
    this.start.draw(this.state);
    this.dock.hidden = !run || run.stage === "over";
    this.sayTone(run ? toneOf(run) : "calm");
    if (!run) return;
    const marks = run.story.filter((line) => line.kind !== "trouble" && line.kind !== "run");
    const room = this.parts.get("chart").node.clientWidth || 900;
    this.put("chart", [run.chart, marks, run.created_s, run.bake_ends_s, Math.round(run.now_s), room], () => chart(run, marks, room, this.hover));
    this.put("ledger", [run.told?.ledger, run.told?.totals], () => ledgerOf(run));
    this.put("requests", [run.verdict?.traffic, run.told?.traffic, run.told?.exposure, run.told?.attribution], () => requestsOf(run));
    this.put("arms", [run.verdict?.arms, run.told?.arms, run.told?.second_opinion], () => armsOf(run));
    this.put("findings", run.verdict?.findings, findingsOf);
    this.put("alarms", run.alarms, alarmsOf);
    this.put("shadows", [run.shadows, run.told?.shadow], () => shadowsOf(run));
    this.put("watcher", [run.watcher, Math.round(run.watcher.wall_age_s ?? -1), run.stage], () => watcherOf(run));
    const scrolled = this.root.querySelector(".story")?.scrollTop ?? 0;
    this.put("story", [run.story, run.created_s], () => storyOf(run));
    this.root.querySelector(".story").scrollTop = scrolled;
  }

  // Steering

  controls() {
    this.name = h("input", { type: "text", maxlength: 80, placeholder: "so that the timeline says who", "aria-label": "Your name", value: remembered() });
    this.name.addEventListener("change", () => remember(this.name.value));
    this.said = h("p", { class: "said", role: "status" });
    this.share = this.slider("Error share", "error_share", { max: 1, step: 0.01, show: percent });
    this.rate = this.slider("Arrival rate", "arrival_rate", { max: 100, step: 1, show: (rate) => `${count(rate)}/s` });
    this.patterns = ["even", "bernoulli", "burst"].map((name) => {
      const button = h("button", { type: "button" }, name);
      button.addEventListener("click", () => this.post("traffic", { pattern: name }));
      return button;
    });
    this.backs = [0, 1].map(() => this.button("Roll back now", "back", () => this.askToRollBack()));
    this.stops = [0, 1].map(() => {
      const stop = h("button", { type: "button", class: "stop" }, "Stop all faults",
        h("small", {}, "At once, a forced alarm too. None begins again in this run."));
      stop.addEventListener("click", () => this.post("stop", {}));
      return stop;
    });
    this.dock.append(this.stops[1], this.backs[1]);
    this.force = this.button("Force ALARM", "danger", async () => {
      const text = "CloudWatch is told that the alarm is in ALARM (SetAlarmState). CodeDeploy stops the deployment if the alarm guards it. The state is taken back when you release it, stop all faults, or the run ends.";
      if (await this.confirm("Force the alarm?", text, "Force ALARM")) this.post("force-alarm", {});
    });
    this.release = this.button("Release", "", async () => {
      if (await this.confirm("Release the alarm?", "CloudWatch is told to take the forced state back (SetAlarmState).", "Release")) this.post("release-alarm", {});
    });
    this.end = this.button("End and judge", "", async () => {
      if (await this.confirm("End the run?", "Faults are taken back, traffic stops, and the run is judged by what was seen so far.", "End and judge")) this.post("end", {});
    });
    this.note = h("input", { type: "text", maxlength: 500, placeholder: "What just happened?", "aria-label": "Note" });
    this.mark = h("button", {}, "Mark");
    const noting = h("form", { class: "row" }, this.note, this.mark);
    this.note.style.flex = "1 1 140px";
    noting.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (this.note.value.trim() && (await this.post("notes", { text: this.note.value.trim() }))) this.note.value = "";
    });
    this.why = h("p", { class: "why" });
    const faults = h("div", {});
    this.parts.set("faults", { node: faults, shown: undefined });
    return h("section", { class: "card steer" }, h("h3", {}, "Controls"),
      h("div", { class: "controls" },
        h("div", { class: "brakes" }, this.stops[0], this.backs[0]), faults, this.share.node, this.rate.node,
        h("div", { class: "field" }, h("span", { class: "label" }, "Pattern of fault requests"), h("div", { class: "row" }, ...this.patterns)),
        h("div", { class: "field" }, h("span", { class: "label" }, "Alarm"), h("div", { class: "row" }, this.force, this.release)),
        h("div", { class: "field" }, h("span", { class: "label" }, "Mark this moment"), noting),
        h("div", { class: "field" }, h("span", { class: "label" }, "Your name"), this.name),
        this.end, this.why, this.said));
  }

  async askToRollBack() {
    const text = `CodeDeploy is told to stop ${this.state.run?.deployment ?? "the deployment"} and to give all traffic back to the version before (StopDeployment). That is final. The verdict calls it an operator's act.`;
    if (await this.confirm("Roll back now?", text, "Roll back now")) this.post("roll-back", {});
  }

  button(text, kind, act) {
    const button = h("button", { type: "button", class: kind }, text);
    button.addEventListener("click", act);
    return button;
  }

  slider(text, name, { max, step, show }) {
    const id = `canary-${name}`;
    const input = h("input", { type: "range", id, min: 0, max, step });
    const asked = h("output", { for: id });
    const now = h("small", {});
    input.addEventListener("input", () => { this.held.add(name); asked.textContent = show(Number(input.value)); });
    input.addEventListener("change", async () => {
      this.held.add(name);
      await this.post("traffic", { [name]: Number(input.value) });
      this.held.delete(name);
    });
    return { node: h("div", { class: "field" }, h("label", { for: id }, text, asked), input, now), input, asked, now, show, name };
  }

  drawControls(run, controls) {
    const allow = (name) => controls[name].allowed;
    const traffic = run?.traffic;
    this.set(this.share, traffic?.error_share, allow("error_share"), controls.error_share.most ?? 1);
    this.share.now.textContent = traffic ? sharing(run) : "";
    this.set(this.rate, traffic?.arrival_rate, allow("arrival_rate"), this.mostRate(controls, traffic));
    this.rate.now.textContent = traffic?.users != null ? `a closed loop of ${count(traffic.users)} users: the rate follows the answers`
      : traffic ? `per second of experiment time${spreadOver(traffic.workers)}` : "";
    for (const button of this.patterns) {
      button.disabled = !allow("pattern");
      button.setAttribute("aria-pressed", String(traffic?.pattern === button.textContent));
    }
    const buttons = { force_alarm: [this.force], release_alarm: [this.release], stop_faults: this.stops, roll_back: this.backs, note: [this.note, this.mark], end: [this.end] };
    for (const [name, nodes] of Object.entries(buttons)) {
      for (const node of nodes) {
        node.disabled = !allow(name);
        node.title = controls[name].why ?? "";
      }
    }
    this.put("faults", run && run.stage !== "over" ? run.faults : [], faultsOf);
    const told = ["error_share", "arrival_rate", "force_alarm", "roll_back"].map((name) => controls[name].why).filter(Boolean);
    this.why.textContent = [...new Set(told)].join(" · ");
  }

  mostRate(controls, traffic) {
    if (this.held.has("arrival_rate")) return Number(this.rate.input.max);
    const room = Math.max(50, 5 * (traffic?.arrival_rate ?? 0));
    const step = 10 ** Math.floor(Math.log10(room));
    this.highest = Math.max(this.highest ?? 0, Math.ceil(room / step) * step);
    return Math.min(this.highest, controls.arrival_rate.most ?? Infinity);
  }

  set(slider, value, allowed, most) {
    slider.input.disabled = !allowed;
    slider.input.max = most;
    if (this.held.has(slider.name)) return;
    if (value != null) slider.input.value = value;
    slider.asked.textContent = value == null ? "–" : slider.show(value);
  }
}

class SignedOut extends Error {}

function remembered() {
  try { return localStorage.getItem("canary-name") ?? ""; } catch { return ""; }
}

function remember(name) {
  try { localStorage.setItem("canary-name", name); } catch { /* a private window remembers nothing */ }
}

function spreadOver(workers) {
  if (!workers) return "";
  return `, over ${workers} ${workers === 1 ? "process" : "processes"}`;
}

function sharing(run) {
  const { planned_share: planned, error_share: sent } = run.traffic;
  const later = run.created_s == null && planned > 0 && sent === 0 ? `; ${percent(planned)} from the deployment's creation on` : "";
  return `${percent(sent)} of the requests sent now are meant to fail${later}`;
}

function toneOf(run) {
  if (run.stage === "over" && run.verdict) return TONES[run.verdict.result];
  if (run.alarms.some((alarm) => alarm.state === "ALARM") || BAD_PHASES.has(run.phase)) return "bad";
  return run.phase === "canary" ? "busy" : "calm";
}

// The parts

function bannerFacts({ run, test }) {
  if (!run) return { test };
  const whole = (at) => (at == null ? null : Math.round(at));
  return {
    stage: run.stage, tone: toneOf(run), headline: run.headline, name: run.name, experiment: run.experiment, expected: run.expected,
    deployment: run.deployment, config: run.config, baseline: run.baseline, canary: run.canary, speed: run.speed,
    now: whole(run.now_s), created: whole(run.created_s), weight: run.weight, phase: run.phase, watching: run.watcher.watching,
    left: run.bake_ends_s == null || run.phase !== "canary" ? null : Math.max(0, whole(run.bake_ends_s - run.now_s)),
    because: run.verdict?.because ?? [], outcome: run.verdict?.outcome, call: run.verdict?.call, files: run.files,
  };
}

function bannerOf(facts, base) {
  if (!facts.headline) {
    return h("section", { class: "card empty" },
      h("h2", {}, "No release yet"),
      h("p", {}, "Start a test, and this page follows the canary release beside the load: its weight, its alarms, what was detected when, and who got hurt."),
      h("a", { class: "button", href: new URL("../", base) }, facts.test === "ready" ? "To Locust's start form" : "To Locust's page"),
      FORM_BEHIND[facts.test] ? h("p", {}, FORM_BEHIND[facts.test]) : null);
  }
  const subject = [facts.experiment, facts.deployment, facts.config?.replace("CodeDeployDefault.", ""),
    facts.canary && `version ${facts.baseline ?? "?"} → ${facts.canary}`, facts.expected && `expected: ${words(facts.expected)}`];
  const clock = facts.created == null ? "since the run began" : "since the deployment's creation";
  const speed = facts.speed === 1 ? "" : `, at speed ${facts.speed}`;
  return h("section", { class: "banner", "data-tone": facts.tone },
    h("div", {},
      h("h2", { "data-testid": "headline" }, facts.stage === "ending" ? "judging…" : facts.headline),
      h("p", { class: "subject" }, subject.filter(Boolean).join(" · ")),
      facts.stage === "over" || !facts.outcome ? null
        : h("p", { class: "sofar" }, "So far: outcome ", h("b", {}, words(facts.outcome)), ", call ", h("b", {}, words(facts.call)), "."),
      facts.because.length ? h("ul", { class: facts.stage === "over" ? "" : "soft" }, ...facts.because.map((reason) => h("li", {}, reason))) : null),
    h("div", { class: "clock" },
      h("strong", { class: "number" }, elapsed(facts.created == null ? facts.now : facts.now - facts.created)),
      h("small", {}, `${clock}${speed}`),
      facts.stage === "over" ? reportLinks(facts, base) : null),
    facts.watching ? weightOf(facts) : h("p", { class: "weight soft" }, "No deployment is watched: --canary-application and --canary-group name one."));
}

function reportLinks(facts, base) {
  const report = facts.files.find((name) => name === "report.html") ?? facts.files.find((name) => name === "report.md");
  const link = (name, text, kind = "") => h("a", { class: `button ${kind}`, href: new URL(`run/${name}`, base), target: "_blank", rel: "noopener" }, text);
  return h("div", { class: "actions" },
    report ? link(report, "Open the report", "primary") : null,
    facts.files.includes("verdict.json") ? link("verdict.json", "verdict.json") : null);
}

function weightOf(facts) {
  const weight = facts.weight ?? 0;
  const bar = h("div", { class: "bar", role: "meter", "aria-label": "Share of traffic on the canary", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(weight * 100) },
    h("i", { style: `width:${weight * 100}%` }));
  const left = facts.left == null ? "" : facts.left > 0 ? `${duration(facts.left)} of bake time left` : "the bake time is over";
  return h("div", { class: "weight" }, bar,
    h("div", { class: "ends" },
      h("span", {}, facts.weight == null ? "weight not seen yet" : `${percent(facts.weight)} on the canary`),
      h("strong", { class: "number" }, left)));
}

function card(title, aside, ...content) {
  return h("section", { class: "card" }, h("h3", {}, title, aside ? h("small", {}, aside) : null), ...content);
}

function ledgerOf(run) {
  const rows = run.told?.ledger ?? [];
  const body = rows.map(([step, at, took]) => h("tr", { class: at === "–" ? "todo" : "done" },
    h("td", {}, step), h("td", { class: "right" }, at), h("td", { class: "right" }, took)));
  return card("Detection", "seconds since the creation",
    h("div", { class: "scroll" }, h("table", { "data-testid": "ledger" },
      h("thead", {}, h("tr", {}, h("th", {}, "step"), h("th", { class: "right" }, "at"), h("th", { class: "right" }, "took"))),
      h("tbody", {}, ...body))),
    h("p", { class: "soft" }, run.told?.totals ?? ""));
}

function requestsOf(run) {
  const traffic = run.verdict?.traffic;
  const row = (name, answers, wrong) => h("tr", {}, h("td", {}, name),
    h("td", { class: `right ${wrong === "ok" && answers.ok ? "hot" : ""}` }, count(answers.ok)),
    h("td", { class: `right ${wrong === "failed" && answers.failed ? "hot" : ""}` }, count(answers.failed)));
  const rows = traffic ? [row("good", traffic.good, "failed"), row("fault", traffic.fault, "ok")] : [];
  return card("Requests", "intent × answer",
    h("table", { "data-testid": "matrix" },
      h("thead", {}, h("tr", {}, h("th", {}, "meant to be"), h("th", { class: "right" }, "ok"), h("th", { class: "right" }, "failed"))),
      h("tbody", {}, ...rows)),
    ...[run.told?.traffic, run.told?.exposure, run.told?.attribution].filter(Boolean).map((text) => h("p", { class: "soft" }, text)));
}

function armsOf(run) {
  const arms = run.verdict?.arms;
  if (!arms || arms.source === "unknown") return null;
  const widest = Math.max(0.01, ...[arms.baseline, arms.canary].map((arm) => arm.failure_interval?.[1] ?? 0));
  const rows = [["baseline", arms.baseline, "var(--calm)"], ["canary", arms.canary, "var(--weight)"]].map(([name, arm, colour]) =>
    h("tr", {}, h("td", { "data-label": "arm" }, name), h("td", { "data-label": "version" }, arm.version ?? "–"),
      h("td", { class: "right", "data-label": "requests" }, count(arm.requests)),
      h("td", { class: "right", "data-label": "failed" }, count(arm.failures)),
      h("td", { class: "rate", "data-label": "failure rate" }, h("div", {}, rateOf(arm), intervalOf(arm, widest, colour))),
      ...["p50_ms", "p95_ms", "p99_ms"].map((key) => h("td", { class: "right", "data-label": `client ${key.replace("_ms", " ms")}` }, arm[key] == null ? "–" : count(Number(arm[key].toPrecision(3)))))));
  return card("Arms over the same time", "failure rate with its exact 95 % interval; client latency in ms",
    h("div", { class: "scroll" }, h("table", { class: "arms stacked" },
      h("thead", {}, h("tr", {}, ...["arm", "version"].map((name) => h("th", {}, name)),
        h("th", { class: "right" }, "requests"), h("th", { class: "right" }, "failed"), h("th", { class: "rate" }, "failure rate"),
        ...["p50", "p95", "p99"].map((name) => h("th", { class: "right" }, `client ${name} ms`)))),
      h("tbody", {}, ...rows))),
    ...[run.told?.arms, run.told?.second_opinion].filter(Boolean).map((text) => h("p", { class: "soft" }, text)));
}

function rateOf(arm) {
  if (!arm.requests || arm.failures == null) return "–";
  const [low, high] = arm.failure_interval ?? [null, null];
  const interval = low == null ? "" : ` (${percent(low)}–${percent(high)})`;
  return `${percent(arm.failures / arm.requests)}${interval}`;
}

function intervalOf(arm, widest, colour) {
  if (!arm.failure_interval || !arm.requests) return null;
  const [low, high] = arm.failure_interval.map((bound) => (bound / widest) * 100);
  return h("div", { class: "interval", style: `color:${colour}`, "aria-hidden": "true" },
    h("i", { style: `left:${low}%;width:${high - low}%` }), h("b", { style: `left:${(arm.failures / arm.requests / widest) * 100}%` }));
}

function findingsOf(findings) {
  if (!findings?.length) return null;
  return card("Findings", null, ...findings.map((finding) => h("div", { class: "finding" },
    h("span", { class: "pill", "data-tone": SEVERITIES[finding.severity] }, finding.severity),
    h("p", {}, finding.text, " ", h("small", {}, finding.id)))));
}

function alarmsOf(alarms) {
  if (!alarms.length) return card("Alarms", null, h("p", { class: "soft" }, "No alarm was seen yet."));
  return card("Alarms", null, ...alarms.map((alarm) => h("div", { class: "alarm" },
    h("header", {}, h("strong", {}, alarm.name),
      h("span", { class: "pill", "data-tone": STATES[alarm.state] }, alarm.missing ? "no such alarm" : words(alarm.state ?? "not seen"))),
    h("p", { class: "soft" }, alarm.rule ?? "", alarm.stops_deployment ? "" : " · does not stop the deployment"),
    periods(alarm),
    alarm.reason ? h("p", { class: "soft" }, alarm.reason) : null)));
}

function shadowsOf(run) {
  const told = run.told?.shadow ?? [];
  if (!run.shadows.length && !told.length) return null;
  return card("Shadow alarms", "do not exist: what they would be in, and would have done", ...run.shadows.map((alarm) => h("div", { class: "alarm" },
    h("header", {}, h("strong", {}, alarm.name),
      h("span", { class: "pill", "data-tone": STATES[alarm.state] }, words(alarm.state ?? "not read yet"))),
    h("p", { class: "soft" }, alarm.rule ?? ""),
    alarm.reason ? h("p", { class: "soft" }, alarm.reason) : null)),
    ...told.map((text) => h("p", { class: "soft" }, text)));
}

function watcherOf(run) {
  const seen = run.watcher;
  if (!seen.watching) return null;
  const unseen = seen.last_look_s == null;
  const late = run.stage === "running" && (unseen ? seen.failed_looks > 0 : seen.wall_age_s > 5 && seen.age_s > 15);
  const ago = unseen ? "none yet" : run.stage === "running" ? `${duration(seen.age_s)} ago` : "at the end";
  const rows = [["last good look", ago], ["looks", count(seen.looks)], ["failed looks", count(seen.failed_looks)]];
  return card("Watcher", null,
    unseen && !late ? null : h("p", {}, h("span", { class: "pill", "data-tone": late ? "bad" : "good" }, late ? "blind" : "sees")),
    h("table", {}, h("tbody", {}, ...rows.map(([name, value]) => h("tr", {}, h("td", {}, name), h("td", { class: "right" }, value))))),
    seen.last_failure ? h("p", { class: "soft" }, `last failure at ${elapsed(seen.last_failure_s - (run.created_s ?? 0))}: ${seen.last_failure}`) : null);
}

function faultsOf(faults) {
  if (!faults.length) return h("p", { class: "why" }, "No fault is in effect.");
  return h("ul", { class: "faults" }, ...faults.map((fault) => {
    const value = fault.kind.endsWith("_share") ? percent(Number(fault.value)) : fault.value;
    return h("li", {}, h("span", { class: "pill", "data-tone": "bad" }, `${words(fault.kind)} ${value}`), ` ${fault.by ?? "by the plan"}`);
  }));
}

function storyOf({ story, created_s: created }) {
  const lines = [...story].reverse().map((line) => h("li", { "data-kind": line.kind },
    h("time", {}, elapsed(line.at_s - (created ?? 0))),
    h("span", {}, line.by ? h("b", {}, `${line.by}: `) : null, line.text)));
  return card("Timeline", created == null ? "since the run began" : "since the creation", h("ol", { class: "story", "data-testid": "story", tabindex: "0" }, ...lines));
}

function runsOf(runs, base) {
  if (!runs.length) return null;
  const rows = runs.slice(0, RUNS_SHOWN).map((run) => {
    const report = run.files.find((name) => name === "report.html") ?? run.files.find((name) => name === "report.md");
    const path = ["runs", run.experiment, run.start, report].map(encodeURIComponent).join("/");
    return h("tr", {}, h("td", { "data-label": "started (UTC)" }, started(run.start)), h("td", { "data-label": "experiment" }, run.experiment),
      h("td", { "data-label": "outcome" }, words(run.outcome ?? "–")), h("td", { "data-label": "call" }, words(run.call ?? "–")),
      h("td", { "data-label": "result" }, run.result ? h("span", { class: "pill", "data-tone": TONES[run.result] }, run.told) : "–"),
      h("td", { class: "right" }, report ? h("a", { href: new URL(path, base), target: "_blank", rel: "noopener" }, "report") : ""));
  });
  return card("Past runs", h("a", { href: new URL("runs/index.html", base), target: "_blank", rel: "noopener" }, "all of them, with pass rates and trends"), h("div", { class: "scroll" }, h("table", { class: "runs stacked", "data-testid": "runs" },
    h("thead", {}, h("tr", {}, ...["started (UTC)", "experiment", "outcome", "call", "result", ""].map((name) => h("th", {}, name)))),
    h("tbody", {}, ...rows))));
}

function started(stamp) {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(stamp);
  return found ? `${found[1]}-${found[2]}-${found[3]} ${found[4]}:${found[5]}:${found[6]}` : stamp;
}
