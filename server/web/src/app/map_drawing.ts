/** The map as pixels: on the left the most frequent class as a texture, on the right a bar as long as the entropy is high. */

import { type ByteKind, byteKinds, type Region } from '../core/byte_map';

export type Ink = readonly [number, number, number];
export type Palette = Readonly<Record<ByteKind | 'entropy' | 'data', Ink>>;

/** Whether the texture of a class has ink at a place, in CSS pixels: to be told apart without colours. */
function inked(kind: ByteKind, x: number, y: number): boolean {
  switch (kind) {
    case 'zero':
      return x % 4 === 1 && y % 4 === 1;
    case 'printable':
      return y % 3 === 0;
    case 'control':
      return (x + y) % 4 === 0;
    case 'high':
      return x % 2 === 0;
    case 'ones':
      return true;
  }
}

/** Opacity of what lies between a texture's ink. */
const ground = 0.22;
/** CSS pixels: the mark of data in what is mostly a hole, and the room between the lanes. */
const tick = 3;
const gap = 2;

function drawRow(image: ImageData, y: number, region: Region, palette: Palette, ratio: number): void {
  if (region.kind !== 'bytes') return;
  const { data, width } = image;
  const paint = (x: number, [red, green, blue]: Ink, alpha: number): void => {
    const at = (y * width + x) * 4;
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
    data[at + 3] = Math.round(alpha * 255);
  };
  const lane = Math.floor(width / ratio / 2);
  const row = Math.floor(y / ratio);
  const bar = Math.round(((width - (lane + gap) * ratio) * region.entropy) / 8);
  for (let x = 0; x < width; ++x) {
    const column = Math.floor(x / ratio);
    const beyond = x - (lane + gap) * ratio;
    if (region.partial && column < tick) paint(x, palette.data, 1);
    else if (column < lane) paint(x, palette[region.dominant], inked(region.dominant, column, row) ? 1 : ground);
    else if (beyond >= 0 && beyond < bar) paint(x, palette.entropy, beyond >= bar - ratio ? 1 : 0.45);
  }
}

/** Draws `regionOf(row)` for each row of CSS pixels. Data that a hole surrounds is two of them high, to be seen and hit. */
export function drawMap(
  canvas: HTMLCanvasElement,
  rows: number,
  regionOf: (row: number) => Region,
  palette: Palette,
  ratio: number,
): void {
  const context = canvas.getContext('2d');
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(rows * ratio);
  if (!context || width === 0 || height === 0) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const image = context.createImageData(width, height);
  let before: Region | undefined;
  for (let row = 0; row < rows; ++row) {
    const region = regionOf(row);
    const shown = region.kind === 'hole' && before?.kind === 'bytes' && before.partial ? before : region;
    for (let y = Math.round(row * ratio); y < Math.min(height, Math.round((row + 1) * ratio)); ++y)
      drawRow(image, y, shown, palette, ratio);
    before = region;
  }
  context.putImageData(image, 0, 0);
}

/** The inks as the style sheet has them now: custom properties named --map-zero and so on. */
export function readPalette(element: HTMLElement): Palette {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const ink = (name: string): Ink => {
    // The browser resolves light-dark() in a real property only.
    element.style.color = `var(--map-${name})`;
    const color = getComputedStyle(element).color;
    element.style.color = '';
    if (!context) return [128, 128, 128];
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    return [red!, green!, blue!];
  };
  const names = [...byteKinds, 'entropy', 'data'] as const;
  return Object.fromEntries(names.map((name) => [name, ink(name)])) as Record<(typeof names)[number], Ink>;
}

/** Calls `recolour` whenever the page becomes light or dark. Returns how to end that. */
export function onColours(recolour: () => void): () => void {
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', recolour);
  const chosen = new MutationObserver(recolour);
  chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    scheme.removeEventListener('change', recolour);
    chosen.disconnect();
  };
}
