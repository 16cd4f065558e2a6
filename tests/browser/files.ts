/** Files whose bytes follow from their offsets. */

import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export const pageSize = 65_536;

/** Where shipped viewers broke: signed and unsigned 32 bits, rows and pages beyond them, 40 bits. */
export const landmarks = [0, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 36, 2 ** 40];

/** Bytes to either side of a landmark that are written; the rest of a sparse file is a hole. */
const island = 3 * pageSize;

/** The byte at an offset on an island, different for offsets that 31, 32, 36 or 40 bits would confuse. Never zero. */
export function byteOf(offset: number): number {
  const mixed =
    offset + 7 * Math.floor(offset / 256) + 31 * Math.floor(offset / 65_536) + 101 * Math.floor(offset / 2 ** 31);
  return 1 + (mixed % 255);
}

export function contents(offset: number, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => byteOf(offset + at)));
}

export class SparseFile {
  readonly size: number;
  readonly #islands: [number, number][];

  /** Where there is data, as [from, to) in order; all else is hole. */
  get islands(): readonly (readonly [number, number])[] {
    return this.#islands;
  }

  constructor(path: string, wantedSize = 2 ** 44) {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'w');
    this.size = largest(file, wantedSize);
    this.#islands = [...landmarks, this.size].map((centre) => [
      Math.max(0, centre - island),
      Math.min(this.size, centre + island),
    ]);
    for (const [from, to] of this.#islands) writeAt(file, contents(from, to - from), from);
    closeSync(file);
  }

  /** What the daemon must serve at an offset. */
  byteAt(offset: number): number {
    return this.#islands.some(([from, to]) => offset >= from && offset < to) ? byteOf(offset) : 0;
  }

  bytes(offset: number, length: number): number[] {
    return Array.from({ length }, (_, at) => this.byteAt(offset + at));
  }
}

/** node's writeSync takes a position as a Number, exact to 2^53. */
function writeAt(file: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}

function largest(file: number, wanted: number): number {
  for (const size of [wanted, wanted - 4096]) {
    try {
      ftruncateSync(file, size);
      return size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EFBIG') throw error;
    }
  }
  throw new Error(`The file system of the temporary directory holds no file of ${wanted} bytes`);
}

/** Writes over some bytes of a file that is there, in place. */
export function overwrite(path: string, bytes: Buffer, position: number): void {
  const file = openSync(path, 'r+');
  writeAt(file, bytes, position);
  closeSync(file);
}

/** A whole file of `length` bytes, each following from its offset. */
export function writeFile(path: string, length: number, from = 0): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  const step = 1024 * 1024;
  for (let at = 0; at < length; at += step) writeAt(file, contents(from + at, Math.min(step, length - at)), at);
  closeSync(file);
}
