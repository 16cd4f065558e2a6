import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ByteOrder,
  decodeBfloat16,
  decodeFloat16,
  decodeLeb128,
  inspect,
  type Interpretation,
  shortestDecimal,
} from '../src/core/inspector';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function row(bytes: Uint8Array, order: ByteOrder, id: string): Interpretation {
  const found = inspect(bytes, order).find((entry) => entry.id === id);
  if (!found) throw new Error(`no ${id}`);
  return found;
}

const value = (hex: string, order: ByteOrder, id: string): string | undefined =>
  row(bytesOf(hex.padEnd(32, '0')), order, id).value;

describe('the inspector', () => {
  it.each([
    ['80', 'little', 'binary', '10000000'],
    ['ff', 'little', 'uint8', '255'],
    ['ff', 'little', 'int8', '-1'],
    ['0080', 'little', 'int16', '-32768'],
    ['0080', 'big', 'int16', '128'],
    ['010203', 'little', 'uint24', '197121'],
    ['ff0203', 'big', 'int24', '-65021'],
    ['000080', 'little', 'int24', '-8388608'],
    ['ffffffff', 'big', 'uint32', '4294967295'],
    ['00000080', 'little', 'int32', '-2147483648'],
    ['000000000080', 'little', 'int48', '-140737488355328'],
    ['ffffffffffff', 'little', 'uint48', '281474976710655'],
    ['ffffffffffffffff', 'little', 'uint64', '18446744073709551615'],
    ['ffffffffffffffff', 'little', 'int64', '-1'],
    ['8000000000000000', 'big', 'int64', '-9223372036854775808'],
    ['003c', 'little', 'float16', '1'],
    ['3c00', 'big', 'float16', '1'],
    ['662e', 'little', 'float16', '0.1'],
    ['ff7b', 'little', 'float16', '65500'],
    ['0100', 'little', 'float16', '6e-8'],
    ['007c', 'little', 'float16', 'Infinity'],
    ['00fc', 'little', 'float16', '-Infinity'],
    ['017e', 'little', 'float16', 'NaN'],
    ['0080', 'little', 'float16', '-0'],
    ['803f', 'little', 'bfloat16', '1'],
    ['4049', 'big', 'bfloat16', '3.14'],
    ['0100', 'little', 'bfloat16', '9e-41'],
    ['cdcccc3d', 'little', 'float32', '0.1'],
    ['40490fdb', 'big', 'float32', '3.1415927'],
    ['ffff7f7f', 'little', 'float32', '3.4028235e+38'],
    ['01000000', 'little', 'float32', '1e-45'],
    ['182d4454fb210940', 'little', 'float64', '3.141592653589793'],
    ['8000000000000000', 'big', 'float64', '-0'],
    // Digits that the type does not have are not made up.
    ['d061', 'little', 'bfloat16', '4.8e+20'],
    ['ec78ad60', 'little', 'float32', '1e+20'],
    ['4340000000000000', 'big', 'float64', '9007199254740992'],
    ['c341c37937e08000', 'big', 'float64', '-1e+16'],
    ['e58e26', 'little', 'uleb128', '624485'],
    ['c0bb78', 'little', 'sleb128', '-123456'],
    ['7f', 'little', 'sleb128', '-1'],
    ['01', 'little', 'zigzag', '-1'],
    ['ffffffffffffffffff01', 'little', 'zigzag', '-9223372036854775808'],
    ['feffffffffffffffff01', 'big', 'zigzag', '9223372036854775807'],
    ['00000000', 'little', 'unix32', '1970-01-01 00:00:00Z'],
    ['ffffff7f', 'little', 'unix32', '2038-01-19 03:14:07Z'],
    ['80000000', 'big', 'unix32', '1901-12-13 20:45:52Z'],
    ['0000000080000000', 'big', 'unix64', '2038-01-19 03:14:08Z'],
    ['0000000000000000', 'little', 'filetime', '1601-01-01 00:00:00Z'],
    ['019db1ded53e8001', 'big', 'filetime', '1970-01-01 00:00:00.0000001Z'],
    ['00000000', 'little', 'dos', undefined],
    // 31 February 2025, and 24:00.
    ['00005f5a', 'little', 'dos', undefined],
    ['00c0785d', 'little', 'dos', undefined],
    ['7d5c7d5d', 'little', 'dos', '2026-11-29 11:35:58'],
    ['5d7d5c7d', 'big', 'dos', '2026-11-29 11:35:58'],
    ['33221100554477668899aabbccddeeff', 'little', 'guid', '00112233-4455-6677-8899-aabbccddeeff'],
    ['00112233445566778899aabbccddeeff', 'big', 'guid', '00112233-4455-6677-8899-aabbccddeeff'],
    ['7f000001', 'big', 'ipv4', '127.0.0.1'],
    ['7f000001', 'little', 'ipv4', '1.0.0.127'],
    ['41', 'little', 'utf8', 'A\u2002U+0041'],
    ['00', 'little', 'utf8', 'U+0000'],
    ['e282ac', 'little', 'utf8', '€\u2002U+20AC (3 bytes)'],
    ['f09f9880', 'little', 'utf8', '😀\u2002U+1F600 (4 bytes)'],
    ['c080', 'little', 'utf8', undefined],
    ['eda080', 'little', 'utf8', undefined],
    ['f4908080', 'little', 'utf8', undefined],
    ['ff', 'little', 'utf8', undefined],
    ['4100', 'little', 'utf16', 'A\u2002U+0041 (2 bytes)'],
    ['3dd800de', 'little', 'utf16', '😀\u2002U+1F600 (4 bytes)'],
    ['d83dde00', 'big', 'utf16', '😀\u2002U+1F600 (4 bytes)'],
    ['00de', 'little', 'utf16', undefined],
    ['3dd84100', 'little', 'utf16', undefined],
  ] as const)('%s, %s endian, as %s', (hex, order, id, wanted) => {
    expect(value(hex, order, id)).toBe(wanted);
  });

  it('says how many bytes are missing at the end of the file', () => {
    const three = inspect(bytesOf('ffffff'), 'little');
    const reason = (id: string): string | undefined => three.find((entry) => entry.id === id)?.reason;
    expect(reason('uint24')).toBeUndefined();
    expect(reason('uint32')).toBe('1 more byte needed');
    expect(reason('guid')).toBe('13 more bytes needed');
    expect(reason('uleb128')).toBe('does not end before the file does');
    expect(inspect(new Uint8Array(0), 'big').every((entry) => entry.value === undefined)).toBe(true);
  });

  it('offers every unsigned integer as an offset that a Number holds', () => {
    expect(row(bytesOf('ffffffffffff1f00'.padEnd(32, '0')), 'little', 'uint64').offset).toBe(Number.MAX_SAFE_INTEGER);
    expect(row(bytesOf('0000000000002000'.padEnd(32, '0')), 'little', 'uint64').offset).toBeUndefined();
    expect(row(bytesOf('ff'.repeat(16)), 'little', 'int16').offset).toBeUndefined();
  });

  it('reads integers as DataView does, from any place of a buffer, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(4), fc.boolean(), (buffer, start, little) => {
        const bytes = buffer.subarray(start, start + 16);
        const view = new DataView(buffer.buffer, buffer.byteOffset + start, 16);
        const order = little ? 'little' : 'big';
        expect(row(bytes, order, 'uint16').value).toBe(String(view.getUint16(0, little)));
        expect(row(bytes, order, 'int16').value).toBe(String(view.getInt16(0, little)));
        expect(row(bytes, order, 'uint32').value).toBe(String(view.getUint32(0, little)));
        expect(row(bytes, order, 'int32').value).toBe(String(view.getInt32(0, little)));
        expect(row(bytes, order, 'uint64').value).toBe(String(view.getBigUint64(0, little)));
        expect(row(bytes, order, 'int64').value).toBe(String(view.getBigInt64(0, little)));
        const wide = little ? view.getBigUint64(0, true) & 0xffffffffffffn : view.getBigUint64(0, false) >> 16n;
        expect(row(bytes, order, 'uint48').value).toBe(String(wide));
        expect(row(bytes, order, 'int48').value).toBe(String(BigInt.asIntN(48, wide)));
        const narrow = Number(little ? wide & 0xffffffn : wide >> 24n);
        expect(row(bytes, order, 'uint24').value).toBe(String(narrow));
        expect(row(bytes, order, 'int24').value).toBe(String(BigInt.asIntN(24, BigInt(narrow))));
      }),
    );
  });

  it('writes floats so that they read back as the same value, and no longer than needed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        const single = view.getFloat32(0, true);
        expect(Object.is(Math.fround(Number(row(bytes, 'little', 'float32').value)), single)).toBe(true);
        const double = view.getFloat64(0, true);
        expect(Object.is(Number(row(bytes, 'little', 'float64').value), double)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    for (const [decode, significand, lowest] of [
      [decodeFloat16, 11, -24],
      [decodeBfloat16, 8, -133],
    ] as const) {
      // All of them: the text must be nearer to its value than to either neighbour. (An expect() for each would take seconds.)
      const wrong: number[] = [];
      for (let bits = 0; bits < 0x7f80; ++bits) {
        const here = decode(bits);
        const above = decode(bits + 1);
        if (!Number.isFinite(here) || !Number.isFinite(above)) continue;
        const text = shortestDecimal(here, significand, lowest);
        const value = Number(text);
        const near = value < here + (above - here) / 2 && (bits === 0 || value > here - (here - decode(bits - 1)) / 2);
        if (!near || shortestDecimal(-here, significand, lowest) !== `-${text}`) wrong.push(bits);
      }
      expect(wrong).toEqual([]);
    }
  });

  it('reads back every LEB128 of 64 bits, and no longer one', () => {
    const encode = (number: bigint, signed: boolean): Uint8Array => {
      const out: number[] = [];
      for (let rest = number; ;) {
        const low = Number(rest & 0x7fn);
        rest >>= 7n;
        const done = signed ? (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40) : rest === 0n;
        out.push(done ? low : low + 0x80);
        if (done) return Uint8Array.from(out);
      }
    };
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (number) => {
        const bytes = encode(number, false);
        expect(decodeLeb128(bytes, false)).toEqual({ value: number, length: bytes.length, negative: false });
        const signed = BigInt.asIntN(64, number);
        const signedBytes = encode(signed, true);
        expect(decodeLeb128(signedBytes, true)).toEqual({
          value: signed,
          length: signedBytes.length,
          negative: signed < 0n,
        });
      }),
      { numRuns: 2000 },
    );
    expect(decodeLeb128(encode(1n << 64n, false), false)).toBe('longer than 64 bits');
    expect(decodeLeb128(encode(1n << 63n, true), true)).toBe('longer than 64 bits');
    expect(decodeLeb128(encode(-(1n << 63n) - 1n, true), true)).toBe('longer than 64 bits');
    expect(decodeLeb128(new Uint8Array(16).fill(0x80), false)).toBe('longer than 64 bits');
  });
});
