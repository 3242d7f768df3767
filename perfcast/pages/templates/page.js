"use strict";
(() => {
  const read = (name) => JSON.parse(document.getElementById(`data-${name}`).textContent);
  const figures = read("figures");
  const { colour, hovers, layoutFor, logTicks, withLogTicks } = window.plots;
  const redraws = new Map();

  // ---- drawing ----------------------------------------------------------------------------------------------------

  const draw = (div, data, layout) =>
    Plotly.react(div, data, layoutFor(layout), {
      responsive: true, displaylogo: false, displayModeBar: hovers ? "hover" : false, modeBarButtons: [["toImage", "resetScale2d"]],
    });

  const short = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));
  const percent = (value) => `${value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString("en")}\u00a0%`;

  for (const div of document.querySelectorAll("[data-figure]")) {
    const figure = figures[div.dataset.figure];
    redraws.set(div, () => draw(div, figure.data, withLogTicks(figure, div.clientWidth, div.clientHeight)));
  }

  // ---- tables -----------------------------------------------------------------------------------------------------

  const sortBy = (table, column, ascending) => {
    const body = table.tBodies[0], sign = ascending ? 1 : -1;
    const keyed = [...body.rows].map((row) => ({ row, cell: row.cells[column] }));
    const numeric = table.tHead.rows[0].cells[column].classList.contains("num");
    const compare = (a, b) => {
      if (!numeric) return sign * a.cell.textContent.localeCompare(b.cell.textContent, "en", { numeric: true });
      const [x, y] = [a, b].map((item) => Number(item.cell.textContent.replaceAll(",", "")));
      // What is missing stays last, whichever way the rest is sorted.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    };
    body.append(...keyed.sort(compare).map((item) => item.row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) =>
      head.firstElementChild.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sortBy(table, column, ascending);
      }),
    );
  }

  for (const controls of document.querySelectorAll("[data-filters]")) {
    const rows = document.getElementById(controls.dataset.filters).tBodies[0].rows, count = controls.querySelector("span");
    const name = controls.querySelector("input"), choices = [...controls.querySelectorAll("select")];
    const filter = () => {
      let shown = 0;
      for (const row of rows) {
        const fits = row.cells[0].textContent.toLowerCase().includes(name.value.toLowerCase())
          && choices.every((choice) => !choice.value || row.dataset[choice.dataset.key] === choice.value);
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${rows.length} shown`;
    };
    for (const input of [name, ...choices]) input.addEventListener("input", filter);
    filter();
  }

  // ---- start ------------------------------------------------------------------------------------------------------

  const drawAll = async () => {
    for (const redraw of [...redraws.values()]) {
      redraw();
      // A turn of the event loop between plots keeps the page usable while they are drawn.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    document.documentElement.dataset.drawn = "yes";
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // What the script of a study adds to `redraws` is there by then.
  document.addEventListener("DOMContentLoaded", drawAll);
  window.page = { read, colour, draw, logTicks, short, percent, redraws };
})();
