/** The grid's look. A constructed sheet: it needs no inline style, which the daemon's policy forbids. */
export const styles = /* css */ `
:host {
  --row: 1.375rem;
  --pad: 0.42ch;
  --gap: 1.1ch;
  --quad-gap: 0.45ch;
  display: grid;
  grid-template-columns: minmax(0, 1fr) auto;
  min-width: 0;
  min-height: 0;
  position: relative;
  overflow: hidden;
  background: var(--hex-background, Canvas);
  color: var(--hex-text, CanvasText);
  font: 400 var(--hex-font-size, 0.8125rem) / var(--row) var(--hex-font, ui-monospace, monospace);
  font-variant-ligatures: none;
  font-kerning: none;
  font-variant-numeric: slashed-zero tabular-nums;
  -webkit-text-size-adjust: none;
  text-size-adjust: none;
}
:host([hidden]) { display: none; }
.pane {
  overflow-x: auto;
  overflow-y: hidden;
  scrollbar-width: thin;
  min-width: 0;
  height: 100%;
  touch-action: pan-x;
  user-select: none;
  -webkit-user-select: none;
  -webkit-touch-callout: none;
}
.grid {
  height: 100%;
  width: max-content;
  min-width: 100%;
  display: flex;
  flex-direction: column;
  outline: none;
  cursor: text;
}
.head, .row { display: flex; height: var(--row); white-space: pre; }
.head {
  flex: none;
  color: var(--hex-muted, GrayText);
  border-bottom: 1px solid var(--hex-line, GrayText);
  cursor: default;
}
.body { flex: 1; min-height: 0; overflow-y: clip; overflow-x: visible; position: relative; }
.rows { will-change: transform; }
.row[hidden] { display: none; }
.address {
  flex: none;
  position: sticky;
  left: 0;
  z-index: 1;
  box-sizing: content-box;
  width: calc(var(--digits, 8) * 1ch + (var(--quads, 2) - 1) * var(--quad-gap));
  padding: 0 1.2ch 0 1.4ch;
  background: var(--hex-background, Canvas);
  color: var(--hex-address, GrayText);
  cursor: default;
}
.quad + .quad { margin-left: var(--quad-gap); }
.address .lead { color: var(--hex-muted, GrayText); }
.row.current > .address { color: var(--hex-text, CanvasText); }
.row.current > .address .lead { color: var(--hex-muted, GrayText); }
.byte {
  flex: none;
  width: 2ch;
  padding: 0 var(--pad);
  text-align: center;
  position: relative;
}
.byte.gap { margin-left: var(--gap); }
.text { flex: none; display: flex; margin-left: 1.6ch; padding-right: 1.6ch; }
.char {
  flex: none;
  width: 1ch;
  text-align: left;
  overflow: visible;
  unicode-bidi: isolate;
  position: relative;
}
.head .current { color: var(--hex-text, CanvasText); font-weight: 600; }

/* Byte classes: weight and slant first, colour second. */
.zero { color: var(--hex-zero, GrayText); }
.printable { color: var(--hex-text, CanvasText); font-weight: 600; }
.control { color: var(--hex-control, CanvasText); font-style: italic; }
.high { color: var(--hex-high, CanvasText); }
.char.control, .char.high, .char.zero { font-style: normal; font-weight: 400; }
.char.high.printed { color: var(--hex-high, CanvasText); }

/* Not here yet: a quiet bar in the place of each byte, so that nothing moves when it comes. */
.byte.absent::after {
  content: '';
  position: absolute;
  inset: 42% calc(var(--pad) + 0.2ch) 42% auto;
  width: 1.6ch;
  border-radius: 1px;
  background: var(--hex-absent, GrayText);
}

.selected { background: var(--hex-selection, Highlight); color: var(--hex-selected-text, HighlightText); }
/* The gap before a group belongs to the selection when the bytes on both sides do. */
.byte.gap.selected.joined { box-shadow: calc(var(--gap) * -1 - 0.5px) 0 0 var(--hex-selection, Highlight); }
.highlit { background: var(--hex-highlight, Mark); color: var(--hex-text, MarkText); }
.match {
  background: var(--hex-match, Mark);
  color: var(--hex-match-text, MarkText);
  text-decoration: underline dotted 1.5px;
  text-underline-offset: 3px;
}
.byte.match.begin { box-shadow: inset 1.5px 0 var(--hex-match-edge, currentColor); }
.match.selected { background: var(--hex-match-selected, Highlight); color: var(--hex-selected-text, HighlightText); }
.hovered { box-shadow: inset 0 0 0 1px var(--hex-hover, GrayText); }
.marked::before {
  content: '';
  position: absolute;
  left: 0;
  right: 0;
  bottom: 1px;
  height: 2px;
  background: var(--hex-mark, currentColor);
}
.cursor {
  outline: 1.5px solid var(--hex-cursor, GrayText);
  outline-offset: -1.5px;
  border-radius: 2px;
  z-index: 1;
}
.grid:focus .cursor {
  outline-color: var(--hex-focus, Highlight);
  outline-width: 2px;
  outline-offset: -2px;
}

/* A hole's zeros are nowhere stored: struck out, on hatched ground. */
.hole { color: var(--hex-zero, GrayText); }
.byte.hole { text-decoration: line-through 1px color-mix(in srgb, var(--hex-hole, GrayText) 55%, transparent); }
.hollow {
  background: repeating-linear-gradient(
    135deg,
    transparent 0 5px,
    color-mix(in srgb, var(--hex-hole, GrayText) 16%, transparent) 5px 6px
  );
}
/* Another byte than before: a bar above it and tinted ground. */
.changed { background: var(--hex-changed, Mark); color: var(--hex-text, MarkText); }
.byte.changed::after {
  content: '';
  position: absolute;
  inset: 0 0 auto;
  height: 2px;
  background: var(--hex-changed-bar, currentColor);
}
.selected.changed { background: var(--hex-selection, Highlight); }
.band {
  position: absolute;
  top: 0;
  left: 0.5rem;
  right: calc(34px + 0.5rem);
  z-index: 2;
  width: fit-content;
  max-width: 100%;
  margin-inline: auto;
  padding: 0.35rem 0.4rem 0.35rem 0.9rem;
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0.3rem 0.5rem;
  border: 1px solid var(--hex-line, GrayText);
  border-radius: 8px;
  background: var(--hex-background, Canvas);
  color: var(--hex-text, CanvasText);
  font-family: var(--hex-ui-font, system-ui);
  pointer-events: none;
}
.band[hidden] { display: none; }
.band .what { margin-right: 0.5rem; }
.band button {
  font: inherit;
  line-height: 1.1;
  padding: 0.3em 0.7em;
  color: inherit;
  background: none;
  border: 1px solid var(--hex-line, GrayText);
  border-radius: 5px;
  cursor: pointer;
  pointer-events: auto;
}
.band button:hover { border-color: currentColor; }
.band button:focus-visible { outline: 2px solid var(--hex-focus, Highlight); outline-offset: 1px; }

.note { display: flex; align-items: center; gap: 1.5ch; padding: 0 1ch; color: var(--hex-error, CanvasText); font-family: var(--hex-ui-font, system-ui); }
.note[hidden] { display: none; }
.row.noted > .byte, .row.noted > .text { display: none; }
.note.quiet { color: var(--hex-muted, GrayText); }
.note button {
  font: inherit;
  line-height: 1.1;
  color: inherit;
  background: none;
  border: 1px solid currentColor;
  border-radius: 4px;
  padding: 0 0.6em;
  cursor: pointer;
}
.note button:focus-visible { outline: 2px solid var(--hex-focus, Highlight); outline-offset: 1px; }
.note button[hidden] { display: none; }

.track {
  position: relative;
  width: 15px;
  border-left: 1px solid var(--hex-line, GrayText);
  background: var(--hex-track, Canvas);
  touch-action: none;
  user-select: none;
  -webkit-user-select: none;
}
.track[hidden] { display: none; }
.thumb {
  position: absolute;
  top: 0;
  left: 3px;
  right: 3px;
  min-height: 4px;
  border-radius: 5px;
  background: var(--hex-thumb, GrayText);
}
.thumb::after { content: ''; position: absolute; inset: -2px -3px; }
.track:hover .thumb, .track.dragged .thumb { background: var(--hex-thumb-active, CanvasText); }
/* A window over the map. */
.track.mapped { width: 27px; }
.mapped .thumb, .mapped:hover .thumb, .mapped.dragged .thumb {
  left: 0;
  right: 0;
  border-radius: 3px;
  border: 2px solid var(--hex-thumb-active, CanvasText);
  background: color-mix(in srgb, var(--hex-thumb, GrayText) 30%, transparent);
}
.mapped:hover .thumb, .mapped.dragged .thumb { border-color: var(--hex-text, CanvasText); }
.bubble {
  position: absolute;
  right: 34px;
  top: 0;
  padding: 0 0.8ch;
  border-radius: 5px;
  background: var(--hex-bubble, CanvasText);
  color: var(--hex-bubble-text, Canvas);
  pointer-events: none;
  z-index: 3;
}
.bubble[hidden] { display: none; }
@media (pointer: coarse) {
  :host { --row: 1.625rem; }
  .track { width: 22px; }
  .track.mapped { width: 30px; }
  .thumb { left: 6px; right: 6px; }
  .bubble { right: 38px; }
}
@media (max-width: 480px) {
  :host { --pad: 0.3ch; --gap: 0.7ch; --quad-gap: 0.25ch; }
  .address { padding: 0 0.8ch 0 0.9ch; }
  .text { margin-left: 0.9ch; padding-right: 0.6ch; }
}
@media (forced-colors: active) {
  .selected { background: Highlight; color: HighlightText; forced-color-adjust: none; }
  .match { background: Mark; color: MarkText; forced-color-adjust: none; }
  .thumb { background: ButtonText; }
  .marked::before { background: CanvasText; forced-color-adjust: none; }
}
`;
