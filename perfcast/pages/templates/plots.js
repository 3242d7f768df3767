"use strict";
// The look of plots, in pages and in images.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const touch = matchMedia("(pointer: coarse)").matches;
  const hovers = matchMedia("(hover: hover)").matches;

  const axis = (given = {}, size) => ({
    gridcolor: colour("grid"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true,
    ...given,
    title: { standoff: 8, ...given.title, font: { size: size + 1, ...given.title?.font } },
  });

  const axesOf = (layout, size) => {
    const names = ["xaxis", "yaxis", ...Object.keys(layout).filter((name) => /^[xy]axis\d+$/.test(name))];
    return Object.fromEntries(names.map((name) => [name, axis(layout[name], size)]));
  };

  const layoutFor = (layout = {}, size = 12) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("ink"), size, family: getComputedStyle(document.body).fontFamily },
    margin: { l: 56, r: 16, t: hovers ? 34 : 14, b: 48 }, hoverlabel: { align: "left" }, dragmode: touch ? false : "zoom",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("soft"), activecolor: colour("accent") },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: size - 1 } },
    ...layout, ...axesOf(layout, size),
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

  const withLogTicks = (figure, width, height) => {
    const layout = { ...figure.layout };
    for (const letter of ["x", "y"]) {
      const name = `${letter}axis`;
      if (layout[name]?.type !== "log") continue;
      const boxes = ["q1", "q3", "lowerfence", "upperfence"];
      const keys = (trace) => (trace.type === "box" && letter === (trace.orientation === "h" ? "x" : "y") ? [letter, ...boxes] : [letter]);
      const known = figure.data.flatMap((trace) => keys(trace).flatMap((key) => trace[key] ?? []).flat()).filter((value) => value > 0);
      if (known.length) layout[name] = { ...layout[name], ...logTicks(Math.min(...known), Math.max(...known), letter === "x" ? width - 80 : 2 * height) };
    }
    return layout;
  };

  window.plots = { colour, hovers, layoutFor, logTicks, withLogTicks };
})();
