"""How the page of a family tree looks, by day and by night."""

STYLE = """\
:root { color-scheme: light dark; --page: #fff; --ink: #1d2126; --faint: #5c6670; --rule: #d9dee3; --panel: #f6f7f9;
  --raw: #8a6d1f; --raw-fill: #fdf6dd; --data: #17648f; --data-fill: #e6f3fb; --model: #6b3fa0; --model-fill: #f2eafb;
  --evaluation: #23733c; --evaluation-fill: #e6f6ea; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --ink: #e6e9ec; --faint: #9aa4ae; --rule: #343b42; --panel: #1c2025;
    --raw: #e3c766; --raw-fill: #2e2814; --data: #7cc3ee; --data-fill: #122b3b; --model: #c5a3f0; --model-fill: #2a1f3b;
    --evaluation: #83d69b; --evaluation-fill: #15301d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 1.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
p { margin: .3rem 0; overflow-wrap: anywhere; }
a { color: inherit; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.alias { font-size: .8rem; font-weight: normal; vertical-align: middle; border: 1px solid; border-radius: 9px;
  padding: 1px 8px; color: var(--model); }
.drawing { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; background: var(--panel); }
.legend span, td > span { border: 1px solid; border-radius: 5px; padding: 1px 7px; font-size: .85rem; }
.raw { color: var(--raw); background: var(--raw-fill); }
.data { color: var(--data); background: var(--data-fill); }
.model { color: var(--model); background: var(--model-fill); }
.evaluation { color: var(--evaluation); background: var(--evaluation-fill); }
svg { display: block; margin: 0 auto; width: 100%; height: auto; max-width: var(--natural);
  min-width: calc(.75 * var(--natural)); }
svg rect { stroke: currentColor; stroke-width: 1.5; }
.raw rect { fill: var(--raw-fill); }
.data rect { fill: var(--data-fill); }
.model rect { fill: var(--model-fill); }
.evaluation rect { fill: var(--evaluation-fill); }
svg text { fill: var(--ink); font: 11px ui-monospace, monospace; }
svg text.name { fill: currentColor; font: bold 13px system-ui, sans-serif; }
svg .lines path { fill: none; stroke: var(--faint); stroke-width: 1.3; marker-end: url(#arrow); }
svg marker path { fill: var(--faint); }
svg a:hover rect, svg a:focus rect { stroke-width: 3; }
section { margin: 0 0 12px; padding: 12px; border: 1px solid var(--rule); border-radius: 8px;
  background: var(--panel); }
section:target { outline: 2px solid var(--model); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 3px 12px 3px 0; overflow-wrap: anywhere; }
section > table > tbody > tr > th { width: 8.5em; color: var(--faint); font-weight: normal; }
.inner { width: auto; }
.inner th { font-weight: normal; }
.inner tr:first-child th { color: var(--faint); font-size: .85rem; }
ul { margin: 0; padding: 0; list-style: none; columns: 14em; }
@media (max-width: 600px) {
  svg { min-width: var(--natural); }
  section > table > tbody > tr > th, section > table > tbody > tr > td { display: block; padding: 0; width: auto; }
  section > table > tbody > tr > td { padding-bottom: 6px; }
}
"""
