import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageCache } from '../src/core/page_cache';

const page = (length: number, fill = 0): Uint8Array => new Uint8Array(length).fill(fill);

describe('the page cache', () => {
  it('puts out the page that was used longest ago', () => {
    const cache = new PageCache(30);
    cache.set(1, page(10));
    cache.set(2, page(10));
    cache.set(3, page(10));
    expect(cache.get(1)).toBeDefined();
    cache.set(4, page(10));
    expect([1, 2, 3, 4].map((number) => cache.has(number))).toEqual([true, false, true, true]);
  });

  it('does not count a peek as a use', () => {
    const cache = new PageCache(20);
    cache.set(1, page(10));
    cache.set(2, page(10));
    expect(cache.peek(1)).toBeDefined();
    cache.set(3, page(10));
    expect(cache.has(1)).toBe(false);
  });

  it('does not keep what is larger than itself, nor lose others for it', () => {
    const cache = new PageCache(20);
    cache.set(1, page(10));
    cache.set(2, page(21));
    expect(cache.has(1)).toBe(true);
    expect(cache.has(2)).toBe(false);
    expect(cache.bytes).toBe(10);
  });

  it('replaces a page in place of counting it twice, and forgets all when cleared', () => {
    const cache = new PageCache(20);
    cache.set(1, page(10, 1));
    cache.set(1, page(8, 2));
    expect(cache.bytes).toBe(8);
    expect(cache.peek(1)?.[0]).toBe(2);
    cache.delete(9);
    expect(cache.bytes).toBe(8);
    cache.clear();
    expect(cache.bytes).toBe(0);
    expect(cache.has(1)).toBe(false);
  });

  it('behaves as a list of pages in order of use, and never holds more than its capacity', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('set' as const), number: fc.nat(20), length: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ kind: fc.constant('get' as const), number: fc.nat(20), length: fc.constant(0) }),
      fc.record({ kind: fc.constant('delete' as const), number: fc.nat(20), length: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const cache = new PageCache(200);
        let model: { number: number; length: number }[] = [];
        for (const { kind, number, length } of operations) {
          const known = model.find((entry) => entry.number === number);
          if (kind === 'get') {
            expect(cache.get(number)?.length).toBe(known?.length);
            if (known) model = [...model.filter((entry) => entry !== known), known];
          } else {
            model = model.filter((entry) => entry !== known);
            if (kind === 'delete') {
              cache.delete(number);
            } else {
              cache.set(number, page(length));
              while (model.reduce((sum, entry) => sum + entry.length, length) > 200) model.shift();
              model.push({ number, length });
            }
          }
          expect(cache.bytes).toBe(model.reduce((sum, entry) => sum + entry.length, 0));
          expect(cache.bytes).toBeLessThanOrEqual(200);
          for (let other = 0; other <= 20; ++other) {
            expect(cache.has(other)).toBe(model.some((entry) => entry.number === other));
          }
        }
      }),
    );
  });
});
