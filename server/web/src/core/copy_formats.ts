/** Bytes as text for the clipboard. All of these round-trip: what is pasted gives the same bytes (text apart). */

import { hexPairs } from './format';
import { decodeText, joinInParts, type TextEncoding } from './text_encodings';

export const copyFormats = [
  { name: 'hex', label: 'Hex' },
  { name: 'text', label: 'Text' },
  { name: 'base64', label: 'Base64' },
  { name: 'c', label: 'C array' },
  { name: 'python', label: 'Python bytes' },
  { name: 'json', label: 'JSON array' },
] as const;

export type CopyFormat = (typeof copyFormats)[number]['name'];

/** More than this goes to a file and not to the clipboard, whose copies are several times as large as the bytes. */
export const largestCopy = 16 * 1024 * 1024;

function hex(bytes: Uint8Array): string {
  return joinInParts(
    bytes,
    (part, offset) => (offset > 0 ? ' ' : '') + Array.from(part, (byte) => hexPairs[byte]!).join(' '),
  );
}

function base64(bytes: Uint8Array): string {
  return joinInParts(bytes, (part) => {
    let binary = '';
    // fromCharCode takes its characters as arguments, of which engines allow some 65,000; 8 Ki is safe everywhere.
    for (let at = 0; at < part.length; at += 8192) binary += String.fromCharCode(...part.subarray(at, at + 8192));
    return btoa(binary);
  });
}

function lines(part: Uint8Array, perLine: number, line: (bytes: Uint8Array) => string): string {
  const out: string[] = [];
  for (let at = 0; at < part.length; at += perLine) out.push(line(part.subarray(at, at + perLine)));
  return out.join('');
}

function c(bytes: Uint8Array): string {
  const body = joinInParts(bytes, (part) =>
    lines(part, 12, (line) => `    ${Array.from(line, (byte) => `0x${hexPairs[byte]!}`).join(', ')},\n`),
  );
  return `const unsigned char data[${bytes.length}] = {\n${body}};\n`;
}

const pythonEscapes = Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${hexPairs[byte]!}`;
});

function python(bytes: Uint8Array): string {
  const literal = (part: Uint8Array): string => `b"${Array.from(part, (byte) => pythonEscapes[byte]!).join('')}"`;
  if (bytes.length <= 16) return `data = ${literal(bytes)}\n`;
  return `data = (\n${joinInParts(bytes, (part) => lines(part, 16, (line) => `    ${literal(line)}\n`))})\n`;
}

function json(bytes: Uint8Array): string {
  return `[${joinInParts(bytes, (part, offset) => (offset > 0 ? ', ' : '') + part.join(', '))}]`;
}

export function formatCopy(format: CopyFormat, bytes: Uint8Array, encoding: TextEncoding): string {
  switch (format) {
    case 'hex':
      return hex(bytes);
    case 'text':
      return decodeText(encoding, bytes);
    case 'base64':
      return base64(bytes);
    case 'c':
      return c(bytes);
    case 'python':
      return python(bytes);
    case 'json':
      return json(bytes);
  }
}
