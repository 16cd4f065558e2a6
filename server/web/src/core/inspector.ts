/** What the bytes at a place mean as each of many types. */

import { hexPairs } from './format';
import { decodeUtf8 } from './text_encodings';

export type ByteOrder = 'little' | 'big';

export interface Interpretation {
  readonly id: string;
  readonly label: string;
  /** Undefined where the bytes are no such value; `reason` tells why. */
  readonly value: string | undefined;
  readonly reason?: string;
  /** Bytes that were read. */
  readonly length: number;
  /** The value as an offset to follow, for unsigned integers. */
  readonly offset?: number;
}

/** Bytes that `inspect` wants: a GUID is the longest. */
export const inspectedBytes = 16;

interface Context {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly little: boolean;
}

interface Type {
  readonly id: string;
  readonly label: string;
  /** Bytes needed; 0 for those that find out themselves. */
  readonly needs: number;
  readonly read: (context: Context) => Partial<Interpretation> & { readonly value: string | undefined };
}

function pad(value: number | bigint, digits = 2): string {
  return String(value).padStart(digits, '0');
}

/** Digits that a float does not have are not made up: from 10^16 on, where String would pad with zeros, an exponent tells. */
function decimal(value: number): string {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) && Math.abs(value) >= 1e16 ? value.toExponential() : String(value);
}

/**
 * The shortest decimal that only this value of its type is nearest to. `significand` is the type's precision in bits with
 * the hidden one, `lowestExponent` that of its subnormals' last place.
 */
export function shortestDecimal(value: number, significand: number, lowestExponent: number): string {
  if (!Number.isFinite(value) || value === 0) return decimal(value);
  let exponent = Math.floor(Math.log2(Math.abs(value)));
  // log2 rounds: near a power of two it may name the next one.
  if (2 ** exponent > Math.abs(value)) --exponent;
  const lastPlace = 2 ** Math.max(exponent - significand + 1, lowestExponent);
  // Below a power of two the neighbours lie half as far.
  const below =
    Math.abs(value) === 2 ** exponent && exponent - significand + 1 > lowestExponent ? lastPlace / 2 : lastPlace;
  for (let digits = 1; digits < 17; ++digits) {
    const candidate = Number(value.toPrecision(digits));
    const error = Math.abs(candidate) - Math.abs(value);
    if (error >= 0 ? error < lastPlace / 2 : -error < below / 2) return decimal(candidate);
  }
  return decimal(value);
}

export function decodeFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The upper half of a float32. */
export function decodeBfloat16(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}

interface Varint {
  readonly value: bigint;
  readonly length: number;
  readonly negative: boolean;
}

/** LEB128 of at most 64 bits: ten bytes, of which the last has a single bit, or its extension where it is signed. */
export function decodeLeb128(bytes: Uint8Array, signed: boolean): Varint | string {
  let value = 0n;
  for (let i = 0; i < 10; ++i) {
    const byte = bytes[i];
    if (byte === undefined) return 'does not end before the file does';
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) {
      const negative = signed && (byte & 0x40) !== 0;
      if (negative) value -= 1n << BigInt(7 * (i + 1));
      const fits = signed ? BigInt.asIntN(64, value) === value : BigInt.asUintN(64, value) === value;
      return fits ? { value, length: i + 1, negative } : 'longer than 64 bits';
    }
  }
  return 'longer than 64 bits';
}

function varint(bytes: Uint8Array, signed: boolean, map: (value: bigint) => bigint): ReturnType<Type['read']> {
  const decoded = decodeLeb128(bytes, signed);
  if (typeof decoded === 'string') return { value: undefined, reason: decoded };
  return { value: String(map(decoded.value)), length: decoded.length };
}

/** A time as RFC 3339 with a space, `fraction` being what follows the second. */
function isoTime(seconds: bigint, fraction = ''): string | undefined {
  const milliseconds = seconds * 1000n;
  // ECMAScript's Date reaches 8.64e15 ms to either side of 1970.
  if (milliseconds > 8_640_000_000_000_000n || milliseconds < -8_640_000_000_000_000n) return undefined;
  return new Date(Number(milliseconds))
    .toISOString()
    .replace('T', ' ')
    .replace(/\.000Z$/, `${fraction}Z`);
}

function timeOrReason(text: string | undefined): ReturnType<Type['read']> {
  return text === undefined ? { value: undefined, reason: 'beyond the calendar' } : { value: text };
}

/** 100 ns since 1601-01-01, unsigned (Windows FILETIME). */
function fileTime(ticks: bigint): string | undefined {
  const fraction = ticks % 10_000_000n;
  return isoTime(ticks / 10_000_000n - 11_644_473_600n, fraction === 0n ? '' : `.${pad(fraction, 7)}`);
}

/** Date in the upper, time in the lower 16 bits, two-second steps, local time of nobody in particular (FAT, ZIP). */
function dosTime(bits: number): string | undefined {
  const year = 1980 + (bits >>> 25);
  const month = (bits >>> 21) & 0x0f;
  const day = (bits >>> 16) & 0x1f;
  const hour = (bits >>> 11) & 0x1f;
  const minute = (bits >>> 5) & 0x3f;
  const second = (bits & 0x1f) * 2;
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth || hour > 23 || minute > 59 || second > 59)
    return undefined;
  return `${year}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)}`;
}

/** A code point's character in quotes where it shows, and its name as U+. */
function describeCharacter(codePoint: number, length: number): string {
  const text = String.fromCodePoint(codePoint);
  const shown = /[\p{C}\p{Zl}\p{Zp}]/u.test(text) ? '' : `${/\p{M}/u.test(text) ? '\u25cc' : ''}${text}\u2002`;
  return `${shown}U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}${length > 1 ? ` (${length} bytes)` : ''}`;
}

function integer(bits: 8 | 16 | 24 | 32 | 48 | 64, signed: boolean): Type {
  const needs = bits / 8;
  return {
    id: `${signed ? 'int' : 'uint'}${bits}`,
    label: `${signed ? 'int' : 'uint'}${bits}`,
    needs,
    read: ({ bytes, little }) => {
      let value = 0n;
      for (let i = 0; i < needs; ++i) value = (value << 8n) | BigInt(bytes[little ? needs - 1 - i : i]!);
      if (signed) return { value: String(BigInt.asIntN(bits, value)) };
      const offset = Number(value);
      return Number.isSafeInteger(offset) ? { value: String(value), offset } : { value: String(value) };
    },
  };
}

const types: readonly Type[] = [
  { id: 'binary', label: 'binary', needs: 1, read: ({ bytes }) => ({ value: bytes[0]!.toString(2).padStart(8, '0') }) },
  ...([8, 16, 24, 32, 48, 64] as const).flatMap((bits) => [integer(bits, false), integer(bits, true)]),
  {
    id: 'float16',
    label: 'float16',
    needs: 2,
    read: ({ view, little }) => ({ value: shortestDecimal(decodeFloat16(view.getUint16(0, little)), 11, -24) }),
  },
  {
    id: 'bfloat16',
    label: 'bfloat16',
    needs: 2,
    read: ({ view, little }) => ({ value: shortestDecimal(decodeBfloat16(view.getUint16(0, little)), 8, -133) }),
  },
  {
    id: 'float32',
    label: 'float32',
    needs: 4,
    read: ({ view, little }) => ({ value: shortestDecimal(view.getFloat32(0, little), 24, -149) }),
  },
  {
    id: 'float64',
    label: 'float64',
    needs: 8,
    read: ({ view, little }) => ({ value: decimal(view.getFloat64(0, little)) }),
  },
  { id: 'uleb128', label: 'ULEB128', needs: 0, read: ({ bytes }) => varint(bytes, false, (value) => value) },
  { id: 'sleb128', label: 'SLEB128', needs: 0, read: ({ bytes }) => varint(bytes, true, (value) => value) },
  {
    id: 'zigzag',
    label: 'zigzag',
    needs: 0,
    // Protocol Buffers' sint64: 0, -1, 1, -2 ... as a ULEB128.
    read: ({ bytes }) => varint(bytes, false, (value) => (value >> 1n) ^ -(value & 1n)),
  },
  {
    id: 'unix32',
    label: 'Unix time 32',
    needs: 4,
    read: ({ view, little }) => timeOrReason(isoTime(BigInt(view.getInt32(0, little)))),
  },
  {
    id: 'unix64',
    label: 'Unix time 64',
    needs: 8,
    read: ({ view, little }) => timeOrReason(isoTime(view.getBigInt64(0, little))),
  },
  {
    id: 'filetime',
    label: 'FILETIME',
    needs: 8,
    read: ({ view, little }) => timeOrReason(fileTime(view.getBigUint64(0, little))),
  },
  {
    id: 'dos',
    label: 'DOS time',
    needs: 4,
    read: ({ view, little }) => {
      const value = dosTime(view.getUint32(0, little));
      return value === undefined ? { value, reason: 'no such day or time' } : { value };
    },
  },
  {
    id: 'guid',
    label: 'GUID',
    needs: 16,
    read: ({ view, bytes, little }) => {
      const tail = Array.from(bytes.subarray(8, 16), (byte) => hexPairs[byte]!).join('');
      const head = view.getUint32(0, little).toString(16).padStart(8, '0');
      const middle = [4, 6].map((at) => view.getUint16(at, little).toString(16).padStart(4, '0'));
      return { value: `${head}-${middle.join('-')}-${tail.slice(0, 4)}-${tail.slice(4)}` };
    },
  },
  {
    id: 'ipv4',
    label: 'IPv4',
    needs: 4,
    read: ({ bytes, little }) => {
      const address = Array.from(bytes.subarray(0, 4));
      return { value: (little ? address.reverse() : address).join('.') };
    },
  },
  {
    id: 'utf8',
    label: 'UTF-8',
    needs: 0,
    read: ({ bytes }) => {
      const character = decodeUtf8((index) => bytes[index] ?? -1, 0);
      if (character === undefined) return { value: undefined, reason: 'not UTF-8' };
      return { value: describeCharacter(character.codePoint, character.length), length: character.length };
    },
  },
  {
    id: 'utf16',
    label: 'UTF-16',
    needs: 2,
    read: ({ view, bytes, little }) => {
      const first = view.getUint16(0, little);
      if (first < 0xd800 || first > 0xdfff) return { value: describeCharacter(first, 2) };
      const second = bytes.length >= 4 ? view.getUint16(2, little) : 0;
      if (first > 0xdbff || second < 0xdc00 || second > 0xdfff)
        return { value: undefined, reason: 'half a surrogate pair' };
      return { value: describeCharacter(0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff), 4), length: 4 };
    },
  },
];

/**
 * All interpretations of `bytes`, the up to 16 bytes from a place on. Fewer mean that the file ends there: what needs more
 * says so. Byte order matters to all but binary, LEB128, zigzag and UTF-8. An IPv4 address in network order is the big one.
 */
export function inspect(bytes: Uint8Array, order: ByteOrder): Interpretation[] {
  const context: Context = {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    bytes,
    little: order === 'little',
  };
  return types.map(({ id, label, needs, read }): Interpretation => {
    const least = Math.max(1, needs);
    if (bytes.length < least) {
      const missing = least - bytes.length;
      return {
        id,
        label,
        value: undefined,
        length: 0,
        reason: `${missing} more ${missing === 1 ? 'byte' : 'bytes'} needed`,
      };
    }
    return { id, label, length: least, ...read(context) };
  });
}
