// Quicker by keyboard: "/" goes to the search field, "j" and "k" walk the rows of a list, "Enter"
// follows the link that has the focus (the browser does that). Pages work without this file.
"use strict";
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
  if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll("tbody a.go")];
    const at = links.indexOf(document.activeElement);
    const next = links[event.key === "j" ? at + 1 : Math.max(at - 1, 0)];
    if (next) next.focus();
  }
});
