/**
 * Gathers the matches of a query in a file, part after part, into memory that is bounded: beyond its capacity they are counted.
 * It can be stopped and taken up where it was, and goes on by itself when the server was away or busy.
 */

import { type Api, ReadFailure, type Version } from './api';
import { Backoff } from './busy';
import { type Hit, HitStore } from './hit_store';
import { type Pace, ScanPace } from './scan_pace';
import { scan, type ScanRecord } from './search_records';
import { longestRegexMatch, matchLength, searchAddress, type SearchQuery } from './search_query';
import type { Span } from './view_link';

/** The daemon tells no more matches in one answer. */
export const mostHits = 1_000_000;

export type CollectorState =
  | { readonly kind: 'running' | 'stopped' | 'complete' }
  /** To be tried again at `nextTry` (as performance.now()). */
  | { readonly kind: 'waiting'; readonly failure: ReadFailure; readonly nextTry: number }
  /** `changed` and `gone` are final; anything else may be tried again. */
  | { readonly kind: 'failed'; readonly failure: ReadFailure };

/** The matches that begin in a part of the file: from <= offset < to. */
export class Part {
  readonly hits = new HitStore();
  /** All matches that begin before it are counted. A search is taken up from here. */
  position: number;
  /** How far the bytes were looked at. */
  scanned: number;
  count = 0;
  /** There was no room for all that were counted. */
  overflowed = false;

  constructor(
    readonly from: number,
    readonly to: number,
  ) {
    this.position = from;
    this.scanned = from;
  }

  get complete(): boolean {
    return this.position >= this.to;
  }

  /** All matches that begin before it are in `hits`. */
  get covered(): number {
    if (!this.overflowed) return this.position;
    const last = this.hits.at(this.hits.length - 1);
    return last ? last.offset + 1 : this.from;
  }
}

/**
 * What to ask for, so that all matches that begin in a window are told, and told as a search of the whole file would: a literal
 * needs the bytes behind the window's end that a match may reach into. A regular match is told only if it overlaps no
 * earlier one, so that a search for one begins as much before the window as a match may be long.
 */
export function margins(query: SearchQuery): { readonly before: number; readonly after: number } {
  const length = matchLength(query);
  return length === undefined
    ? { before: longestRegexMatch, after: longestRegexMatch }
    : { before: 0, after: length - 1 };
}

export interface CollectorOptions {
  readonly api: Api;
  readonly version: Version;
  readonly query: SearchQuery;
  /** In the order in which they are searched. */
  readonly parts: readonly Part[];
  /** Whether to go on counting once there is no room. */
  readonly counting: boolean;
  readonly capacity?: number;
  readonly changed: () => void;
}

export class HitCollector {
  readonly parts: readonly Part[];
  #state: CollectorState = { kind: 'stopped' };
  #controller: AbortController | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #backoff = new Backoff();
  readonly #pace = new ScanPace();
  #measured: Pace | undefined;
  #answered = false;

  constructor(private readonly options: CollectorOptions) {
    this.parts = options.parts;
  }

  get state(): CollectorState {
    return this.#state;
  }

  /** The server has begun to search once: it takes the query for one. */
  get answered(): boolean {
    return this.#answered;
  }

  /** As the present request has it: another object with each record of progress. */
  get pace(): Pace | undefined {
    return this.#measured;
  }

  /** What is still to be scanned. */
  get left(): Span[] {
    return this.parts
      .filter(({ scanned, to }) => scanned < to)
      .map(({ scanned, to }) => ({ offset: scanned, length: to - scanned }));
  }

  get total(): number {
    return this.parts.reduce((sum, part) => sum + part.to - part.from, 0);
  }

  get scanned(): number {
    return this.parts.reduce((sum, part) => sum + part.scanned - part.from, 0);
  }

  get count(): number {
    return this.parts.reduce((sum, part) => sum + part.count, 0);
  }

  /** Hits that can be asked for with at(). */
  get length(): number {
    return this.parts.reduce((sum, part) => sum + part.hits.length, 0);
  }

  get overflowed(): boolean {
    return this.parts.some((part) => part.overflowed);
  }

  /** In the order in which they were found. */
  at(index: number): Hit | undefined {
    let left = index;
    for (const { hits } of this.parts) {
      if (left < hits.length) return hits.at(left);
      left -= hits.length;
    }
    return undefined;
  }

  /** Where a hit is in that order, -1 if it is not here. */
  indexOf(offset: number): number {
    let before = 0;
    for (const { hits, from, to } of this.parts) {
      if (offset >= from && offset < to) {
        const index = hits.indexFrom(offset);
        return hits.at(index)?.offset === offset ? before + index : -1;
      }
      before += hits.length;
    }
    return -1;
  }

  /** Begins, or goes on from where it was. */
  start(): void {
    if (this.#state.kind === 'running' || this.#state.kind === 'complete') return;
    clearTimeout(this.#retryTimer);
    void this.#run();
  }

  /** Ends the request; start() goes on. */
  stop(): void {
    clearTimeout(this.#retryTimer);
    this.#controller?.abort();
    if (this.#state.kind === 'running' || this.#state.kind === 'waiting') this.#become({ kind: 'stopped' });
  }

  #become(state: CollectorState): void {
    this.#state = state;
    if (state.kind !== 'running') this.#measured = undefined;
    this.options.changed();
  }

  async #run(): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    this.#become({ kind: 'running' });
    try {
      for (const part of this.parts) {
        if (!part.complete && this.#wanted()) await this.#search(part, controller.signal);
      }
      if (!controller.signal.aborted) this.#become({ kind: 'complete' });
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#fail(error instanceof ReadFailure ? error : new ReadFailure('refused', String(error)));
    }
  }

  #fail(failure: ReadFailure): void {
    if (!failure.transient) {
      this.#become({ kind: 'failed', failure });
      return;
    }
    const delay = this.#backoff.after(failure);
    this.#become({ kind: 'waiting', failure, nextTry: performance.now() + delay });
    this.#retryTimer = setTimeout(() => void this.#run(), delay);
  }

  #room(): number {
    return (this.options.capacity ?? mostHits) - this.length;
  }

  /** Without counting, what finds no room is not looked for. */
  #wanted(): boolean {
    return this.options.counting || !this.overflowed;
  }

  async #search(part: Part, signal: AbortSignal): Promise<void> {
    const { api, version, query, changed } = this.options;
    const { before, after } = margins(query);
    const start = part.position;
    const offset = Math.max(0, start - before);
    const end = Math.min(version.size, part.to + after);
    // Those in the margin before it are told first, and passed over.
    const room = this.#room();
    const limit = Math.min(mostHits, room + before);
    const counted = part.count;
    let told = 0;
    let passed = 0;
    this.#pace.begin();
    const count = (matches: number): void => {
      part.count = Math.max(part.count, counted + matches - passed);
    };
    const take = (record: ScanRecord): boolean => {
      this.#answered = true;
      switch (record.type) {
        case 'match':
          ++told;
          if (record.offset < start || record.offset >= part.to) {
            ++passed;
          } else if (part.overflowed || this.#room() === 0) {
            part.overflowed = true;
            ++part.count;
            part.position = Math.max(part.position, record.offset + 1);
          } else {
            part.hits.push(record);
            ++part.count;
            part.position = Math.max(part.position, record.offset + 1);
            part.scanned = Math.max(part.scanned, part.position);
            if (!this.options.counting && this.#room() === 0) part.overflowed = true;
          }
          break;
        case 'progress': {
          this.#backoff.reset();
          this.#measured = this.#pace.take(record);
          const reached = Math.min(part.to, offset + record.scanned);
          part.scanned = Math.max(part.scanned, reached);
          // Matches that were found and not told yet lie before what was scanned: then the last that was told is the place.
          const known = record.matches === told || (told >= limit && record.matches !== undefined);
          if (!known) break;
          if (told >= limit && record.matches > told) part.overflowed = true;
          if (part.overflowed) count(record.matches);
          part.position = Math.max(part.position, Math.min(part.to, offset + record.scanned - Math.max(before, after)));
          break;
        }
        case 'end':
          if (record.matches > told) part.overflowed = true;
          count(record.matches);
          part.position = part.to;
          part.scanned = part.to;
          break;
      }
      changed();
      return this.#wanted();
    };
    await scan(
      api,
      version,
      searchAddress(version.path, query, { offset, length: end - offset, limit }),
      signal,
      (record) =>
        // What comes between the abort and its effect is of no search any more.
        signal.aborted ? false : take(record),
    );
    signal.throwIfAborted();
  }
}
