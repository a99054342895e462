async () => {
  // All charts that are shown, one below the other, as one picture on the page's background.
  const plots = [...document.querySelectorAll(".js-plotly-plot")].filter((plot) => plot.offsetParent);
  if (!plots.length) return;
  const style = getComputedStyle(document.body);
  const [ink, paper] = [style.getPropertyValue("--body-text-color"), style.getPropertyValue("--body-background-fill")];
  const NOTE = 11; // px of what stands below each chart: where its numbers come from
  const notes = plots.map((plot) => plot.layout?.meta?.source ?? "");
  const sizes = plots.map((plot) => plot.getBoundingClientRect());
  const lines = (pen, text, width) => text.split(" · ").reduce((found, part) => {
    const longer = found.length ? `${found.at(-1)} · ${part}` : part;
    if (found.length && pen.measureText(longer).width <= width) return [...found.slice(0, -1), longer];
    return [...found, part];
  }, []);
  const canvas = document.createElement("canvas");
  const scale = 2;
  const pen = canvas.getContext("2d");
  const font = `${NOTE}px ${style.getPropertyValue("--font")}`;
  pen.font = font;
  const said = notes.map((note, i) => (note ? lines(pen, note, sizes[i].width - 2 * NOTE) : []));
  const room = said.map((each) => (each.length ? (1.4 * each.length + 1) * NOTE : 0));
  canvas.width = scale * Math.max(...sizes.map((size) => size.width));
  canvas.height = scale * sizes.reduce((sum, size, i) => sum + size.height + room[i], 0);
  pen.scale(scale, scale);
  pen.fillStyle = paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  let y = 0;
  for (const [i, plot] of plots.entries()) {
    for (const layer of plot.querySelectorAll("svg.main-svg")) {
      const copy = layer.cloneNode(true);
      copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
      copy.querySelectorAll("text").forEach((text) => { text.style.fill = ink; });
      const image = new Image();
      const source = new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
      image.src = URL.createObjectURL(source);
      await image.decode();
      pen.drawImage(image, 0, y, sizes[i].width, sizes[i].height);
      URL.revokeObjectURL(image.src);
    }
    y += sizes[i].height;
    pen.font = font;
    pen.fillStyle = ink;
    said[i].forEach((line, at) => pen.fillText(line, NOTE, y + 1.4 * NOTE * at + NOTE));
    y += room[i];
  }
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = "specchat-charts.png";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}
