// Starting tests from the Canary page: the form, the same again, and the next version.
import { h } from "./words.js";

const ONCE_MORE = "once more";
const SUGGESTED = {
  application: (offers) => offers.groups.map((one) => one.application),
  group: (offers) => offers.groups.map((one) => one.group),
  deployment: (offers) => offers.deployments,
  target_version: (offers) => offers.versions,
};

export class StartCard {
  constructor(panel) {
    this.panel = panel;
    this.shownFor = null;
    this.node = h("section", { class: "card start", "data-part": "start", hidden: true });
  }

  // Asks for the form anew whenever a run has ended, since what is in service may be another version then. A start that
  // is refused leaves it as it is, with what was filled in and why it was refused.
  async draw({ run }) {
    const free = !run || run.stage === "over";
    this.node.hidden = !free;
    const key = free ? run?.name ?? "" : null;
    if (key === this.shownFor) return;
    this.shownFor = key;
    if (!free) return;
    const form = await this.read("start");
    if (!form) return void (this.shownFor = null);
    this.lay(form, run);
    this.offer(await this.read("choices"), run);
  }

  async read(name) {
    try {
      const answer = await fetch(new URL(`api/v1/${name}`, this.panel.base), { cache: "no-store", redirect: "manual" });
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }

  lay(form, run) {
    this.said = h("p", { class: "said", role: "alert" });
    this.inputs = new Map(form.fields.map((field) => [field.name, inputOf(field)]));
    this.host = h("input", { type: "text", value: form.host, "aria-label": "Host", placeholder: "https://api.example.com" });
    this.users = form.asks_users ? h("input", { type: "number", min: 1, value: form.users ?? 1, "aria-label": "Users" }) : null;
    const fields = form.fields.map((field) => labelled(field, this.inputs.get(field.name)));
    const starts = h("div", { class: "row" }, h("button", { class: "primary" }, "Start"));
    const sends = h("form", {},
      h("div", { class: "fields" },
        h("div", { class: "field" }, h("label", {}, "Host"), this.host),
        this.users ? h("div", { class: "field" }, h("label", {}, "Users"), this.users) : null,
        ...fields),
      starts);
    sends.addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin(this.asked(), starts);
    });
    this.quick = h("div", { class: "row" });
    if (run) this.quick.append(this.button("Run again", () => this.begin({}, this.quick)));
    this.node.replaceChildren(h("h3", {}, run ? "Next round" : "Start a test"), this.quick,
      h("details", { open: !run }, h("summary", {}, "What to send, what to watch, what to expect"), sends), this.said);
  }

  offer(offers, run) {
    if (!offers) return;
    for (const [name, suggest] of Object.entries(SUGGESTED)) {
      const id = `canary-choices-${name}`;
      const options = [...new Set(suggest(offers))].map((value) => h("option", { value }));
      const input = this.inputs.get(name);
      input.setAttribute("list", id);
      input.after(h("datalist", { id }, ...options));
    }
    if (!run) return;
    const others = offers.versions.filter((version) => version !== offers.in_service);
    const served = `version ${offers.in_service ?? "in service"}`;
    this.version = h("select", { "aria-label": "Next version" },
      ...others.map((version) => h("option", { value: version }, `version ${version}`)),
      offers.no_redeploy ? null : h("option", { value: ONCE_MORE }, `${served} once more`));
    if (this.version.options.length) this.quick.append(this.button("Next version", () => this.begin(this.next(), this.quick)), this.version);
    if (offers.no_redeploy) this.quick.after(h("p", { class: "soft" }, `Not offered is ${served} once more: ${offers.no_redeploy}`));
  }

  // What the form says, whole: an empty field leaves it to the experiment.
  asked() {
    const asked = { host: this.host.value.trim() };
    if (this.users) asked.users = Number(this.users.value) || 1;
    for (const [name, input] of this.inputs) {
      asked[name] = input.type === "checkbox" ? input.checked : input.value.trim();
    }
    if (asked.error_share !== "") asked.error_share = Number(asked.error_share);
    return asked;
  }

  next() {
    const permission = this.inputs.get("allow_writes").checked ? { allow_writes: true } : {};
    const made = this.version.value === ONCE_MORE ? { redeploy: true } : { target_version: this.version.value };
    return { ...permission, ...made };
  }

  // What becomes of it is told where it was asked for.
  async begin(asked, row) {
    row.after(this.said);
    this.tell("Starting…", "");
    for (const button of this.node.querySelectorAll("button")) button.disabled = true;
    const begun = await this.panel.post("start", asked, (text, tone) => this.tell(text, tone));
    for (const button of this.node.querySelectorAll("button")) button.disabled = false;
    if (begun) this.tell("", "");
  }

  tell(text, tone) {
    this.said.textContent = text;
    this.said.dataset.tone = tone;
    this.said.scrollIntoView({ block: "nearest" });
  }

  button(text, act) {
    const button = h("button", { type: "button", class: "primary" }, text);
    button.addEventListener("click", act);
    return button;
  }
}

function inputOf({ name, kind, choices, value, default: otherwise }) {
  const id = `canary-start-${name}`;
  if (kind === "switch") return h("input", { type: "checkbox", id, checked: value });
  if (kind === "text") return h("input", { type: "text", id, value, placeholder: otherwise || "none" });
  return h("select", { id },
    h("option", { value: "" }, otherwise ? `as the experiment says: ${said(otherwise)}` : "as the experiment says"),
    ...choices.map((choice) => h("option", { value: choice, selected: choice === value }, said(choice))));
}

function labelled({ kind, label }, input) {
  if (kind === "switch") return h("label", { class: "switch" }, input, label);
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input);
}

function said(word) {
  return word.replaceAll("_", " ");
}
