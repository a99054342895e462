async () => {
  // All charts that are shown, one below the other, as one picture on the page's background.
  const plots = [...document.querySelectorAll(".js-plotly-plot")].filter((plot) => plot.offsetParent);
  if (!plots.length) return;
  const style = getComputedStyle(document.body);
  const [ink, paper] = [style.getPropertyValue("--body-text-color"), style.getPropertyValue("--body-background-fill")];
  const sizes = plots.map((plot) => plot.getBoundingClientRect());
  const canvas = document.createElement("canvas");
  const scale = 2;
  canvas.width = scale * Math.max(...sizes.map((size) => size.width));
  canvas.height = scale * sizes.reduce((sum, size) => sum + size.height, 0);
  const pen = canvas.getContext("2d");
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
  }
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = "specchat-charts.png";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}
