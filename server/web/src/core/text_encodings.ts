/** How bytes look as text, one cell for each byte. */

export const textEncodings = [
  { name: 'ascii', label: 'ASCII' },
  { name: 'utf-8', label: 'UTF-8' },
  { name: 'latin-1', label: 'Latin-1' },
  { name: 'ebcdic', label: 'EBCDIC' },
] as const;

export type TextEncoding = (typeof textEncodings)[number]['name'];

export function isTextEncoding(text: string): text is TextEncoding {
  return textEncodings.some((encoding) => encoding.name === text);
}

/** What a byte is, told apart on screen by weight, slant and sign as well as by colour. */
export type ByteClass = 'zero' | 'printable' | 'control' | 'high';

/** Signs for bytes without a character of their own. Each class has its own shape. */
export const zeroSign = '\u00b7'; // middle dot
export const controlSign = '\u2022'; // bullet
export const highSign = '\u25e6'; // white bullet

/**
 * IBM code page 037 as ISO 8859-1 code points: byte n is the character of value table[n]. The page is a permutation of
 * Latin-1 (IBM's CDRA registry, CCSID 37).
 */
const codePage037 =
  '000102039c09867f978d8e0b0c0d0e0f101112139d8508871819928f1c1d1e1f80818283840a171b88898a8b8c050607' +
  '909116939495960498999a9b14159e1a20a0e2e4e0e1e3e5e7f1a22e3c282b7c26e9eaebe8edeeefecdf21242a293bac' +
  '2d2fc2c4c0c1c3c5c7d1a62c255f3e3ff8c9cacbc8cdcecfcc603a2340273d22d8616263646566676869abbbf0fdfeb1' +
  'b06a6b6c6d6e6f707172aabae6b8c6a4b57e737475767778797aa1bfd0dddeae5ea3a5b7a9a7b6bcbdbe5b5dafa8b4d7' +
  '7b414243444546474849adf4f6f2f3f57d4a4b4c4d4e4f505152b9fbfcf9faff5cf7535455565758595ab2d4d6d2d3d5' +
  '30313233343536373839b3dbdcd9da9f';

const ebcdicToLatin1 = Uint8Array.from({ length: 256 }, (_, byte) =>
  parseInt(codePage037.slice(byte * 2, byte * 2 + 2), 16),
);

/** The character of a byte in a one-byte encoding, or undefined where it has none that shows. */
function characterOf(encoding: TextEncoding, byte: number): string | undefined {
  const code = encoding === 'ebcdic' ? ebcdicToLatin1[byte]! : byte;
  const ascii = code >= 0x20 && code < 0x7f;
  if (ascii) return String.fromCharCode(code);
  // U+00A0 shows as a space, U+00AD (soft hyphen) not at all.
  const latin = encoding === 'latin-1' || encoding === 'ebcdic';
  if (latin && code === 0xa0) return ' ';
  return latin && code > 0xa0 && code !== 0xad ? String.fromCharCode(code) : undefined;
}

function classify(encoding: TextEncoding, byte: number): ByteClass {
  if (byte === 0) return 'zero';
  if (characterOf(encoding, byte) !== undefined) return byte >= 0x80 && encoding === 'latin-1' ? 'high' : 'printable';
  return byte >= 0x80 ? 'high' : 'control';
}

interface Table {
  readonly classes: readonly ByteClass[];
  readonly glyphs: readonly string[];
}

function makeTable(encoding: TextEncoding): Table {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const classes = bytes.map((byte) => classify(encoding, byte));
  const glyphs = bytes.map(
    (byte) =>
      characterOf(encoding, byte) ??
      (classes[byte] === 'zero' ? zeroSign : classes[byte] === 'control' ? controlSign : highSign),
  );
  return { classes, glyphs };
}

const tables: Record<TextEncoding, Table> = {
  ascii: makeTable('ascii'),
  'utf-8': makeTable('utf-8'),
  'latin-1': makeTable('latin-1'),
  ebcdic: makeTable('ebcdic'),
};

export function byteClasses(encoding: TextEncoding): readonly ByteClass[] {
  return tables[encoding].classes;
}

/** Byte `index` of some window, -1 where it is not known or outside the file. */
export type ByteAt = (index: number) => number;

export interface DecodedCharacter {
  readonly codePoint: number;
  readonly length: number;
}

/** The UTF-8 character that begins at `index`, strictly (RFC 3629): no overlong forms, no surrogates. */
export function decodeUtf8(byteAt: ByteAt, index: number): DecodedCharacter | undefined {
  const lead = byteAt(index);
  if (lead < 0) return undefined;
  if (lead < 0x80) return { codePoint: lead, length: 1 };
  const length =
    lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xc2 && lead < 0xe0 ? 2 : 0;
  if (length === 0) return undefined;
  let codePoint = lead & (0x7f >> length);
  for (let i = 1; i < length; ++i) {
    const byte = byteAt(index + i);
    if (byte < 0 || (byte & 0xc0) !== 0x80) return undefined;
    codePoint = (codePoint << 6) | (byte & 0x3f);
  }
  const least = [0, 0, 0x80, 0x800, 0x10000][length]!;
  const surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  return codePoint < least || codePoint > 0x10ffff || surrogate ? undefined : { codePoint, length };
}

/** One character for a cell: marks on a dotted circle, what does not show as a sign. */
function cellText(codePoint: number): string {
  const text = String.fromCodePoint(codePoint);
  if (/\p{Zs}/u.test(text)) return ' ';
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(text)) return controlSign;
  return /\p{M}/u.test(text) ? `\u25cc${text}` : text;
}

/**
 * Fills `cells` with what each byte of a row shows. A UTF-8 character stands in the cell of its first byte, the cells of
 * its other bytes are empty, also over the row's edges: `byteAt` is asked from -3 to cells.length + 2.
 */
export function decodeRow(encoding: TextEncoding, byteAt: ByteAt, cells: string[]): void {
  const { glyphs } = tables[encoding];
  for (let i = 0; i < cells.length; ++i) {
    const byte = byteAt(i);
    if (byte < 0) {
      cells[i] = '';
    } else if (encoding !== 'utf-8' || byte < 0x80) {
      cells[i] = glyphs[byte]!;
    } else {
      let lead = i;
      while (lead > i - 3 && (byteAt(lead) & 0xc0) === 0x80) --lead;
      const character = decodeUtf8(byteAt, lead);
      if (character === undefined || lead + character.length <= i) cells[i] = highSign;
      else cells[i] = lead === i ? cellText(character.codePoint) : '';
    }
  }
}

/**
 * Bytes as text for copying: line breaks and tabs stay, what has no character becomes a full stop in the one-byte encodings
 * and U+FFFD in UTF-8.
 */
export function decodeText(encoding: TextEncoding, bytes: Uint8Array): string {
  if (encoding === 'utf-8') return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const map = Array.from({ length: 256 }, (_, byte) => {
    const code = encoding === 'ebcdic' ? ebcdicToLatin1[byte]! : byte;
    if (code === 9 || code === 10 || code === 13) return String.fromCharCode(code);
    if (code === 0xa0 && encoding !== 'ascii') return '\u00a0';
    return characterOf(encoding, byte) ?? '.';
  });
  return joinInParts(bytes, (part) => Array.from(part, (byte) => map[byte]!).join(''));
}

/** Applies `render` to 48 KiB at a time (a multiple of 3 and 16), so that no array has an element for each of 16 Mi bytes. */
export function joinInParts(bytes: Uint8Array, render: (part: Uint8Array, offset: number) => string): string {
  const partLength = 49_152;
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += partLength) parts.push(render(bytes.subarray(at, at + partLength), at));
  return parts.join('');
}

/** The bytes of `text` in an encoding, or undefined if a character has none: for searching. */
export function encodeText(encoding: TextEncoding, text: string): Uint8Array<ArrayBuffer> | undefined {
  if (encoding === 'utf-8') return new TextEncoder().encode(text);
  const out: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code > (encoding === 'ascii' ? 0x7f : 0xff)) return undefined;
    out.push(encoding === 'ebcdic' ? ebcdicToLatin1.indexOf(code) : code);
  }
  return Uint8Array.from(out);
}
