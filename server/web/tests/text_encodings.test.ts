import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  byteClasses,
  controlSign,
  decodeRow,
  decodeText,
  decodeUtf8,
  encodeText,
  highSign,
  type TextEncoding,
  zeroSign,
} from '../src/core/text_encodings';

function cells(encoding: TextEncoding, bytes: readonly number[], from = 0, count = bytes.length): string[] {
  const out = new Array<string>(count).fill('?');
  decodeRow(encoding, (index) => bytes[from + index] ?? -1, out);
  return out;
}

const utf8 = (text: string): number[] => Array.from(new TextEncoder().encode(text));

describe('the text column', () => {
  it('shows a character for each printable byte, and a sign for each class of others', () => {
    expect(cells('ascii', [0x41, 0x20, 0x7e, 0x00, 0x0a, 0x7f, 0x80, 0xff])).toEqual([
      'A',
      ' ',
      '~',
      zeroSign,
      controlSign,
      controlSign,
      highSign,
      highSign,
    ]);
    expect(cells('latin-1', [0xe9, 0xa0, 0xad, 0x85, 0xff])).toEqual(['é', ' ', highSign, highSign, 'ÿ']);
    expect(new Set([zeroSign, controlSign, highSign, '.', ' ']).size).toBe(5);
  });

  it('knows EBCDIC: code page 037 as IBM gives it', () => {
    expect(
      cells('ebcdic', [0xc8, 0x85, 0x93, 0x93, 0x96, 0x6b, 0x40, 0xe6, 0x96, 0x99, 0x93, 0x84, 0x5a]).join(''),
    ).toBe('Hello, World!');
    expect(cells('ebcdic', [0xf0, 0xf9, 0x4a, 0xba, 0xbb, 0xb0, 0x5f]).join('')).toBe('09¢[]^¬');
    expect(cells('ebcdic', [0x00, 0x15, 0x25, 0xff])).toEqual([zeroSign, controlSign, controlSign, highSign]);
    const all = decodeText(
      'ebcdic',
      Uint8Array.from({ length: 256 }, (_, byte) => byte),
    );
    const letters = Array.from(all).filter((character) => /[A-Za-z0-9]/.test(character));
    expect(letters.sort().join('')).toBe('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
  });

  it('puts a UTF-8 character in the cell of its first byte', () => {
    expect(cells('utf-8', utf8('aé€😀'))).toEqual(['a', 'é', '', '€', '', '', '😀', '', '', '']);
    expect(cells('utf-8', [0xc3, 0x28])).toEqual([highSign, '(']);
    expect(cells('utf-8', [0xe2, 0x82])).toEqual([highSign, highSign]);
    expect(cells('utf-8', [0x80, 0xbf, 0xf8, 0xc0, 0x80])).toEqual([highSign, highSign, highSign, highSign, highSign]);
    expect(cells('utf-8', utf8('\u0301\u200e\u2003\u0085'))).toEqual([
      '\u25cc\u0301',
      '',
      controlSign,
      '',
      '',
      ' ',
      '',
      '',
      controlSign,
      '',
    ]);
  });

  it('joins UTF-8 over the edges of a row as within it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.nat(60),
        fc.integer({ min: 1, max: 16 }),
        (text, from, count) => {
          const bytes = utf8(text);
          const whole = cells('utf-8', bytes);
          const part = cells('utf-8', bytes, from, count);
          expect(part).toEqual(Array.from({ length: count }, (_, index) => whole[from + index] ?? ''));
        },
      ),
    );
  });

  it('decodes UTF-8 as strictly as TextDecoder', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const lead = fc.oneof(fc.nat(255), fc.integer({ min: 0xc0, max: 0xff }));
    const rest = fc.array(fc.oneof(fc.nat(255), fc.integer({ min: 0x80, max: 0xbf })), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(lead, rest, (first, others) => {
        const bytes = [first, ...others];
        let wanted: { codePoint: number; length: number } | undefined;
        for (let length = 1; length <= 4 && !wanted; ++length) {
          try {
            const text = strict.decode(Uint8Array.from(bytes.slice(0, length)));
            wanted = { codePoint: text.codePointAt(0)!, length };
          } catch {
            // Not with this many bytes.
          }
        }
        expect(decodeUtf8((index) => bytes[index] ?? -1, 0)).toEqual(wanted);
      }),
      { numRuns: 5000 },
    );
  });

  it('shows nothing for a byte that is not there', () => {
    expect(cells('ascii', [0x41], 0, 3)).toEqual(['A', '', '']);
    expect(cells('utf-8', [0x41], -2, 3)).toEqual(['', '', 'A']);
  });

  it('has a class for every byte', () => {
    for (const encoding of ['ascii', 'utf-8', 'latin-1', 'ebcdic'] as const) {
      const classes = byteClasses(encoding);
      expect(classes).toHaveLength(256);
      expect(classes.indexOf('zero')).toBe(0);
      expect(classes.lastIndexOf('zero')).toBe(0);
    }
    expect(byteClasses('ascii')[0x0a]).toBe('control');
    expect(byteClasses('ascii')[0x41]).toBe('printable');
    expect(byteClasses('ascii')[0x80]).toBe('high');
    expect(byteClasses('ebcdic')[0xc1]).toBe('printable');
    expect(byteClasses('ebcdic')[0x41]).toBe('printable');
  });
});

describe('text to and from bytes', () => {
  it('keeps line breaks, and puts a full stop for what has no character', () => {
    const bytes = Uint8Array.from([0x41, 0x0a, 0x09, 0x0d, 0x00, 0x80, 0x42]);
    expect(decodeText('ascii', bytes)).toBe('A\n\t\r..B');
    expect(decodeText('utf-8', bytes)).toBe('A\n\t\r\0\ufffdB');
    expect(decodeText('utf-8', Uint8Array.from([0xef, 0xbb, 0xbf, 0x41]))).toBe('\ufeffA');
  });

  it('comes back as the same bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<TextEncoding>('ascii', 'latin-1', 'ebcdic', 'utf-8'),
        fc.string({ maxLength: 40 }),
        (encoding, text) => {
          const bytes = encodeText(encoding, text);
          expect(bytes && decodeText(encoding, bytes)).toBe(text);
        },
      ),
    );
    expect(encodeText('ascii', 'é')).toBeUndefined();
    expect(encodeText('latin-1', '€')).toBeUndefined();
    expect(encodeText('latin-1', 'é')).toEqual(Uint8Array.of(0xe9));
    expect(encodeText('ebcdic', 'A')).toEqual(Uint8Array.of(0xc1));
  });
});
