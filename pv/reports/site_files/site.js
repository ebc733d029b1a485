"use strict";
// Without it, the page shows everything.
(() => {
  const search = document.getElementById("search");
  const status = document.getElementById("status");
  const shown = document.getElementById("shown");
  const groups = [...document.querySelectorAll("#falsifiers tbody")].map((body) => ({
    body,
    name: body.querySelector("th").textContent.toLowerCase(),
    rows: [...body.querySelectorAll("tr[data-status]")].map((row) => ({
      row,
      text: row.textContent.toLowerCase(),
    })),
  }));

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const group of groups) {
      let any = false;
      for (const { row, text } of group.rows) {
        const fits =
          (!status.value || row.dataset.status === status.value) &&
          words.every((word) => text.includes(word) || group.name.includes(word));
        row.hidden = !fits;
        any = any || fits;
        count += fits;
      }
      group.body.hidden = !any;
    }
    shown.textContent = `${count} shown`;
    const query = new URLSearchParams();
    if (search.value) query.set("search", search.value);
    if (status.value) query.set("status", status.value);
    history.replaceState(null, "", query.size ? `#${query}` : location.pathname.split("/").pop() || "index.html");
  }

  const given = new URLSearchParams(location.hash.slice(1));
  search.value = given.get("search") || "";
  status.value = given.get("status") || "";
  search.form.hidden = false;
  search.form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", filter);
  status.addEventListener("change", filter);
  filter();
})();
