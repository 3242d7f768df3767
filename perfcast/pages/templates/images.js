"use strict";
// Gives images the look of the page, on its light paper, with letters that stay readable when they are printed.
(() => {
  const { colour, layoutFor, withLogTicks } = window.plots, draw = Plotly.toImage;
  const letters = 14;

  // plotly.js names parts of an image by chance: the same figure shall give the same file.
  let state = 1;
  Math.random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };

  Plotly.toImage = (figure, options) => {
    state = 1;
    const layout = layoutFor(withLogTicks(figure, options.width, options.height), letters);
    return draw({ ...figure, layout: { ...layout, paper_bgcolor: colour("paper") } }, options);
  };
})();
