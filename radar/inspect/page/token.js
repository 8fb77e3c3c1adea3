const status = document.getElementById("status");

async function admit(token) {
  const answer = await fetch("/token", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }) });
  if (answer.ok) location.replace("/"); else status.textContent = "This is not the token.";
}

document.getElementById("admit").addEventListener("submit", (event) => {
  event.preventDefault();
  admit(document.getElementById("token").value.trim());
});
const linked = location.hash.slice(1);  // which no browser sends, so no log holds it
if (linked) {
  history.replaceState(null, "", "/token");
  admit(linked);
}
