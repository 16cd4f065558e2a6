import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatViewLink, groupSizes, parseOffset, parseViewLink, type ViewLink } from '../src/core/view_link';

describe('the address of a view', () => {
  it('is legible', () => {
    const link: ViewLink = {
      offset: 2 ** 40,
      top: 2 ** 40 - 160,
      select: { offset: 2 ** 40, length: 64 },
      columns: 32,
      group: 8,
      encoding: 'utf-8',
      order: 'big',
      search: 'regex,i:a/b?c&d#e+f g%',
      holes: 'folded',
      unfolded: [0, 2 ** 40],
    };
    expect(formatViewLink(link)).toBe(
      '#offset=0x10000000000&top=0xffffffff60&select=0x10000000000+64&columns=32&group=8&encoding=utf-8&order=big' +
        '&holes=folded&unfolded=0x0,0x10000000000&search=regex,i:a/b?c%26d%23e%2Bf%20g%25',
    );
    expect(formatViewLink({ holes: 'folded', unfolded: [] })).toBe('#holes=folded&unfolded=none');
    expect(formatViewLink({})).toBe('');
  });

  it('restores what it was made from', () => {
    const offset = fc.maxSafeNat();
    const arbitrary = fc.record(
      {
        offset,
        top: offset,
        select: fc.record({
          offset: fc.nat(2 ** 31 - 1).map((value) => value * 4096),
          length: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        }),
        columns: fc.integer({ min: 8, max: 64 }),
        group: fc.constantFrom(...groupSizes),
        encoding: fc.constantFrom('ascii', 'utf-8', 'latin-1', 'ebcdic' as const),
        order: fc.constantFrom('little', 'big'),
        search: fc.string({ minLength: 1, unit: 'grapheme' }),
        holes: fc.constant('folded'),
        unfolded: fc.array(offset, { maxLength: 64 }),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<ViewLink>;
    fc.assert(
      fc.property(arbitrary, (link) => {
        expect(parseViewLink(formatViewLink(link))).toEqual(link);
      }),
    );
  });

  it('passes over what it does not understand and brings numbers back into range', () => {
    expect(parseViewLink('#offset=banana&columns=3&group=5&encoding=klingon&order=middle&colour=red')).toEqual({
      columns: 8,
    });
    expect(parseViewLink('#columns=100')).toEqual({ columns: 64 });
    expect(parseViewLink('#select=5+0')).toEqual({});
    const most = Number.MAX_SAFE_INTEGER;
    expect(parseViewLink('#select=9007199254740991+9')).toEqual({ select: { offset: most, length: 1 } });
    expect(parseViewLink(`#select=16+${'9'.repeat(30)}`)).toEqual({ select: { offset: 16, length: most - 15 } });
    expect(parseViewLink('#offset=0x20000000000000&top=99999999999999999999')).toEqual({ offset: most, top: most });
    expect(parseViewLink(`#offset=${'9'.repeat(1000)}`)).toEqual({ offset: most });
    expect(parseViewLink('#select=0x10%2B4')).toEqual({ select: { offset: 16, length: 4 } });
    expect(parseViewLink('#offset=4096')).toEqual({ offset: 4096 });
    expect(parseViewLink('#search=')).toEqual({});
    expect(parseViewLink('#holes=shown&unfolded=0x10,here,20')).toEqual({ unfolded: [16, 20] });
    expect(parseViewLink(`#unfolded=${'1,'.repeat(1000)}`).unfolded).toHaveLength(64);
    expect(parseViewLink(`#search=${'x'.repeat(5000)}`)).toEqual({});
    expect(parseViewLink('')).toEqual({});
  });

  it('takes no offset that a Number cannot hold', () => {
    expect(parseOffset('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER);
    expect(parseOffset('9007199254740992')).toBeUndefined();
    expect(parseOffset('0x1fffffffffffff')).toBe(Number.MAX_SAFE_INTEGER);
    expect(parseOffset('-1')).toBeUndefined();
    expect(parseOffset('1e3')).toBeUndefined();
    expect(parseOffset(null)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseViewLink(text)).toBeTypeOf('object');
      }),
    );
  });
});
