import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advance,
  distance,
  fewestColumns,
  largestFile,
  lastTopRow,
  mostColumns,
  quotient,
  reveal,
  rowAtThumb,
  rowCount,
  rowOf,
  thumbAt,
} from '../src/core/rows';

/** All powers of two and their neighbours that a Number holds. */
const places = Array.from({ length: 53 }, (_, bit) => 2 ** bit)
  .flatMap((power) => [power - 1, power, power + 1])
  .concat(largestFile - 1, largestFile)
  .filter((value) => value <= largestFile);
const columnCounts = Array.from({ length: mostColumns - fewestColumns + 1 }, (_, index) => fewestColumns + index);

const place = fc.oneof(fc.constantFrom(...places), fc.maxSafeNat());
const columns = fc.integer({ min: fewestColumns, max: mostColumns });

describe('rows', () => {
  it('divide exactly at every power of two and its neighbours, for every number of columns', () => {
    for (const offset of places) {
      for (const count of columnCounts) {
        const exact = Number(BigInt(offset) / BigInt(count));
        expect(quotient(offset, count)).toBe(exact);
        expect(rowOf(offset, count)).toBe(exact);
        const rows = (BigInt(offset) + BigInt(count) - 1n) / BigInt(count);
        expect(rowCount(offset, count)).toBe(Number(rows));
      }
    }
  });

  it('agree with exact arithmetic anywhere', () => {
    fc.assert(
      fc.property(place, columns, (offset, count) => {
        const row = rowOf(offset, count);
        expect(BigInt(row)).toBe(BigInt(offset) / BigInt(count));
        expect(offset - row * count).toBeGreaterThanOrEqual(0);
        expect(offset - row * count).toBeLessThan(count);
      }),
      { numRuns: 2000 },
    );
  });

  it('end with the last row at the bottom', () => {
    expect(lastTopRow(0, 30)).toBe(0);
    expect(lastTopRow(30, 30)).toBe(0);
    expect(lastTopRow(31, 30)).toBe(1);
    expect(lastTopRow(2 ** 40, 30)).toBe(2 ** 40 - 30);
    expect(lastTopRow(5, 0)).toBe(4);
  });
});

describe('advance', () => {
  it('moves whole rows by exactly as many rows at every place', () => {
    const lastTop = largestFile - 1000;
    for (const row of places) {
      for (const delta of [-500, -5, -1, 0, 1, 5, 500]) {
        const wanted = Math.max(0, Math.min(lastTop, row + delta));
        if (row <= lastTop) expect(advance({ row, fraction: 0 }, delta, lastTop)).toEqual({ row: wanted, fraction: 0 });
      }
    }
  });

  it('keeps the fraction in [0, 1) and stays in the file', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.maxSafeNat(),
        (row, fraction, delta, lastTop) => {
          const next = advance({ row: Math.min(row, lastTop), fraction }, delta, lastTop);
          expect(Number.isInteger(next.row)).toBe(true);
          expect(next.row).toBeGreaterThanOrEqual(0);
          expect(next.row).toBeLessThanOrEqual(lastTop);
          expect(next.fraction).toBeGreaterThanOrEqual(0);
          expect(next.fraction).toBeLessThan(1);
          if (next.row === lastTop) expect(next.fraction).toBe(0);
        },
      ),
    );
  });

  it('adds up: many small steps are as far as one large one, in whole rows', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...places.filter((row) => row < largestFile / 2)),
        fc.integer({ min: 1, max: 400 }),
        (row, steps) => {
          let position = { row, fraction: 0 };
          for (let step = 0; step < steps; ++step) position = advance(position, 0.25, largestFile);
          expect(position).toEqual({ row: row + Math.floor(steps / 4), fraction: (steps % 4) / 4 });
        },
      ),
    );
  });

  it('and distance are inverse nearby, however far into the file', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...places.filter((row) => row > 1000 && row < largestFile / 2)),
        fc.integer({ min: -1000, max: 1000 }),
        (row, quarters) => {
          const from = { row, fraction: 0.5 };
          expect(distance(from, advance(from, quarters / 4, largestFile))).toBe(quarters / 4);
        },
      ),
    );
  });
});

describe('reveal', () => {
  it('shows the row and moves no further than needed', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.integer({ min: 1, max: 200 }), (row, top, visible) => {
        const next = reveal(row, top, visible);
        expect(row).toBeGreaterThanOrEqual(next);
        expect(row - next).toBeLessThan(visible);
        const inView = row >= top && row - top < visible;
        if (inView) expect(next).toBe(top);
        else expect(row === next || row - next === visible - 1).toBe(true);
      }),
    );
  });
});

describe('the thumb', () => {
  const track = 700;
  const shortest = 28;

  it('touches an end of the track only when the view does', () => {
    for (const rows of places.filter((count) => count > 40)) {
      const lastTop = lastTopRow(rows, 35);
      const { length } = thumbAt({ row: 0, fraction: 0 }, rows, lastTop, track, shortest);
      expect(thumbAt({ row: 0, fraction: 0 }, rows, lastTop, track, shortest).top).toBe(0);
      expect(thumbAt({ row: lastTop, fraction: 0 }, rows, lastTop, track, shortest).top).toBe(track - length);
      if (lastTop > 2 && track - length > 4) {
        expect(thumbAt({ row: 1, fraction: 0 }, rows, lastTop, track, shortest).top).toBeGreaterThan(0);
        expect(thumbAt({ row: lastTop - 1, fraction: 0 }, rows, lastTop, track, shortest).top).toBeLessThan(
          track - length,
        );
      }
    }
  });

  it('fills the track when everything is visible', () => {
    expect(thumbAt({ row: 0, fraction: 0 }, 10, 0, track, shortest)).toEqual({ top: 0, length: track });
    expect(thumbAt({ row: 0, fraction: 0 }, 10, 0, 0, shortest)).toEqual({ top: 0, length: 0 });
  });

  it('stays on the track', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: largestFile }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 3000 }),
        (rows, share, length) => {
          const lastTop = lastTopRow(rows, 30);
          const position = { row: Math.floor(share * lastTop), fraction: 0 };
          const thumb = thumbAt(position, rows, lastTop, length, shortest);
          expect(thumb.top).toBeGreaterThanOrEqual(0);
          expect(thumb.top + thumb.length).toBeLessThanOrEqual(length + 1e-9);
          expect(thumb.length).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('leads to both ends exactly and never backwards', () => {
    for (const lastTop of places) {
      expect(rowAtThumb(0, 500, lastTop)).toBe(0);
      expect(rowAtThumb(-5, 500, lastTop)).toBe(0);
      expect(rowAtThumb(500, 500, lastTop)).toBe(lastTop);
      expect(rowAtThumb(800, 500, lastTop)).toBe(lastTop);
      let before = 0;
      for (let top = 0; top <= 500; top += 7) {
        const row = rowAtThumb(top, 500, lastTop);
        expect(row).toBeGreaterThanOrEqual(before);
        before = row;
      }
    }
    expect(rowAtThumb(3, 0, 100)).toBe(0);
  });

  it('comes back to where it was put, within a pixel', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: largestFile }), fc.integer({ min: 2, max: 600 }), (rows, top) => {
        const lastTop = lastTopRow(rows, 30);
        const { length } = thumbAt({ row: 0, fraction: 0 }, rows, lastTop, track, shortest);
        const travel = track - length;
        fc.pre(top < travel - 1);
        const row = rowAtThumb(top, travel, lastTop);
        const perRow = travel / lastTop;
        expect(Math.abs(thumbAt({ row, fraction: 0 }, rows, lastTop, track, shortest).top - top)).toBeLessThanOrEqual(
          1 + perRow,
        );
      }),
    );
  });
});
