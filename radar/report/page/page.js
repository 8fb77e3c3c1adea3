"use strict";

// Tables: a heading sorts by the number behind a cell where it has one, else by its text.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const descending = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };
    const rows = [...table.tBodies[0].rows];
    rows.sort((first, second) => {
      const [a, b] = [key(first), key(second)];
      if (a === null && b === null) {
        const order = first.cells[column].textContent.localeCompare(second.cells[column].textContent, "en", { numeric: true });
        return descending ? -order : order;
      }
      if (a === null) return 1; // what was not measured stays at the end
      if (b === null) return -1;
      return descending ? b - a : a - b;
    });
    table.tBodies[0].append(...rows);
  }));
}

// Gallery
const runs = JSON.parse(document.getElementById("gallery-data").textContent);
const part = (name) => document.getElementById("gallery-" + name);
const PAGE = 60;
let shown = PAGE;

const option = (value) => Object.assign(document.createElement("option"), { value, textContent: value });
runs.forEach((run, index) => part("run").append(Object.assign(option(run.name), { value: index })));

function chooseRun() {
  const before = part("defect").value;
  const every = Object.assign(option("all"), { value: "" }); // a class may be called all, and none is without a name
  const defects = [...new Set(runs[part("run").value].images.map((image) => image[1]))].sort();
  part("defect").replaceChildren(every, ...defects.map(option));
  if (defects.includes(before)) part("defect").value = before;
}

const OUTCOMES = {
  all: () => true,
  right: ([, , label, , called]) => label === called,
  wrong: ([, , label, , called]) => label !== called,
  missed: ([, , label, , called]) => label === 1 && called === 0,
  alarm: ([, , label, , called]) => label === 0 && called === 1,
  borderline: ([, , , , , near]) => near === 1,
};

function outcome(label, called) {
  if (label === called) return label ? "defect found" : "normal passed";
  return label ? "defect missed" : "false alarm";
}

function card([path, defect, label, score, called, near, pictures], threshold) {
  const box = document.createElement("div");
  box.className = label === called ? "card" : "card wrong";
  if (pictures.length) {
    const row = document.createElement("div");
    row.className = "pictures";
    ["input", "anomaly map"].forEach((name, index) => {
      row.append(Object.assign(document.createElement("img"), { src: pictures[index], alt: `${name} of ${path}` }));
    });
    box.append(row);
  }
  const lines = [outcome(label, called) + (near ? ", borderline" : ""), defect, `score ${score} (threshold ${threshold})`, path];
  lines.forEach((text, index) => {
    box.append(Object.assign(document.createElement(index ? "div" : "b"), { textContent: text }));
  });
  return box;
}

function draw() {
  const run = runs[part("run").value];
  const [defect, wanted] = [part("defect").value, OUTCOMES[part("outcome").value]];
  const found = run.images.filter((image) => {
    return (defect === "" || image[1] === defect) && wanted(image) && (!part("pictures").checked || image[6].length);
  });
  const distance = (image) => Math.abs(image[3] - run.threshold);
  const order = part("order").value;
  if (order === "high") found.sort((a, b) => b[3] - a[3]);
  if (order === "near") found.sort((a, b) => distance(a) - distance(b));
  part("cards").replaceChildren(...found.slice(0, shown).map((image) => card(image, run.threshold)));
  const pictured = found.filter((image) => image[6].length).length;
  part("count").textContent = `${found.length} of ${run.images.length} test images, ${pictured} with pictures`;
  part("more").hidden = found.length <= shown;
}

function redraw() {
  shown = PAGE;
  draw();
}

if (runs.length) {
  chooseRun();
  draw();
  part("run").addEventListener("change", () => { chooseRun(); redraw(); });
  for (const name of ["defect", "outcome", "order", "pictures"]) part(name).addEventListener("change", redraw);
  part("more").addEventListener("click", () => { shown += PAGE; draw(); });
}
