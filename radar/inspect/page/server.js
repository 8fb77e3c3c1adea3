// Requests to the server that this page came from; an error has the server's own words.

export async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  if (answer.status === 401) location.assign("/token");
  const told = await answer.json().catch(() => null);
  if (answer.ok) return told;
  const detail = told && told.detail;
  throw new Error(typeof detail === "string" ? detail : `the server answers ${answer.status}`);
}

export const tell = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
