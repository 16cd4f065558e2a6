import { describe, expect, test } from 'vitest';
import { type Bin, ByteMap } from '../src/core/byte_map';
import { describeRegion } from '../src/core/map_words';
import { ExtentMap } from '../src/core/extents';
import { mapInset, rowAtThumb, thumbAt } from '../src/core/rows';

const bin = (offset: number, length: number, counts: readonly number[], entropy = 0, exact = false): Bin => ({
  offset,
  length,
  exact,
  counted: counts.reduce((sum, count) => sum + count, 0),
  entropy,
  counts,
});

describe('the byte map', () => {
  test('a region is what its bins are, by their length', () => {
    const map = new ByteMap(400, 4);
    expect(map.region(0, 100, undefined)).toEqual({ kind: 'unknown' });
    map.set(0, bin(0, 100, [10, 0, 0, 0, 0], 0));
    map.set(1, bin(100, 100, [0, 100, 0, 0, 0], 4, true));
    expect(map.region(0, 100, undefined)).toMatchObject({ dominant: 'zero', entropy: 0, exact: false });
    expect(map.region(100, 150, undefined)).toMatchObject({ dominant: 'printable', entropy: 4, exact: true });
    // A tenth of the first bin was looked at, and stands for all of it.
    expect(map.region(50, 200, undefined)).toMatchObject({ dominant: 'printable', shares: [1 / 3, 2 / 3, 0, 0, 0] });
  });

  test('samples never replace what was counted', () => {
    const map = new ByteMap(100, 1);
    map.set(0, bin(0, 100, [0, 100, 0, 0, 0], 4, true));
    map.set(0, bin(0, 100, [10, 0, 0, 0, 0]));
    expect(map.exact).toBe(true);
    expect(map.region(0, 100, undefined)).toMatchObject({ dominant: 'printable' });
  });

  test('finer samples count once all of them are there', () => {
    const map = new ByteMap(100, 1);
    map.set(0, bin(0, 100, [10, 0, 0, 0, 0]));
    map.setFine(0, bin(0, 50, [0, 10, 0, 0, 0]), 2);
    expect(map.region(0, 50, undefined)).toMatchObject({ dominant: 'zero' });
    map.setFine(1, bin(50, 50, [0, 0, 0, 10, 0]), 2);
    expect(map.region(0, 50, undefined)).toMatchObject({ dominant: 'printable' });
    expect(map.region(50, 100, undefined)).toMatchObject({ dominant: 'high' });
    expect(map.coverage).toBeCloseTo(0.2);
  });

  test('holes are empty, and data in one tells of itself alone', () => {
    const tebibyte = 2 ** 40;
    const map = new ByteMap(tebibyte, 4);
    const quarter = tebibyte / 4;
    for (let at = 0; at < 4; ++at) map.set(at, bin(at * quarter, quarter, [4096, 0, 0, 0, 0]));
    const extents = new ExtentMap();
    extents.add(true, 0, quarter + 8192);
    extents.add(false, quarter + 8192, 4096);
    extents.add(true, quarter + 12_288, tebibyte - quarter - 12_288);
    expect(map.region(0, quarter, extents)).toEqual({ kind: 'hole' });
    expect(map.mixed(extents, 64)).toEqual([{ index: 1, data: { offset: quarter + 8192, length: 4096 } }]);
    map.setStored(1, bin(quarter + 8192, 4096, [0, 0, 0, 4096, 0], 7.9, true));
    const region = map.region(quarter, quarter * 2, extents);
    expect(region).toMatchObject({ kind: 'bytes', partial: true, dominant: 'high' });
    expect(describeRegion(region)).toBe('0x80 and above 100 %; entropy 7.9 of 8 bits; partly a hole');
    // Looked at so closely that no hole is in sight, it is the same data.
    const part = map.region(quarter + 8192, quarter + 8192 + 64, extents);
    expect(part).toMatchObject({ kind: 'bytes', partial: false, dominant: 'high' });
  });

  test('bins that differ by a byte are found at every offset', () => {
    const map = new ByteMap(10, 4);
    const bounds = [0, 3, 6, 8, 10];
    for (let at = 0; at < 4; ++at) {
      const counts = [0, 0, 0, 0, 0];
      counts[at] = 1;
      map.set(at, bin(bounds[at]!, bounds[at + 1]! - bounds[at]!, counts));
    }
    const kinds = ['zero', 'printable', 'control', 'high'];
    for (let at = 0; at < 10; ++at) {
      const index = bounds.findLastIndex((bound) => bound <= at);
      expect(map.region(at, at + 1, undefined), `at ${at}`).toMatchObject({ dominant: kinds[index] });
    }
  });

  test('many short bins, the first of them a byte longer, leave no offset unknown', () => {
    const [size, count] = [9000, 684];
    const map = new ByteMap(size, count);
    for (let index = 0, offset = 0; index < count; ++index) {
      const length = Math.floor(size / count) + (index < size % count ? 1 : 0);
      map.set(index, bin(offset, length, index % 2 === 0 ? [length, 0, 0, 0, 0] : [0, length, 0, 0, 0], 0, true));
      expect(map.region(offset, offset + 1, undefined)).toMatchObject({
        shares: index % 2 === 0 ? [1, 0, 0, 0, 0] : [0, 1, 0, 0, 0],
      });
      expect(map.region(offset + length - 1, offset + length, undefined)).toMatchObject({ kind: 'bytes' });
      offset += length;
    }
  });
});

describe('the map behind the thumb', () => {
  test('the middle of the thumb lies on the middle of what is in view', () => {
    for (const rows of [100, 5000, 2 ** 20, 2 ** 40]) {
      const visible = 40;
      const lastTop = rows - visible;
      const track = 640;
      for (const part of [0, 0.1, 0.5, 0.9, 1]) {
        const top = Math.round(part * lastTop);
        const thumb = thumbAt({ row: top, fraction: 0 }, rows, lastTop, track, 28);
        const inset = mapInset(thumb.length, track, rows, lastTop);
        const drawn = inset + ((track - 2 * inset) * (top + visible / 2)) / rows;
        expect(Math.abs(thumb.top + thumb.length / 2 - drawn), `${rows} rows at ${part}`).toBeLessThanOrEqual(1);
        const back = rowAtThumb(drawn - thumb.length / 2, track - thumb.length, lastTop);
        expect(Math.abs(back - top)).toBeLessThanOrEqual(Math.max(1, rows / track / 100));
      }
    }
  });
});
