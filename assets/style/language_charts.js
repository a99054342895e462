// Charts in the chosen language: a figure is translated on its way to Plotly, which then finds room
// for the German words; the figure as it came is kept for a change of mind.
(() => {
  const TITLE_WIDTH = 44; // characters of a line, as in charts.py
  const figures = new WeakMap(); // plot -> the figure as it came
  let library;

  function wrapped(text) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const line = lines[lines.length - 1];
      if (line && line.length + word.length >= TITLE_WIDTH) lines.push(word);
      else lines[lines.length - 1] = line ? `${line} ${word}` : word;
    }
    return lines.join("<br>");
  }

  function unwrapped(text) {
    return text.replace(/<br>/g, " ").replace(/n\u00a0=\u00a0/g, "n = ");
  }

  function title(text) {
    return wrapped(specchat.say(unwrapped(text)).replace(/n = /g, "n\u00a0=\u00a0"));
  }

  function label(value) {
    if (typeof value !== "string" || /^\d{4}-/.test(value)) return value;
    if (/^[\d,.]+$/.test(value)) return specchatGerman.figures(value);
    return value.split(/(<br>|<extra>|<\/extra>)/).map((part) => specchat.say(part)).join("");
  }

  function labels(values) {
    return Array.isArray(values) ? values.map(label) : label(values);
  }

  function translated({ data, layout }) {
    const said = structuredClone({ data, layout });
    for (const trace of said.data) {
      for (const name of ["name", "text", "hovertemplate", "x", "y"]) {
        if (trace[name] !== undefined) trace[name] = labels(trace[name]);
      }
    }
    said.layout.separators = ",.";
    if (said.layout.meta?.source) said.layout.meta.source = specchat.say(said.layout.meta.source);
    if (said.layout.title?.text) said.layout.title.text = title(said.layout.title.text);
    for (const name of ["xaxis", "yaxis"]) {
      const axis = said.layout[name];
      if (axis?.title?.text) axis.title.text = specchat.say(axis.title.text);
      if (axis?.categoryarray) axis.categoryarray = labels(axis.categoryarray);
    }
    return said;
  }

  function shown(figure) {
    return specchat.isGerman() ? translated(figure) : structuredClone(figure);
  }

  function hooked(plotly) {
    const react = plotly.react;
    plotly.react = (plot, data, layout, config) => {
      figures.set(plot, { data, layout });
      const now = shown({ data, layout });
      return react.call(plotly, plot, now.data, now.layout, config);
    };
    specchat.chosen(() => {
      for (const plot of document.querySelectorAll(".js-plotly-plot")) {
        const figure = figures.get(plot);
        if (!figure) continue;
        const now = shown(figure);
        react.call(plotly, plot, now.data, now.layout);
      }
    });
    return plotly;
  }

  Object.defineProperty(window, "Plotly", {
    configurable: true,
    get: () => library,
    set: (plotly) => { library = hooked(plotly); },
  });
})();
