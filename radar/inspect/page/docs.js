// A small viewer of /openapi.json, which needs nothing from elsewhere.

function made(kind, text, ...children) {
  const element = document.createElement(kind);
  if (text) element.textContent = text.replaceAll("`", "");
  element.append(...children);
  return element;
}

function kind(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  if (schema.type === "array") return `list of ${kind(schema.items || {})}`;
  return schema.format === "binary" ? "file" : schema.type || "any";
}

function table(names, rows) {
  const line = (cell, values) => made("tr", "", ...values.map((value) => made(cell, value)));
  return made("table", "", made("thead", "", line("th", names)), made("tbody", "", ...rows.map((row) => line("td", row))));
}

function fieldsOf(name, schema) {
  const rows = Object.entries(schema.properties).map(([field, each]) => [field, kind(each), each.description || ""]);
  return [made("h2", name), made("p", schema.description), table(["field", "is", "which is"], rows)];
}

function example(method, path, parameters) {
  const ask = method === "post" ? ["-F images=@one.png -F images=@two.png ", "--data-binary @one.png "] : [""];
  const query = parameters.length ? [`?${parameters[0].name}=one.png`] : [""];
  return ask.map((body, place) => `curl ${body}'${location.origin}${path}${place ? query[0] : ""}'`).join("\n");
}

function route(path, method, each) {
  const parameters = each.parameters || [], body = each.requestBody ? Object.keys(each.requestBody.content).join(", ") : "";
  const parts = [made("h2", `${method.toUpperCase()} ${path}`), made("p", `${each.summary}. ${each.description || ""}`), made("pre", example(method, path, parameters))];
  if (body) parts.push(made("p", `Body: ${body}`));
  if (parameters.length) parts.push(table(["parameter", "is", "which is"], parameters.map((one) => [`${one.name} (${one.in})`, kind(one.schema), one.description || ""])));
  const answers = Object.entries(each.responses).map(([code, one]) => {
    const content = one.content && one.content["application/json"];
    return [code, content ? kind(content.schema) : "", one.description];
  });
  parts.push(table(["status", "JSON", "when"], answers));
  return made("section", "", ...parts);
}

const told = await (await fetch("/openapi.json")).json();
const routes = Object.entries(told.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, each]) => route(path, method, each)));
const schemas = Object.entries(told.components.schemas).filter(([name]) => ["Prediction", "Region"].includes(name));
document.getElementById("routes").replaceChildren(...routes, made("section", "", ...schemas.flatMap(([name, schema]) => fieldsOf(name, schema))));
