/** Where matches are: as many as there is room for, in ascending order, 8 bytes for each (10 where their lengths differ). */

import { quotient } from './rows';

export interface Hit {
  readonly offset: number;
  readonly length: number;
}

/** Hits in one piece of memory: what a million of them need is taken bit by bit. */
const pieceLength = 16_384;

export class HitStore {
  readonly #offsets: Float64Array[] = [];
  /** Absent while all hits are as long as the first. The daemon's longest match is 32 KiB. */
  #lengths: Uint16Array[] | undefined;
  #common = 0;
  #length = 0;
  #longest = 0;

  get length(): number {
    return this.#length;
  }

  /** The length of the longest hit, 0 without one. */
  get longest(): number {
    return this.#longest;
  }

  get bytes(): number {
    return this.#offsets.length * pieceLength * 8 + (this.#lengths?.length ?? 0) * pieceLength * 2;
  }

  /** A hit beyond the last one. Throws RangeError for one that is not. */
  push({ offset, length }: Hit): void {
    if (this.#length > 0 && offset <= this.#offsetAt(this.#length - 1)) throw new RangeError('Hits come in order');
    if (length < 1 || length > 0xffff) throw new RangeError('A hit is 1 to 65535 bytes long');
    const piece = quotient(this.#length, pieceLength);
    const place = this.#length % pieceLength;
    if (place === 0) {
      this.#offsets.push(new Float64Array(pieceLength));
      this.#lengths?.push(new Uint16Array(pieceLength));
    }
    if (this.#length === 0) this.#common = length;
    else if (length !== this.#common) this.#lengths ??= this.#offsets.map(() => this.#filled());
    this.#offsets[piece]![place] = offset;
    if (this.#lengths) this.#lengths[piece]![place] = length;
    this.#longest = Math.max(this.#longest, length);
    ++this.#length;
  }

  at(index: number): Hit | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    const length = this.#lengths?.[quotient(index, pieceLength)]![index % pieceLength] ?? this.#common;
    return { offset: this.#offsetAt(index), length };
  }

  /** The number of hits before `offset`, which is the index of the first at or after it. */
  indexFrom(offset: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = quotient(low + high, 2);
      if (this.#offsetAt(middle) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Those that have a byte in [from, to), as long as they are: at most `most` of them. */
  within(from: number, to: number, most = Infinity): Hit[] {
    const out: Hit[] = [];
    for (let index = this.indexFrom(from - this.#longest + 1); index < this.#length && out.length < most; ++index) {
      const hit = this.at(index)!;
      if (hit.offset >= to) break;
      if (hit.offset + hit.length > from) out.push(hit);
    }
    return out;
  }

  #offsetAt(index: number): number {
    return this.#offsets[quotient(index, pieceLength)]![index % pieceLength]!;
  }

  #filled(): Uint16Array {
    return new Uint16Array(pieceLength).fill(this.#common);
  }
}
