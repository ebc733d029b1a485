"use strict";
// Without it, the pages show everything. It searches, filters, sorts and copies, and asks nobody for anything.
(() => {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    const source = document.getElementById(button.dataset.copies);
    button.hidden = false;
    button.addEventListener("click", async () => {
      const selection = getSelection();
      selection.selectAllChildren(source);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        // Not every address has a clipboard: the command stays selected.
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  const state = new URLSearchParams(location.hash.slice(1));

  // What is shown is kept in the address, unless that names a part of the page.
  function keep(name, value) {
    if (value) state.set(name, value);
    else state.delete(name);
    const plain = location.pathname.split("/").pop() || "index.html";
    history.replaceState(null, "", state.size ? `#${state}` : plain);
  }

  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.v;
    return value === undefined ? cell.textContent : value === "" ? null : Number(value);
  };

  function sort(table, column, descending) {
    const body = table.tBodies[0];
    const sign = descending ? -1 : 1;
    const rows = [...body.rows].map((row, index) => ({ row, index, value: key(row, column) }));
    // What has no value comes last, in whichever order.
    rows.sort((a, b) =>
      a.value === b.value ? a.index - b.index
        : a.value === null ? 1
          : b.value === null ? -1
            : sign * (a.value < b.value ? -1 : 1));
    body.append(...rows.map(({ row }) => row));
    for (const [index, head] of [...table.tHead.rows[0].cells].entries()) {
      if (index === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
      if (head.dataset.plain !== undefined) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") === "ascending";
        sort(table, column, descending);
        if (table.id === "table") keep("sort", `${descending ? "-" : ""}${button.textContent}`);
      });
    }
  }

  const table = document.getElementById("table");
  if (!table) return;
  const form = document.querySelector("form.filter");
  const shown = document.getElementById("shown");
  const fields = ["search", "status", "contract", "model", "level", "tag", "ships"]
    .map((name) => document.getElementById(name)).filter(Boolean);
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    text: `${row.textContent} ${row.dataset.m || ""} ${row.dataset.t || ""}`.toLowerCase(),
    contract: row.cells[1].textContent,
    status: row.cells[2].textContent.split(" ")[0],
    level: row.cells[4].textContent,
    model: row.dataset.m || "",
    tag: (row.dataset.t || "").split(" "),
    ships: row.dataset.b !== undefined,
  }));
  const value = (field) => (field.type === "checkbox" ? (field.checked ? "yes" : "") : field.value);

  function filter() {
    const wanted = Object.fromEntries(fields.map((field) => [field.id, value(field)]));
    const words = wanted.search.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const one of rows) {
      const fits =
        (!wanted.status || one.status === wanted.status) &&
        (!wanted.contract || one.contract === wanted.contract) &&
        (!wanted.model || one.model === wanted.model) &&
        (!wanted.level || one.level === wanted.level) &&
        (!wanted.tag || one.tag.includes(wanted.tag)) &&
        (!wanted.ships || one.ships) &&
        words.every((word) => one.text.includes(word));
      if (one.row.hidden === fits) one.row.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${rows.length} shown`;
  }

  function changed(field) {
    keep(field.id, value(field));
    filter();
  }

  function restore() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const field of fields) {
      const told = given.get(field.id) || "";
      if (field.type === "checkbox") field.checked = told === "yes";
      else field.value = told;
      // A word that the list does not have selects nothing.
      if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = "";
      if (value(field)) state.set(field.id, value(field));
      else state.delete(field.id);
    }
    const named = given.get("sort") || "";
    const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    const column = heads.indexOf(named.replace(/^-/, ""));
    if (named && column >= 0) sort(table, column, named.startsWith("-"));
    filter();
  }

  for (const word of [...state.keys()]) {
    if (word !== "sort" && !fields.some((field) => field.id === word)) state.delete(word);
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => changed(event.target));
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const field of fields) {
      if (field.type === "checkbox") field.checked = false;
      else field.value = "";
      state.delete(field.id);
    }
    keep("search", "");
    filter();
  });
  for (const link of document.querySelectorAll("a[data-status]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const field = document.getElementById("status");
      field.value = link.dataset.status;
      changed(field);
      const heading = document.getElementById("falsifiers");
      heading.scrollIntoView();
      heading.focus({ preventScroll: true });
    });
  }
  addEventListener("hashchange", () => {
    if (location.hash.includes("=") || !location.hash) restore();
  });
  restore();
})();
