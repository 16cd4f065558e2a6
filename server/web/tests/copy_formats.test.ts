import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCopy } from '../src/core/copy_formats';

const elf = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 0x00, 0x22, 0x5c, 0xff]);

/** Lengths around the pieces in which the formats work. */
const lengths = [0, 1, 2, 3, 11, 12, 13, 15, 16, 17, 8191, 8192, 8193, 49_151, 49_152, 49_153, 98_305];
const sample = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + Math.floor(at / 251)) % 256);

describe('copying', () => {
  it('looks as people expect it', () => {
    expect(formatCopy('hex', elf, 'ascii')).toBe('7f 45 4c 46 00 22 5c ff');
    expect(formatCopy('text', elf, 'ascii')).toBe('.ELF."\\.');
    expect(formatCopy('base64', elf, 'ascii')).toBe('f0VMRgAiXP8=');
    expect(formatCopy('c', elf, 'ascii')).toBe(
      'const unsigned char data[8] = {\n    0x7f, 0x45, 0x4c, 0x46, 0x00, 0x22, 0x5c, 0xff,\n};\n',
    );
    expect(formatCopy('python', elf, 'ascii')).toBe('data = b"\\x7fELF\\x00\\"\\\\\\xff"\n');
    expect(formatCopy('json', elf, 'ascii')).toBe('[127, 69, 76, 70, 0, 34, 92, 255]');
  });

  it.each(lengths)('reads back: %i bytes', (length) => {
    const bytes = sample(length);
    const hex = formatCopy('hex', bytes, 'ascii');
    expect(hex === '' ? [] : hex.split(' ').map((pair) => parseInt(pair, 16))).toEqual([...bytes]);
    expect(Buffer.from(formatCopy('base64', bytes, 'ascii'), 'base64').equals(bytes)).toBe(true);
    expect(JSON.parse(formatCopy('json', bytes, 'ascii'))).toEqual([...bytes]);
    const c = formatCopy('c', bytes, 'ascii');
    expect(c).toContain(`data[${length}]`);
    expect([...c.matchAll(/0x([0-9a-f]{2}),/g)].map((match) => parseInt(match[1]!, 16))).toEqual([...bytes]);
    expect(Buffer.from(formatCopy('text', bytes, 'latin-1')).length).toBeGreaterThanOrEqual(length);
  });

  it('is Python to Python', () => {
    for (const length of [0, 1, 16, 17, 300, 49_153]) {
      const bytes = sample(length);
      const program = `${formatCopy('python', bytes, 'ascii')}import sys; sys.stdout.buffer.write(data)`;
      expect(execFileSync('python3', ['-'], { input: program }).equals(bytes)).toBe(true);
    }
  });

  it('reads back whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(Buffer.from(formatCopy('base64', bytes, 'ascii'), 'base64').equals(bytes)).toBe(true);
        const literals = [...formatCopy('python', bytes, 'ascii').matchAll(/b"((?:[^"\\]|\\.)*)"/g)].map(
          (match) => match[1]!,
        );
        const read = literals
          .join('')
          .replace(/\\x(..)|\\(.)/g, (_, hex: string | undefined, plain: string | undefined) =>
            hex === undefined ? plain! : String.fromCharCode(parseInt(hex, 16)),
          );
        expect(Buffer.from(read, 'latin1').equals(bytes)).toBe(true);
      }),
    );
  });
});
