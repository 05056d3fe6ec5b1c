// The charts: requests and weight over the run with its marks, and the periods of an alarm against its threshold.
import { elapsed, h, percent } from "./words.js";

const HEIGHT = 300;
const LEFT = 36;
const RIGHT = 50;
const TOP = 34;
const BOTTOM = 24;
const MARKS = { release: "var(--weight)", alarm: "var(--busy)", fault: "var(--bad)", write: "var(--soft)", person: "var(--calm)" };
const SIGNS = { release: "▲", alarm: "◆", fault: "●", write: "■", person: "✎" };

function s(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

export function chart(run, marks, room, hover) {
  const wide = Math.max(280, room - 34); // the card's own edges

  const { from_s: from, bucket_s: width, planned, answered, failed, fault, weight } = run.chart;
  const until = Math.max(from + width * Math.max(planned.length, 1), run.now_s, run.bake_ends_s ?? 0, from + 60);
  const x = (at) => LEFT + ((at - from) / (until - from)) * (wide - LEFT - RIGHT);
  const most = ceiling(Math.max(1, ...planned.map(Number), ...answered.map(Number)));
  const y = (rate) => HEIGHT - BOTTOM - (rate / most) * (HEIGHT - TOP - BOTTOM);
  const share = (part) => y(part * most);
  const middle = (index) => x(from + (index + 0.5) * width);
  // The last buckets are not full: a line that fell to them would tell a fall that is none.
  const whole = Math.max(0, planned.length - (run.stage === "over" ? 1 : Math.ceil(2 / width) + 1));
  const line = (values) => path(values.slice(0, whole).map((value, index) => (value == null ? null : [middle(index), y(value)])));
  const drawing = s("svg", { viewBox: `0 0 ${wide} ${HEIGHT}`, role: "img", "aria-label": spoken(run, most) },
    ...grid(wide, most, y, share), ...times(wide, from, until, x, run.created_s),
    s("path", { d: steps(weight, x, share, Math.min(run.now_s, until)), fill: "var(--weight)", opacity: 0.16 }),
    s("path", { d: area(line(failed), y(0)), fill: "var(--bad)", opacity: 0.25 }),
    s("path", { d: line(planned), fill: "none", stroke: "var(--planned)", "stroke-width": 2 }),
    s("path", { d: line(fault), fill: "none", stroke: "var(--fault)", "stroke-width": 1.5, "stroke-dasharray": "4 3" }),
    s("path", { d: line(failed), fill: "none", stroke: "var(--bad)", "stroke-width": 2 }),
    ...ending(run, x), ...marked(marks, x));
  const tip = h("div", { class: "tip", hidden: true });
  const box = h("div", { class: "chart" }, drawing, tip);
  point(box, drawing, tip, hover, { wide, run, marks, from, until, width, x });
  return h("section", { class: "card" },
    h("h3", {}, "Traffic and release", h("small", {}, run.created_s == null ? "requests per second, over the time since the run began" : "requests per second, over the time since the creation")), box,
    h("div", { class: "legend" }, key("var(--planned)", "arrivals planned"), key("var(--bad)", "failed"), key("var(--fault)", "meant to fail"),
      key("var(--weight)", "weight of the canary (right)"), ...Object.entries({ release: "release", alarm: "alarm", fault: "fault", write: "our deployment", person: "person" }).map(
        ([kind, text]) => h("span", {}, h("b", { style: `color:${MARKS[kind]}` }, `${SIGNS[kind]} `), text))));
}

function key(colour, text) {
  return h("span", {}, h("i", { style: `background:${colour}` }), text);
}

function spoken(run, most) {
  const weight = run.weight == null ? "unknown" : percent(run.weight);
  return `Requests per second over time, up to ${most}; weight of the canary now ${weight}; ${run.story.length} marks, listed in the timeline`;
}

function ceiling(value) {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * step).find((round) => round >= value * 1.05) ?? value;
}

function path(points) {
  let drawn = "";
  let pen = "M";
  for (const point of points) {
    if (point == null) { pen = "M"; continue; }
    drawn += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = "L";
  }
  return drawn;
}

function area(line, floor) {
  return line.split("M").filter(Boolean).map((piece) => {
    const points = piece.split("L");
    const [first, last] = [points[0].split(" ")[0], points.at(-1).split(" ")[0]];
    return `M${first} ${floor}L${points.join("L")}L${last} ${floor}Z`;
  }).join("");
}

function steps(weight, x, share, until) {
  if (!weight.length) return "";
  let drawn = `M${x(weight[0][0])} ${share(0)}`;
  weight.forEach(([at, part], index) => {
    const next = weight[index + 1]?.[0] ?? until;
    drawn += `L${x(at)} ${share(part)}L${x(Math.max(at, next))} ${share(part)}`;
  });
  return `${drawn}L${x(Math.max(until, weight.at(-1)[0]))} ${share(0)}Z`;
}

function grid(wide, most, y, share) {
  return [0, 0.5, 1].flatMap((part) => [
    s("line", { x1: LEFT, x2: wide - RIGHT, y1: y(part * most), y2: y(part * most), stroke: "var(--line)" }),
    s("text", { x: LEFT - 8, y: y(part * most) + 4, "text-anchor": "end" }, String(part * most)),
    s("text", { x: wide - RIGHT + 8, y: share(part) + 4 }, `${part * 100} %`),
  ]);
}

function times(wide, from, until, x, created) {
  const origin = created ?? 0;
  const step = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600].find((one) => (until - from) / one <= wide / 80) ?? 86400;
  const ticks = [];
  for (let at = origin - Math.floor((origin - from) / step) * step; at <= until; at += step) {
    if (x(at) > wide - RIGHT - 4) continue;
    ticks.push(s("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, elapsed(at - origin)));
  }
  return ticks;
}

function ending(run, x) {
  if (run.bake_ends_s == null || run.phase !== "canary") return [];
  const at = x(run.bake_ends_s);
  return [s("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--weight)", "stroke-dasharray": "2 4" }),
    s("text", { x: at - 6, y: TOP + 10, "text-anchor": "end" }, "end of the bake time")];
}

function marked(marks, x) {
  return marks.flatMap((mark) => {
    const at = x(mark.at_s).toFixed(1);
    return [s("line", { x1: at, x2: at, y1: TOP - 6, y2: HEIGHT - BOTTOM, stroke: MARKS[mark.kind], opacity: 0.55 }),
      s("text", { x: at, y: TOP - 10, "text-anchor": "middle", style: `fill:${MARKS[mark.kind]}` }, SIGNS[mark.kind])];
  });
}

// The drawing is made anew while somebody points at it, so where they point is kept outside of it.
function point(box, drawing, tip, hover, scene) {
  drawing.addEventListener("pointermove", (event) => {
    hover.at = event.clientX;
    show(box, drawing, tip, hover.at, scene);
  });
  drawing.addEventListener("pointerleave", () => {
    if (!drawing.isConnected) return;
    hover.at = null;
    tip.hidden = true;
  });
  if (hover.at != null) requestAnimationFrame(() => show(box, drawing, tip, hover.at, scene));
}

function show(box, drawing, tip, clientX, { wide, run, marks, from, until, width, x }) {
  const { planned, failed, weight: shares } = run.chart;
  const place = drawing.getBoundingClientRect();
  const across = ((clientX - place.left) / place.width) * wide;
  const at = from + ((across - LEFT) / (wide - LEFT - RIGHT)) * (until - from);
  const index = Math.floor((at - from) / width);
  const near = marks.filter((mark) => Math.abs(x(mark.at_s) - across) < 8).slice(-4);
  const weight = at > run.now_s ? null : shares.findLast(([since]) => since <= at)?.[1];
  const lines = [elapsed(at - (run.created_s ?? 0))];
  if (planned[index] != null) lines.push(`${planned[index].toFixed(1)}/s planned, ${(failed[index] ?? 0).toFixed(1)}/s failed`);
  if (weight != null) lines.push(`${percent(weight)} on the canary`);
  tip.replaceChildren(...lines.map((text) => h("div", {}, text)),
    ...near.map((mark) => h("div", {}, `${SIGNS[mark.kind]} ${mark.by ? `${mark.by}: ` : ""}${mark.text}`)));
  tip.hidden = false;
  const left = clientX - box.getBoundingClientRect().left;
  tip.style.left = `${Math.min(Math.max(0, left + 12), Math.max(0, box.clientWidth - 200))}px`;
  tip.style.top = "44px";
}

export function periods(alarm) {
  const { published, seen, threshold, period_s: period } = alarm;
  if (threshold == null || (!published.length && !seen.length)) return null;
  const starts = [...new Set([...published, ...seen].map(([at]) => at))].sort((one, other) => one - other).slice(-12);
  const told = (points, start) => points.find(([at]) => at === start)?.[1];
  const most = Math.max(threshold * 1.5, 1, ...starts.flatMap((start) => [told(published, start) ?? 0, told(seen, start) ?? 0]));
  const [width, height, floor] = [360, 70, 54];
  const slot = (width - 4) / 12;
  const y = (value) => floor - (value / most) * (floor - 4);
  const bars = starts.flatMap((start, index) => {
    const left = 2 + index * slot;
    const [ours, theirs] = [told(seen, start), told(published, start)];
    const title = `${elapsed(start)}, ${period} s: CloudWatch ${theirs ?? "has not published yet"}, clients saw ${ours ?? 0}`;
    const hot = (theirs ?? ours ?? 0) >= threshold;
    return [s("g", {}, s("title", {}, title),
      s("rect", { x: left + 2, width: slot - 4, y: y(ours ?? 0), height: floor - y(ours ?? 0), fill: hot ? "var(--bad)" : "var(--calm)", opacity: 0.3 }),
      s("rect", { x: left + slot / 4, width: slot / 2, y: y(theirs ?? 0), height: floor - y(theirs ?? 0), fill: hot ? "var(--bad)" : "var(--calm)" }),
      s("text", { x: left + slot / 2, y: height - 3, "text-anchor": "middle", "font-size": 10, fill: "var(--soft)" }, String(theirs ?? (ours ? `(${ours})` : "·"))))];
  });
  return s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Datapoints of ${alarm.name} against the threshold ${threshold}` },
    ...bars,
    s("line", { x1: 0, x2: width, y1: y(threshold), y2: y(threshold), stroke: "var(--bad)", "stroke-dasharray": "4 3" }),
    s("line", { x1: 0, x2: width, y1: floor, y2: floor, stroke: "var(--line)" }));
}
