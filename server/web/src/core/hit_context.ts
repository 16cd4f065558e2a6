/** The bytes around the matches of the rows that are seen: read when they are, kept for a few hundred, forgotten then. */

import { type Api, ReadFailure, type Version } from './api';
import type { Hit } from './hit_store';
import { restTime } from './page_source';
import { mostPieces, readSpans } from './range_parts';
import type { Span } from './view_link';

/** Bytes shown before a match, and the most of it and of what follows. */
export const bytesBefore = 8;
export const bytesFrom = 24;
const mostKept = 600;

/** What is shown of a match and its surroundings. */
export function contextSpan(hit: Hit, size: number): Span {
  const offset = Math.max(0, hit.offset - bytesBefore);
  return { offset, length: Math.min(size, hit.offset + bytesFrom) - offset };
}

export class HitContext {
  readonly #kept = new Map<number, Uint8Array>();
  #controller: AbortController | undefined;
  #wanted = '';
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #lastChange = -Infinity;
  #failure: ReadFailure | undefined;

  constructor(
    private readonly api: Api,
    private readonly version: Version,
    private readonly changed: () => void,
  ) {}

  /** Why the bytes of the rows that were wanted last are missing. */
  get failure(): ReadFailure | undefined {
    return this.#failure;
  }

  get size(): number {
    return this.#kept.size;
  }

  of(hit: Hit): Uint8Array | undefined {
    return this.#kept.get(hit.offset);
  }

  /** The hits that are seen now. What was wanted before and is not any more is aborted. */
  want(hits: readonly Hit[]): void {
    const missing = hits.filter((hit) => !this.#kept.has(hit.offset)).slice(0, mostPieces);
    const key = missing.map((hit) => hit.offset).join();
    if (key === this.#wanted) return;
    this.#controller?.abort();
    this.#controller = undefined;
    this.#wanted = key;
    this.#failure = undefined;
    clearTimeout(this.#restTimer);
    if (missing.length === 0) return;
    const now = performance.now();
    const hurried = now - this.#lastChange < restTime;
    this.#lastChange = now;
    if (hurried) this.#restTimer = setTimeout(() => void this.#read(missing), restTime);
    else void this.#read(missing);
  }

  retry(hits: readonly Hit[]): void {
    this.#wanted = '';
    this.want(hits);
  }

  dispose(): void {
    clearTimeout(this.#restTimer);
    this.#controller?.abort();
    this.#kept.clear();
  }

  async #read(hits: readonly Hit[]): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    const spans = hits.map((hit) => contextSpan(hit, this.version.size));
    try {
      const bytes = await readSpans(this.api, this.version, spans, controller.signal);
      if (controller.signal.aborted) return;
      hits.forEach((hit, at) => this.#kept.set(hit.offset, bytes[at]!));
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= mostKept) break;
        this.#kept.delete(oldest);
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#failure = error instanceof ReadFailure ? error : new ReadFailure('refused', String(error));
    }
    this.changed();
  }
}
