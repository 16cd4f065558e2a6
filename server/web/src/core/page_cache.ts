/** Pages of one version of one file, least recently used out first. Its bytes never exceed its capacity. */
export class PageCache {
  // A Map keeps the order of insertion: the first key is the least recently used.
  readonly #pages = new Map<number, Uint8Array>();
  #bytes = 0;

  constructor(readonly capacity: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  has(page: number): boolean {
    return this.#pages.has(page);
  }

  /** The page, which becomes the most recently used. */
  get(page: number): Uint8Array | undefined {
    const bytes = this.#pages.get(page);
    if (bytes !== undefined) {
      this.#pages.delete(page);
      this.#pages.set(page, bytes);
    }
    return bytes;
  }

  /** The page, its place unchanged: for looking at without using. */
  peek(page: number): Uint8Array | undefined {
    return this.#pages.get(page);
  }

  /** Room is made before the page is counted, so that the capacity holds at every moment; a page larger than it is not kept. */
  set(page: number, bytes: Uint8Array): void {
    this.delete(page);
    if (bytes.byteLength > this.capacity) return;
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes + bytes.byteLength <= this.capacity) break;
      this.delete(oldest);
    }
    this.#pages.set(page, bytes);
    this.#bytes += bytes.byteLength;
  }

  delete(page: number): void {
    this.#bytes -= this.#pages.get(page)?.byteLength ?? 0;
    this.#pages.delete(page);
  }

  /** The pages that were used last, up to so many bytes. */
  recent(bytes: number): Map<number, Uint8Array> {
    const kept = new Map<number, Uint8Array>();
    let left = bytes;
    for (const [page, content] of [...this.#pages].reverse()) {
      left -= content.byteLength;
      if (left < 0) break;
      kept.set(page, content);
    }
    return kept;
  }

  clear(): void {
    this.#pages.clear();
    this.#bytes = 0;
  }
}
