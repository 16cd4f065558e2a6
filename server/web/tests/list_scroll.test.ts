import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boxHeight,
  type ListGeometry,
  placeAfter,
  reveal,
  scrollTopFor,
  tallestBox,
  visibleRows,
} from '../src/core/list_scroll';

const geometry = fc.record({
  rows: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 200_000, max: 1_000_000 })),
  rowHeight: fc.constantFrom(24, 25.6, 36, 40),
  viewport: fc.integer({ min: 40, max: 900 }),
}) satisfies fc.Arbitrary<ListGeometry>;

const end = ({ rows, rowHeight, viewport }: ListGeometry): number => Math.max(0, rows * rowHeight - viewport);

describe('a list of any length', () => {
  it('is never taller than a browser lays out', () => {
    fc.assert(
      fc.property(geometry, (one) => {
        expect(boxHeight(one)).toBeLessThanOrEqual(tallestBox);
        for (const place of [0, end(one) / 3, end(one)]) {
          const top = scrollTopFor(place, one);
          expect(top).toBeGreaterThanOrEqual(0);
          expect(top).toBeLessThanOrEqual(Math.max(0, boxHeight(one) - one.viewport));
        }
      }),
    );
  });

  it('touches an end of the scrollbar only at that end', () => {
    fc.assert(
      fc.property(geometry, fc.double({ min: 0, max: 1, noNaN: true }), (one, part) => {
        const place = part * end(one);
        const top = scrollTopFor(place, one);
        if (boxHeight(one) < tallestBox) return;
        expect(top === 0).toBe(place === 0);
        expect(top === boxHeight(one) - one.viewport).toBe(place === end(one));
      }),
    );
  });

  it('moves by as much as the wheel, wherever it is', () => {
    fc.assert(
      fc.property(
        geometry,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: -900, max: 900 }),
        (one, part, delta) => {
          const place = part * end(one);
          const before = scrollTopFor(place, one);
          const most = Math.max(0, boxHeight(one) - one.viewport);
          const after = Math.max(0, Math.min(most, before + delta));
          const next = placeAfter(place, before, after, one);
          expect(next).toBeGreaterThanOrEqual(0);
          expect(next).toBeLessThanOrEqual(end(one));
          const inside = after > 0 && after < most;
          if (inside) expect(Math.abs(next - place - (after - before))).toBeLessThan(1);
          if (after === 0) expect(next).toBe(0);
          if (after >= most) expect(next).toBeCloseTo(end(one), 6);
        },
      ),
    );
  });

  it('goes where its scrollbar is dragged', () => {
    const one = { rows: 1_000_000, rowHeight: 25.6, viewport: 272 };
    const most = boxHeight(one) - one.viewport;
    for (const part of [0.1, 0.5, 0.9]) {
      expect(placeAfter(0, 0, part * most, one) / end(one)).toBeCloseTo(part, 6);
    }
  });

  it('draws what is seen and a little more', () => {
    fc.assert(
      fc.property(geometry, fc.double({ min: 0, max: 1, noNaN: true }), (one, part) => {
        const place = part * end(one);
        const { first, end: last } = visibleRows(place, one, 3);
        expect(last - first).toBeLessThanOrEqual(Math.ceil(one.viewport / one.rowHeight) + 1 + 2 * 3);
        expect(first * one.rowHeight).toBeLessThanOrEqual(place);
        expect(last * one.rowHeight).toBeGreaterThanOrEqual(
          Math.min(one.rows * one.rowHeight, place + one.viewport) - 1e-6,
        );
      }),
    );
  });

  it('moves as little as shows a row', () => {
    const one = { rows: 100, rowHeight: 20, viewport: 100 };
    expect(reveal(3, 0, one)).toBe(0);
    expect(reveal(5, 0, one)).toBe(20);
    expect(reveal(2, 100, one)).toBe(40);
  });
});
