// Small helps; every page works without them.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const text = button.parentElement.querySelector("pre").textContent;
    const say = (word) => { button.textContent = word; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(text).then(() => say("Copied"), () => say("Select it"));
    } else {
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("pre"));
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      say("Selected");
    }
    return;
  }
  // A link in a line that opens: follow it, and do not open the line as well.
  if (event.target.closest("summary a")) event.stopPropagation();
}, true);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.querySelector(".go input[type=search]").focus();
  }
  // Arrow keys walk through the lines of a tree, and open and close them.
  const line = event.target.closest("summary");
  if (!line || typing) return;
  const lines = [...document.querySelectorAll("main summary")].filter((each) => each.offsetParent !== null);
  const at = lines.indexOf(line);
  if (event.key === "ArrowDown" && lines[at + 1]) { event.preventDefault(); lines[at + 1].focus(); }
  if (event.key === "ArrowUp" && lines[at - 1]) { event.preventDefault(); lines[at - 1].focus(); }
  const details = line.parentElement;
  if (event.key === "ArrowRight" && !details.open) { event.preventDefault(); line.click(); }
  if (event.key === "ArrowLeft" && details.open) { event.preventDefault(); line.click(); }
});

// On a narrow screen the page that is open may be among those that are out of sight.
document.querySelector(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Search in an icicle lights up what matches.
document.addEventListener("input", (event) => {
  const field = event.target.closest("[data-light]");
  if (!field) return;
  const text = field.value.trim().toLowerCase();
  let count = 0;
  document.querySelectorAll(".map a[data-name]").forEach((block) => {
    const matches = text !== "" && block.dataset.name.toLowerCase().includes(text);
    block.classList.toggle("lit", matches);
    if (matches) count += 1;
  });
  const output = document.querySelector("[data-light-count]");
  if (output) output.textContent = text === "" ? "" : `${count} shown`;
});

// Completion of tables, columns and class names in a query; Ctrl-Enter asks.
(() => {
  let asked = 0;
  const word = (field) => field.value.slice(0, field.selectionStart).match(/"?[\w.$]+$/);
  const list = (field) => field.parentElement.querySelector(".names");
  const close = (field) => { const names = list(field); names.hidden = true; names.replaceChildren(); };
  const pick = (field, item) => {
    const match = word(field);
    const end = field.selectionStart;
    const begin = match ? end - match[0].length : end;
    const after = field.value[end] === '"' && item.dataset.pick.endsWith('"') ? end + 1 : end;
    field.setRangeText(item.dataset.pick, begin, after, "end");
    close(field);
    field.focus();
  };
  document.addEventListener("input", async (event) => {
    const field = event.target.closest("textarea[data-complete]");
    if (!field) return;
    const match = word(field);
    const begin = match ? match[0].replace(/^"/, "") : "";
    if (begin.length < 2) { close(field); return; }
    const number = ++asked;
    const address = new URL(field.dataset.complete, location.href);
    address.searchParams.set("begin", begin);
    const answer = await fetch(address);
    if (number !== asked || !answer.ok) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const names = list(field);
    names.replaceChildren(...parsed.querySelectorAll("[data-pick]"));
    names.hidden = names.children.length === 0;
    if (names.firstElementChild) names.firstElementChild.setAttribute("aria-selected", "true");
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("textarea[data-complete]");
    if (!field) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); field.form.requestSubmit(); return; }
    const names = list(field);
    if (names.hidden) return;
    const at = names.querySelector("[aria-selected=true]");
    if (event.key === "Escape") close(field);
    else if ((event.key === "Tab" || event.key === "Enter") && at) { event.preventDefault(); pick(field, at); }
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && at) {
      const next = event.key === "ArrowDown" ? at.nextElementSibling : at.previousElementSibling;
      if (next) { event.preventDefault(); at.removeAttribute("aria-selected"); next.setAttribute("aria-selected", "true"); }
    }
  });
  document.addEventListener("click", (event) => {
    const item = event.target.closest(".names li");
    if (item) pick(item.closest(".editor").querySelector("textarea"), item);
  });
})();
