import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressDigits,
  formatAddress,
  formatCount,
  formatDuration,
  formatInteger,
  formatPercent,
  formatSize,
  formatTime,
} from '../src/core/format';

describe('numbers as text', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1023 bytes'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1024 * 1024 - 1, '1023 KiB'],
    [64 * 1024, '64 KiB'],
    [2 ** 31, '2 GiB'],
    [2 ** 44, '16 TiB'],
    [2 ** 44 - 1, '15.9 TiB'],
    [2 ** 53 - 1, '7.99 PiB'],
  ])('%i is %s', (bytes, text) => expect(formatSize(bytes)).toBe(text));

  it('are grouped by three', () => {
    expect(formatInteger(2 ** 44)).toBe('17\u202f592\u202f186\u202f044\u202f416');
    expect(formatInteger(999)).toBe('999');
    expect(formatCount(1)).toBe('1 byte');
    expect(formatCount(4096)).toBe('4\u202f096 bytes');
  });

  it('give every address of a file the same, even width', () => {
    expect(addressDigits(0)).toBe(8);
    expect(addressDigits(2 ** 32)).toBe(8);
    expect(addressDigits(2 ** 32 + 1)).toBe(10);
    expect(addressDigits(2 ** 44)).toBe(12);
    fc.assert(
      fc.property(fc.maxSafeNat(), (offset) => {
        const text = formatAddress(offset, addressDigits(Number.MAX_SAFE_INTEGER));
        expect(text).toHaveLength(14);
        expect(parseInt(text, 16)).toBe(offset);
      }),
    );
  });

  it('say 0 and 100 per cent only at the ends', () => {
    expect(formatPercent(0, 2 ** 44)).toBe('0 %');
    expect(formatPercent(2 ** 44 - 1, 2 ** 44)).toBe('100 %');
    expect(formatPercent(2 ** 44 - 2, 2 ** 44)).toBe('99.99 %');
    expect(formatPercent(2 ** 43, 2 ** 44)).toBe('50.00 %');
    expect(formatPercent(0, 0)).toBe('0 %');
  });

  it('tell times as people say them, and leave alone what is none', () => {
    expect(formatTime('yesterday')).toBe('yesterday');
    expect(formatTime('2026-11-24T08:00:00Z')).toContain('2026');
    expect(formatDuration(0.2)).toBe('1 s');
    expect(formatDuration(75)).toBe('75 s');
    expect(formatDuration(600)).toBe('10 min');
    expect(formatDuration(7200)).toBe('2.0 h');
    expect(formatDuration(864_000)).toBe('10 days');
    expect(formatDuration(Infinity)).toBe('unknown');
  });
});
