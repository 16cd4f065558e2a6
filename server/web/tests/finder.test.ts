import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { find, findIn, findWindow, parsePattern, type Pattern } from '../src/core/finder';

function pattern(text: string): Pattern {
  const result = parsePattern(text, 'ascii');
  if (!result.ok) throw new Error(result.message);
  return result.pattern;
}

function slowly(bytes: Uint8Array, { value, mask }: Pattern, from: number, to: number): number[] {
  const hits: number[] = [];
  for (let at = from; at < to && at + value.length <= bytes.length; ++at) {
    if (value.every((byte, i) => (bytes[at + i]! & mask[i]!) === (byte & mask[i]!))) hits.push(at);
  }
  return hits;
}

describe('patterns', () => {
  it('are hex with wildcards, or text', () => {
    expect(pattern('7f 45 4C46')).toEqual({
      value: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46),
      mask: new Uint8Array(4).fill(255),
    });
    expect(pattern('7f ?? 4? ?6')).toEqual({
      value: Uint8Array.of(0x7f, 0, 0x40, 6),
      mask: Uint8Array.of(255, 0, 0xf0, 0x0f),
    });
    expect(pattern('0x7f, 0x45')).toEqual(pattern('7f45'));
    expect(pattern('"beef"').value).toEqual(Uint8Array.of(0x62, 0x65, 0x65, 0x66));
    expect(pattern('beef').value).toEqual(Uint8Array.of(0xbe, 0xef));
    expect(pattern('bee').value).toHaveLength(3);
    expect(pattern('Hello, world').value).toHaveLength(12);
  });

  it('are refused when they are nothing', () => {
    const message = (text: string): string => {
      const result = parsePattern(text, 'ascii');
      return result.ok ? '' : result.message;
    };
    expect(message('')).toBe('Type hex bytes or text');
    expect(message('""')).toBe('Type hex bytes or text');
    expect(message('?? ??')).toBe('The pattern matches everything');
    expect(message('é')).toBe('A character has no byte in this encoding');
    expect(message('00'.repeat(257))).toBe('At most 256 bytes');
    expect(message(`"${'x'.repeat(257)}"`)).toBe('At most 256 bytes');
  });
});

describe('finding in a window', () => {
  it('agrees with looking at every place', () => {
    const few = fc.uint8Array({ maxLength: 60, max: 3 });
    const wanted = fc.array(fc.tuple(fc.nat(3), fc.constantFrom(255, 255, 0xf0, 0x0f, 0)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(few, wanted, fc.nat(30), fc.nat(60), (bytes, pairs, from, to) => {
        const value = Uint8Array.from(pairs, ([byte]) => byte);
        const mask = Uint8Array.from(pairs, ([, bits]) => bits);
        const hits = slowly(bytes, { value, mask }, from, to);
        expect(findIn(bytes, { value, mask }, from, to, false)).toBe(hits[0] ?? -1);
        expect(findIn(bytes, { value, mask }, from, to, true)).toBe(hits.at(-1) ?? -1);
      }),
      { numRuns: 3000 },
    );
  });

  it('sees the byte 0xff and a match at the very end', () => {
    const bytes = Uint8Array.of(0, 1, 255, 255);
    expect(findIn(bytes, pattern('ff ff'), 0, 4, false)).toBe(2);
    expect(findIn(bytes, pattern('ff ff ff'), 0, 4, false)).toBe(-1);
  });
});

describe('finding in a file', () => {
  const size = 3 * findWindow + 12_345;

  /** A file of zeros but for the hits; counts what is read. */
  function search(hits: readonly number[], start: number, backward: boolean): Promise<number | undefined> {
    return find({
      size,
      pattern: pattern('c0 ff ee'),
      start,
      backward,
      signal: new AbortController().signal,
      progress: () => undefined,
      read: (offset, length) => {
        expect(offset).toBeGreaterThanOrEqual(0);
        expect(offset + length).toBeLessThanOrEqual(size);
        const bytes = new Uint8Array(length);
        for (const hit of hits) {
          [0xc0, 0xff, 0xee].forEach((byte, i) => {
            if (hit + i >= offset && hit + i < offset + length) bytes[hit + i - offset] = byte;
          });
        }
        return Promise.resolve(bytes);
      },
    });
  }

  it('finds a match on every edge of a window, both ways', async () => {
    for (const edge of [findWindow, 2 * findWindow, 3 * findWindow]) {
      for (const at of [edge - 3, edge - 2, edge - 1, edge]) {
        expect(await search([at], 0, false)).toBe(at);
        expect(await search([at], size, true)).toBe(at);
      }
    }
    expect(await search([0], 0, false)).toBe(0);
    expect(await search([size - 3], 5, false)).toBe(size - 3);
  });

  it('begins where it is told and takes the nearest', async () => {
    expect(await search([100, 200, 300], 101, false)).toBe(200);
    expect(await search([100, 200, 300], 300, true)).toBe(200);
    expect(await search([100, 200, 300], 301, true)).toBe(300);
    expect(await search([100], 101, false)).toBeUndefined();
    expect(await search([100], 100, true)).toBeUndefined();
    expect(await search([], size, false)).toBeUndefined();
    expect(await search([], 0, true)).toBeUndefined();
  });

  it('tells its progress up to the end and stops when it is told', async () => {
    const controller = new AbortController();
    const scanned: number[] = [];
    let reads = 0;
    let time = 0;
    const running = find({
      size: 100 * findWindow,
      pattern: pattern('01'),
      start: 0,
      backward: false,
      signal: controller.signal,
      now: () => (time += 500),
      progress: (progress) => {
        scanned.push(progress.scanned);
        expect(progress.bytesPerSecond).toBeGreaterThan(0);
        if (scanned.length === 3) controller.abort();
      },
      read: (_, length, signal) => {
        ++reads;
        return signal.aborted
          ? Promise.reject(new DOMException('', 'AbortError'))
          : Promise.resolve(new Uint8Array(length));
      },
    });
    await expect(running).rejects.toThrow();
    expect(scanned).toEqual([findWindow, 2 * findWindow, 3 * findWindow]);
    expect(reads).toBeLessThanOrEqual(5);
  });
});
