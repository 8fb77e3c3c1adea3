// Scores of normal images as bars, those of photos as ticks below, the threshold as a line, the photo at hand as a mark.

const WIDTH = 400, BOTTOM = 112, BINS = 32, MARGIN = 8;  // MARGIN: half a slider's thumb, so that both lie below each other

export function range(normals, scores, threshold) {
  const least = Math.min(...normals, threshold), most = Math.max(...normals, threshold);
  const spread = most - least || Math.abs(most) || 1;
  const low = scores.reduce((a, b) => Math.min(a, b), least), high = scores.reduce((a, b) => Math.max(a, b), most);
  // far defects would press the normals into one bar: they stand at the edge
  return [Math.max(low, least - 2 * spread) - 0.05 * spread, Math.min(high, most + 2 * spread) + 0.05 * spread];
}

export function draw(svg, { normals, scores, threshold, chosen, low, high }) {
  const x = (score) => MARGIN + (Math.min(Math.max(score, low), high) - low) / (high - low) * (WIDTH - 2 * MARGIN);
  const counts = new Array(BINS).fill(0);
  for (const score of normals) counts[Math.min(BINS - 1, Math.floor((score - low) / (high - low) * BINS))] += 1;
  const tallest = Math.max(...counts, 1), width = (WIDTH - 2 * MARGIN) / BINS;
  const shapes = counts.map((count, bin) => {
    const height = count ? Math.max(2, count / tallest * (BOTTOM - 14)) : 0;
    return shape("rect", { class: "bar", x: MARGIN + bin * width + 0.5, y: BOTTOM - height, width: width - 1, height });
  });
  shapes.push(shape("line", { class: "axis", x1: 0, x2: WIDTH, y1: BOTTOM, y2: BOTTOM }));
  for (const score of scores) {
    const name = score > threshold ? "seen flagged" : "seen";
    shapes.push(shape("line", { class: name, x1: x(score), x2: x(score), y1: BOTTOM + 4, y2: BOTTOM + 18 }));
  }
  shapes.push(shape("line", { class: "limit", x1: x(threshold), x2: x(threshold), y1: 4, y2: BOTTOM + 22 }));
  if (chosen !== null) {
    const at = x(chosen);
    shapes.push(shape("path", { class: "chosen", d: `M${at} ${BOTTOM + 2} l-8 -13 h16 z` }));
  }
  shapes.push(label(number(low), 0, "start"), label(number(high) + (scores.some((score) => score > high) ? " and more" : ""), WIDTH, "end"));
  svg.replaceChildren(...shapes);
}

export const number = (value) => String(Number(value.toPrecision(4)));

function shape(kind, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function label(text, x, anchor) {
  const made = shape("text", { x, y: BOTTOM + 35, "text-anchor": anchor });
  made.textContent = text;
  return made;
}
