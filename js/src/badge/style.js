/** How the badge looks, within its shadow root. */
export const STYLE = `
:host { position: fixed; right: 12px; bottom: 12px; width: max-content; z-index: 2000; font: 12px/1.4 system-ui, sans-serif;
  display: flex; flex-direction: column-reverse; align-items: flex-end;
  --ink: #333; --paper: rgba(255, 255, 255, .96); --edge: #bbb; --faint: #666; }
button, .details { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--edge);
  box-shadow: 0 1px 4px rgba(0, 0, 0, .2); cursor: pointer; }
button { padding: 4px 10px; border-radius: 12px; max-width: calc(var(--room, 100vw) * .7); text-align: left; }
button::before { content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 6px; background: #f0ad4e; }
button.stopped::before { background: #d9534f; }
button.quiet::before { background: #5cb85c; }
button.quiet:not(:hover, :focus-visible, [aria-expanded="true"]) { font-size: 0; padding: 2px; box-shadow: none; opacity: .6; }
button.quiet:not(:hover, :focus-visible, [aria-expanded="true"])::before { margin: 0; display: block; }
button:focus-visible { outline: 2px solid #337ab7; outline-offset: 1px; }
.sign-in { order: 1; margin-bottom: 6px; padding: 6px 14px; border-radius: 14px; background: #337ab7; color: #fff; font-weight: bold;
  box-shadow: 0 1px 4px rgba(0, 0, 0, .2); }
.sign-in[hidden] { display: none; }
.sign-in:focus-visible { outline: 2px solid var(--ink); outline-offset: 1px; }
.details button::before { content: none; }
.details { order: 2; padding: 8px 12px; margin-bottom: 6px; border-radius: 8px; text-align: left; cursor: auto; }
.details[hidden] { display: none; }
dl { display: grid; grid-template-columns: auto auto; gap: 2px 12px; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.details button { margin: 6px 6px 0 0; }
.details button[hidden] { display: none; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-color-scheme: dark) { :host { --ink: #eee; --paper: rgba(40, 40, 40, .96); --edge: #666; --faint: #aaa; } }
`;
