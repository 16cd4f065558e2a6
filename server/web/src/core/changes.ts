/** Which bytes differ from the version of the file that was shown before, as far as its pages were still at hand. */

/** Bytes of the older version that are kept for comparing: the pages that were used last. */
export const heritageCapacity = 2 * 1024 * 1024;

export class Changes {
  /** A page's older bytes until its present ones come; from then on 1 for each that changed. */
  readonly #pages: Map<number, { bytes: Uint8Array; compared: boolean }>;

  constructor(
    pages: ReadonlyMap<number, Uint8Array>,
    /** Of the older version: what lies beyond is new. */
    readonly oldSize: number,
  ) {
    this.#pages = new Map([...pages].map(([page, bytes]) => [page, { bytes: bytes.slice(), compared: false }]));
  }

  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.#pages.values()) sum += bytes.byteLength;
    return sum;
  }

  /** Compares a page with what it was. The first time counts; a page that is the same is forgotten. */
  compare(page: number, now: Uint8Array): void {
    const before = this.#pages.get(page);
    if (!before || before.compared) return;
    before.compared = true;
    before.bytes.forEach((byte, at) => {
      before.bytes[at] = at < now.length && byte !== now[at] ? 1 : 0;
    });
    if (!before.bytes.includes(1)) this.#pages.delete(page);
  }

  /** Whether the byte at `inPage` of a page, which is `offset` of the file, is known to be new or another. */
  has(offset: number, page: number, inPage: number): boolean {
    if (offset >= this.oldSize) return true;
    const flags = this.#pages.get(page);
    return flags?.compared === true && flags.bytes[inPage] === 1;
  }
}
