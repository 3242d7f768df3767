"use strict";
(() => {
  const { read, colour, draw, logTicks, short, percent, redraws } = window.page;
  const predicted = read("predicted"), samples = read("samples");

  // ---- predicted against measured ---------------------------------------------------------------------------------

  const shownLegend = 20;

  const told = (scheme, source, index) => {
    const predicted = scheme.predicted[index], off = (predicted / source.measured[index] - 1) * 100;
    const [low, high] = [scheme.lower?.[index], scheme.upper?.[index]];
    const interval = low && high ? `<br>interval ${short(low)} – ${short(high)} ${source.unit}` : "";
    return `${short(predicted)} ${source.unit} (${off > 0 ? "+" : ""}${off.toFixed(1)} %)${interval}`;
  };

  const drawPredicted = (div) => {
    const metric = div.dataset.predicted, source = predicted[metric];
    const chosen = (what) => document.querySelector(`[data-predicted-${what}="${CSS.escape(metric)}"]`);
    const scheme = source.choices[chosen("algorithm").value]?.[chosen("scheme").value];
    const found = source.measured.map((_, index) => index).filter((index) => scheme?.predicted[index] > 0);
    const traces = source.families.map((family, position) => {
      const own = found.filter((index) => source.family[index] === position);
      const bounds = scheme?.lower && {
        type: "data", symmetric: false, thickness: 1, width: 0, color: family.color,
        array: own.map((index) => Math.max(0, (scheme.upper[index] ?? scheme.predicted[index]) - scheme.predicted[index])),
        arrayminus: own.map((index) => Math.max(0, scheme.predicted[index] - (scheme.lower[index] ?? scheme.predicted[index]))),
      };
      return {
        type: "scatter", mode: "markers", name: family.name, showlegend: position < shownLegend && own.length > 0,
        x: own.map((index) => source.measured[index]), y: own.map((index) => scheme.predicted[index]),
        text: own.map((index) => source.names[index]),
        customdata: own.map((index) => told(scheme, source, index)),
        marker: { color: family.color, symbol: family.symbol, size: 8, opacity: 0.85 },
        ...(bounds ? { error_y: bounds } : {}),
        hovertemplate: `%{text}<br>measured %{x} ${source.unit}<br>predicted %{customdata}<extra></extra>`,
      };
    });
    const values = found.flatMap((index) => [source.measured[index], scheme.predicted[index]]);
    const low = values.reduce((a, b) => Math.min(a, b), Infinity) / 1.3, high = values.reduce((a, b) => Math.max(a, b), 0) * 1.3;
    const line = (factor, dash) => ({
      type: "scatter", mode: "lines", x: [low, high], y: [low * factor, high * factor], hoverinfo: "skip", showlegend: false,
      line: { color: colour("soft"), width: 1, dash },
    });
    const range = [Math.log10(low), Math.log10(high)], across = found.length ? logTicks(low, high, div.clientWidth - 200) : {};
    const up = found.length ? logTicks(low, high, 700) : {};
    draw(div, [line(1, "solid"), line(2, "dot"), line(0.5, "dot"), ...traces], {
      xaxis: { type: "log", range, ...across, title: { text: `Measured, ${source.unit}` } },
      yaxis: { type: "log", range, ...up, title: { text: `Predicted, ${source.unit}` } },
      legend: innerWidth < 700
        ? { orientation: "h", x: 0, y: -0.16, yanchor: "top", font: { size: 10 } }
        : { orientation: "v", x: 1.01, xanchor: "left", y: 1, font: { size: 11 } },
    });
    const errors = found.map((index) => Math.abs(scheme.predicted[index] / source.measured[index] - 1) * 100);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    const without = source.measured.length - found.length;
    const text = found.length ? `Shown: ${found.length} models, mean error ${percent(mean)}.` : "This algorithm made no predictions under this scheme.";
    document.querySelector(`[data-predicted-note="${CSS.escape(metric)}"]`).textContent =
      text + (found.length && without ? ` ${without} models have no positive prediction here and are not drawn.` : "");
  };

  for (const div of document.querySelectorAll("[data-predicted]")) {
    redraws.set(div, () => drawPredicted(div));
    for (const what of ["algorithm", "scheme"])
      document.querySelector(`[data-predicted-${what}="${CSS.escape(div.dataset.predicted)}"]`).addEventListener("change", () => drawPredicted(div));
  }

  // ---- samples of a model -----------------------------------------------------------------------------------------

  const unpack = (packed) => {
    if (!packed) return [];
    const bytes = Uint8Array.from(atob(packed.steps), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer), values = [];
    for (let at = 0; at < bytes.length; at += 2)
      values.push(packed.low + ((packed.high - packed.low) * view.getUint16(at, true)) / 65535);
    return values;
  };

  const quantile = (sorted, share) => {
    const at = (sorted.length - 1) * share, low = Math.floor(at);
    return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low);
  };

  // The first inference can take a hundred times as long as the others, which would press these into a line.
  const keptRange = (wall) => {
    const low = Math.min(...wall), high = Math.max(...wall), room = Math.max((high - low) * 0.1, high * 0.05);
    return [Math.max(0, low - room), high + room];
  };

  const drawSeries = (entry, wall) => {
    const warmup = unpack(entry.warmup), process = unpack(entry.process);
    const points = (x, y, name, color, extra) => ({
      type: "scatter", mode: "lines+markers", x, y, name, line: { width: 1, color }, marker: { size: 4, color },
      hovertemplate: "iteration %{x}: %{y:.4g} ms<extra></extra>", ...extra,
    });
    const kept = wall.map((_, index) => index), visits = entry.visits;
    const where = (index) => {
      const last = visits.filter((visit) => visit[0] <= index).pop();
      return last ? `<br>round ${last[1]}, visit ${last[2]}${last[3] ? ", disturbed" : ""}` : "";
    };
    const wallTrace = points(kept, wall, "wall", "#0072b2", { text: kept.map(where), hovertemplate: "iteration %{x}: %{y:.4g} ms%{text}<extra></extra>" });
    const traces = [wallTrace];
    if (warmup.length) traces.push(points(warmup.map((_, index) => index - warmup.length), warmup, "wall, warm-up (discarded)", "#d55e00"));
    if (process.length) traces.push(points(process.map((_, index) => index), process, "process", "#009e73", { visible: "legendonly" }));
    const edge = (x, dash) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: colour("soft"), width: 1, dash } });
    const shapes = visits.slice(1).map((visit) => edge(visit[0] - 0.5, "dot"));
    const area = (x0, x1, fillcolor) => ({ type: "rect", x0, x1, yref: "paper", y0: 0, y1: 1, fillcolor, opacity: 0.12, line: { width: 0 } });
    if (warmup.length) shapes.push(area(-warmup.length - 0.5, -0.5, "#d55e00"));
    visits.forEach((visit, index) => {
      if (visit[3]) shapes.push(area(visit[0] - 0.5, (visits[index + 1]?.[0] ?? wall.length) - 0.5, "#8a93a0"));
    });
    const [low, location, high] = entry.judged;
    const across = (y0, y1, extra) => ({ xref: "paper", x0: 0, x1: 1, y0, y1, ...extra });
    if (location) {
      shapes.push(across(low ?? location, high ?? location, { type: "rect", fillcolor: "#009e73", opacity: 0.25, line: { width: 0 } }));
      shapes.push(across(location, location, { type: "line", line: { color: "#009e73", width: 1.5 } }));
    }
    draw(document.getElementById("sample-series"), traces, {
      shapes, xaxis: { title: { text: "Iteration" }, zeroline: false },
      yaxis: { title: { text: "Time, ms" }, ...(whole.checked ? { rangemode: "tozero" } : { range: keptRange(wall) }) },
    });
    const cut = warmup.filter((value) => value > keptRange(wall)[1]).length;
    return cut && !whole.checked ? ` ${cut} warm-up samples, up to ${short(Math.max(...warmup))} ms, are above the picture.` : "";
  };

  const drawHistogram = (wall, mean, deviation, median) => {
    const sorted = [...wall].sort((a, b) => a - b), low = sorted[0], high = sorted[sorted.length - 1];
    const width = (2 * (quantile(sorted, 0.75) - quantile(sorted, 0.25))) / Math.cbrt(wall.length) || (high - low) / 20 || 1e-6;
    // Freedman and Diaconis' width, but a series with spikes would get thousands of bins.
    const bins = Math.max(5, Math.min(80, Math.ceil((high - low) / width) || 1)), size = (high - low) / bins || 1e-6;
    const counts = new Array(bins).fill(0);
    for (const value of wall) counts[Math.min(bins - 1, Math.floor((value - low) / size))] += 1;
    const bars = { type: "bar", x: counts.map((_, bin) => low + (bin + 0.5) * size), y: counts, width: size, name: "samples", marker: { color: "#0072b2" }, hovertemplate: "%{x:.4g} ms: %{y} samples<extra></extra>" };
    const grid = Array.from({ length: 80 }, (_, step) => low + ((high - low) * step) / 79);
    const normal = { type: "scatter", mode: "lines", name: "normal", x: grid, y: grid.map((x) => (wall.length * size * Math.exp(-0.5 * ((x - mean) / deviation) ** 2)) / (deviation * Math.sqrt(2 * Math.PI))), line: { color: "#d55e00", width: 2 }, hoverinfo: "skip" };
    const top = Math.max(...counts);
    const mark = (x, name, dash) => ({ type: "scatter", mode: "lines", name, x: [x, x], y: [0, top], line: { color: colour("ink"), width: 1.5, dash }, hovertemplate: `${name} ${short(x)} ms<extra></extra>` });
    const traces = [bars, ...(deviation > 0 ? [normal] : []), mark(mean, "mean", "solid"), mark(median, "median", "dot")];
    draw(document.getElementById("sample-histogram"), traces, { bargap: 0, xaxis: { title: { text: "Wall time, ms" } }, yaxis: { title: { text: "Samples" } } });
  };

  const chooser = document.getElementById("sample-model"), whole = document.getElementById("sample-whole");
  const drawSample = () => {
    const entry = samples[Number(chooser.value)], wall = unpack(entry.wall);
    const mean = wall.reduce((sum, value) => sum + value, 0) / wall.length;
    const deviation = Math.sqrt(wall.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, wall.length - 1));
    const median = quantile([...wall].sort((a, b) => a - b), 0.5);
    const cut = drawSeries(entry, wall);
    drawHistogram(wall, mean, deviation, median);
    const [low, location, high] = entry.judged;
    const interval = low === null || high === null ? "" : ` (95 % interval ${short(low)} – ${short(high)} ms)`;
    const judged = location ? `, estimated ${short(location)} ms${interval}` : "";
    document.getElementById("sample-note").textContent =
      `${chooser.selectedOptions[0].textContent}: ${wall.length} kept samples${judged}, mean ${short(mean)} ms, median ${short(median)} ms, standard deviation ${short(deviation)} ms. ${entry.trust[0].toUpperCase()}${entry.trust.slice(1)}.${cut}`;
  };

  if (chooser) {
    const step = (by) => {
      chooser.selectedIndex = (chooser.selectedIndex + by + chooser.length) % chooser.length;
      drawSample();
    };
    chooser.addEventListener("change", drawSample);
    whole.addEventListener("change", drawSample);
    document.getElementById("sample-previous").addEventListener("click", () => step(-1));
    document.getElementById("sample-next").addEventListener("click", () => step(1));
    for (const link of document.querySelectorAll('a[href="#samples"][data-item]'))
      link.addEventListener("click", () => {
        chooser.value = link.dataset.item;
        drawSample();
        setTimeout(() => chooser.closest(".controls").scrollIntoView(), 0);
      });
    redraws.set(document.getElementById("sample-series"), drawSample);
  }
})();
