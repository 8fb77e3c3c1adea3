import { chosen, dropped } from "/page/files.js";
import { draw, number, range } from "/page/histogram.js";
import { ask, tell } from "/page/server.js";

const at = (id) => document.getElementById(id);
const state = { model: null, photos: [], scores: {}, reviewed: { good: [], defective: [] }, key: null, threshold: 0, stop: false, sending: false };
const NAMES = { flagged: "flagged", passed: "passes", unreadable: "unreadable" };

const current = () => state.photos.find((photo) => photo.key === state.key) || null;
const stored = () => state.model.thresholds.find((each) => each.name === state.model.current).value;
const verdictOf = ({ prediction: { score } }) => score === null ? "unreadable" : score > state.threshold ? "flagged" : "passed";
const url = (photo, layer) => `/photos/${photo.key}/${layer}`;
const quoted = (path) => /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'"'"'`)}'`;  // as a shell reads it
const short = (value) => String(Number(value.toPrecision(3)));
const percent = (part, all) => all ? ` (${short(100 * part / all)} %)` : "";

function made(kind, properties = {}, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

// --- gallery

function matching() {
  const wanted = at("filter").value;
  return state.photos.filter((photo) =>
    wanted === "all" || (wanted === "open" ? !photo.verdict && photo.prediction.score !== null : verdictOf(photo) === wanted));
}

function showGallery() {
  at("gallery").replaceChildren(...matching().map((photo) => {
    const kind = verdictOf(photo), { path, score } = photo.prediction;
    const picture = photo.layers.length ? made("img", { src: url(photo, "thumbnail"), alt: "", loading: "lazy" }) : made("span", { className: "none", textContent: "?" });
    const review = photo.verdict ? [made("span", { className: "mark unreadable", textContent: `called ${photo.verdict}` })] : [];
    const button = made("button", { type: "button", title: path }, picture,
      made("span", { className: "name", textContent: path.split("/").pop() }),
      made("span", { className: `mark ${kind}`, textContent: (score === null ? "" : `${short(score)} `) + NAMES[kind] }), ...review);
    button.dataset.key = photo.key;
    if (photo.key === state.key) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => select(photo.key));
    return made("li", {}, button);
  }));
  at("forget").disabled = !state.photos.length;
}

function select(key) {
  state.key = key;
  for (const button of at("gallery").querySelectorAll("button")) {
    if (button.dataset.key === key) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  }
  const item = at("gallery").querySelector("[aria-current]"), gallery = at("gallery");
  if (item) {  // within the gallery alone: the page itself stays where its reader is
    const one = item.getBoundingClientRect(), all = gallery.getBoundingClientRect();
    gallery.scrollBy(beyond(one.left, one.right, all.left, all.right), beyond(one.top, one.bottom, all.top, all.bottom));
  }
  showPhoto();
  showThreshold();
}

const beyond = (start, end, first, last) => start < first ? start - first : Math.max(0, end - last);

function step(by) {
  const shown = matching(), place = shown.findIndex((photo) => photo.key === state.key);
  const next = shown[place < 0 ? 0 : Math.min(Math.max(place + by, 0), shown.length - 1)];
  if (next) select(next.key);
}

// --- the photo at hand

function showPhoto() {
  const photo = current(), view = document.querySelector("[name=view]:checked").value;
  const seen = photo && photo.layers.length > 0;
  at("stack").classList.toggle("empty", !seen);
  at("nothing").hidden = Boolean(seen);
  at("nothing").textContent = photo ? `Unreadable: ${photo.prediction.error}` : "Nothing to show yet.";
  at("photo").hidden = !seen;
  at("layer").hidden = !seen || view === "photo";
  if (seen) {
    show(at("photo"), url(photo, "photo"), `Photo ${photo.prediction.path}`);
    if (view !== "photo") show(at("layer"), url(photo, view), view === "map" ? "Anomaly map" : `${photo.prediction.region_count} flagged regions`);
  }
  at("layer").style.opacity = at("opacity").value;
  at("opacity").disabled = view === "photo";
  const { path, width, height, milliseconds } = photo ? photo.prediction : {};
  at("caption").textContent = !photo ? "" : seen ? `${path}: ${width} × ${height} px, ${Math.round(milliseconds)} ms` : path;
  for (const verdict of ["good", "defective"]) {
    at(verdict).disabled = !seen;
    at(verdict).setAttribute("aria-pressed", String(Boolean(photo) && photo.verdict === verdict));
  }
  at("previous").disabled = at("next").disabled = matching().length < 2;
  showSaid(photo);
  showRegions(photo);
}

function show(image, source, text) {
  if (image.getAttribute("src") !== source) image.src = source;
  image.alt = text;
}

function showSaid(photo) {
  const facts = [];
  if (photo && photo.prediction.score !== null) {
    const { decision, score, threshold, threshold_name: name, p_value: p } = photo.prediction, kind = verdictOf(photo);
    facts.push(["score", number(score), ""], ["normals as extreme", `${short(100 * p)} %`, ""],
      ["decision", decision, ""], ["by threshold", `${name}, ${number(threshold)}`, ""],
      ["by the slider", kind === "flagged" ? "✗ flagged" : "✓ passes", kind]);
  }
  at("said").replaceChildren(...facts.flatMap(([name, value, kind]) => [made("dt", { textContent: name }), made("dd", { textContent: value, className: kind })]));
}

function showRegions(photo) {
  const regions = photo ? photo.prediction.regions : [];
  if (!regions.length) return at("regions").replaceChildren();
  const columns = ["x", "y", "width", "height", "area", "peak"];
  const head = made("tr", {}, ...columns.map((name) => made("th", { textContent: name, scope: "col" })));
  const rows = regions.map((region) => made("tr", {}, ...columns.map((name) => made("td", { textContent: number(region[name]) }))));
  const caption = made("caption", { className: "quiet", textContent: "Flagged regions, in pixels of the photo" });
  return at("regions").replaceChildren(made("table", {}, caption, made("thead", {}, head), made("tbody", {}, ...rows)));
}

async function review(verdict) {
  const photo = current();
  if (!photo || !photo.layers.length) return;
  try {
    const answer = await tell(`/photos/${photo.key}/verdict`, { verdict: photo.verdict === verdict ? "withdrawn" : verdict });
    photo.verdict = answer.verdict;
    state.reviewed = answer.reviewed;
  } catch (error) {
    say(error.message);
  }
  showGallery();
  showPhoto();
  showThreshold();
}

// --- threshold

function showThreshold() {
  const { model, threshold } = state, normals = model.normal_scores, scores = Object.values(state.scores), photo = current();
  const [low, high] = range(normals, scores, stored());
  const slider = at("threshold");
  [slider.min, slider.max] = [Math.min(low, threshold), Math.max(high, threshold)];
  slider.value = threshold;
  slider.setAttribute("aria-valuetext", number(threshold));
  if (document.activeElement !== at("exact")) at("exact").value = number(threshold);
  draw(at("histogram"), { normals, scores, threshold, chosen: photo ? photo.prediction.score : null, low: Number(slider.min), high: Number(slider.max) });
  const above = (values) => values.filter((score) => score > threshold).length;
  const lines = [`${above(scores)} of ${scores.length} photos seen would be flagged${percent(above(scores), scores.length)}`,
    `${above(normals)} of ${normals.length} normals would be${percent(above(normals), normals.length)}`];
  const { good, defective } = state.reviewed;
  const reviewed = [defective.length && `${above(defective)} of ${defective.length} defective found`, good.length && `${above(good)} of ${good.length} good flagged`];
  if (good.length + defective.length) lines.push(`reviewed: ${reviewed.filter(Boolean).join(", ")}`);
  at("counts").textContent = lines.join("\n");
  at("legend").textContent = `Bars: ${normals.length} normal images: those that the threshold comes from, or of the fit where it was set by hand. Line: threshold. Ticks: photos seen.` + (photo && photo.prediction.score !== null ? " Triangle: this photo." : "");
  at("store").querySelector("button").disabled = threshold === stored();
  at("back").disabled = threshold === stored();
  at("reviewed").textContent = good.length + defective.length ? `${good.length} called good, ${defective.length} defective; a threshold from them: radar calibrate ${quoted(model.run)} --reviewed ${quoted(model.reviewed)}` : "";
}

function setThreshold(value) {
  if (!Number.isFinite(value)) return;
  state.threshold = value;
  showThreshold();
  for (const button of at("gallery").querySelectorAll("button")) {
    const photo = state.photos.find((each) => each.key === button.dataset.key), kind = verdictOf(photo), mark = button.querySelector(".mark");
    if (!mark.classList.contains(kind)) { mark.className = `mark ${kind}`; mark.textContent = mark.textContent.replace(/flagged|passes/, NAMES[kind]); }
  }
  showSaid(current());
}

async function renew() {  // radar calibrate may have changed what decides
  const model = await ask("/model"), unmoved = state.threshold === stored();
  const changed = model.current !== state.model.current || model.thresholds.find((each) => each.name === model.current).value !== stored();
  state.model = model;
  if (!changed) return;
  at("stored").textContent = `${model.current} decides from now on; it was changed beside this page.`;
  if (unmoved) setThreshold(stored()); else showThreshold();
}

async function storeThreshold(event) {
  event.preventDefault();
  try {
    const before = state.model.current;
    const version = await tell("/thresholds", { value: state.threshold, reason: at("reason").value });
    state.model = await ask("/model");
    at("stored").textContent = `${version.name} decides from now on. Back to ${before}: radar calibrate ${quoted(state.model.run)} --use ${before}`;
    at("reason").value = "";
    setThreshold(version.value);
  } catch (error) {
    at("stored").textContent = error.message;
  }
}

// --- dropping

const say = (text) => { at("status").textContent = text; };

async function take({ photos, others }) {
  if (!photos.length) return say(others ? "No PNG, JPEG, BMP or TIFF among them that radar did not draw." : "");
  if (state.sending) return say("Wait until the photos before are done, or stop them.");
  Object.assign(state, { stop: false, sending: true });
  const refused = [], began = performance.now();
  at("sending").hidden = false;
  at("bar").max = photos.length;
  let done = 0;
  for (const { name, file } of photos) {
    if (state.stop) break;
    try {
      add(await ask(`/photos?name=${encodeURIComponent(name)}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file }));
    } catch (error) {
      refused.push(`${name}: ${error.message}`);
    }
    at("bar").value = ++done;
    const left = (performance.now() - began) / done * (photos.length - done) / 1000;
    say(`${done} of ${photos.length}` + (left > 3 ? `, about ${left > 90 ? `${Math.round(left / 60)} min` : `${Math.round(left)} s`} left` : ""));
  }
  at("sending").hidden = true;
  state.sending = false;
  say(`${done} of ${photos.length} photos asked about` + (others ? `; ${others} other files passed over` : ""));
  at("refused").hidden = !refused.length;
  at("refused").querySelector("summary").textContent = `${refused.length} not taken`;
  at("refused").querySelector("ul").replaceChildren(...refused.map((line) => made("li", { textContent: line })));
}

function add(photo) {
  state.photos = [photo, ...state.photos.filter((each) => each.key !== photo.key)].slice(0, state.model.limits.gallery);
  if (photo.prediction.score !== null) {
    delete state.scores[photo.key];  // a photo that comes again is the latest
    state.scores[photo.key] = photo.prediction.score;
    const keys = Object.keys(state.scores);
    if (keys.length > state.model.limits.scores) delete state.scores[keys[0]];
  }
  if (photo.prediction.threshold_name !== state.model.current) renew().catch((error) => say(error.message));
  showGallery();
  if (state.sending && at("bar").value) showThreshold(); else select(photo.key);
}

async function refresh() {
  const [model, held] = [await ask("/model"), await ask("/photos")];
  Object.assign(state, { model, ...held });
  if (!state.key) state.threshold = stored();
  showGallery();
  if (!current()) select(state.photos.length ? state.photos[0].key : null); else showThreshold();
  at("model").textContent = `${model.run.split("/").pop()} · ${model.method} on ${model.data_set}, ${model.size === null ? "any size" : `${model.size[1]} × ${model.size[0]} px`}, ${model.channels}`;
  if (model.coming) setTimeout(refresh, 2000);
}

function listen() {
  for (const id of ["files", "folder"]) at(id).addEventListener("change", async (event) => { const found = chosen(event.target.files); event.target.value = ""; take(await found); });
  addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragged"); });
  addEventListener("dragleave", () => document.body.classList.remove("dragged"));
  addEventListener("drop", async (event) => { event.preventDefault(); document.body.classList.remove("dragged"); take(await dropped(event.dataTransfer)); });
  at("stop").addEventListener("click", () => { state.stop = true; });
  at("filter").addEventListener("change", () => { showGallery(); showPhoto(); });
  at("forget").addEventListener("click", async () => { await ask("/photos", { method: "DELETE" }); state.key = null; state.scores = {}; state.photos = []; showGallery(); select(null); });
  for (const radio of document.querySelectorAll("[name=view]")) radio.addEventListener("change", showPhoto);
  at("opacity").addEventListener("input", showPhoto);
  at("size").addEventListener("click", () => at("size").setAttribute("aria-pressed", String(at("stack").classList.toggle("actual"))));
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  for (const verdict of ["good", "defective"]) at(verdict).addEventListener("click", () => review(verdict));
  at("threshold").addEventListener("input", () => setThreshold(Number(at("threshold").value)));
  at("exact").addEventListener("change", () => setThreshold(at("exact").value === "" ? NaN : Number(at("exact").value)));
  at("back").addEventListener("click", () => setThreshold(stored()));
  at("store").addEventListener("submit", storeThreshold);
  addEventListener("keydown", onKey);
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, summary")) return;
  const does = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), g: () => review("good"), d: () => review("defective"), z: () => at("size").click(),
    1: () => view("photo"), 2: () => view("map"), 3: () => view("flagged") }[event.key];
  if (does) { event.preventDefault(); does(); }
}

function view(name) {
  document.querySelector(`[name=view][value=${name}]`).checked = true;
  showPhoto();
}

listen();
setInterval(() => { if (state.model && !document.hidden) renew().catch(() => {}); }, 5000);  // what fails is told when a photo is asked about
refresh().catch((error) => say(`The server does not answer: ${error.message}`));
