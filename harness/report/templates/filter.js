(() => {
  const form = document.getElementById("filter");
  const words = document.getElementById("words"), result = document.getElementById("result");
  const shelves = [...document.querySelectorAll("#shelves section")].map((section) => {
    const title = section.querySelector("h2");
    const named = `${title.textContent} ${section.dataset.service}`;
    const rows = [...section.querySelectorAll("tbody tr")].map((row) => ({
      row, result: row.dataset.result, text: `${named} ${row.textContent}`.toLowerCase(),
    }));
    return { section, rows, overview: document.querySelector(`[data-shelf="${title.id}"]`) };
  });
  // Each word must stand in the row, or in the name or service of its experiment.
  const show = () => {
    const asked = words.value.toLowerCase().split(/\s+/);
    let shown = 0, all = 0;
    for (const { section, rows, overview } of shelves) {
      let left = 0;
      for (const { row, result: is, text } of rows) {
        row.hidden = !(asked.every((word) => text.includes(word)) && (!result.value || is === result.value));
        left += row.hidden ? 0 : 1;
      }
      section.hidden = overview.hidden = !left;
      shown += left;
      all += rows.length;
    }
    document.getElementById("shown").textContent = shown === all ? "" : `${shown} of ${all} runs`;
  };
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
