import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateGoto } from '../src/core/expression';

const size = 2 ** 44;
const at = (text: string, cursor = 1000, fileSize = size): number | string => {
  const result = evaluateGoto(text, { cursor, size: fileSize });
  return result.ok ? result.offset : result.message;
};

describe('goto', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['0x1000', 4096],
    ['0X1f', 31],
    ['$1f', 31],
    ['1fh', 31],
    ['10h', 16],
    ['0b101', 5],
    ['0o17', 15],
    ['1_000', 1000],
    ['1,000,000', 1_000_000],
    ['1 073 741 824', 2 ** 30],
    ['0x1000+512*3', 0x1600],
    ['0x1000 + 512 * 3', 0x1600],
    ['(2+3)*4', 20],
    ['100/7', 14],
    ['2*3+4*5', 26],
    ['20-3-4', 13],
    ['2^40', 2 ** 40],
    ['2**40', 2 ** 40],
    ['1<<40', 2 ** 40],
    ['2^3^2', 512],
    ['+24', 1024],
    ['-24', 976],
    ['+0x10*2', 1032],
    ['-(1+2)', 997],
    ['+4KiB', 5096],
    ['5*-2+20', 10],
    ['1KiB', 1024],
    ['1k', 1024],
    ['1KB', 1024],
    ['2 MiB', 2 ** 21],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['1TiB', 2 ** 40],
    ['12b', 12],
    ['50%', size / 2],
    ['12.5%', size / 8],
    ['12.5 %', size / 8],
    ['0%', 0],
    ['100%', size - 1],
    ['end', size - 1],
    ['END-15', size - 16],
    ['size', size - 1],
    ['size-1', size - 1],
    ['here+1', 1001],
    ['17592186044415', size - 1],
    ['  7  ', 7],
  ])('%s', (text, offset) => {
    expect(at(text)).toBe(offset);
  });

  it.each([
    ['', 'Type an offset'],
    ['   ', 'Type an offset'],
    ['1f00', 'For hex write 0x1f00'],
    ['deadbeef', 'For hex write 0xdeadbeef'],
    ['0x', '“0x” is not a number'],
    ['0xg', '“0xg” is not a number'],
    ['1.5', '1.5 is not a whole number'],
    ['1+', 'A number is missing at the end'],
    ['(1+2', 'A “)” is missing'],
    ['1)', '“)” is not expected here'],
    ['1 2', '“2” is not expected here'],
    ['*3', '“*” is not expected here'],
    ['5/0', 'Division by zero'],
    ['5/(3-3)', 'Division by zero'],
    ['2^65', 'The exponent is out of range'],
    ['9^9^9', 'The exponent is out of range'],
    ['2^-1', 'The exponent is out of range'],
    ['2^64*2^64*2^64', 'The number is too large'],
    ['-1001', '-1 is before the start of the file'],
    ['3-4', '-1 is before the start of the file'],
    ['17592186044417', '0x100000000001 is beyond the end of the file'],
    ['2^53+1', '0x20000000000001 is beyond the end of the file'],
    ['é', '“é” is not expected here'],
  ])('refuses %s', (text, message) => {
    expect(at(text)).toBe(message);
  });

  it('takes one past the end for the last byte, and 0 in an empty file', () => {
    expect(at('10', 0, 10)).toBe(9);
    expect(at('11', 0, 10)).toBe('0xb is beyond the end of the file');
    expect(at('0', 0, 0)).toBe(0);
    expect(at('end', 0, 0)).toBe(0);
  });

  it('is exact for every offset that a Number holds, decimal and hex', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (offset) => {
        expect(at(String(offset), 0, Number.MAX_SAFE_INTEGER)).toBe(Math.min(offset, Number.MAX_SAFE_INTEGER - 1));
        expect(at(`0x${offset.toString(16)}`, 0, Number.MAX_SAFE_INTEGER)).toBe(
          Math.min(offset, Number.MAX_SAFE_INTEGER - 1),
        );
      }),
    );
  });

  it('computes sums as BigInt does', () => {
    const term = fc.tuple(fc.constantFrom('+', '-', '*'), fc.bigInt({ min: 0n, max: 1n << 48n }));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 48n }), fc.array(term, { maxLength: 2 }), (first, terms) => {
        const text = [String(first), ...terms.map(([sign, value]) => `${sign}0x${value.toString(16)}`)].join('');
        // An independent reading: products first, over a list of terms.
        const parts: [string, bigint][] = [['+', first]];
        for (const [sign, value] of terms) {
          if (sign === '*') parts.at(-1)![1] *= value;
          else parts.push([sign, value]);
        }
        const wanted = parts.reduce((sum, [sign, value]) => (sign === '+' ? sum + value : sum - value), 0n);
        const result = evaluateGoto(text, { cursor: 0, size });
        const inFile = wanted >= 0n && wanted <= BigInt(size);
        expect(result.ok).toBe(inFile);
        if (result.ok) expect(BigInt(result.offset)).toBe(wanted === BigInt(size) ? wanted - 1n : wanted);
      }),
      { numRuns: 1000 },
    );
  });

  it('never throws, whatever is typed', () => {
    const alphabet = fc.constantFrom(...Array.from('0123456789abcdefxhKMiB%$+-*/^()<>. _,end\u202fé'));
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 30 }), (text) => {
        const result = evaluateGoto(text, { cursor: 5, size: 1000 });
        if (result.ok) {
          expect(result.offset).toBeGreaterThanOrEqual(0);
          expect(result.offset).toBeLessThan(1000);
        } else {
          expect(result.message).not.toBe('');
        }
      }),
      { numRuns: 3000 },
    );
  });
});
