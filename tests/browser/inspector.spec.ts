/** The inspector against values that the test computes on its own, with node's Buffer and BigInt. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { overwrite, SparseFile } from './files';
import { expect, type Page, test } from './fixtures';
import { Grid } from './grid';

type Values = Record<string, string | undefined>;

/** What is shown: a value, or undefined where a reason stands in its place. */
function shownValues(page: Page): Promise<Values> {
  return page.getByRole('table', { name: /as values$/ }).evaluate((table) => {
    const values: Values = {};
    for (const row of table.querySelectorAll<HTMLElement>('tr[data-type]'))
      values[row.dataset['type']!] = row.querySelector('.value')?.textContent ?? undefined;
    return values;
  });
}

/** IEEE 754 by its definition: a sign, an exponent of `exponentBits`, a fraction of the rest. */
function smallFloat(bits: number, width: number, exponentBits: number): number {
  const fractionBits = width - 1 - exponentBits;
  const sign = bits >> (width - 1) ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = bits & (2 ** fractionBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (2 ** fractionBits + fraction) * 2 ** (exponent - bias - fractionBits);
}

const smallFloats = (exponentBits: number): number[] =>
  Array.from({ length: 65_536 }, (_, bits) => smallFloat(bits, 16, exponentBits));
const halves = smallFloats(5);
const brains = smallFloats(8);

/** The value of the type that a decimal is nearest to. */
function nearest(all: readonly number[], text: string): number {
  const wanted = Number(text);
  if (Number.isNaN(wanted) || !Number.isFinite(wanted) || wanted === 0) return wanted;
  let best = NaN;
  for (const value of all) {
    if (Number.isFinite(value) && !(Math.abs(value - wanted) >= Math.abs(best - wanted))) best = value;
  }
  return best;
}

function leb128(bytes: Buffer): { unsigned: bigint; signed: bigint } | undefined {
  const end = bytes.findIndex((byte) => byte < 0x80);
  if (end < 0 || end > 9) return undefined;
  let unsigned = 0n;
  for (let at = end; at >= 0; --at) unsigned = unsigned * 128n + BigInt(bytes[at]! % 128);
  return { unsigned, signed: BigInt.asIntN(7 * (end + 1), unsigned) };
}

const fits = (value: bigint, low: bigint, high: bigint): string | undefined =>
  value >= low && value < high ? String(value) : undefined;

function time(seconds: bigint, fraction = ''): string | undefined {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  return `${date.toISOString().slice(0, -5).replace('T', ' ')}${fraction}Z`;
}

function codePoint(text: string, bytes: number): string {
  const code = text.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return `U+${code}${bytes > 1 ? ` (${bytes} bytes)` : ''}`;
}

/** `bytes` are the 16 from the cursor on, or fewer at the end of the file. */
function expectedValues(bytes: Buffer, order: 'little' | 'big'): Values {
  const little = order === 'little';
  const have = <T>(length: number, value: () => T): T | undefined => (bytes.length >= length ? value() : undefined);
  const ordered = (length: number): Buffer => {
    const part = Buffer.from(bytes.subarray(0, length));
    return little ? part.reverse() : part;
  };
  const unsigned = (length: number): bigint => BigInt(`0x${ordered(length).toString('hex')}`);
  const values: Values = { binary: have(1, () => bytes[0]!.toString(2).padStart(8, '0')) };
  for (const bits of [8, 16, 24, 32, 48, 64]) {
    values[`uint${bits}`] = have(bits / 8, () => String(unsigned(bits / 8)));
    values[`int${bits}`] = have(bits / 8, () => String(BigInt.asIntN(bits, unsigned(bits / 8))));
  }
  const varint = leb128(bytes);
  values['uleb128'] = varint && fits(varint.unsigned, 0n, 2n ** 64n);
  values['sleb128'] = varint && fits(varint.signed, -(2n ** 63n), 2n ** 63n);
  const { unsigned: plain } = varint ?? { unsigned: 2n ** 64n };
  values['zigzag'] = plain < 2n ** 64n ? String(plain % 2n === 0n ? plain / 2n : -(plain + 1n) / 2n) : undefined;
  values['unix32'] = have(4, () => time(BigInt.asIntN(32, unsigned(4))));
  values['unix64'] = have(8, () => time(BigInt.asIntN(64, unsigned(8))));
  values['filetime'] = have(8, () => {
    const ticks = unsigned(8);
    const rest = ticks % 10_000_000n;
    return time(ticks / 10_000_000n - 11_644_473_600n, rest === 0n ? '' : `.${String(rest).padStart(7, '0')}`);
  });
  values['dos'] = have(4, () => {
    const field = (from: number, bits: number): number => Number((unsigned(4) >> BigInt(from)) % 2n ** BigInt(bits));
    const parts = [
      field(25, 7) + 1980,
      field(21, 4),
      field(16, 5),
      field(11, 5),
      field(5, 6),
      field(0, 5) * 2,
    ] as const;
    const two = (part: number): string => String(part).padStart(2, '0');
    const [year, month, day, ...clock] = parts;
    const text = `${year}-${two(month)}-${two(day)} ${clock.map(two).join(':')}`;
    // A day or hour that does not exist does not come back as it went in.
    const date = new Date(`${text.replace(' ', 'T')}Z`);
    const same = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text.replace(' ', 'T'));
    return same ? text : undefined;
  });
  values['guid'] = have(16, () => {
    const swap = (from: number, to: number): string => {
      const part = Buffer.from(bytes.subarray(from, to));
      return (little ? part.reverse() : part).toString('hex');
    };
    const tail = bytes.toString('hex', 8, 16);
    return [swap(0, 4), swap(4, 6), swap(6, 8), tail.slice(0, 4), tail.slice(4)].join('-');
  });
  values['ipv4'] = have(4, () => [...ordered(4)].join('.'));
  return values;
}

function expectFloats(shown: Values, bytes: Buffer, order: 'little' | 'big'): void {
  const little = order === 'little';
  for (const [id, all] of [
    ['float16', halves],
    ['bfloat16', brains],
  ] as const) {
    if (bytes.length < 2) expect(shown[id]).toBeUndefined();
    else
      expect(nearest(all, shown[id]!), `${id} ${shown[id]}`).toBe(
        all[little ? bytes.readUInt16LE() : bytes.readUInt16BE()],
      );
  }
  const single = shown['float32'];
  if (bytes.length < 4) expect(single).toBeUndefined();
  else
    expect(Math.fround(Number(single)), `float32 ${single}`).toBe(little ? bytes.readFloatLE() : bytes.readFloatBE());
  const double = shown['float64'];
  if (bytes.length < 8) expect(double).toBeUndefined();
  else expect(Number(double), `float64 ${double}`).toBe(little ? bytes.readDoubleLE() : bytes.readDoubleBE());
}

function expectCharacters(shown: Values, bytes: Buffer, order: 'little' | 'big'): void {
  let eight: string | undefined;
  for (let length = 1; length <= Math.min(4, bytes.length) && eight === undefined; ++length) {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length));
      eight = codePoint(text, length);
    } catch {
      // Longer, or none.
    }
  }
  if (eight === undefined) expect(shown['utf8']).toBeUndefined();
  else expect(shown['utf8']).toContain(eight);

  const units = Buffer.from(bytes.subarray(0, Math.min(4, bytes.length & ~1)));
  const text = (order === 'big' ? units.swap16() : units).toString('utf16le');
  const first = text.codePointAt(0);
  if (first === undefined || (first >= 0xd800 && first <= 0xdfff)) expect(shown['utf16']).toBeUndefined();
  else expect(shown['utf16']).toContain(codePoint(text, first > 0xffff ? 4 : 2));
}

async function expectInspected(page: Page, grid: Grid, bytes: Buffer): Promise<void> {
  for (const order of ['little', 'big'] as const) {
    await page.getByRole('radio', { name: order === 'little' ? 'Little endian' : 'Big endian' }).check({ force: true });
    await grid.element.focus();
    const expected = expectedValues(bytes, order);
    await expect
      .poll(async () => {
        const shown = await shownValues(page);
        return Object.fromEntries(Object.keys(expected).map((id) => [id, shown[id]]));
      })
      .toEqual(expected);
    const shown = await shownValues(page);
    expectFloats(shown, bytes, order);
    expectCharacters(shown, bytes, order);
    const others = ['float16', 'bfloat16', 'float32', 'float64', 'utf8', 'utf16'];
    expect(new Set(Object.keys(shown))).toEqual(new Set([...Object.keys(expected), ...others]));
  }
}

test('every type is right, in both byte orders, for values at the edges of each', async ({ folder, page }) => {
  const rows = [
    '00000000000000000000000000000000',
    'ffffffffffffffffffffffffffffffff',
    '0000008000000000000000000000f0ff', // -0 as float32, a sign bit in the middle
    '000000000000f0ff0000000000000080', // -Infinity as float64
    '0000807f000080ff017c007cff7b0100', // Infinities and a NaN as float32; float16's largest and smallest
    '182d4454fb2109404049000000000000', // pi
    'ffffffffffffffffff01000000000000', // the largest ULEB128 of 64 bits
    'ffffffffffffffffff02000000000000', // one too long
    '8080808080808080807f000000000000', // the smallest SLEB128 of 64 bits
    'e58e2600000000000000000000000000',
    'ffffff7f000000000000000000000080', // the last second of a 32-bit Unix time
    '00803ed5deb19d010000000000000000', // 1970 as FILETIME
    '7d5c7d5d5d7d5c7d000000005f5a0000', // DOS times
    '33221100554477668899aabbccddeeff', // a GUID as Windows writes it
    'f09f98803dd800deed9fbfefbfbf0000', // U+1F600 as UTF-8 and as UTF-16
    'eda080c0af41000000d800dc00dc00d8', // what UTF-8 and UTF-16 forbid
  ];
  writeFileSync(join(folder, 'values'), Buffer.from(rows.join(''), 'hex'));
  const bytes = Buffer.from(rows.join(''), 'hex');
  const grid = new Grid(page);
  await grid.open('values');
  for (let at = 0; at < bytes.length; at += 16) {
    await expectInspected(page, grid, bytes.subarray(at, at + 16));
    await page.keyboard.press('ArrowDown');
  }
  await grid.goto('0xe4');
  await expectInspected(page, grid, bytes.subarray(0xe4, 0xf4));
});

test('it reads over a page edge, far into a file, and up to its last byte', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const grid = new Grid(page);
  await grid.open('disk.img');
  for (const place of [2 ** 31 - 7, 2 ** 32 + 65_536 - 3, 2 ** 40 - 1, file.size - 16]) {
    await grid.goto(`0x${place.toString(16)}`);
    await expectInspected(page, grid, Buffer.from(file.bytes(place, 16)));
  }
  for (let left = 15; left >= 1; --left) {
    await page.keyboard.press('ArrowRight');
    await expectInspected(page, grid, Buffer.from(file.bytes(file.size - left, left)));
  }
  await expect(page.locator('[data-type=guid] .reason')).toHaveText('15 more bytes needed');
});

test('an unsigned integer is followed as an offset, and Back leads back', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const target = 2 ** 40 + 12_345;
  const pointer = Buffer.alloc(8);
  pointer.writeBigUInt64LE(BigInt(target));
  overwrite(join(folder, 'disk.img'), pointer, 2 ** 35);
  const grid = new Grid(page);
  await grid.open('disk.img');
  await grid.goto('2^35');
  await grid.loaded();
  const top = await grid.get('top');
  await page.getByRole('button', { name: `Follow uint64 to 0x${target.toString(16)}` }).click();
  await expect.poll(() => grid.get('cursor')).toBe(target);
  await grid.expectBytesOf(file);
  await expect(grid.element).toBeFocused();
  await page.keyboard.press('[');
  await expect.poll(() => grid.get('cursor')).toBe(2 ** 35);
  expect(await grid.get('top')).toBe(top);
  await page.keyboard.press(']');
  await expect.poll(() => grid.get('cursor')).toBe(target);
  // One that leads out of the file is shown, but not offered.
  await grid.goto('2^35+2');
  await expect(page.locator('[data-type=uint64] .value')).toBeVisible();
});

test('a selection is read from its first byte on, whichever way it was made', async ({ folder, page }) => {
  const file = new SparseFile(join(folder, 'disk.img'));
  const from = 2 ** 32 + 20;
  const target = 2 ** 36 + 77;
  const pointer = Buffer.alloc(8);
  pointer.writeBigUInt64LE(BigInt(target));
  overwrite(join(folder, 'disk.img'), pointer, from);
  const read = (at: number): Buffer => {
    const bytes = Buffer.from(file.bytes(at, 16));
    if (at === from) pointer.copy(bytes);
    return bytes;
  };
  const place = page.locator('[data-inspected]');
  const hex = (offset: number): string => `0x${offset.toString(16)}`;
  const grid = new Grid(page);
  await grid.open('disk.img', `#offset=${hex(from)}`);
  await expect(place).toHaveText(`At the cursor, ${hex(from)}`);
  await expectInspected(page, grid, read(from));
  // Forward: the cursor is at the last byte. What is spoken is still of the cursor.
  for (let step = 0; step < 5; ++step) await page.keyboard.press('Shift+ArrowRight');
  await expect(place).toHaveText(`At the selection’s first byte, ${hex(from)}`);
  await expectInspected(page, grid, read(from));
  const byte = file.bytes(from, 6)[5]!.toString(16).padStart(2, '0');
  expect(byte).not.toBe(pointer[5]!.toString(16).padStart(2, '0'));
  await expect(page.locator('footer [aria-live=polite]')).toContainText(`Offset ${hex(from + 5)}, byte 00, selected`);
  await page.locator('[data-type=uint32]').hover();
  expect(await grid.get('highlight')).toEqual({ offset: from, length: 4 });
  // Far longer than what is in view: its beginning is fetched.
  await page.goto('/');
  await grid.open('disk.img', `#offset=${hex(from + 2 ** 24)}&select=${hex(from)}+${2 ** 24 + 1}&order=little`);
  await expect(page.locator('[data-type=uint64] .value')).toHaveText(String(target));
  await page.getByRole('button', { name: `Follow uint64 to ${hex(target)}` }).click();
  await expect.poll(() => grid.get('cursor')).toBe(target);
  await expect(place).toHaveText(`At the cursor, ${hex(target)}`);
  await grid.goto(hex(from + 16));
  await page.keyboard.press('Shift+ArrowLeft');
  await expectInspected(page, grid, read(from + 15));
  await page.keyboard.press('Escape');
  await expect(place).toHaveText(`At the cursor, ${hex(from + 15)}`);
});
