"use strict";
(() => {
  const read = (name) => JSON.parse(document.getElementById(`data-${name}`).textContent);
  const figures = read("figures");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const touch = matchMedia("(pointer: coarse)").matches;
  const hovers = matchMedia("(hover: hover)").matches;
  const redraws = new Map();

  // ---- drawing ----------------------------------------------------------------------------------------------------

  const axis = (given = {}) => ({
    gridcolor: colour("grid"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true,
    ...given,
    title: { ...given.title, font: { size: 13 }, standoff: 8 },
  });

  const axesOf = (layout) => {
    const names = ["xaxis", "yaxis", ...Object.keys(layout).filter((name) => /^[xy]axis\d+$/.test(name))];
    return Object.fromEntries(names.map((name) => [name, axis(layout[name])]));
  };

  const layoutFor = (layout = {}) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), size: 12, family: getComputedStyle(document.body).fontFamily },
    margin: { l: 56, r: 16, t: hovers ? 34 : 14, b: 48 }, hoverlabel: { align: "left" }, dragmode: touch ? false : "zoom",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("accent") },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: 11 } },
    ...layout, ...axesOf(layout),
  });

  const draw = (div, data, layout) =>
    Plotly.react(div, data, layoutFor(layout), {
      responsive: true, displaylogo: false, displayModeBar: hovers ? "hover" : false, modeBarButtons: [["toImage", "resetScale2d"]],
    });

  // Left alone, a logarithmic axis over less than a decade shows one label or none, and over more 2, 5, 2, 5.
  const logTicks = (low, high, space) => {
    const decades = Math.log10(high / low), room = space / 60 / Math.max(decades, 0.1);
    const steps = [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 3, 5], [1, 3], [1]].find((choice) => choice.length <= room) ?? [1];
    const values = [];
    for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)); power += 1)
      for (const step of steps) values.push(Number((step * 10 ** power).toPrecision(6)));
    return { tickmode: "array", tickvals: values, ticktext: values.map((value) => value.toLocaleString("en")) };
  };

  const withLogTicks = (figure, div) => {
    const layout = { ...figure.layout };
    for (const letter of ["x", "y"]) {
      const name = `${letter}axis`;
      if (layout[name]?.type !== "log") continue;
      const boxes = ["q1", "q3", "lowerfence", "upperfence"];
      const keys = (trace) => (trace.type === "box" && letter === (trace.orientation === "h" ? "x" : "y") ? [letter, ...boxes] : [letter]);
      const known = figure.data.flatMap((trace) => keys(trace).flatMap((key) => trace[key] ?? []).flat()).filter((value) => value > 0);
      if (known.length) layout[name] = { ...layout[name], ...logTicks(Math.min(...known), Math.max(...known), letter === "x" ? div.clientWidth - 80 : 2 * div.clientHeight) };
    }
    return layout;
  };

  const short = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));
  const percent = (value) => `${value < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString("en")}\u00a0%`;

  for (const div of document.querySelectorAll("[data-figure]")) {
    const figure = figures[div.dataset.figure];
    redraws.set(div, () => draw(div, figure.data, withLogTicks(figure, div)));
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
