(() => {
  const box = document.getElementById("chart");
  const spec = JSON.parse(document.getElementById("spec").textContent);
  const whole = spec.vconcat[0].layer[0].encoding.x.scale.domain;
  const AXIS_PX = 100, LEAST_PX = 200, LETTER_PX = 7, LEAST_LETTERS = 4, LEAST_S = 2;
  const SYMBOL_PX = 25, LEGEND_LETTER_PX = 6;
  let view = null, drawn = 0, drawnFor = 0;

  const numbers = spec.datasets.steps
    .map(({ n, t }) => ({ t, label: String(n), lane: "steps" }))
    .sort((one, other) => one.t - other.t);
  const cut = (name, letters) =>
    name.length < letters ? name : letters > LEAST_LETTERS ? `${name.slice(0, letters - 2)}…` : "";
  // Numbers that would overprint share a label, as wide as all of them, which may then reach the label before it.
  const apart = (numbers, pxPerS) => {
    const labels = [];
    for (const number of numbers) {
      let label = { ...number };
      while (labels.length && overprint(labels.at(-1), label, pxPerS)) label = joined(labels.pop(), label);
      labels.push(label);
    }
    return labels;
  };
  const overprint = (one, next, pxPerS) =>
    (next.t - one.t) * pxPerS < ((one.label.length + next.label.length) / 2 + 0.5) * LETTER_PX;
  const joined = (one, next) => ({ ...one, t: (one.t + next.t) / 2, label: `${one.label} ${next.label}` });
  const columns = (names, width) =>
    Math.max(1, Math.floor(width / (SYMBOL_PX + LEGEND_LETTER_PX * Math.max(...names.map((name) => name.length)))));
  const fitted = (width) => {
    const copy = structuredClone(spec);
    for (const panel of copy.vconcat) {
      panel.width = width;
      for (const { legend, scale } of Object.values(panel.layer[0].encoding)) {
        if (legend) legend.columns = columns(scale.domain, width);
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
    if (Math.abs(box.clientWidth - drawnFor) < 4) return;
    drawnFor = box.clientWidth;
    const before = view && view.signal("zoom_t");
    await drawBeside(AXIS_PX);
    // Long names of lanes need more room; a chart that is too wide would be shrunk, with its letters.
    const over = box.querySelector("svg").width.baseVal.value - drawnFor;
    if (over > 1 && drawn > LEAST_PX) await drawBeside(AXIS_PX + over);
    view.addSignalListener("zoom_t", relabel);
    if (before) show(before);
  };
  const drawBeside = async (axisPx) => {
    drawn = Math.max(LEAST_PX, Math.floor(drawnFor - axisPx));
    const options = { renderer: "svg", actions: false, ast: true, mode: "vega-lite", tooltip: { theme: "custom" } };
    view?.finalize();
    view = (await vegaEmbed(box, fitted(drawn), options)).view;
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
