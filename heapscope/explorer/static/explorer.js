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

// Search in an icicle lights up what matches.
document.addEventListener("input", (event) => {
  const field = event.target.closest("[data-light]");
  if (!field) return;
  const text = field.value.trim().toLowerCase();
  let count = 0;
  document.querySelectorAll(".icicle a[data-name]").forEach((block) => {
    const matches = text !== "" && block.dataset.name.toLowerCase().includes(text);
    block.classList.toggle("lit", matches);
    if (matches) count += 1;
  });
  const output = document.querySelector("[data-light-count]");
  if (output) output.textContent = text === "" ? "" : `${count} shown`;
});
