/**
 * One version of one file as pages: a bounded cache, and a loader that reads only what is wanted now.
 *
 * `want` replaces the list of wanted pages. Those in flight that are no longer on it are aborted, so a page that was scrolled
 * past is never ahead of a visible one; there is no other queue. While the wish changes faster than `restTime` (a dragged
 * scrollbar), requests wait for a rest.
 */

import { type Api, ReadFailure, type Version } from './api';
import { Changes, heritageCapacity } from './changes';
import type { HoleLookup } from './extents';
import { PageCache } from './page_cache';
import { quotient } from './rows';
import type { Span } from './view_link';

export const pageSize = 65_536;
export const cacheCapacity = 16 * 1024 * 1024;
/** Below a browser's six connections for an origin, so that a file's details and another tab get through. */
export const mostInFlight = 4;
/** Milliseconds. */
export const restTime = 60;
const firstRetry = 500;
const longestRetry = 10_000;

export type PageState =
  | { readonly kind: 'ready' }
  | { readonly kind: 'loading' }
  /** Nothing asked for, or waiting for a rest. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly message: string };

const ready: PageState = { kind: 'ready' };
const loading: PageState = { kind: 'loading' };
const absent: PageState = { kind: 'absent' };

/** Whether the server is there, and whether the file still is this version. */
export type SourceHealth =
  | { readonly kind: 'ok' }
  /** Being retried at `nextTry` (as performance.now()). */
  | { readonly kind: 'waiting'; readonly message: string; readonly nextTry: number }
  /** Nothing more is read: only a new source shows the file. */
  | { readonly kind: 'changed' | 'gone'; readonly message: string };

export interface SourceCounters {
  readonly requested: number;
  readonly completed: number;
  readonly aborted: number;
  readonly failed: number;
  readonly bytes: number;
}

export class PageSource {
  readonly #cache: PageCache;
  readonly #inFlight = new Map<number, AbortController>();
  readonly #failed = new Map<number, string>();
  /** Pages whose answer failed to come once, though the server was there. */
  readonly #breaks = new Set<number>();
  readonly #ended = new AbortController();
  readonly #listeners = new Set<() => void>();
  #wanted: readonly number[] = [];
  #lastChange = -Infinity;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retryDelay = firstRetry;
  /** When the server that asked for time may be asked again, as performance.now(). */
  #notBefore = -Infinity;
  #health: SourceHealth = { kind: 'ok' };
  #disposed = false;
  #counters = { requested: 0, completed: 0, aborted: 0, failed: 0, bytes: 0 };

  #holes: HoleLookup | undefined;

  constructor(
    readonly api: Api,
    readonly version: Version,
    /** What is known of the version that was shown before. */
    readonly changes?: Changes,
  ) {
    this.#cache = new PageCache(cacheCapacity - (changes ? heritageCapacity : 0));
  }

  get size(): number {
    return this.version.size;
  }

  get health(): SourceHealth {
    return this.#health;
  }

  get cachedBytes(): number {
    return this.#cache.bytes + (this.changes?.bytes ?? 0);
  }

  /** Where the file has holes: what lies in one reads as zeros and is never asked for. */
  get holes(): HoleLookup | undefined {
    return this.#holes;
  }

  set holes(holes: HoleLookup | undefined) {
    this.#holes = holes;
    this.#pump();
    this.#notify();
  }

  holeAt(offset: number): Span | undefined {
    return this.#holes?.holeAt(offset);
  }

  /** Whether the byte is known to differ from the version that was shown before. */
  changed(offset: number): boolean {
    if (!this.changes) return false;
    const page = quotient(offset, pageSize);
    return this.#cache.has(page) && this.changes.has(offset, page, offset - page * pageSize);
  }

  /** For the version that follows this one. */
  bequeath(): Changes {
    return new Changes(this.#cache.recent(heritageCapacity), this.size);
  }

  /** Somebody else learnt that the file is another, or gone: nothing more is read. */
  outdate(kind: 'changed' | 'gone', message: string): void {
    if (this.#health.kind !== kind) this.#suffer(new ReadFailure(kind, message));
  }

  /** What any request about this version failed with: it may tell of the file itself. */
  heed(error: unknown): void {
    if (error instanceof ReadFailure && (error.kind === 'changed' || error.kind === 'gone'))
      this.outdate(error.kind, error.message);
  }

  /** The file is this version: it is there again, or what told of another was late. Asked once more, as this may be late too. */
  revive(): void {
    if (this.#health.kind !== 'gone' && this.#health.kind !== 'changed') return;
    this.#recover();
    void this.probe();
  }

  get counters(): SourceCounters {
    return this.#counters;
  }

  get busy(): boolean {
    return this.#inFlight.size > 0;
  }

  /** Called after every change of a page or of the health. Returns how to stop it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  state(page: number): PageState {
    if (this.#cache.has(page) || this.#inHole(page)) return ready;
    const message = this.#failed.get(page);
    if (message !== undefined) return { kind: 'failed', message };
    return this.#inFlight.has(page) ? loading : absent;
  }

  /** Bytes into `out`, -1 for each that is not in the cache or not in the file. Reads nothing, uses nothing. */
  peek(offset: number, out: Int16Array): void {
    out.fill(-1);
    const first = Math.max(0, offset);
    const end = Math.min(this.size, offset + out.length);
    for (let at = first; at < end;) {
      const page = quotient(at, pageSize);
      const pageStart = page * pageSize;
      const until = Math.min(end, pageStart + pageSize);
      const bytes = this.#cache.peek(page);
      if (bytes) for (let i = at; i < until; ++i) out[i - offset] = bytes[i - pageStart]!;
      else if (this.#inHole(page)) out.fill(0, at - offset, until - offset);
      at = until;
    }
  }

  /** The wanted pages, the most urgent first. */
  want(pages: readonly number[]): void {
    if (this.#disposed) return;
    for (const page of pages) this.#cache.get(page);
    if (pages.length === this.#wanted.length && pages.every((page, index) => page === this.#wanted[index])) return;
    const overlap = pages.some((page) => this.#wanted.includes(page));
    this.#wanted = pages;
    for (const [page, controller] of this.#inFlight) {
      if (!pages.includes(page)) {
        this.#inFlight.delete(page);
        ++this.#counters.aborted;
        controller.abort();
      }
    }
    // A failure is told while it is looked at; coming back later tries again.
    for (const page of this.#failed.keys()) if (!pages.includes(page)) this.#failed.delete(page);
    for (const page of this.#breaks) if (!pages.includes(page)) this.#breaks.delete(page);
    const now = performance.now();
    const hurried = !overlap && now - this.#lastChange < restTime;
    if (!overlap) this.#lastChange = now;
    clearTimeout(this.#restTimer);
    this.#restTimer = undefined;
    if (hurried) {
      this.#restTimer = setTimeout(() => {
        this.#restTimer = undefined;
        this.#pump();
      }, restTime);
    } else {
      this.#pump();
    }
  }

  /** Tries a failed page again, or all of them, and the server now instead of later. */
  retry(page?: number): void {
    if (page === undefined) this.#failed.clear();
    else this.#failed.delete(page);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#notBefore = -Infinity;
    this.#pump();
    this.#notify();
  }

  /** Asks whether the file is unchanged; the health tells the answer. While the server is away, retries ask already. */
  async probe(): Promise<void> {
    if (this.#disposed || this.#health.kind !== 'ok') return;
    const failure = await this.#probeFailure();
    if (failure) this.#suffer(failure);
  }

  dispose(): void {
    this.#disposed = true;
    this.#ended.abort();
    clearTimeout(this.#restTimer);
    clearTimeout(this.#retryTimer);
    for (const controller of this.#inFlight.values()) controller.abort();
    this.#inFlight.clear();
    this.#cache.clear();
    this.#listeners.clear();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #inHole(page: number): boolean {
    const hole = this.#holes?.holeAt(page * pageSize);
    return hole !== undefined && hole.offset + hole.length >= Math.min(this.size, (page + 1) * pageSize);
  }

  #missing(page: number): boolean {
    return !this.#cache.has(page) && !this.#inHole(page) && !this.#inFlight.has(page) && !this.#failed.has(page);
  }

  #pump(): void {
    if (this.#disposed || this.#health.kind === 'changed' || this.#health.kind === 'gone') return;
    if (this.#health.kind === 'waiting') {
      if (this.#retryTimer === undefined && this.#inFlight.size === 0) void this.#attempt();
      return;
    }
    for (const page of this.#wanted) {
      if (this.#inFlight.size >= mostInFlight) break;
      if (this.#missing(page)) void this.#load(page);
    }
  }

  /** While the server is away, one request at a time finds out whether it is back: a wanted page, or else a HEAD. */
  async #attempt(): Promise<void> {
    const page = this.#wanted.find((wanted) => this.#missing(wanted));
    if (page !== undefined) {
      await this.#load(page);
      return;
    }
    const failure = await this.#probeFailure();
    if (this.#disposed || this.#retryTimer !== undefined) return;
    if (failure) this.#suffer(failure);
    else this.#recover();
  }

  async #load(page: number): Promise<void> {
    const controller = new AbortController();
    this.#inFlight.set(page, controller);
    ++this.#counters.requested;
    this.#notify();
    const offset = page * pageSize;
    let failure: ReadFailure | undefined;
    try {
      const bytes = await this.api.range(
        this.version,
        offset,
        Math.min(pageSize, this.size - offset),
        controller.signal,
      );
      // Aborted between the last byte and here: the page is no longer wanted, or another request for it is under way.
      if (this.#inFlight.get(page) !== controller) return;
      this.#cache.set(page, bytes);
      this.changes?.compare(page, bytes);
      this.#breaks.delete(page);
      ++this.#counters.completed;
      this.#counters.bytes += bytes.length;
    } catch (error) {
      if (this.#inFlight.get(page) !== controller) return;
      ++this.#counters.failed;
      failure = error instanceof ReadFailure ? error : new ReadFailure('refused', String(error));
      if (failure.kind === 'unreachable') failure = await this.#explain(page, failure);
      if (this.#inFlight.get(page) !== controller) return;
    }
    this.#inFlight.delete(page);
    if (failure === undefined) {
      this.#answered();
    } else if (failure.kind === 'refused') {
      this.#failed.set(page, failure.message);
      this.#answered();
    } else if (failure.kind !== 'unreachable' || !this.#breaks.has(page)) {
      this.#suffer(failure);
    }
    this.#notify();
    this.#pump();
  }

  /**
   * A page whose answer did not come: is the server away, or is it this page? If a HEAD gets through, the page is tried once
   * more (a note in #breaks), and the second time the failure is its own.
   */
  async #explain(page: number, failure: ReadFailure): Promise<ReadFailure> {
    const probed = await this.#probeFailure();
    if (probed) {
      this.#breaks.delete(page);
      return probed;
    }
    if (this.#breaks.delete(page)) return new ReadFailure('refused', failure.message);
    this.#breaks.add(page);
    return failure;
  }

  async #probeFailure(): Promise<ReadFailure | undefined> {
    try {
      await this.api.probe(this.version, this.#ended.signal);
      return undefined;
    } catch (error) {
      return error instanceof ReadFailure ? error : new ReadFailure('unreachable', String(error));
    }
  }

  /** The server is there. One that asked for time gets it all the same, though an earlier request was answered since. */
  #answered(): void {
    if (this.#health.kind === 'waiting' && performance.now() >= this.#notBefore) this.#recover();
  }

  #suffer(failure: ReadFailure): void {
    if (this.#disposed) return;
    if (failure.kind === 'changed' || failure.kind === 'gone') {
      clearTimeout(this.#retryTimer);
      this.#retryTimer = undefined;
      this.#health = { kind: failure.kind, message: failure.message };
    } else if (this.#retryTimer === undefined) {
      const delay = Math.max(failure.retryAfter ?? 0, this.#retryDelay);
      this.#retryDelay = Math.min(longestRetry, this.#retryDelay * 2);
      if (failure.retryAfter !== undefined) this.#notBefore = performance.now() + failure.retryAfter;
      this.#health = { kind: 'waiting', message: failure.message, nextTry: performance.now() + delay };
      this.#retryTimer = setTimeout(() => {
        this.#retryTimer = undefined;
        this.#pump();
      }, delay);
    }
    this.#notify();
  }

  #recover(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#retryDelay = firstRetry;
    this.#health = { kind: 'ok' };
    this.#notify();
    this.#pump();
  }
}
