import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hit, HitStore } from '../src/core/hit_store';

/** Hits in order: gaps and lengths, near 2^31, 2^32 and far beyond. */
const hits = fc
  .tuple(
    fc.constantFrom(0, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 44),
    fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom(3, 3, 3, 1, 9)), { maxLength: 60 }),
  )
  .map(([base, pairs]) => {
    let offset = base;
    return pairs.map(([gap, length]): Hit => ({ offset: (offset += gap), length }));
  });

function stored(all: readonly Hit[]): HitStore {
  const store = new HitStore();
  for (const hit of all) store.push(hit);
  return store;
}

describe('hits', () => {
  it('come back as they were put in, and are found by offset', () => {
    fc.assert(
      fc.property(hits, fc.nat(2500), (all, delta) => {
        const store = stored(all);
        expect(store.length).toBe(all.length);
        expect(all.map((_, index) => store.at(index))).toEqual(all);
        expect(store.at(-1)).toBeUndefined();
        expect(store.at(all.length)).toBeUndefined();
        expect(store.longest).toBe(Math.max(0, ...all.map(({ length }) => length)));
        const place = (all[0]?.offset ?? 0) + delta - 5;
        expect(store.indexFrom(place)).toBe(all.filter(({ offset }) => offset < place).length);
        const end = place + 50;
        const expected = all.filter(({ offset, length }) => offset < end && offset + length > place);
        expect(store.within(place, end)).toEqual(expected);
        expect(store.within(place, end, 2)).toEqual(expected.slice(0, 2));
      }),
    );
  });

  it('take 8 bytes each, by the million', () => {
    const store = new HitStore();
    for (let index = 0; index < 1_000_000; ++index) store.push({ offset: 2 ** 40 + 7 * index, length: 4 });
    expect(store.bytes).toBeLessThan(8_200_000);
    for (const index of [0, 16_383, 16_384, 500_000, 999_999]) {
      expect(store.at(index)).toEqual({ offset: 2 ** 40 + 7 * index, length: 4 });
      expect(store.indexFrom(2 ** 40 + 7 * index - 6)).toBe(index);
    }
    // The first of another length: those before keep theirs.
    store.push({ offset: 2 ** 41, length: 5 });
    expect(store.at(999_999)?.length).toBe(4);
    expect(store.at(1_000_000)?.length).toBe(5);
    expect(store.bytes).toBeLessThan(10_300_000);
  });

  it('come in order and have a length', () => {
    const store = stored([{ offset: 5, length: 1 }]);
    expect(() => store.push({ offset: 5, length: 1 })).toThrow(RangeError);
    expect(() => store.push({ offset: 4, length: 1 })).toThrow(RangeError);
    expect(() => store.push({ offset: 6, length: 0 })).toThrow(RangeError);
    expect(() => store.push({ offset: 6, length: 70_000 })).toThrow(RangeError);
    expect(store.length).toBe(1);
  });
});
