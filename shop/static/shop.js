// What scripts add to pages that work without them: counting down, printing, closing menus, sending a form once, a changed select.
"use strict";

const two = (n) => String(n).padStart(2, "0");

const ticking = new WeakMap(); // a swapped page starts its countdowns anew

function countDown(root) {
  for (const left of root.querySelectorAll("[data-seconds-left]")) {
    clearTimeout(ticking.get(left));
    const end = performance.now() + Number(left.dataset.secondsLeft) * 1000;
    const tick = () => {
      const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      const hours = Math.floor(seconds / 3600);
      const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
      left.textContent = seconds ? (hours ? `${hours}:${clock}` : clock) : left.dataset.over;
      if (seconds && left.isConnected) ticking.set(left, setTimeout(tick, 1000));
    };
    left.hidden = false;
    tick();
  }
}

// Buttons that people without scripts press (data-fallback) go away, and stay away when a part of the page is swapped.
document.documentElement.dataset.scripts = "on";

// A <select data-autosubmit> sends its form.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-autosubmit], input[data-autosubmit]")) event.target.form.requestSubmit();
});

// A double click sends a form once. The server holds anyway; this only spares the buyer a refusal.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A button that prints shows itself where there is a script to press it.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  closeMenus(null);
  menu?.querySelector("summary").focus();
});

countDown(document);
document.addEventListener("htmx:after:swap", () => countDown(document));
