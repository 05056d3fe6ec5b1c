(() => {
  const box = document.getElementById("chart");
  const spec = JSON.parse(document.getElementById("spec").textContent);
  const whole = spec.vconcat[0].layer[0].encoding.x.scale.domain;
  const AXIS_PX = 84, LETTER_PX = 7, LEAST_LETTERS = 4, LEGEND_PX = 125, LEAST_S = 2;
  let view = null, drawn = 0;

  const numbers = spec.datasets.steps
    .map(({ n, t }) => ({ t, label: String(n), lane: "steps" }))
    .sort((one, other) => one.t - other.t);
  const cut = (name, letters) =>
    name.length < letters ? name : letters > LEAST_LETTERS ? `${name.slice(0, letters - 2)}…` : "";
  // Numbers that would overprint share a label, as wide as all of them.
  const apart = (numbers, pxPerS) => {
    const labels = [];
    for (const number of numbers) {
      const last = labels.at(-1);
      const needs = last && ((last.label.length + number.label.length) / 2 + 0.5) * LETTER_PX;
      if (last && (number.t - last.t) * pxPerS < needs) last.label += ` ${number.label}`;
      else labels.push({ ...number });
    }
    return labels;
  };
  const fitted = (width) => {
    const copy = structuredClone(spec);
    for (const panel of copy.vconcat) {
      panel.width = width;
      for (const { legend } of Object.values(panel.layer[0].encoding)) {
        if (legend?.columns) legend.columns = Math.max(1, Math.floor(width / LEGEND_PX));
      }
    }
    Object.assign(copy.datasets, labelled(whole, width));
    return copy;
  };
  // Names stand where what is shown of their bars begins, as long as that is; numbers merge by what is shown alone.
  const labelled = ([from, to], width) => {
    const pxPerS = width / (to - from);
    const spans = spec.datasets.spans.map((span) => {
      const at = Math.max(span.t, from), px = (Math.min(span.u, to) - at) * pxPerS;
      return { ...span, at, label: px > 0 ? cut(span.name, Math.floor(px / LETTER_PX)) : "" };
    });
    const shown = numbers.filter(({ t }) => t >= from && t <= to);
    return { spans, numbers: apart(shown, pxPerS) };
  };
  const draw = async () => {
    const width = Math.max(200, Math.floor(box.clientWidth - AXIS_PX));
    if (Math.abs(width - drawn) < 4) return;
    drawn = width;
    const before = view && view.signal("zoom_t");
    const options = { renderer: "svg", actions: false, ast: true, mode: "vega-lite", tooltip: { theme: "custom" } };
    view = (await vegaEmbed(box, fitted(width), options)).view;
    view.addSignalListener("zoom_t", relabel);
    if (before) show(before);
  };
  let asked = 0;
  const relabel = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => {
      const [a, b] = domain(), [from, to] = within([a, b]);
      if (Math.abs(a - from) + Math.abs(b - to) > 1e-6 * (to - from)) return show([from, to]);
      const { spans, numbers } = labelled([from, to], drawn);
      return view.data("spans", spans).data("numbers", numbers).runAsync();
    });
  };
  const domain = () => view.signal("zoom_t") ?? whole;
  const show = (part) => view.signal("zoom_t", part).runAsync();
  const moves = {
    in: ([a, b]) => [a + (b - a) / 4, b - (b - a) / 4],
    out: ([a, b]) => [a - (b - a) / 2, b + (b - a) / 2],
    left: ([a, b]) => [a - (b - a) / 4, b - (b - a) / 4],
    right: ([a, b]) => [a + (b - a) / 4, b + (b - a) / 4],
  };
  const within = ([a, b]) => {
    const length = Math.min(Math.max(b - a, LEAST_S), whole[1] - whole[0]);
    const from = Math.min(Math.max((a + b - length) / 2, whole[0]), whole[1] - length);
    return [from, from + length];
  };

  draw().then(() => {
    document.getElementById("numbers")?.removeAttribute("open");
    const zoom = document.getElementById("zoom");
    zoom.hidden = false;
    zoom.addEventListener("click", (event) => {
      const asked = event.target.dataset.zoom;
      if (asked) show(asked === "all" ? null : within(moves[asked]([...domain()])));
    });
    let waiting;
    new ResizeObserver(() => {
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    }).observe(box.parentElement);
  });
})();
