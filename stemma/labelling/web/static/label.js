"use strict";
// Keys, and sending with retry. Without this script the forms work by themselves.
// A verdict is kept on this device until the server has it, so that neither a network nor a server that fails loses one;
// the server counts each form once, however often it is sent.

const KEPT = "stemma-labels:";
const FIRST_WAIT = 1000, LONGEST_WAIT = 15000, PATIENCE = 15000, SHOWN_FOR = 4000;
const SAID = {
  first: "First is better", second: "Second is better", tie: "Tie", both_bad: "Both bad", skip: "Skipped",
  rank: "Ranking saved",
};

const page = () => document.getElementById("page");
const memory = new Map();
let isSending = false, wake = null, hide = null;

function say(words, isWaiting = false) {
  const status = document.getElementById("status");
  status.textContent = words;
  status.classList.toggle("waiting", isWaiting);
  clearTimeout(hide);
  if (!isWaiting) hide = setTimeout(() => { status.textContent = ""; }, SHOWN_FOR);
}

// Kept requests: in localStorage, or in memory where the browser forbids it.
function keep(kept) {
  const key = KEPT + kept.id;
  memory.set(key, kept);
  try { localStorage.setItem(key, JSON.stringify(kept)); } catch { /* memory has it */ }
}
function drop(kept) {
  memory.delete(KEPT + kept.id);
  try { localStorage.removeItem(KEPT + kept.id); } catch { /* it was never there */ }
}
function allKept() {
  const found = new Map(memory);
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(KEPT)) found.set(key, JSON.parse(localStorage.getItem(key)));
    }
  } catch { /* memory is all there is */ }
  const mine = [...found.values()].filter((kept) => kept.person === page().dataset.person);
  return mine.sort((one, other) => one.time - other.time);
}

async function post(kept) {
  const fields = new URLSearchParams(kept.fields);
  fields.set("csrf", page().dataset.csrf);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const answer = await fetch(kept.url, {
      method: "POST", body: fields, signal: stop.signal, credentials: "same-origin", headers: { "X-Script": "1" },
    });
    return { answer, html: await answer.text() };
  } finally {
    clearTimeout(timer);
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => { clearTimeout(timer); resolve(); };
  });
}

async function sendAll() {
  if (isSending) return;
  isSending = true;
  let wait = FIRST_WAIT;
  try {
    for (let kept = allKept()[0]; kept; kept = allKept()[0]) {
      let result = null;
      try { result = await post(kept); } catch { /* no network, or no server */ }
      const status = result ? result.answer.status : 0;
      if (status === 401) return say("You are signed out. Your verdict is kept on this device: open your personal link again, and it is sent.", true);
      if (status === 419) return location.reload();
      if (status === 0 || status === 429 || status >= 500) {
        say("No connection to the server. Your verdict is kept on this device and is sent as soon as the connection is back.", true);
        await pause(wait);
        wait = Math.min(wait * 2, LONGEST_WAIT);
        continue;
      }
      drop(kept);
      wait = FIRST_WAIT;
      swap(result);
      say(result.answer.ok ? kept.said : document.querySelector("h1").textContent);
    }
  } finally {
    isSending = false;
    hold(false);
  }
}

// The page that the server answered with takes the place of this one.
function swap({ answer, html }) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const next = fresh.getElementById("page");
  if (!next) return location.reload();
  page().replaceWith(document.adoptNode(next));
  document.title = fresh.title;
  applySettings();
  window.scrollTo(0, 0);
  (document.getElementById("question") || document.getElementById("main")).focus({ preventScroll: true });
}

function hold(isHeld) {
  for (const button of document.querySelectorAll("form[data-verdict] button, form.undo button")) button.disabled = isHeld;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-verdict], form.undo")) return;
  event.preventDefault();
  if (isSending) return;
  const fields = [...new FormData(form, event.submitter)].filter(([name]) => name !== "csrf");
  const isUndo = form.matches(".undo"), own = Object.fromEntries(fields);
  keep({
    id: (isUndo ? "undo:" : "") + own.request, url: form.getAttribute("action"), fields, time: Date.now(),
    person: page().dataset.person, said: isUndo ? "Taken back" : SAID[own.choice],
  });
  hold(true);
  sendAll();
});
window.addEventListener("online", () => { if (wake) wake(); });

// Settings of this device.
const SETTINGS = [["raw", false], ["keys", true]];
function applySettings() {
  for (const [name, usual] of SETTINGS) {
    let chosen = null;
    try { chosen = localStorage.getItem("stemma-setting:" + name); } catch { /* the usual one */ }
    const box = document.getElementById(name);
    if (box) box.checked = chosen === null ? usual : chosen === "yes";
  }
  showKeys();
}
function showKeys() {
  const box = document.getElementById("keys");
  document.documentElement.classList.toggle("no-keys", Boolean(box) && !box.checked);
}
document.addEventListener("change", ({ target }) => {
  if (!SETTINGS.some(([name]) => name === target.id)) return;
  try { localStorage.setItem("stemma-setting:" + target.id, target.checked ? "yes" : "no"); } catch { /* for now only */ }
  showKeys();
});

// Keys. Not while something is written, nor with a key that the browser or a screen reader may want.
let tie = false, place = 0;
document.addEventListener("keydown", (event) => {
  const form = document.querySelector("form[data-verdict]"), box = document.getElementById("keys");
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || (box && !box.checked)) return;
  if (event.target.matches("textarea, select, input:not([type=radio], [type=checkbox])")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Enter" && event.target.matches("a, button, summary, input")) return;
  if (form && act(form, key)) return event.preventDefault();
  const button = document.querySelector(`button[data-key="${CSS.escape(key)}"]`);
  if (button && !button.disabled) {
    event.preventDefault();
    button.click();
  }
});
function act(form, key) {
  if (key === "n") return form.elements.note.focus(), true;
  if (form.matches("[data-ranking]")) return rank(form, key);
  if (key === "+" || key === "=") return strengthen(form, 1);
  if (key === "-") return strengthen(form, -1);
  return false;
}
function strengthen(form, step) {
  const boxes = [...form.querySelectorAll("[name=strength]")];
  const now = boxes.findIndex((box) => box.checked), next = now + step;
  if (now >= 0) boxes[now].checked = false;
  if (boxes[next]) boxes[next].checked = true;
  say(boxes[next] ? `${boxes[next].parentElement.textContent.trim()} better` : "No strength");
  return true;
}
function rank(form, key) {
  const selects = [...form.querySelectorAll("[data-place]")];
  if (selects.every((select) => !select.value)) { tie = false; place = 0; }
  if (key === "0") {
    selects.forEach((select) => { select.value = ""; });
    return say("Ranking cleared"), true;
  }
  if (key === "t") return tie = true, say("The next one equals the one before it"), true;
  const select = selects.find((one) => one.dataset.place === key);
  if (!select) return false;
  if (select.value) return say(`Answer ${key} has place ${select.value} already; 0 begins again`), true;
  const taken = selects.map((one) => Number(one.value));
  place = tie && place ? place : Math.max(0, ...taken) + 1;
  tie = false;
  select.value = String(place);
  return say(`Answer ${key}: place ${place}`), true;
}

document.documentElement.classList.add("scripted");
applySettings();
sendAll();
