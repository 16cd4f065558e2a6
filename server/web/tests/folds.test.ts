import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExtentMap } from '../src/core/extents';
import { fewestFoldedRows, FoldedRows, foldsOf, rowsOfHole, stillRow, stretches } from '../src/core/folds';
import { everyRow, type Fold } from '../src/core/row_layout';
import { rowCount } from '../src/core/rows';
import type { Span } from '../src/core/view_link';

const largest = 2 ** 44;
/** All powers of two and their neighbours, up to 16 TiB. */
const places = Array.from({ length: 45 }, (_, bit) => 2 ** bit)
  .flatMap((power) => [power - 1, power, power + 1])
  .filter((value) => value <= largest);
const place = fc.oneof(
  fc.constantFrom(...places),
  fc.nat(1 << 20),
  fc.maxSafeNat().map((value) => value % largest),
);
const columns = fc.integer({ min: 8, max: 64 });

interface Sparse {
  readonly size: number;
  readonly extents: ExtentMap;
  readonly holes: readonly Span[];
}

/** A file whose extents, hole after data after hole, meet at any places. */
const sparse: fc.Arbitrary<Sparse> = fc
  .record({ ends: fc.uniqueArray(place, { minLength: 1, maxLength: 24 }), hole: fc.boolean() })
  .map(({ ends, hole }) => {
    const borders = ends.filter((end) => end > 0).sort((a, b) => a - b);
    if (borders.length === 0) borders.push(largest);
    const extents = new ExtentMap();
    const holes: Span[] = [];
    borders.forEach((end, index) => {
      const offset = borders[index - 1] ?? 0;
      const hollow = hole === (index % 2 === 0);
      extents.add(hollow, offset, end - offset);
      if (hollow) holes.push({ offset, length: end - offset });
    });
    return { size: borders.at(-1)!, extents, holes };
  });

interface Laid {
  readonly folds: readonly Fold[];
  readonly layout: FoldedRows;
  readonly rows: number;
}

function lay({ size, extents }: Sparse, count: number, unfolded: ReadonlySet<number> = new Set()): Laid {
  const folds = foldsOf(extents.holes(fewestFoldedRows * count), count, size, unfolded);
  const rows = rowCount(size, count);
  return { folds, layout: new FoldedRows(rows, folds), rows };
}

/** Rows at and beside all borders, and some between. */
function rowsToTry({ folds, rows }: Laid): number[] {
  return [0, 1, rows - 1, ...folds.flatMap((fold) => [fold.row, fold.row + fold.rows]), ...places]
    .flatMap((row) => [row - 1, row, row + 1])
    .filter((row) => row >= 0 && row < rows);
}

const foldAround = (folds: readonly Fold[], row: number): Fold | undefined =>
  folds.find((fold) => row >= fold.row && row - fold.row < fold.rows);

describe('holes that are known', () => {
  it('are told in order, those of at least a length', () => {
    fc.assert(
      fc.property(sparse, place, ({ extents, holes }, least) => {
        expect([...extents.holes(0)]).toEqual(holes);
        expect([...extents.holes(least)]).toEqual(holes.filter(({ length }) => length >= least));
      }),
    );
  });
});

describe('the rows of a hole', () => {
  it('are those that lie in it whole, by exact arithmetic', () => {
    fc.assert(
      fc.property(place, place, place, columns, (from, length, after, count) => {
        const size = from + length + after;
        const { row, rows } = rowsOfHole({ offset: from, length }, count, size);
        const wide = BigInt(count);
        const first = (BigInt(from) + wide - 1n) / wide;
        const end = after === 0 ? (BigInt(size) + wide - 1n) / wide : BigInt(from + length) / wide;
        expect(BigInt(row)).toBe(first);
        expect(BigInt(rows)).toBe(end > first ? end - first : 0n);
      }),
      { numRuns: 2000 },
    );
  });

  it('are folded from 64 on', () => {
    const hole = { offset: 5, length: 11 + 64 * 16 };
    const none = new Set<number>();
    expect(foldsOf([hole], 16, 1 << 20, none)).toEqual([{ row: 1, rows: 64 }]);
    expect(foldsOf([{ ...hole, length: hole.length - 1 }], 16, 1 << 20, none)).toEqual([]);
    expect(foldsOf([{ ...hole, offset: 6 }], 16, 1 << 20, none)).toEqual([{ row: 1, rows: 64 }]);
    expect(foldsOf([hole], 16, 1 << 20, new Set([5]))).toEqual([]);
  });

  it('reach to the end of the file, where the last row may be short', () => {
    const hole = { offset: 16, length: 63 * 16 + 1 };
    expect(foldsOf([hole], 16, hole.offset + hole.length, new Set())).toEqual([{ row: 1, rows: 64 }]);
    expect(foldsOf([hole], 16, hole.offset + hole.length + 1, new Set())).toEqual([]);
  });
});

describe('rows with folds', () => {
  it('are as many as those of the file, but for what is folded', () => {
    fc.assert(
      fc.property(sparse, columns, (file, count) => {
        const { folds, layout, rows } = lay(file, count);
        const hidden = folds.reduce((sum, fold) => sum + BigInt(fold.rows) - 1n, 0n);
        expect(BigInt(layout.rows) + hidden).toBe(BigInt(rows));
        // Holes that are not folded are rows as any others.
        const all = new Set(file.holes.map(({ offset }) => offset));
        expect(lay(file, count, all).layout.rows).toBe(rows);
      }),
    );
  });

  it('lead to the rows of the file and back, at every power of two and its neighbours', () => {
    fc.assert(
      fc.property(sparse, columns, (file, count) => {
        const laid = lay(file, count);
        const { folds, layout, rows } = laid;
        for (const row of rowsToTry(laid)) {
          const shown = layout.shownRow(row);
          const fold = foldAround(folds, row);
          expect(layout.foldAt(shown)).toEqual(fold);
          expect(layout.fileRow(shown)).toBe(fold?.row ?? row);
          expect(shown).toBeGreaterThanOrEqual(0);
          expect(shown).toBeLessThan(layout.rows);
        }
        for (const shown of [0, layout.rows - 1, ...places].filter((at) => at < layout.rows))
          expect(layout.shownRow(layout.fileRow(shown))).toBe(shown);
        // Beyond either end they go on one by one.
        expect(layout.fileRow(-1)).toBe(-1);
        expect(layout.fileRow(layout.rows)).toBe(rows);
        expect(layout.shownRow(rows)).toBe(layout.rows);
      }),
      { numRuns: 100 },
    );
  });

  it('are in the order of the file, and each begins where the one before it ends', () => {
    fc.assert(
      fc.property(sparse, columns, (file, count) => {
        const laid = lay(file, count);
        const { layout } = laid;
        for (const row of rowsToTry(laid)) {
          const shown = layout.shownRow(row);
          const covered = layout.foldAt(shown)?.rows ?? 1;
          expect(layout.fileRow(shown + 1)).toBe(layout.fileRow(shown) + covered);
          expect(layout.shownRow(row + 1) - shown).toBeOneOf([0, 1]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are found among 65,536 folds', () => {
    const folds = Array.from({ length: 65_536 }, (_, index) => ({ row: index * 2 ** 24 + 1, rows: 2 ** 23 }));
    const layout = new FoldedRows(2 ** 40, folds);
    for (const { row, rows } of folds.filter((_, index) => index % 97 === 0)) {
      const shown = layout.shownRow(row + rows - 1);
      expect(layout.fileRow(shown)).toBe(row);
      expect(layout.fileRow(shown + 1)).toBe(row + rows);
    }
  });
});

describe('what is in view', () => {
  const folds = [
    { row: 10, rows: 100 },
    { row: 120, rows: 2 ** 40 },
  ];
  const layout = new FoldedRows(2 ** 41, folds);
  const plain = everyRow(2 ** 41);

  it('are stretches of rows between the folds', () => {
    expect(stretches(layout, 8, 4)).toEqual([
      { row: 8, rows: 2 },
      { row: 110, rows: 1 },
    ]);
    expect(stretches(layout, 10, 1)).toEqual([]);
    expect(stretches(plain, 8, 4)).toEqual([{ row: 8, rows: 4 }]);
  });

  it('keeps the row of the cursor in its place, if that is a row before and after', () => {
    expect(stillRow(plain, layout, 105, 20, 112)).toBe(112);
    expect(stillRow(layout, plain, 8, 20, 112)).toBe(112);
  });

  it('or else the first row that is', () => {
    // The cursor is in what is folded, or out of view.
    expect(stillRow(plain, layout, 105, 20, 107)).toBe(110);
    expect(stillRow(plain, layout, 105, 20, 5)).toBe(110);
    expect(stillRow(layout, plain, 10, 20, 5000)).toBe(110);
  });

  it('or else the cursor’s fold, or the row on top', () => {
    expect(stillRow(plain, layout, 20, 20, 30)).toBe(30);
    expect(stillRow(plain, layout, 20, 20, 60)).toBe(20);
    // Near the end there are fewer rows than fit.
    expect(stillRow(everyRow(3), everyRow(3), 0, 20, 2)).toBe(2);
  });
});
